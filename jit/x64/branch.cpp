// Near control flow.
#include "cpu/interp/steps.h"
#include "jit/x64/translator.h"

namespace mynah::x64 {

namespace {

constexpr unsigned kAnd = 4, kXor = 6, kCmp = 7;

u64 cut(u64 v, unsigned size) {
    return size == 8 ? v : size == 4 ? static_cast<u32>(v) : static_cast<u16>(v);
}

bool canonical(u64 a) {
    return sign_extend(a, 48) == a;
}

}  // namespace

// RIP in RAX, flags in the state: to its code, through the table of targets.
void Translator::indirect_target() {
    const Stub s{.kind = Stub::target, .here = e_.label(), .rip = kRipInRax};
    e_.rorx(RCX, RAX, 12, false);
    e_.alu(kXor, RCX, RAX, false);
    e_.alu_imm(kAnd, RCX, static_cast<i32>(kTargets - 1), false);
    e_.rr(plain(0xC1), 4, RCX);  // SHL ECX, 5
    e_.imm8(5);
    e_.alu(0, RCX, in_state(s_.targets));
    e_.alu(kCmp, RAX, at(RCX));
    e_.jcc(kNE, s.here);
    e_.load(RAX, at(RCX, 16));
    e_.alu(kCmp, RAX, in_state(s_.space));
    // Keep RIP in RAX for who looks it up.
    e_.load(RAX, at(RCX));
    e_.jcc(kNE, s.here);
    e_.jmp_mem(at(RCX, 8));
    stubs_.push_back(s);
}

// The same where RIP is known.
void Translator::direct_target(u64 rip) {
    const Stub s{.kind = Stub::target, .here = e_.label(), .rip = rip};
    const i32 entry = static_cast<i32>(target_index(rip) * sizeof(Target));
    e_.load(RCX, in_state(s_.targets));
    e_.move_imm(RAX, rip);
    e_.alu(kCmp, RAX, at(RCX, entry));
    e_.jcc(kNE, s.here);
    e_.load(RAX, in_state(s_.space));
    e_.alu(kCmp, RAX, at(RCX, entry + 16));
    e_.jcc(kNE, s.here);
    e_.jmp_mem(at(RCX, entry + 8));
    stubs_.push_back(s);
}

void Translator::push_return(u64 rip, unsigned size) {
    access_stack(-static_cast<i32>(size), size, true);
    const bool wide = size == 8;
    if (wide && static_cast<i64>(rip) != static_cast<i32>(rip)) {
        e_.move_imm(RCX, rip);
        e_.store(at(RAX), RCX);
    } else {
        e_.store_imm32(at(RAX), static_cast<i32>(rip), wide);
    }
    move_stack_pointer(-static_cast<i32>(size));
}

// True: the branch is complete; false: it is none, or the interpreter's.
bool Translator::emit_branch(const Insn& i) {
    const u64 behind = wrap(region_->rip_of(*entry_) + i.length);
    const u64 target = cut(behind + i.imm, i.osize);
    const RegionBlock& b = *block_;
    const bool sizes_fit = i.osize == mode_.code_size || (i.osize == 2 && mode_.code_size == 2);
    const bool stack_fits = sizes_fit && mode_.stack_size == i.osize && i.osize != 2;
    const auto go_on = [&] {
        if (b.next != kNoBlock) {
            go_to_block(b.next);
        } else {
            leave_region(behind, flags_);
        }
    };
    bool branch = true;
    switch (i.op) {
        case Op::JCC:
        case Op::JMP:
        case Op::LOOP:
        case Op::JCXZ:
            if (!sizes_fit || (mode_.code_size == 8 && !canonical(target))) break;
            if (i.op == Op::JMP) {
                b.taken != kNoBlock ? go_to_block(b.taken) : leave_region(target, flags_);
                return true;
            }
            if (i.op == Op::JCC) {
                flags_to_host();
                if (b.taken != kNoBlock) prepare_for(b.taken);
                branch_to(i.cond, target, b.taken);
                go_on();
                return true;
            }
            // LOOP and JCXZ keep the flags.
            before_clobber();
            if (i.asize == 2) {
                e_.rr({.byte = 0xB7, .map = 1}, RCX, home(rcx));
            } else {
                e_.mov(RCX, home(rcx), i.asize == 8);
            }
            if (i.op == Op::LOOP) {
                e_.lea(RCX, at(RCX, -1), i.asize == 8);
                if (i.asize == 2) {
                    e_.rr({.byte = 0x8B, .word = true}, home(rcx), RCX);
                    e_.rr({.byte = 0xB7, .map = 1}, RCX, RCX);
                } else {
                    e_.mov(home(rcx), RCX, i.asize == 8);
                }
            }
            e_.rr(plain(0x85, i.asize == 8), RCX, RCX);
            branch_to(i.op == Op::LOOP ? kNE : kE, target, b.taken);
            go_on();
            return true;
        case Op::CALL:
            if (!stack_fits || (mode_.code_size == 8 && !canonical(target))) break;
            push_return(cut(behind, i.osize), i.osize);
            leave_region(target, flags_);
            return true;
        case Op::RET: {
            if (!stack_fits) break;
            access_stack(0, i.osize, false);
            load_sized(RAX, at(RAX), i.osize);
            check_target();
            move_stack_pointer(static_cast<i32>(i.osize + static_cast<u16>(i.imm)));
            indirect_target();
            return true;
        }
        case Op::JMP_IND:
        case Op::CALL_IND: {
            if (!stack_fits) break;
            if (i.memory()) {
                access(i, i.osize, false);
                load_sized(RAX, at(RAX), i.osize);
            } else {
                before_clobber();
                move(RAX, value_of(i.rm, RAX), i.osize);
            }
            check_target();
            if (i.op == Op::CALL_IND) {
                e_.store(in_state(s_.value), RAX);
                push_return(cut(behind, i.osize), i.osize);
                e_.load(RAX, in_state(s_.value));
            }
            indirect_target();
            return true;
        }
        case Op::LOOPE:
        case Op::LOOPNE:
            break;
        default:
            branch = false;
            break;
    }
    const bool last = index_ + 1 == block_->count;
    if (!branch && (entry_->step != call_handler_last || !last)) return false;
    // The interpreter executes it; it comes back only if control goes on behind it.
    emit_interpret();
    go_on();
    return true;
}

// A target that is not canonical faults at the branch.
void Translator::check_target() {
    if (mode_.code_size != 8) return;
    e_.mov(RCX, RAX);
    e_.rr(plain(0xC1, true), 4, RCX);  // SHL, SAR by 16
    e_.imm8(16);
    e_.rr(plain(0xC1, true), 7, RCX);
    e_.imm8(16);
    e_.alu(kCmp, RCX, RAX);
    e_.jcc(kNE, whole_instead());
}

}  // namespace mynah::x64
