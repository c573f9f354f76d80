// The tables that translated code looks jump targets up in. Each space has one; what another target took the
// place of is still among the space's victims, where a thunk looks before C++ does.
#pragma once

#include "base/types.h"

namespace mynah::x64 {

// What a jump found.
struct Target {
    u64 key;  // RIP ^ Core::Accelerated::space
    const u8* code;
};
static_assert(sizeof(Target) == 16, "generated code indexes by 16");

inline constexpr unsigned kTargetBits = 13, kVictimBits = 11;
inline constexpr u32 kTargets = 1u << kTargetBits, kVictims = 1u << kVictimBits;
inline constexpr u32 kTable = kTargets + kVictims;
// Odd, with bits all over: the product's upper bits depend on all of RIP's lower 32.
inline constexpr u32 kTargetFactor = 0x9E3779B1, kVictimFactor = 0x85EBCA77;

inline u32 target_index(u64 rip) {
    return (static_cast<u32>(rip) * kTargetFactor) >> (32 - kTargetBits);
}
// From the beginning of the table as well.
inline u32 victim_index(u64 rip) {
    return kTargets + ((static_cast<u32>(rip) * kVictimFactor) >> (32 - kVictimBits));
}

}  // namespace mynah::x64
