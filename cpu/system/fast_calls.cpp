// SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS and the FS/GS base instructions (SDM vol. 2).
#include "cpu/system/cpu_model.h"
#include "cpu/system/handlers.h"
#include "cpu/system/transfer.h"

namespace mynah {

namespace {

// Flat segments as these instructions make them, without a look at any table.
SegmentRegister flat_code(u64 selector, unsigned dpl, bool code64) {
    SegmentRegister r;
    r.selector = static_cast<u16>((selector & 0xFFFC) | dpl);
    r.attributes = static_cast<u16>(0x89B | dpl << 5 | (code64 ? 0x200 : 0x400));
    r.limit = 0xFFFFFFFF;
    return r;
}

SegmentRegister flat_stack(u64 selector, unsigned dpl) {
    SegmentRegister r;
    r.selector = static_cast<u16>((selector & 0xFFFC) | dpl);
    r.attributes = static_cast<u16>(0xC93 | dpl << 5);
    r.limit = 0xFFFFFFFF;
    return r;
}

// Ends the block: mode and interrupt flag changed.
bool enter(Core& core, const SegmentRegister& cs, const SegmentRegister& ss, u64 rip) {
    core.state.seg(Seg::ss) = ss;
    core.state.seg(Seg::cs) = cs;
    core.next_rip = rip;
    core.update_mode(Core::Changed::stack_and_code);
    return false;
}

// Legacy mode, AMD's processors only (AMD64 APM vol. 3 SYSCALL).
bool syscall_legacy(Core& core) {
    CpuState& s = core.state;
    const u64 selector = s.msr.star >> 32;
    s.gpr[rcx] = static_cast<u32>(core.next_rip);
    s.eflags &= ~(eflags::vm | eflags::intr | eflags::rf);
    return enter(core, flat_code(selector, 0, false), flat_stack(selector + 8, 0),
                 static_cast<u32>(s.msr.star));
}

}  // namespace

namespace handlers {

bool swapgs(Core& core, const Insn&) {
    if (core.cpl() != 0) return core.raise(Vector::gp, 0);
    const u64 base = core.state.seg(Seg::gs).base;
    core.set_base64(Seg::gs, core.state.msr.kernel_gs_base);
    core.state.msr.kernel_gs_base = base;
    return true;
}

bool fs_gs_base(Core& core, const Insn& i) {
    CpuState& s = core.state;
    if (!(s.cr4 & cr4::fsgsbase)) return core.raise(Vector::ud);
    const bool gs = i.op == Op::RDGSBASE || i.op == Op::WRGSBASE;
    const Seg seg = gs ? Seg::gs : Seg::fs;
    const u64 base = s.seg(seg).base;
    if (i.op == Op::RDFSBASE || i.op == Op::RDGSBASE) {
        s.gpr[i.rm] = i.osize == 8 ? base : static_cast<u32>(base);
        return true;
    }
    const u64 value = i.osize == 8 ? s.gpr[i.rm] : static_cast<u32>(s.gpr[i.rm]);
    if (!canonical(value)) return core.raise(Vector::gp, 0);
    core.set_base64(seg, value);
    return true;
}

bool syscall(Core& core, const Insn&) {
    CpuState& s = core.state;
    if (!(s.efer & efer::sce)) return core.raise(Vector::ud);
    if (!core.mode.long_mode) return syscall_legacy(core);
    const u64 selector = s.msr.star >> 32;
    s.gpr[rcx] = core.next_rip;
    const u32 flags = s.read_eflags() & ~eflags::rf;
    s.gpr[11] = flags;
    s.write_eflags(flags & ~static_cast<u32>(s.msr.sfmask));
    // Out of compatibility mode: AMD's processors only.
    const u64 rip = core.mode.code64() ? s.msr.lstar : s.msr.cstar;
    return enter(core, flat_code(selector, 0, true), flat_stack(selector + 8, 0), rip);
}

bool sysret(Core& core, const Insn& i) {
    CpuState& s = core.state;
    if (!(s.efer & efer::sce)) return core.raise(Vector::ud);
    if (!core.mode.protected_mode || core.cpl() != 0) return core.raise(Vector::gp, 0);
    const bool to64 = i.osize == 8;
    const u64 rip = to64 ? s.gpr[rcx] : static_cast<u32>(s.gpr[rcx]);
    if (to64 && !canonical(rip)) return core.raise(Vector::gp, 0);
    const u64 selector = s.msr.star >> 48;
    if (core.mode.code64()) {
        s.write_eflags(static_cast<u32>(s.gpr[11]) & 0x003C7FD7);
    } else {
        s.eflags |= eflags::intr;  // all that legacy and compatibility mode do (AMD64 APM vol. 3 SYSRET)
    }
    return enter(core, flat_code(selector + (to64 ? 16 : 0), 3, to64), flat_stack(selector + 8, 3), rip);
}

bool sysenter(Core& core, const Insn&) {
    CpuState& s = core.state;
    // AMD's processors have it in legacy mode only.
    if (core.mode.long_mode && core.model.vendor == Vendor::amd) return core.raise(Vector::ud);
    if (!core.mode.protected_mode || null_selector(static_cast<u16>(s.msr.sysenter_cs))) {
        return core.raise(Vector::gp, 0);
    }
    const bool wide = core.mode.long_mode;
    s.eflags &= ~(eflags::vm | eflags::intr | eflags::rf);
    s.gpr[rsp] = wide ? s.msr.sysenter_esp : static_cast<u32>(s.msr.sysenter_esp);
    const u64 rip = wide ? s.msr.sysenter_eip : static_cast<u32>(s.msr.sysenter_eip);
    const u64 selector = s.msr.sysenter_cs;
    return enter(core, flat_code(selector, 0, wide), flat_stack((selector & 0xFFFC) + 8, 0), rip);
}

bool sysexit(Core& core, const Insn& i) {
    CpuState& s = core.state;
    if (core.mode.long_mode && core.model.vendor == Vendor::amd) return core.raise(Vector::ud);
    const bool null_cs = null_selector(static_cast<u16>(s.msr.sysenter_cs));
    if (!core.mode.protected_mode || core.cpl() != 0 || null_cs) return core.raise(Vector::gp, 0);
    const bool to64 = i.osize == 8;
    if (to64 && (!canonical(s.gpr[rcx]) || !canonical(s.gpr[rdx]))) return core.raise(Vector::gp, 0);
    const u64 selector = (s.msr.sysenter_cs & 0xFFFC) + (to64 ? 32 : 16);
    const u64 rip = to64 ? s.gpr[rdx] : static_cast<u32>(s.gpr[rdx]);
    s.gpr[rsp] = to64 ? s.gpr[rcx] : static_cast<u32>(s.gpr[rcx]);
    return enter(core, flat_code(selector, 3, to64), flat_stack(selector + 8, 3), rip);
}

}  // namespace handlers
}  // namespace mynah
