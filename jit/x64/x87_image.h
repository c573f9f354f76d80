// The host's x87 between being loaded and stored: guest state goes in and out.
#pragma once

#include <array>

#include "cpu/cpu_state.h"

namespace mynah::x64 {

// As XSAVE has it. The pointers and FOP are the host's: the guest's stay in its state.
struct alignas(64) X87Image {
    struct Register {
        u64 significand = 0;
        u16 sign_exponent = 0;
        std::array<u16, 3> reserved{};
    };
    u16 control = 0, status = 0;
    u8 valid = 0;
    u8 reserved = 0;
    u16 opcode = 0;
    u64 fip = 0, fdp = 0;
    u64 mxcsr = 0;
    std::array<Register, 8> st;
    std::array<u8, 352> vectors{};
    u64 components = 0;
    std::array<u64, 7> header{};

    // All exceptions are masked in `x` and none is pending.
    void load(const X87State& x);
    // Leaves the host's x87 as C++ code expects it.
    void store(X87State& x);
};
static_assert(sizeof(X87Image) == 576);

}  // namespace mynah::x64
