// The registers as text, in the layout of QEMU's `info registers`.
#pragma once

#include <string>

#include "cpu/cpu_state.h"

namespace mynah {

std::string describe_registers(const CpuState& state, unsigned cpl, bool code64, bool a20);

}  // namespace mynah
