// Sensitive instructions that translated code does itself: safe operations on the state.
#include "jit/x64/translator.h"

namespace mynah::x64 {

namespace {
constexpr unsigned kAdd = 0, kOr = 1, kAnd = 4, kXor = 6, kCmp = 7;
constexpr i32 kIf = static_cast<i32>(eflags::intr);
}  // namespace

void Translator::attend_behind() {
    before_clobber();
    const Stub s{.kind = Stub::attend, .here = e_.label(), .resume = e_.label(), .site = new_site(0, false)};
    e_.rm(plain(0xF7), 0, in_state(s_.eflags));  // TEST
    e_.imm32(static_cast<u32>(kIf));
    e_.jcc(kNE, s.here);
    e_.bind(s.resume);
    stubs_.push_back(s);
}

// Kernels load what is there already: the same selector, and in the GDT still what it was loaded from.
bool Translator::reloads(unsigned seg) const {
    const bool data = seg == static_cast<unsigned>(Seg::ds) || seg == static_cast<unsigned>(Seg::es) ||
                      seg == static_cast<unsigned>(Seg::fs) || seg == static_cast<unsigned>(Seg::gs);
    return data && mode_.supervisor && mode_.descriptors;
}

// Where kernels change between two selectors with each entry and exit: no use to look whether it is the same.
bool Translator::takes_turns(unsigned seg) const {
    return mode_.code_size != 8 &&
           (seg == static_cast<unsigned>(Seg::fs) || seg == static_cast<unsigned>(Seg::gs));
}

// ECX: the selector.
void Translator::reload_segment(unsigned seg) {
    before_clobber();
    if (takes_turns(seg)) {
        e_.store(in_state(s_.value), RCX);
        return operate(false, thunks_.load_segment[seg - static_cast<unsigned>(Seg::fs)]);
    }
    const Label odd = whole_instead();
    const i32 now = s_.segment_register[seg], then = s_.loaded_segment[seg];
    e_.rm({.byte = 0x3B, .word = true}, RCX, in_state(now));  // CMP: the selector
    e_.jcc(kNE, odd);
    for (const i32 half : {0, 8}) {
        e_.load(RAX, in_state(now + half));
        e_.alu(kCmp, RAX, in_state(then + half));
        e_.jcc(kNE, odd);
    }
    e_.mov(RAX, RCX, false);
    e_.alu_imm(kOr, RAX, 7, false);
    e_.rm({.byte = 0x3B, .word = true}, RAX, in_state(s_.gdt_limit));
    e_.jcc(kA, odd);
    e_.alu_imm(kAnd, RAX, ~7, false);
    e_.alu(kAdd, RAX, in_state(s_.gdt_base));
    if (mode_.code_size != 8) e_.mov(RAX, RAX, false);
    access_linear(8, false);
    e_.load(RCX, at(RAX));
    e_.alu(kCmp, RCX, in_state(then + 16));
    e_.jcc(kNE, odd);
}

// What C++ does at little cost; the interpreter if it is not that simple.
void Translator::operate(bool always, const u8* thunk) {
    before_clobber();
    e_.move_imm(RCX, new_site(0, false));
    e_.call_to(e_.here() + delta_, thunk);
    if (always) return;
    e_.rr({.byte = 0x84}, RAX, RAX);  // TEST AL, AL
    e_.jcc(kE, whole_instead());
}

bool Translator::emit_system(const Insn& i) {
    const unsigned size = i.osize;
    switch (i.op) {
        case Op::CLI:
            if (!mode_.supervisor) return false;
            before_clobber();
            e_.alu_imm(kAnd, in_state(s_.eflags), ~kIf, false);
            return true;
        case Op::SWAPGS:
            if (!mode_.supervisor || mode_.code_size != 8) return false;
            e_.load(RAX, in_state(s_.gs_base));
            e_.load(RCX, in_state(s_.kernel_gs_base));
            e_.store(in_state(s_.kernel_gs_base), RAX);
            e_.store(in_state(s_.gs_base), RCX);
            e_.store(in_state(s_.segment[static_cast<unsigned>(Seg::gs)]), RCX);
            return true;
        case Op::STI: {
            // Its shadow covers the next instruction, which must be charged together with it.
            if (!mode_.supervisor || index_ + 2 > block_->count) return false;
            before_clobber();
            const Stub s{
                .kind = Stub::enable, .here = e_.label(), .resume = e_.label(), .site = new_site(0, false)};
            sites_.back().shadow = true;
            e_.rm(plain(0xF7), 0, in_state(s_.eflags));  // TEST
            e_.imm32(static_cast<u32>(kIf));
            e_.jcc(kE, s.here);
            e_.bind(s.resume);
            stubs_.push_back(s);
            return true;
        }
        case Op::PUSH_SREG: {
            if ((size == 8) != (mode_.stack_size == 8)) return false;
            // Of a push of 4 bytes the upper two are not written.
            const unsigned bytes = size == 4 ? 2 : size;
            const Mem to = stack_access(-static_cast<i32>(size), bytes, true);
            e_.rm({.byte = 0xB7, .map = 1}, RCX, in_state(s_.segment_register[i.opcode >> 3 & 7]));
            store_sized(to, RCX, bytes);
            move_stack_pointer(-static_cast<i32>(size));
            return true;
        }
        case Op::MOV_RM_SREG: {
            if (i.memory() || size == 2) return false;
            const Reg to = home(i.rm) == kNoReg ? RCX : home(i.rm);
            e_.rm({.byte = 0xB7, .map = 1}, to, in_state(s_.segment_register[i.reg]));
            put_back(i.rm, RCX, size);
            return true;
        }
        case Op::STAC:
        case Op::CLAC:
            if (!mode_.supervisor) return false;
            operate(true, i.op == Op::STAC ? thunks_.stac : thunks_.clac);
            // The page was another privilege's.
            forget_stack();
            return true;
        case Op::RDTSC:
        case Op::RDTSCP:
            operate(false, thunks_.operate);
            return true;
        case Op::MOV_SREG_RM:
            if (!reloads(i.reg)) return false;
            if (i.memory()) {
                e_.rm({.byte = 0xB7, .map = 1}, RCX, access(i, 2, false));
            } else {
                e_.rr({.byte = 0xB7, .map = 1}, RCX, value_of(i.rm, RCX));
            }
            reload_segment(i.reg);
            return true;
        case Op::POP_SREG: {
            const unsigned seg = i.opcode >> 3 & 7;
            if (!reloads(seg) || (size == 8) != (mode_.stack_size == 8)) return false;
            e_.rm({.byte = 0xB7, .map = 1}, RCX, stack_access(0, size, false));
            reload_segment(seg);
            move_stack_pointer(static_cast<i32>(size));
            return true;
        }
        case Op::MOV_R_CR:
            if (!mode_.supervisor || i.reg > 4 || i.reg == 1) return false;
            {
                const Reg to = home(i.rm) == kNoReg ? RCX : home(i.rm);
                const bool wide = mode_.code_size == 8;
                e_.load(to, in_state(s_.control[i.reg]), wide);
                put_back(i.rm, RCX, wide ? 8 : 4);
            }
            return true;
        case Op::PUSHF: {
            if (!(mode_.supervisor || mode_.code_size == 8) || size != mode_.stack_size || size == 2)
                return false;
            before_clobber();
            e_.load(RAX, in_state(s_.flags), false);
            e_.rr({.byte = 0xB6, .map = 1}, RCX, 4);  // MOVZX ECX, AH
            e_.alu_imm(kAnd, RCX, 0xD5, false);
            e_.alu_imm(kAnd, RAX, 1, false);
            e_.rr(plain(0xC1), 4, RAX);  // SHL EAX, 11
            e_.imm8(11);
            e_.alu(kOr, RCX, RAX, false);
            e_.alu(kOr, RCX, in_state(s_.eflags), false);
            e_.store(in_state(s_.value), RCX);
            const Mem to = stack_access(-static_cast<i32>(size), size, true);
            e_.load(RCX, in_state(s_.value));
            store_sized(to, RCX, size);
            move_stack_pointer(-static_cast<i32>(size));
            return true;
        }
        case Op::POPF: {
            if (!mode_.supervisor || size != mode_.stack_size || size == 2) return false;
            e_.load(RCX, stack_access(0, size, false), false);
            e_.mov(RAX, RCX, false);
            e_.alu(kXor, RAX, in_state(s_.eflags), false);
            e_.byte(0xA9);  // TEST EAX, imm32: what needs more than a new value
            e_.imm32(eflags::tf | eflags::df | eflags::nt | eflags::ac | eflags::id | eflags::iopl);
            e_.jcc(kNE, whole_instead());
            e_.alu_imm(kAnd, RAX, kIf, false);
            e_.rm(plain(0x31), RAX, in_state(s_.eflags));
            e_.mov(RAX, RCX, false);
            e_.rr(plain(0xC1), 4, RAX);  // SHL EAX, 8
            e_.imm8(8);
            e_.alu_imm(kAnd, RAX, 0xD500, false);
            e_.rr(plain(0xC1), 5, RCX);  // SHR ECX, 11
            e_.imm8(11);
            e_.alu_imm(kAnd, RCX, 1, false);
            e_.alu(kOr, RAX, RCX, false);
            e_.store(in_state(s_.flags), RAX, false);
            move_stack_pointer(static_cast<i32>(size));
            flags_in_state_only();
            attend_at_ = index_;
            return true;
        }
        default:
            return false;
    }
}

}  // namespace mynah::x64
