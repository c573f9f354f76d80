// Delivery of exceptions and interrupts, and the permission checks that instructions of other families share.
#pragma once

#include "base/types.h"
#include "cpu/fault.h"

namespace mynah {

class Core;

enum class InterruptKind : u8 {
    external,               // INTR, NMI: EXT is set in error codes of faults on the way
    software,               // INT n: DPL of the gate counts, v8086 IOPL and the VME redirection bitmap apply
    exception_instruction,  // INT3, INTO: DPL of the gate counts
    privileged,             // INT1: no DPL check
};

// Delivers a latched fault at Core::rip (traps: Core::next_rip): frame, CR2, DR6, error code, RF; double
// faults in the SDM's classes (vol. 3A table 6-5). On return state.rip is the handler's. False: triple fault,
// and state.activity is shutdown.
bool deliver_fault(Core& core, const Fault& fault);

// Delivers an interrupt that the run loop took at an instruction boundary: state.rip is what is pushed.
// A fault on the way is delivered instead. False: shutdown.
bool deliver_interrupt(Core& core, u8 vector, InterruptKind kind);

// May the current program access `width` bytes at `port`? IOPL, else the TSS's bitmap (SDM vol. 1 19.5).
// False: #GP(0) or a fault of reading the bitmap is latched. True: breakpoints on the port are noted, too.
bool check_io_permission(Core& core, u16 port, unsigned width);

// CLI, STI, PUSHF and POPF outside the plain cases: v8086 with IOPL < 3, VME, PVI. `value` holds all flags.
// POPF and IRET: which bits of EFLAGS an instruction with this operand size may change at this CPL and IOPL
// is decided here; sets attention. SDM vol. 2 POPF, vol. 3B 20.3.
void set_flags_from_image(Core& core, u32 value, unsigned osize);

}  // namespace mynah
