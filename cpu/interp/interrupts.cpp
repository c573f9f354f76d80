#include "cpu/interp/interrupts.h"

#include "cpu/apic/local_apic.h"
#include "cpu/system/events.h"

namespace mynah {

namespace {

// The delivery of a fault is no instruction, but a guest that does nothing else would stop time: from this
// many without an instruction between them on, each counts as one.
constexpr u32 kStorm = 4096;

}  // namespace

bool deliver_latched(Core& core) {
    core.faulted = false;
    core.state.pending_debug = 0;
    core.current = nullptr;
    if (!deliver_fault(core, core.fault)) return false;
    Core::Storm& storm = core.storm;
    if (core.retired != storm.at) storm = {core.retired, 0};
    if (++storm.deliveries > kStorm) storm.at = ++core.retired;
    return true;
}

bool interrupt_pending(const Core& core) {
    const LocalApic* apic = core.apic;
    if (apic == nullptr) return core.intr_pin;
    return apic->pending() || (core.intr_pin && apic->accepts_ext_int());
}

bool nothing_to_attend(const Core& core) {
    const CpuState& s = core.state;
    if (core.exit_requested || core.faulted || s.activity != Activity::running) return false;
    if (s.pending_debug != 0 || s.debug_shadow || s.interrupt_shadow) return false;
    if (s.nmi_pending && !s.nmi_blocked) return false;
    if ((s.dr[7] & 0xFF) != 0 || (s.eflags & (eflags::tf | eflags::rf))) return false;
    return !(s.eflags & eflags::intr) || !interrupt_pending(core);
}

u8 acknowledge_interrupt(Core& core) {
    if (core.apic != nullptr && core.apic->pending()) return core.apic->acknowledge();
    return core.host.interrupt_acknowledge();
}

}  // namespace mynah
