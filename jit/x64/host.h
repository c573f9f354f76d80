// What the translator needs to know and do on an x86-64 host.
#pragma once

#include "base/types.h"

namespace mynah::x64 {

// BMI2, AVX2, and LAHF in 64-bit code.
bool host_supported();
// AES-NI and PCLMULQDQ.
bool host_has_aes();
// OF of a shift or rotate by several, which is undefined, is that of its last step by one: so on AMD's
// processors. On Intel's it may be that of the first.
bool host_overflow_of_last_step();
// GS points at `base` for this thread from now on (glibc does not use it). Nobody else may change it.
void set_state_base(const void* base);

}  // namespace mynah::x64
