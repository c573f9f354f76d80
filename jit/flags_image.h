// The arithmetic flags as translated code stores them (Core::Accelerated::flags).
#pragma once

#include "cpu/flags.h"

namespace mynah {

// From and to EFLAGS bits.
inline u32 pack_flags(u32 eflags_bits) {
    return (eflags_bits & 0xD5) << 8 | 0x200 | (eflags_bits & eflags::of ? 1 : 0);
}
inline u32 unpack_flags(u32 packed) {
    return (packed >> 8 & 0xD5) | (packed & 1 ? eflags::of : 0);
}

}  // namespace mynah
