// Writes to control registers with all their checks (SDM vol. 3A 2.5, 4.10.4, 11.12).
#pragma once

#include "cpu/core.h"

namespace mynah {

// False: #GP(0) is latched and nothing changed.
bool write_cr0(Core& core, u64 value);
bool write_cr3(Core& core, u64 value);
bool write_cr4(Core& core, u64 value);

// Bits of CR4 that the model has.
u64 supported_cr4(const CpuModel& model);

}  // namespace mynah
