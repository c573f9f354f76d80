// CPUID (SDM vol. 2A CPUID; AMD's manual vol. 3 appendix E for the models of that vendor).
#pragma once

#include "cpu/core.h"

namespace mynah {

struct CpuidResult {
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// What CPUID returns now: some bits follow control registers and MSRs.
CpuidResult cpuid(const Core& core, u32 leaf, u32 subleaf);

// The bits of XCR0 that the model has.
u64 supported_xcr0(const CpuModel& model);

}  // namespace mynah
