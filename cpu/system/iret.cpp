// IRET in every mode (SDM vol. 2 IRET/IRETD/IRETQ).
#include "cpu/system/transfer.h"

namespace mynah {

namespace {

constexpr u32 kLow16 = 0x7FD5;  // the writable flags of FLAGS

// The bits of EFLAGS that IRET with this operand size may change at this CPL.
u32 changeable(const Core& core, unsigned osize) {
    const unsigned cpl = core.cpl();
    const unsigned iopl = core.state.eflags >> 12 & 3;
    u32 mask = eflags::arithmetic | eflags::tf | eflags::df | eflags::nt;
    if (osize != 2) mask |= eflags::rf | eflags::ac | eflags::id;
    if (cpl <= iopl) mask |= eflags::intr;
    if (cpl == 0) mask |= eflags::iopl;
    if (cpl == 0 && osize != 2) mask |= eflags::vif | eflags::vip;
    return mask;
}

void load_flags(Core& core, u64 image, u32 mask) {
    CpuState& s = core.state;
    s.write_eflags((s.read_eflags() & ~mask) | (static_cast<u32>(image) & mask));
    core.attention = true;
}

bool return_real(Core& core, unsigned osize) {
    CpuState& s = core.state;
    const bool v8086 = core.mode.v8086;
    const bool iopl3 = (s.eflags & eflags::iopl) == eflags::iopl;
    const bool vme = v8086 && (s.cr4 & cr4::vme);
    if (v8086 && !iopl3 && !(vme && osize == 2)) return core.raise(Vector::gp, 0);
    StackReader stack(core);
    u64 rip = 0, cs = 0, flags = 0;
    if (!stack.pop(rip, osize) || !stack.pop(cs, osize) || !stack.pop(flags, osize)) return false;
    if (rip > s.seg(Seg::cs).limit) return core.raise(Vector::gp, 0);
    u32 mask = kLow16;
    if (osize != 2) mask |= eflags::rf | eflags::ac | eflags::id;
    if (v8086) mask &= ~eflags::iopl;
    if (v8086 && !iopl3) {
        // VME: VIF stands for IF.
        const bool enable = flags & eflags::intr;
        if ((flags & eflags::tf) || (enable && (s.eflags & eflags::vip))) return core.raise(Vector::gp, 0);
        mask &= ~eflags::intr;
        s.eflags = (s.eflags & ~eflags::vif) | (enable ? eflags::vif : 0);
    }
    core.set_stack_pointer(stack.sp());
    load_real_segment(core, Seg::cs, static_cast<u16>(cs));
    load_flags(core, flags, mask);
    core.next_rip = rip;
    core.update_mode(Core::Changed::stack_and_code);
    return true;
}

bool return_to_v8086(Core& core, StackReader& stack, u64 rip, u16 cs, u64 flags) {
    CpuState& s = core.state;
    std::array<u64, 6> v{};  // ESP SS ES DS FS GS
    for (u64& x : v) {
        if (!stack.pop(x, 4)) return false;
    }
    // EIP is cut by nothing: beyond 64 KiB it faults at the target, in the new mode.
    if (rip > 0xFFFF) return core.raise(Vector::gp, 0);
    s.write_eflags(static_cast<u32>(flags) & 0x003F7FD5);
    core.attention = true;
    load_real_segment(core, Seg::cs, cs);
    load_real_segment(core, Seg::ss, static_cast<u16>(v[1]));
    load_real_segment(core, Seg::es, static_cast<u16>(v[2]));
    load_real_segment(core, Seg::ds, static_cast<u16>(v[3]));
    load_real_segment(core, Seg::fs, static_cast<u16>(v[4]));
    load_real_segment(core, Seg::gs, static_cast<u16>(v[5]));
    s.gpr[rsp] = static_cast<u32>(v[0]);
    core.next_rip = rip;
    core.update_mode();
    return true;
}

bool return_from_nested_task(Core& core) {
    CpuState& s = core.state;
    u16 link = 0;
    if (!read_system(core, s.seg(Seg::tr).base, link)) return false;
    if (null_selector(link)) return raise_selector(core, Vector::ts, link);
    return switch_task(core, link, {.reason = TaskReason::iret, .return_rip = core.next_rip});
}

bool return_protected(Core& core, unsigned osize) {
    CpuState& s = core.state;
    const unsigned cpl = core.cpl();
    StackReader stack(core);
    u64 rip = 0, cs64 = 0, flags = 0;
    if (!stack.pop(rip, osize) || !stack.pop(cs64, osize) || !stack.pop(flags, osize)) return false;
    const u16 selector = static_cast<u16>(cs64);
    if (!core.mode.long_mode && osize == 4 && (flags & eflags::vm) && cpl == 0) {
        return return_to_v8086(core, stack, rip, selector, flags);
    }
    const unsigned rpl = selector & 3;
    if (null_selector(selector)) return core.raise(Vector::gp, 0);
    Descriptor d;
    if (!read_descriptor(core, selector, Vector::gp, 0, d)) return false;
    const bool bad = !d.is_code() || rpl < cpl || (core.mode.long_mode && d.long_code() && d.big()) ||
                     (d.conforming() ? d.dpl() > rpl : d.dpl() != rpl);
    if (bad) return raise_selector(core, Vector::gp, selector);
    if (!d.present()) return raise_selector(core, Vector::np, selector);
    const u32 mask = changeable(core, osize);
    // 64-bit code always pops SS:RSP.
    if (rpl == cpl && !core.mode.code64()) {
        if (!check_code_offset(core, code_register(d, rpl), rip)) return false;
        if (!mark_accessed(core, d)) return false;
        core.set_stack_pointer(stack.sp());
        load_flags(core, flags, mask);
        return enter_code(core, code_register(d, rpl), rip);
    }
    u64 sp = 0, ss64 = 0;
    if (!stack.pop(sp, osize) || !stack.pop(ss64, osize)) return false;
    const u16 ss_selector = static_cast<u16>(ss64);
    const bool to64 = core.mode.long_mode && d.long_code();
    SegmentRegister ss;
    Descriptor ss_descriptor;
    const bool null_ss = null_selector(ss_selector);
    if (null_ss) {
        if (!to64 || rpl == 3 || (ss_selector & 3u) != rpl) return core.raise(Vector::gp, 0);
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
    if (!null_ss) {
        if (!mark_accessed(core, ss_descriptor)) return false;
        ss = ss_descriptor.to_register(ss_selector);
    }
    load_flags(core, flags, mask);
    s.seg(Seg::ss) = ss;
    set_stack_pointer(core, sp, stack_width(ss, to64));
    if (rpl > cpl) drop_inner_segments(core, rpl);
    return enter_code(core, code_register(d, rpl), rip);
}

}  // namespace

bool interrupt_return(Core& core, unsigned osize) {
    CpuState& s = core.state;
    bool ok = false;
    if (!core.mode.descriptors()) {
        ok = return_real(core, osize);
    } else if (s.eflags & eflags::nt) {
        ok = core.mode.long_mode ? core.raise(Vector::gp, 0) : return_from_nested_task(core);
    } else {
        ok = return_protected(core, osize);
    }
    // A faulting IRET ends the blocking of NMIs as well (SDM vol. 3C 28.2.3, "NMI unblocking due to IRET").
    s.nmi_blocked = false;
    core.attention = true;
    return ok;
}

}  // namespace mynah
