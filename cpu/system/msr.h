// Model-specific registers and the time-stamp counter.
#pragma once

#include "cpu/core.h"

namespace mynah {

// RDMSR and WRMSR without their privilege check. False: #GP(0) is latched.
bool read_msr(Core& core, u32 index, u64& value);
bool write_msr(Core& core, u32 index, u64 value);

// The time-stamp counter, at kTscHz.
u64 read_tsc(const Core& core);
void write_tsc(Core& core, u64 value);

}  // namespace mynah
