// What a processor asks of the machine around it: its pins and its clock. `machine` implements it.
#pragma once

#include "base/types.h"

namespace mynah {

class CpuHost {
  public:
    virtual ~CpuHost() = default;

    // IN and OUT; width 1, 2 or 4. The machine's time is exact during the call.
    virtual u32 port_read(u16 port, unsigned width) = 0;
    virtual void port_write(u16 port, u32 value, unsigned width) = 0;
    // INTA cycle: the vector of the 8259A (SDM vol. 3A 11.1).
    virtual u8 interrupt_acknowledge() = 0;

    // Virtual time, exact to the current instruction.
    virtual Nanoseconds now() = 0;
    // The wall clock, in seconds since 1970, when now() was 0.
    virtual u64 wall_clock() { return 0; }
    // The local APIC's timer: one deadline, replaced by the next call. Cpu::apic_timer_expired() answers it.
    virtual void arm_apic_timer(Nanoseconds deadline) = 0;
    virtual void cancel_apic_timer() = 0;
    // EOI of a level-triggered interrupt, for the I/O APICs.
    virtual void broadcast_eoi(u8 vector) = 0;

    // FERR#: an unmasked x87 exception with CR0.NE = 0 (IRQ13). IGNNE# is asked for with ignne().
    virtual void set_ferr(bool asserted) = 0;
    virtual bool ignne() = 0;
    // RDRAND/RDSEED: seeded under the deterministic clock.
    virtual u64 random() = 0;
};

}  // namespace mynah
