// The processor's state after power-on and after INIT (SDM vol. 3A table 10-1).
#pragma once

#include "cpu/cpu_state.h"

namespace mynah {

// `signature` goes to EDX: CPUID.1:EAX.
void power_on(CpuState& state, u32 signature);
// INIT keeps the x87, SSE, MSRs, MTRRs and the CD and NW bits.
void init(CpuState& state, u32 signature);

}  // namespace mynah
