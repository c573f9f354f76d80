// What the run loop asks about interrupts.
#pragma once

#include "cpu/core.h"

namespace mynah {

// INTR asserted by the 8259A or the local APIC, whatever EFLAGS.IF says.
bool interrupt_pending(const Core& core);
// Is there nothing for the run loop to do at this boundary, and may instructions go on without its care?
bool nothing_to_attend(const Core& core);
// Delivers the latched fault. False: shutdown.
bool deliver_latched(Core& core);
// Takes it: INTA to the 8259A, or from IRR to ISR.
u8 acknowledge_interrupt(Core& core);

// No single-step trap follows these: delivery has cleared TF.
inline bool is_software_interrupt(Op op) {
    return op == Op::INT || op == Op::INT3 || op == Op::INT1 || op == Op::INTO;
}

}  // namespace mynah
