// Far JMP, CALL and RET (SDM vol. 2), with call gates and privilege changes.
#include "cpu/system/transfer.h"

namespace mynah {

namespace {

// CS, SS and the checks for a code segment that is the direct target of a far JMP or CALL.
bool check_direct_target(Core& core, const Descriptor& d) {
    const unsigned cpl = core.cpl(), rpl = d.selector & 3;
    if (core.mode.long_mode && d.long_code() && d.big()) return raise_selector(core, Vector::gp, d.selector);
    const bool bad = d.conforming() ? d.dpl() > cpl : rpl > cpl || d.dpl() != cpl;
    if (bad) return raise_selector(core, Vector::gp, d.selector);
    if (!d.present()) return raise_selector(core, Vector::np, d.selector);
    return true;
}

struct GateTarget {
    Descriptor code;
    u64 offset = 0;
    unsigned size = 4;  // of what a CALL pushes
};

// The checks of a call gate and of the code segment behind it that JMP and CALL share.
bool read_call_gate(Core& core, const Descriptor& gate, GateTarget& out) {
    const unsigned cpl = core.cpl();
    if (gate.dpl() < cpl || gate.dpl() < (gate.selector & 3u))
        return raise_selector(core, Vector::gp, gate.selector);
    if (!gate.present()) return raise_selector(core, Vector::np, gate.selector);
    const u16 selector = gate.gate_selector();
    if (null_selector(selector)) return core.raise(Vector::gp, 0);
    if (!read_descriptor(core, selector, Vector::gp, 0, out.code)) return false;
    if (!out.code.is_code() || out.code.dpl() > cpl) return raise_selector(core, Vector::gp, selector);
    if (core.mode.long_mode) {
        if (!out.code.long_code() || out.code.big()) return raise_selector(core, Vector::gp, selector);
        out.size = 8;
        out.offset = gate.gate_offset64();
    } else if (gate.system_type() == SystemType::call_gate16) {
        out.size = 2;
        out.offset = gate.gate_offset16();
    } else {
        out.offset = gate.gate_offset32();
    }
    return true;
}

// Reads a descriptor that is the target of JMP or CALL; in long mode a call gate has 16 bytes.
bool read_target(Core& core, u16 selector, Descriptor& d) {
    if (null_selector(selector)) return core.raise(Vector::gp, 0);
    if (!read_descriptor(core, selector, Vector::gp, 0, d)) return false;
    if (!core.mode.long_mode || d.segment()) return true;
    if (d.system_type() != SystemType::call_gate32) return raise_selector(core, Vector::gp, selector);
    if (!read_descriptor(core, selector, Vector::gp, 0, d, true)) return false;
    // The type field of the upper half must be 0.
    if (d.high >> 40 & 31) return raise_selector(core, Vector::gp, selector);
    return true;
}

// JMP and CALL to a TSS or through a task gate.
bool to_task(Core& core, const Descriptor& d, TaskReason reason) {
    if (d.dpl() < core.cpl() || d.dpl() < (d.selector & 3u))
        return raise_selector(core, Vector::gp, d.selector);
    const TaskSwitch how{.reason = reason, .return_rip = core.next_rip};
    if (d.system_type() == SystemType::task_gate) {
        if (!d.present()) return raise_selector(core, Vector::np, d.selector);
        return task_gate(core, d.gate_selector(), how);
    }
    return switch_task(core, d.selector, how);
}

bool push_return(Core& core, StackFrame& frame, unsigned size, u64 rip) {
    frame.push(core.state.seg(Seg::cs).selector, size);
    frame.push(rip, size);
    return frame.check(0, 0);
}

bool call_inner(Core& core, const Descriptor& gate, GateTarget& target) {
    CpuState& s = core.state;
    const unsigned level = target.code.dpl();
    const SegmentRegister cs = code_register(target.code, level);
    const u16 old_ss = s.seg(Seg::ss).selector;
    const u64 old_sp = s.gpr[rsp];
    if (target.size == 8) {
        u64 sp = 0;
        if (!read_inner_stack64(core, level, 0, 0, sp)) return false;
        const SegmentRegister ss = null_register(static_cast<u16>(level), level);
        StackFrame frame(core, ss, sp, 8, privilege_at(core, level));
        frame.push(old_ss, 8);
        frame.push(old_sp, 8);
        frame.push(s.seg(Seg::cs).selector, 8);
        frame.push(core.next_rip, 8);
        if (!frame.check(0, 0) || !check_code_offset(core, cs, target.offset)) return false;
        if (!mark_accessed(core, target.code)) return false;
        frame.write();
        s.seg(Seg::ss) = ss;
        s.gpr[rsp] = frame.sp();
        return enter_code(core, code_register(target.code, level), target.offset);
    }
    u16 ss_selector = 0;
    u64 sp = 0;
    Descriptor ss_descriptor;
    if (!read_inner_stack(core, level, 0, ss_selector, sp)) return false;
    if (!check_inner_ss(core, ss_selector, level, 0, ss_descriptor)) return false;
    SegmentRegister ss = ss_descriptor.to_register(ss_selector);
    const unsigned width = stack_width(ss, false);
    StackFrame frame(core, ss, sp, width, privilege_at(core, level));
    frame.push(old_ss, target.size);
    frame.push(old_sp, target.size);
    // Parameters keep their order: the last pushed is copied last.
    const unsigned count = gate.gate_count();
    std::array<u64, 31> parameters{};
    StackReader reader(core);
    for (unsigned i = 0; i < count; ++i) {
        if (!reader.pop(parameters[i], target.size)) return false;
    }
    for (unsigned i = count; i-- > 0;) frame.push(parameters[i], target.size);
    frame.push(s.seg(Seg::cs).selector, target.size);
    frame.push(core.next_rip, target.size);
    if (!frame.check(ss_selector, 0) || !check_code_offset(core, cs, target.offset)) return false;
    if (!mark_accessed(core, ss_descriptor) || !mark_accessed(core, target.code)) return false;
    frame.write();
    s.seg(Seg::ss) = ss_descriptor.to_register(ss_selector);
    set_stack_pointer(core, frame.sp(), width);
    return enter_code(core, code_register(target.code, level), target.offset);
}

bool call_same_level(Core& core, Descriptor& code, u64 offset, unsigned size) {
    const unsigned cpl = core.cpl();
    if (!check_code_offset(core, code_register(code, cpl), offset)) return false;
    // Through a 64-bit gate the push is one of 64-bit code already, also out of compatibility mode.
    const unsigned width = size == 8 ? 8 : core.mode.stack_size;
    StackFrame frame(core, core.state.seg(Seg::ss), width == 8 ? core.state.gpr[rsp] : core.stack_pointer(),
                     width, core.mmu.privilege());
    if (!push_return(core, frame, size, core.next_rip) || !mark_accessed(core, code)) return false;
    frame.write();
    set_stack_pointer(core, frame.sp(), width);
    return enter_code(core, code_register(code, cpl), offset);
}

}  // namespace

bool read_inner_stack(Core& core, unsigned level, u32 ext, u16& ss, u64& sp) {
    const SegmentRegister& tr = core.state.seg(Seg::tr);
    const bool wide = tr.type() & 8;
    const u32 offset = wide ? 4 + 8 * level : 2 + 4 * level;
    if (offset + (wide ? 5u : 3u) > tr.limit) return raise_selector(core, Vector::ts, tr.selector, ext);
    const u64 at = tr.base + offset;
    if (wide) {
        u32 esp = 0;
        if (!read_system(core, static_cast<u32>(at), esp)) return false;
        sp = esp;
    } else {
        u16 value = 0;
        if (!read_system(core, static_cast<u32>(at), value)) return false;
        sp = value;
    }
    return read_system(core, static_cast<u32>(at + (wide ? 4 : 2)), ss);
}

bool read_inner_stack64(Core& core, unsigned level, unsigned ist, u32 ext, u64& sp) {
    const SegmentRegister& tr = core.state.seg(Seg::tr);
    const u32 offset = ist ? 28 + 8 * ist : 4 + 8 * level;
    if (offset + 7 > tr.limit) return raise_selector(core, Vector::ts, tr.selector, ext);
    if (!read_system(core, tr.base + offset, sp)) return false;
    return canonical(sp) ? true : core.raise(Vector::ss, ext);
}

bool check_inner_ss(Core& core, u16 selector, unsigned level, u32 ext, Descriptor& d) {
    if (null_selector(selector)) return core.raise(Vector::ts, ext);
    if (!read_descriptor(core, selector, Vector::ts, ext, d)) return false;
    if ((selector & 3u) != level || d.dpl() != level || !d.writable_data()) {
        return raise_selector(core, Vector::ts, selector, ext);
    }
    if (!d.present()) return raise_selector(core, Vector::ss, selector, ext);
    return true;
}

bool far_jump(Core& core, u16 selector, u64 offset) {
    CpuState& s = core.state;
    if (!core.mode.descriptors()) {
        if (offset > s.seg(Seg::cs).limit) return core.raise(Vector::gp, 0);
        load_real_segment(core, Seg::cs, selector);
        core.next_rip = offset;
        core.update_mode(Core::Changed::stack_and_code);
        return true;
    }
    Descriptor d;
    if (!read_target(core, selector, d)) return false;
    if (d.is_code()) {
        if (!check_direct_target(core, d)) return false;
        if (!check_code_offset(core, code_register(d, core.cpl()), offset)) return false;
        if (!mark_accessed(core, d)) return false;
        return enter_code(core, code_register(d, core.cpl()), offset);
    }
    if (d.segment()) return raise_selector(core, Vector::gp, selector);
    switch (d.system_type()) {
        case SystemType::call_gate16:
        case SystemType::call_gate32: {
            GateTarget target;
            if (!read_call_gate(core, d, target)) return false;
            Descriptor& code = target.code;
            if (!code.conforming() && code.dpl() != core.cpl())
                return raise_selector(core, Vector::gp, code.selector);
            if (!code.present()) return raise_selector(core, Vector::np, code.selector);
            if (!check_code_offset(core, code_register(code, core.cpl()), target.offset)) return false;
            if (!mark_accessed(core, code)) return false;
            return enter_code(core, code_register(code, core.cpl()), target.offset);
        }
        case SystemType::task_gate:
        case SystemType::tss16:
        case SystemType::tss32:
            return to_task(core, d, TaskReason::jump);
        default:
            return raise_selector(core, Vector::gp, selector);
    }
}

bool far_call(Core& core, u16 selector, u64 offset, unsigned osize) {
    CpuState& s = core.state;
    if (!core.mode.descriptors()) {
        if (offset > s.seg(Seg::cs).limit) return core.raise(Vector::gp, 0);
        StackFrame frame(core, s.seg(Seg::ss), core.stack_pointer(), core.mode.stack_size,
                         core.mmu.privilege());
        if (!push_return(core, frame, osize, core.next_rip)) return false;
        frame.write();
        core.set_stack_pointer(frame.sp());
        load_real_segment(core, Seg::cs, selector);
        core.next_rip = offset;
        core.update_mode(Core::Changed::stack_and_code);
        return true;
    }
    Descriptor d;
    if (!read_target(core, selector, d)) return false;
    if (d.is_code()) {
        if (!check_direct_target(core, d)) return false;
        return call_same_level(core, d, offset, osize);
    }
    if (d.segment()) return raise_selector(core, Vector::gp, selector);
    switch (d.system_type()) {
        case SystemType::call_gate16:
        case SystemType::call_gate32: {
            GateTarget target;
            if (!read_call_gate(core, d, target)) return false;
            if (!target.code.present()) return raise_selector(core, Vector::np, target.code.selector);
            if (!target.code.conforming() && target.code.dpl() < core.cpl())
                return call_inner(core, d, target);
            return call_same_level(core, target.code, target.offset, target.size);
        }
        case SystemType::task_gate:
        case SystemType::tss16:
        case SystemType::tss32:
            return to_task(core, d, TaskReason::call);
        default:
            return raise_selector(core, Vector::gp, selector);
    }
}

bool far_return(Core& core, unsigned osize, u64 extra) {
    CpuState& s = core.state;
    StackReader stack(core);
    u64 rip = 0, selector64 = 0;
    if (!stack.pop(rip, osize) || !stack.pop(selector64, osize)) return false;
    const u16 selector = static_cast<u16>(selector64);
    if (!core.mode.descriptors()) {
        if (rip > s.seg(Seg::cs).limit) return core.raise(Vector::gp, 0);
        stack.skip(extra);
        core.set_stack_pointer(stack.sp());
        load_real_segment(core, Seg::cs, selector);
        core.next_rip = rip;
        core.update_mode(Core::Changed::stack_and_code);
        return true;
    }
    const unsigned cpl = core.cpl(), rpl = selector & 3;
    if (null_selector(selector)) return core.raise(Vector::gp, 0);
    Descriptor d;
    if (!read_descriptor(core, selector, Vector::gp, 0, d)) return false;
    const bool bad = !d.is_code() || rpl < cpl || (core.mode.long_mode && d.long_code() && d.big()) ||
                     (d.conforming() ? d.dpl() > rpl : d.dpl() != rpl);
    if (bad) return raise_selector(core, Vector::gp, selector);
    if (!d.present()) return raise_selector(core, Vector::np, selector);
    if (rpl == cpl) {
        if (!check_code_offset(core, code_register(d, rpl), rip)) return false;
        if (!mark_accessed(core, d)) return false;
        stack.skip(extra);
        core.set_stack_pointer(stack.sp());
        return enter_code(core, code_register(d, rpl), rip);
    }
    stack.skip(extra);
    u64 sp = 0, ss64 = 0;
    if (!stack.pop(sp, osize) || !stack.pop(ss64, osize)) return false;
    const u16 ss_selector = static_cast<u16>(ss64);
    const bool to64 = core.mode.long_mode && d.long_code();
    SegmentRegister ss;
    Descriptor ss_descriptor;
    if (null_selector(ss_selector)) {
        if (!to64 || rpl == 3) return core.raise(Vector::gp, 0);
        ss = null_register(ss_selector, rpl);
    } else {
        if (!read_descriptor(core, ss_selector, Vector::gp, 0, ss_descriptor)) return false;
        if ((ss_selector & 3u) != rpl || !ss_descriptor.writable_data() || ss_descriptor.dpl() != rpl) {
            return raise_selector(core, Vector::gp, ss_selector);
        }
        if (!ss_descriptor.present()) return raise_selector(core, Vector::ss, ss_selector);
    }
    if (!check_code_offset(core, code_register(d, rpl), rip)) return false;
    if (!mark_accessed(core, d)) return false;
    if (!null_selector(ss_selector)) {
        if (!mark_accessed(core, ss_descriptor)) return false;
        ss = ss_descriptor.to_register(ss_selector);
    }
    const unsigned width = stack_width(ss, to64);
    s.seg(Seg::ss) = ss;
    const u64 mask = width == 8 ? ~u64{0} : width == 4 ? 0xFFFFFFFF : 0xFFFF;
    set_stack_pointer(core, (sp + extra) & mask, width);
    drop_inner_segments(core, rpl);
    return enter_code(core, code_register(d, rpl), rip);
}

}  // namespace mynah
