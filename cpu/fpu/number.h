// One number taken out of its format, and back: what all operations of cpu/fpu work on.
#pragma once

#include <bit>

#include "base/types.h"
#include "cpu/fpu/env.h"
#include "cpu/fpu/f80.h"

namespace mynah::fpu {

enum class Kind : u8 {
    zero,
    finite,
    infinity,
    quiet,
    signaling,
    unsupported,  // F80 only: unnormals, pseudo-NaNs, pseudo-infinities (SDM vol. 1 8.2.2)
};

// Finite: sig / 2^63 * 2^exp. An operand has sig's top bit set whatever its encoding was; a result may be
// denormal, then exp is the format's least and the top bit is clear. NaN: sig is the payload as in F80.
struct Number {
    u64 sig = 0;
    i32 exp = 0;
    Kind kind = Kind::zero;
    bool sign = false;
    bool denormal = false;  // of an operand: encoded so

    bool nan() const { return kind >= Kind::quiet; }
    bool zero() const { return kind == Kind::zero; }
    bool infinite() const { return kind == Kind::infinity; }
};

inline constexpr u64 kTopBit = u64{1} << 63;
inline constexpr u64 kQuietBit = u64{1} << 62;

struct Format {
    int precision;    // bits of the significand, the integer bit included
    int least;        // exponent of the least normal number
    int greatest;     // of the greatest
    int bias_adjust;  // for results of unmasked overflow and underflow (SDM vol. 1 table 4-10 ff.)
};
inline constexpr Format kF16{11, -14, 15, 0};
inline constexpr Format kF32{24, -126, 127, 0};
inline constexpr Format kF64{53, -1022, 1023, 0};
inline constexpr Format kF80{64, -16382, 16383, 24576};

template <class T>
inline constexpr const Format& kFormat = sizeof(T) == 2   ? kF16
                                         : sizeof(T) == 4 ? kF32
                                                          : kF64;

constexpr Number make_zero(bool sign) {
    return {0, 0, Kind::zero, sign, false};
}
constexpr Number make_infinity(bool sign) {
    return {kTopBit, 0, Kind::infinity, sign, false};
}
// The QNaN floating-point indefinite.
constexpr Number indefinite() {
    return {kTopBit | kQuietBit, 0, Kind::quiet, true, false};
}
constexpr Number make_finite(bool sign, i32 exp, u64 sig) {
    return {sig, exp, Kind::finite, sign, false};
}

inline Number invalid(Env& env) {
    env.raise(flag::invalid);
    return indefinite();
}

// u16, u32, u64: binary16, 32, 64.
template <class T>
inline Number unpack(T bits, bool denormals_are_zero = false) {
    constexpr Format f = kFormat<T>;
    constexpr unsigned total = 8 * sizeof(T), fraction_bits = f.precision - 1;
    constexpr unsigned exponent_mask = (1u << (total - f.precision)) - 1;
    const bool sign = bits >> (total - 1);
    const unsigned e = static_cast<unsigned>(bits >> fraction_bits) & exponent_mask;
    const u64 fraction = static_cast<u64>(bits) << (64 - fraction_bits) >> 1;
    if (e == exponent_mask) {
        if (fraction == 0) return make_infinity(sign);
        return {fraction | kTopBit, 0, fraction & kQuietBit ? Kind::quiet : Kind::signaling, sign, false};
    }
    if (e != 0) return make_finite(sign, static_cast<i32>(e) - f.greatest, fraction | kTopBit);
    if (fraction == 0 || denormals_are_zero) return make_zero(sign);
    const int shift = std::countl_zero(fraction);
    return {fraction << shift, f.least - shift, Kind::finite, sign, true};
}

inline Number unpack(F80 v) {
    const bool sign = v.sign_exponent >> 15;
    const i32 e = v.sign_exponent & 0x7FFF;
    if (e == 0) {
        if (v.significand == 0) return make_zero(sign);
        const int shift = std::countl_zero(v.significand);  // 0: pseudo-denormal
        return {v.significand << shift, kF80.least - shift, Kind::finite, sign, true};
    }
    if (!(v.significand & kTopBit)) return {v.significand, 0, Kind::unsupported, sign, false};
    if (e != 0x7FFF) return make_finite(sign, e - 16383, v.significand);
    if (v.significand == kTopBit) return make_infinity(sign);
    return {v.significand, 0, v.significand & kQuietBit ? Kind::quiet : Kind::signaling, sign, false};
}

// The inverse, for a number that fits the format (round_to() makes it fit). NaNs come out quiet.
template <class T>
inline T pack(const Number& n) {
    constexpr Format f = kFormat<T>;
    constexpr unsigned total = 8 * sizeof(T), fraction_bits = f.precision - 1;
    constexpr u64 exponent_mask = (u64{1} << (total - f.precision)) - 1;
    const u64 fraction = (n.sig & ~kTopBit) << 1 >> (64 - fraction_bits);
    u64 r = 0;
    if (n.kind == Kind::finite) {
        const u64 e = n.sig & kTopBit ? static_cast<u64>(n.exp + f.greatest) : 0;
        r = e << fraction_bits | fraction;
    } else if (n.kind == Kind::infinity) {
        r = exponent_mask << fraction_bits;
    } else if (n.nan()) {
        r = exponent_mask << fraction_bits | fraction | u64{1} << (fraction_bits - 1);
    }
    return static_cast<T>(r | static_cast<u64>(n.sign) << (total - 1));
}

inline F80 pack_f80(const Number& n) {
    const unsigned s = n.sign ? 0x8000u : 0;
    switch (n.kind) {
        case Kind::zero:
            return {0, static_cast<u16>(s)};
        case Kind::finite:
            return {n.sig,
                    static_cast<u16>(s | (n.sig & kTopBit ? static_cast<unsigned>(n.exp + 16383) : 0u))};
        case Kind::infinity:
            return {kTopBit, static_cast<u16>(s | 0x7FFF)};
        default:
            return {n.sig | kTopBit | kQuietBit, static_cast<u16>(s | 0x7FFF)};
    }
}

// Rounds (hi + lo / 2^64) / 2^63 * 2^exp, hi's top bit set, lo's lowest bit sticky: overflow, underflow with
// tininess found after rounding, FTZ, bias-adjusted results, all flags. SDM vol. 1 4.9.1.
Number round_to(const Format& f, bool sign, i32 exp, u64 hi, u64 lo, Env& env);

// The result of an operation with a NaN (or unsupported) operand: SDM vol. 1 table 4-7.
Number propagate(const Number& a, Env& env);
Number propagate(const Number& a, const Number& b, Env& env);

// Operations on numbers; `f` is the result's format. Public ones with types: arith.h, x87.h.
Number add(const Number& a, const Number& b, const Format& f, Env& env);
Number sub(const Number& a, const Number& b, const Format& f, Env& env);
Number mul(const Number& a, const Number& b, const Format& f, Env& env);
Number div(const Number& a, const Number& b, const Format& f, Env& env);
Number sqrt(const Number& a, const Format& f, Env& env);
// a * b + c
Number fma(const Number& a, const Number& b, const Number& c, const Format& f, Env& env);
// Another format: NaNs quieted, DE, rounding.
Number convert(const Number& a, const Format& f, Env& env);
// Integral value; raises IE for an SNaN and, unless `suppress`, PE. Never DE.
Number round_integral(const Number& a, Rounding rc, bool suppress, Env& env);
// Two's complement in `bits` (16, 32, 64); out of range: IE and the integer indefinite. Never DE.
i64 to_integer(const Number& a, unsigned bits, Rounding rc, Env& env);
Number from_integer(i64 v);

enum class Order : u8 { less, equal, greater, unordered };
// IE for a signaling NaN, with `quiet_is_invalid` for any; DE otherwise.
Order compare(const Number& a, const Number& b, bool quiet_is_invalid, Env& env);

}  // namespace mynah::fpu
