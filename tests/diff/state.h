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

// Selectors as Linux has them, and those of our own LDT: the data window with a 32-bit and with a 16-bit
// stack pointer, the code window as 16-bit code.
inline constexpr u16 kCode32 = 0x23, kFlatData = 0x2B, kCode64 = 0x33;
inline constexpr u16 kLocalData32 = 0x07, kLocalData16 = 0x0F, kLocalCode16 = 0x17;

struct UserState {
    std::array<u64, 16> gpr{};
    u64 rip = 0;
    u32 eflags = 2;
    u8 code_size = 8;  // 2, 4 or 8
    // DS, ES and SS are the data window, from its first byte to its last: what 16-bit addresses reach. With
    // code_size 2 CS is the code window too.
    bool segmented = false;
    // A repeated string instruction or a gather: its iterations leave RIP where it is. (So does a branch to
    // itself, which would go on for as long as its counter lasts.)
    bool repeats = false;
    u64 fs_base = 0, gs_base = 0;  // in 64-bit code; elsewhere FS and GS are the data segment
    // ES, CS, SS, DS, FS, GS as an instruction leaves them.
    std::array<u16, 6> selectors{};
    // As FXSAVE stores it in 64-bit mode: x87 in the first 160 bytes, XMM from 160 on.
    std::array<u8, 512> fx{};
    // The upper halves of the YMM registers, as XSAVE stores them.
    std::array<u8, 256> upper{};

    u64 code_base() const { return code_size == 2 ? kCode : 0; }
    u64 data_base() const { return segmented ? kData : 0; }
    u64 code_address() const { return code_base() + rip; }
    u16 code_selector() const { return code_size == 8 ? kCode64 : code_size == 4 ? kCode32 : kLocalCode16; }
    u16 data_selector() const {
        return !segmented ? kFlatData : code_size == 2 ? kLocalData16 : kLocalData32;
    }
};

struct Outcome {
    UserState state;
    int vector = -1;  // of the fault, or -1
    u64 error_code = 0;
    u64 cr2 = 0;  // of a page fault
};

}  // namespace mynah::test
