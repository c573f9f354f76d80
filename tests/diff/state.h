// What one user-mode instruction starts from and ends in, on the host's processor and on ours.
#pragma once

#include <array>

#include "base/types.h"

namespace mynah::test {

// Linear addresses that mean the same on both sides: instructions, and a window of data with nothing behind
// it.
inline constexpr u64 kCode = 0x10000000;
inline constexpr u64 kCodeSize = 0x2000;
inline constexpr u64 kData = 0x20000000;
inline constexpr u64 kDataSize = 0x4000;

struct UserState {
    std::array<u64, 16> gpr{};
    u64 rip = 0;
    u32 eflags = 2;
    u8 code_size = 8;  // 2, 4 or 8
    // DS, ES and SS are the data window, from its first byte to its last: what 16-bit addresses reach. With
    // code_size 2 CS is the code window too.
    bool segmented = false;
    // As FXSAVE stores it in 64-bit mode: x87 in the first 160 bytes, XMM from 160 on.
    std::array<u8, 512> fx{};

    u64 code_base() const { return code_size == 2 ? kCode : 0; }
    u64 data_base() const { return segmented ? kData : 0; }
    u64 code_address() const { return code_base() + rip; }
};

struct Outcome {
    UserState state;
    int vector = -1;  // of the fault, or -1
    u64 error_code = 0;
    u64 cr2 = 0;  // of a page fault
};

}  // namespace mynah::test
