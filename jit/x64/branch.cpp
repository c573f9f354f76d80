// Near control flow.
#include "jit/x64/translator.h"

namespace mynah::x64 {

namespace {

constexpr unsigned kAdd = 0, kXor = 6, kCmp = 7;

u64 cut(u64 v, unsigned size) {
    return size == 8 ? v : size == 4 ? static_cast<u32>(v) : static_cast<u16>(v);
}

bool canonical(u64 a) {
    return sign_extend(a, 48) == a;
}

// Sensitive transfers of control: what comes next is in another mode or segment.
bool leads_elsewhere(Op op) {
    switch (op) {
        case Op::SYSCALL:
        case Op::SYSRET:
        case Op::SYSENTER:
        case Op::SYSEXIT:
        case Op::IRET:
        case Op::INT:
        case Op::JMP_FAR:
        case Op::CALL_FAR:
        case Op::RET_FAR:
            return true;
        default:
            return false;
    }
}

}  // namespace

// The flags are in the state.
void Translator::indirect_target(bool call, Label landing) {
    scale_index(e_, kTargetFactor, kTargetBits);
    e_.alu(kAdd, RCX, in_state(s_.targets));
    e_.alu(kXor, RAX, in_state(s_.space));
    e_.alu(kCmp, RAX, at(RCX));
    jump_if_found(at(RCX, 8), call, landing);
}

// Or else to have the target looked up.
void Translator::jump_if_found(At code, bool call, Label landing) {
    if (!call) {
        e_.jcc_to(kNE, e_.here() + delta_, thunks_.lookup);
        return e_.jmp_mem(code);
    }
    Stub& s = new_stub(Stub::called);
    s.resume = landing;
    e_.jcc(kNE, s.here);
    e_.call_mem(code);
}

// The same where RIP is known.
void Translator::direct_target(u64 rip, bool call, Label landing) {
    const i32 entry = static_cast<i32>(target_index(rip) * sizeof(Target));
    e_.load(RCX, in_state(s_.targets));
    e_.move_imm(RAX, rip);
    e_.alu(kXor, RAX, in_state(s_.space));
    e_.alu(kCmp, RAX, at(RCX, entry));
    jump_if_found(at(RCX, entry + 8), call, landing);
}

// Calls and returns are the host's as well, so that the host predicts returns. Beside each return address the
// host's stack has the space in which the call was made; a return that does not fit goes through the table.
// The budget bounds the stack's depth, and leaving drops it.
void Translator::call_region(u64 rip, Label landing) {
    e_.push_mem(in_state(s_.space));
    if (rip - region_->page_rip >= kPageSize) return direct_target(rip, true, landing);
    Stub& s = new_stub(Stub::unlinked);
    s.number = static_cast<u32>(links_.size());
    links_.push_back({.jump = e_.here(), .unlinked = 0, .from = region_, .to = nullptr, .rip = rip});
    e_.call(s.here);
}

// Where a call comes back to, with RIP in RAX.
void Translator::land(const RegionBlock& b, u64 behind, unsigned size, Label landing) {
    e_.bind(landing);
    flags_ = {};
    e_.pop(RCX);
    const bool wide = size == 8;
    e_.alu(kCmp, RCX, in_state(s_.space));
    e_.jcc_to(kNE, e_.here() + delta_, thunks_.indirect);
    if (wide && static_cast<i64>(behind) != static_cast<i32>(behind)) {
        e_.move_imm(RCX, behind);
        e_.alu(kCmp, RAX, RCX);
    } else {
        e_.rr(plain(0x81, wide), kCmp, RAX);
        e_.imm32(behind);
    }
    e_.jcc_to(kNE, e_.here() + delta_, thunks_.indirect);
    if (b.next == kNoBlock) return leave_region(behind, flags_);
    const RegionBlock& next = region_->blocks[b.next];
    if (!next.poll) {
        enter_here(b.next);
        emit_poll(next, behind);
    }
    go_to_block(b.next);
}

void Translator::push_return(u64 rip, unsigned size) {
    const Mem m = stack_access(-static_cast<i32>(size), size, true);
    const bool wide = size == 8;
    if (wide && static_cast<i64>(rip) != static_cast<i32>(rip)) {
        e_.move_imm(RCX, rip);
        e_.store(m, RCX);
    } else {
        e_.rm(sized(0xC6, size), 0, m);
        immediate(rip, size);
    }
    move_stack_pointer(-static_cast<i32>(size));
}

// True: the branch is complete; false: it is none, or the interpreter's.
bool Translator::emit_branch(const Insn& i) {
    const u64 behind = wrap(region_->rip_of(*entry_) + i.length);
    const u64 target = cut(behind + i.imm, i.osize);
    const RegionBlock& b = *block_;
    const bool sizes_fit = i.osize == mode_.code_size || (i.osize == 4 && mode_.code_size == 2);
    const bool stack_fits = sizes_fit && (mode_.stack_size == 8) == (i.osize == 8);
    // A direct target that faults is the interpreter's.
    const bool reachable =
        mode_.code_size == 8 ? canonical(target) : mode_.code_size == 4 || target <= 0xFFFF;
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
            if (!sizes_fit || !reachable) break;
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
        case Op::CALL: {
            if (!stack_fits || !reachable) break;
            push_return(behind, i.osize);
            const Label landing = e_.label();
            call_region(target, landing);
            land(b, behind, i.osize, landing);
            return true;
        }
        case Op::RET: {
            if (!stack_fits) break;
            load_sized(RAX, stack_access(0, i.osize, false), i.osize);
            check_target();
            move_stack_pointer(static_cast<i32>(i.osize + static_cast<u16>(i.imm)));
            e_.ret();
            return true;
        }
        case Op::JMP_IND:
        case Op::CALL_IND: {
            if (!stack_fits) break;
            if (i.memory()) {
                load_sized(RAX, access(i, i.osize, false), i.osize);
            } else {
                before_clobber();
                const Reg r = value_of(i.rm, RAX);
                i.osize == 2 ? e_.rr({.byte = 0xB7, .map = 1}, RAX, r) : move(RAX, r, i.osize);
            }
            check_target();
            if (i.op == Op::JMP_IND) {
                indirect_target();
                return true;
            }
            e_.store(in_state(s_.value), RAX);
            push_return(behind, i.osize);
            e_.load(RAX, in_state(s_.value));
            e_.push_mem(in_state(s_.space));
            const Label landing = e_.label();
            indirect_target(true, landing);
            land(b, behind, i.osize, landing);
            return true;
        }
        case Op::LOOPE:
        case Op::LOOPNE:
            break;
        default:
            branch = false;
            break;
    }
    if (!branch && !ends_block(i)) return false;
    if (leads_elsewhere(i.op)) {
        write_pointers();
        before_clobber();
        e_.move_imm(RCX, new_site(0, false));
        e_.jmp_to(e_.here() + delta_, thunks_.transfer);
        return true;
    }
    // The interpreter executes it; it comes back only if control goes on behind it.
    emit_interpret();
    go_on();
    return true;
}

// A target that is not canonical faults at the branch: bits 47 to 63 are alike in the others.
void Translator::check_target() {
    if (mode_.code_size == 2 && entry_->insn.osize == 4) {
        e_.byte(0x3D);  // CMP EAX, imm32
        e_.imm32(0xFFFF);
        e_.jcc(kA, whole_instead());
    }
    if (mode_.code_size != 8) return;
    e_.rorx(RCX, RAX, 47, true);
    e_.lea(RCX, at(RCX, 1), false);
    e_.rr(plain(0xF7), 0, RCX);  // TEST ECX, bits 1 to 16
    e_.imm32(0x1FFFE);
    e_.jcc(kNE, whole_instead());
}

}  // namespace mynah::x64
