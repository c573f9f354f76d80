#include "cpu/cpu_state.h"

namespace mynah {

void X87State::visit(Archive& ar) {
    for (fpu::F80& r : regs) ar(r);
    ar.all(control, status, valid, opcode, fcs, fds, fip, fdp);
}

void MsrState::visit(Archive& ar) {
    ar.all(apic_base, sysenter_cs, sysenter_esp, sysenter_eip, star, lstar, cstar, sfmask, kernel_gs_base,
           pat, tsc_aux, tsc_offset, tsc_adjust, misc_enable, debugctl, mtrr_def_type, mtrr_variable,
           mtrr_fixed, spec_ctrl, bios_sign_id, xss, kvm_clock, kvm_wall_clock);
}

void CpuState::visit(Archive& ar) {
    ar.section("cpu");
    u32 image = read_eflags();
    ar.all(gpr, rip, image, segs, gdtr, idtr, cr0, cr2, cr3, cr4, efer, xcr0, dr, x87, vec, mxcsr, msr,
           activity, interrupt_shadow, debug_shadow, monitor_armed, nmi_blocked, nmi_pending, pending_debug,
           pdpte);
    if (ar.loading()) write_eflags(image);
    if (activity > Activity::shutdown) ar.fail("activity out of range");
    gpr[16] = 0;
}

}  // namespace mynah
