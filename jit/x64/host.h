// What the translator needs to know and do on an x86-64 host.
#pragma once

#include "base/types.h"

namespace mynah::x64 {

// BMI2, AVX2, LAHF in 64-bit code, and flags after rotates as the translator takes them.
bool host_supported();
// AES-NI and PCLMULQDQ.
bool host_has_aes();
// GS points at `base` for this thread from now on (glibc does not use it). Nobody else may change it.
void set_state_base(const void* base);

}  // namespace mynah::x64
