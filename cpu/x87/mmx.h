// The MMX registers are the significands of the x87's physical registers (SDM vol. 3A 12.2), for the MMX and
// SSE instructions that use them.
#pragma once

#include "base/types.h"
#include "cpu/cpu_state.h"

namespace mynah {

class Core;

// Checks common to all instructions with an MMX register (SDM vol. 3A table 24-ff., 2.5): #UD with CR0.EM,
// #NM with CR0.TS, #MF or FERR# for a pending x87 exception. Comes before memory operands are touched.
[[nodiscard]] bool mmx_available(Core& core);

// Every MMX instruction except EMMS, once it can't fault any more: TOP = 0, all tags valid.
inline void mmx_enter(X87State& x) {
    x.set_top(0);
    x.valid = 0xFF;
}
inline u64 mmx_read(const X87State& x, unsigned n) {
    return x.regs[n & 7].significand;
}
// Sets the exponent and sign to ones.
inline void mmx_write(X87State& x, unsigned n, u64 v) {
    x.regs[n & 7] = {v, 0xFFFF};
}
// EMMS: all tags empty.
inline void mmx_leave(X87State& x) {
    x.valid = 0;
}

}  // namespace mynah
