// What an arithmetic operation is told (rounding, masks) and what it reports (flags, C1). One layout for SSE
// and x87: MXCSR's (SDM vol. 1 10.2.3), whose exception flags are also those of the x87 status word.
#pragma once

#include "base/types.h"

namespace mynah::fpu {

// As RC in MXCSR and the x87 control word.
enum class Rounding : u8 { nearest, down, up, zero };

namespace flag {
inline constexpr u32 invalid = 1, denormal = 2, zero_divide = 4, overflow = 8, underflow = 16, inexact = 32;
// Found before the operation is computed; an unmasked one keeps the others from being looked for.
inline constexpr u32 before = invalid | denormal | zero_divide;
inline constexpr u32 all = 63;
}  // namespace flag

struct Env {
    // Bits 0-5: flags that were already set; 6: DAZ; 7-12: masks; 13-14: RC; 15: FTZ.
    u32 control = 0x1F80;
    // Raised by the operations done with this Env.
    u32 flags = 0;
    // Bits of the significand of an x87 result: 24, 53 or 64.
    u8 precision = 64;
    // x87 rules: choice between NaNs, bias-adjusted results of unmasked overflow and underflow.
    bool x87 = false;
    // The last rounding made the magnitude larger (C1 of the x87).
    bool rounded_up = false;

    static Env sse(u32 mxcsr) {
        Env e;
        e.control = mxcsr;
        return e;
    }
    // From the x87 control and status words (SDM vol. 1 8.1.5). Precision 01 is reserved and acts as 64 bits.
    static Env from_x87(u16 control_word, u16 status_word) {
        Env e;
        e.control = (control_word & 0x3Fu) << 7 | (control_word & 0xC00u) << 3 | (status_word & 0x3Fu);
        const unsigned pc = control_word >> 8 & 3;
        e.precision = pc == 0 ? 24 : pc == 2 ? 53 : 64;
        e.x87 = true;
        return e;
    }

    Rounding rounding() const { return static_cast<Rounding>(control >> 13 & 3); }
    bool masked(u32 f) const { return (control >> 7 & f) == f; }
    bool daz() const { return control & 0x40; }
    bool ftz() const { return control & 0x8000; }
    // Rounding to nearest, and an inexact result changes nothing: masked and already reported.
    bool fast() const { return (control & 0x7020) == 0x1020; }

    void raise(u32 f) { flags |= f; }
    // The raised flags as they become visible: with an unmasked exception found before the computation, only
    // those (SDM vol. 1 4.9.2, 11.5.2). Call once all elements are done.
    u32 visible_flags() const {
        const bool stopped = flags & ~(control >> 7) & flag::before;
        return stopped ? flags & flag::before : flags;
    }
    u32 unmasked() const { return visible_flags() & ~(control >> 7) & flag::all; }
};

}  // namespace mynah::fpu
