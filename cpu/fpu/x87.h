// 80-bit operations as the x87 does them (SDM vol. 1 ch. 8, vol. 2A F*). Env::from_x87() carries rounding,
// precision control and masks in, flags and C1 (rounded_up) out. Functions return the masked response; the
// bias-adjusted result of an unmasked overflow or underflow is returned too. With an unmasked IE, ZE or DE
// nothing is to be written: that is the caller's business.
//
// Operands are Numbers, so that memory operands keep what they were (a denormal or signaling binary32): take
// them from unpack(F80), unpack(u32), unpack(u64) and from_integer().
#pragma once

#include <array>

#include "cpu/fpu/number.h"

namespace mynah::fpu {

inline F80 x87_add(const Number& a, const Number& b, Env& env) {
    return pack_f80(add(a, b, kF80, env));
}
inline F80 x87_sub(const Number& a, const Number& b, Env& env) {
    return pack_f80(sub(a, b, kF80, env));
}
inline F80 x87_mul(const Number& a, const Number& b, Env& env) {
    return pack_f80(mul(a, b, kF80, env));
}
inline F80 x87_div(const Number& a, const Number& b, Env& env) {
    return pack_f80(div(a, b, kF80, env));
}
inline F80 x87_sqrt(const Number& a, Env& env) {
    return pack_f80(sqrt(a, kF80, env));
}

// FLD m32fp, m64fp (not subject to precision control).
F80 x87_load(const Number& a, Env& env);
// FST m32fp, m64fp. No DE. With any unmasked exception but PE, memory is to be left alone.
u32 x87_store_f32(F80 a, Env& env);
u64 x87_store_f64(F80 a, Env& env);
// FILD: exact.
inline F80 x87_from_integer(i64 v) {
    return pack_f80(from_integer(v));
}

F80 x87_round_integral(F80 v, Env& env);  // FRNDINT
F80 x87_scale(F80 v, F80 by, Env& env);   // FSCALE: v * 2^trunc(by)
struct Extracted {
    F80 exponent, significand;
};
Extracted x87_extract(F80 v, Env& env);  // FXTRACT

struct Remainder {
    F80 value;
    bool incomplete = false;  // C2
    u8 quotient = 0;          // low three bits: Q2 to C0, Q1 to C3, Q0 to C1
    bool defined = true;      // false for NaN operands and invalid operations: no quotient
};
// FPREM (truncating quotient) and FPREM1 (to nearest).
Remainder x87_remainder(F80 a, F80 b, bool nearest, Env& env);

// FBLD and FBSTP: 18 digits, least significant byte first, sign in byte 9. Digits above 9 count as they are.
using PackedBcd = std::array<u8, 10>;
F80 x87_from_bcd(const PackedBcd& bcd);
PackedBcd x87_to_bcd(F80 a, Env& env);

// FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ: D9 E8-EE, in this order. Rounded as RC says; no flags.
F80 x87_constant(unsigned index, Rounding rc);

// FXAM: C3 C2 C0 as bits 2-0 (empty is the caller's).
unsigned x87_examine(F80 a);

// --- transcendental functions: within 1 ulp of the true value (in effect correctly rounded, also in the
// directed modes: they are computed to some 115 bits). Arguments are reduced by the true pi; hardware has
// only 66 bits of it. Not subject to precision control. What the SDM leaves undefined is said at each. ---

F80 x87_2xm1(F80 v, Env& env);           // 2^v - 1; |v| > 1 (undefined in the SDM): v itself
F80 x87_yl2x(F80 x, F80 y, Env& env);    // y * log2(x)
F80 x87_yl2xp1(F80 x, F80 y, Env& env);  // y * log2(x + 1); any x > -1 is accepted, x <= -1 is invalid
F80 x87_patan(F80 y, F80 x, Env& env);   // the angle of the point (x, y)
// Sine and cosine. False (C2), with nothing computed, if |v| >= 2^63.
bool x87_sin(F80 v, F80& sine, Env& env);
bool x87_cos(F80 v, F80& cosine, Env& env);
bool x87_sincos(F80 v, F80& sine, F80& cosine, Env& env);
bool x87_tan(F80 v, F80& tangent, Env& env);

}  // namespace mynah::fpu
