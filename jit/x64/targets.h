// The table that translated code looks jump targets up in.
#pragma once

#include <bit>

#include "base/types.h"

namespace mynah::x64 {

// What a jump found: one entry of the table of targets that translated code looks up.
struct Target {
    u64 key;  // RIP ^ Core::Accelerated::space
    const u8* code;
};
static_assert(sizeof(Target) == 16, "generated code indexes by 16");
inline constexpr u32 kTargets = 4096;
inline u32 target_index(u64 rip) {
    return (std::rotr(static_cast<u32>(rip), 12) ^ static_cast<u32>(rip)) & (kTargets - 1);
}

}  // namespace mynah::x64
