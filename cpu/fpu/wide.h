// Binary floating point with 128-bit significands for the transcendental functions: no special values,
// results within about two units in the last place.
#pragma once

#include <bit>

#include "cpu/fpu/number.h"

namespace mynah::fpu {

// sig / 2^127 * 2^exp; sig is 0 or has its top bit set.
struct Wide {
    u128 sig = 0;
    i32 exp = 0;
    bool sign = false;

    constexpr bool zero() const { return sig == 0; }
};

namespace wide {

constexpr u128 join(u64 hi, u64 lo) {
    return static_cast<u128>(hi) << 64 | lo;
}

constexpr Wide normalized(bool sign, i32 exp, u128 sig) {
    if (sig == 0) return {};
    const u64 top = static_cast<u64>(sig >> 64);
    const int shift = top != 0 ? std::countl_zero(top) : 64 + std::countl_zero(static_cast<u64>(sig));
    return {sig << shift, exp - shift, sign};
}

constexpr Wide from_integer(u64 v) {
    return normalized(false, 127, v);
}

constexpr Wide negative(Wide a) {
    a.sign = !a.sign;
    return a;
}
constexpr Wide magnitude(Wide a) {
    a.sign = false;
    return a;
}
// a * 2^n
constexpr Wide scaled(Wide a, i32 n) {
    a.exp += n;
    return a;
}

constexpr bool magnitude_less(const Wide& a, const Wide& b) {
    if (a.zero() || b.zero()) return a.zero() && !b.zero();
    return a.exp != b.exp ? a.exp < b.exp : a.sig < b.sig;
}

constexpr Wide add(const Wide& a, const Wide& b) {
    if (a.zero()) return b;
    if (b.zero()) return a;
    const bool swap = magnitude_less(a, b);
    const Wide& x = swap ? b : a;
    const Wide& y = swap ? a : b;
    const i32 d = x.exp - y.exp;
    const u128 low = d > 127 ? 0 : y.sig >> d;
    if (x.sign != y.sign) return normalized(x.sign, x.exp, x.sig - low);
    const u128 sum = x.sig + low;
    if (sum >= x.sig) return {sum, x.exp, x.sign};
    return {sum >> 1 | static_cast<u128>(1) << 127, x.exp + 1, x.sign};
}
constexpr Wide sub(const Wide& a, const Wide& b) {
    return add(a, negative(b));
}

constexpr Wide mul(const Wide& a, const Wide& b) {
    if (a.zero() || b.zero()) return {};
    const u64 ah = static_cast<u64>(a.sig >> 64), al = static_cast<u64>(a.sig);
    const u64 bh = static_cast<u64>(b.sig >> 64), bl = static_cast<u64>(b.sig);
    const u128 m1 = static_cast<u128>(ah) * bl, m2 = static_cast<u128>(al) * bh;
    const u128 low = (static_cast<u128>(al) * bl >> 64) + static_cast<u64>(m1) + static_cast<u64>(m2);
    const u128 high = static_cast<u128>(ah) * bh + (m1 >> 64) + (m2 >> 64) + (low >> 64);
    const bool sign = a.sign != b.sign;
    if (high >> 127) return {high, a.exp + b.exp + 1, sign};
    return {high << 1 | (low >> 63 & 1), a.exp + b.exp, sign};
}

// a is not zero.
constexpr Wide reciprocal(const Wide& a) {
    // 1 / a to 62 bits, then one step of Newton's.
    const u64 top = static_cast<u64>(a.sig >> 64);
    const Wide r = normalized(a.sign, -a.exp + 64, (static_cast<u128>(1) << 126) / top);
    return add(r, mul(r, sub(from_integer(1), mul(a, r))));
}
constexpr Wide div(const Wide& a, const Wide& b) {
    return mul(a, reciprocal(b));
}

inline constexpr Wide one = from_integer(1);
inline constexpr Wide pi{join(0xC90FDAA22168C234, 0xC4C6628B80DC1CD1), 1, false};
inline constexpr Wide half_pi{pi.sig, 0, false};
inline constexpr Wide ln_2{join(0xB17217F7D1CF79AB, 0xC9E3B39803F2F6AF), -1, false};
inline constexpr Wide log2_e{join(0xB8AA3B295C17F0BB, 0xBE87FED0691D3E89), 0, false};
inline constexpr Wide log2_10{join(0xD49A784BCD1B8AFE, 0x492BF6FF4DAFDB4D), 1, false};
inline constexpr Wide log10_2{join(0x9A209A84FBCFF798, 0x8F8959AC0B7C9178), -2, false};

}  // namespace wide

inline Wide to_wide(const Number& a) {
    return {static_cast<u128>(a.sig) << 64, a.exp, a.sign};
}

// Rounds a value that is known to be inexact.
inline Number from_wide(const Wide& a, Env& env) {
    return round_to(kF80, a.sign, a.exp, static_cast<u64>(a.sig >> 64), static_cast<u64>(a.sig) | 1, env);
}
inline F80 to_f80(const Wide& a, Env& env) {
    return pack_f80(from_wide(a, env));
}

}  // namespace mynah::fpu
