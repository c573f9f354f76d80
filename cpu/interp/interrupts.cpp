#include "cpu/interp/interrupts.h"

#include "cpu/apic/local_apic.h"

namespace mynah {

bool interrupt_pending(const Core& core) {
    const LocalApic* apic = core.apic;
    if (apic == nullptr) return core.intr_pin;
    return apic->pending() || (core.intr_pin && apic->accepts_ext_int());
}

u8 acknowledge_interrupt(Core& core) {
    if (core.apic != nullptr && core.apic->pending()) return core.apic->acknowledge();
    return core.host.interrupt_acknowledge();
}

}  // namespace mynah
