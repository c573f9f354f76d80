// binary32 and binary64 arithmetic as SSE does it, on bit patterns (u32, u64). SDM vol. 1 ch. 4, 10 and 11.
//
// Every function takes an Env made from MXCSR, adds the flags it raises and returns the masked response; what
// happens on an unmasked exception (nothing is written) is the caller's business: Env::unmasked().
// The common case goes through the host's own operators: both operands normal, the result safely normal, to
// nearest, and PE set and masked, so that not even inexactness would show. It is inlined by force: there are
// many callers, and compilers lose patience. Compile with -ffp-contract=off.
#pragma once

#include <bit>
#include <cmath>
#include <type_traits>

#include "cpu/fpu/number.h"

namespace mynah::fpu {

namespace detail {

template <class T>
using Host = std::conditional_t<sizeof(T) == 4, float, double>;
template <class T>
inline constexpr T kExponent = sizeof(T) == 4 ? T{0x7F800000} : static_cast<T>(0x7FF0000000000000);
template <class T>
inline constexpr T kLeastNormal = sizeof(T) == 4 ? T{0x00800000} : static_cast<T>(0x0010000000000000);

template <class T>
Host<T> host(T v) {
    return std::bit_cast<Host<T>>(v);
}
inline u32 bits(float v) {
    return std::bit_cast<u32>(v);
}
inline u64 bits(double v) {
    return std::bit_cast<u64>(v);
}

// Neither denormal, infinite nor NaN.
template <class T>
bool plain(T v) {
    return static_cast<T>((v & kExponent<T>)-kLeastNormal<T>) < kExponent<T> - kLeastNormal<T> ||
           static_cast<T>(v << 1) == 0;
}
// Normal, and not the least normal exponent, where a result could have been tiny before rounding.
template <class T>
bool safe(T v) {
    return static_cast<T>((v & kExponent<T>)-2 * kLeastNormal<T>) < kExponent<T> - 2 * kLeastNormal<T>;
}
// Not a NaN and not denormal.
template <class T>
bool ordered(T v) {
    return plain(v) || static_cast<T>(v << 1) == static_cast<T>(kExponent<T> << 1);
}

template <class T>
T add_slow(T a, T b, Env& env);
template <class T>
T sub_slow(T a, T b, Env& env);
template <class T>
T mul_slow(T a, T b, Env& env);
template <class T>
T div_slow(T a, T b, Env& env);
template <class T>
T sqrt_slow(T a, Env& env);
template <class T>
T fma_slow(T a, T b, T c, bool negate_product, bool negate_addend, Env& env);
template <class T>
Order compare_slow(T a, T b, bool quiet_is_invalid, Env& env);
template <class T>
T min_max_slow(T a, T b, bool max, Env& env);
template <class T>
i64 to_integer_slow(T a, unsigned bits, Rounding rc, Env& env);
u32 narrow_slow(u64 a, Env& env);
u64 widen_slow(u32 a, Env& env);
template <class T>
T from_integer_slow(i64 v, Env& env);

}  // namespace detail

template <class T>
[[gnu::always_inline]] inline T add(T a, T b, Env& env) {
    using namespace detail;
    if (env.fast()) [[likely]] {
        const T r = bits(host(a) + host(b));
        if (plain(a) && plain(b) && safe(r)) [[likely]]
            return r;
    }
    return add_slow(a, b, env);
}

template <class T>
[[gnu::always_inline]] inline T sub(T a, T b, Env& env) {
    using namespace detail;
    if (env.fast()) [[likely]] {
        const T r = bits(host(a) - host(b));
        if (plain(a) && plain(b) && safe(r)) [[likely]]
            return r;
    }
    return sub_slow(a, b, env);
}

template <class T>
[[gnu::always_inline]] inline T mul(T a, T b, Env& env) {
    using namespace detail;
    if (env.fast()) [[likely]] {
        const T r = bits(host(a) * host(b));
        if (plain(a) && plain(b) && safe(r)) [[likely]]
            return r;
    }
    return mul_slow(a, b, env);
}

template <class T>
[[gnu::always_inline]] inline T div(T a, T b, Env& env) {
    using namespace detail;
    if (env.fast()) [[likely]] {
        if (plain(a) && safe(b)) [[likely]] {
            const T r = bits(host(a) / host(b));
            if (safe(r)) [[likely]]
                return r;
        }
    }
    return div_slow(a, b, env);
}

template <class T>
[[gnu::always_inline]] inline T sqrt(T a, Env& env) {
    using namespace detail;
    if (env.fast() && safe(a) && !(a >> (8 * sizeof(T) - 1))) [[likely]]
        return bits(std::sqrt(host(a)));
    return sqrt_slow(a, env);
}

// a * b + c, rounded once, product and addend negated on demand. NaNs: the first of a, b, c, with its own
// sign.
template <class T>
[[gnu::always_inline]] inline T fma(T a, T b, T c, bool negate_product, bool negate_addend, Env& env) {
    using namespace detail;
    if (env.fast()) [[likely]] {
        const T r =
            bits(std::fma(negate_product ? -host(a) : host(a), host(b), negate_addend ? -host(c) : host(c)));
        if (plain(a) && plain(b) && plain(c) && safe(r)) [[likely]]
            return r;
    }
    return fma_slow(a, b, c, negate_product, negate_addend, env);
}
template <class T>
[[gnu::always_inline]] inline T fma(T a, T b, T c, Env& env) {
    return fma(a, b, c, false, false, env);
}

// MINSS and friends: the second operand if either is a NaN (IE, also for quiet ones) or both are zeros.
template <class T>
[[gnu::always_inline]] inline T min(T a, T b, Env& env) {
    using namespace detail;
    if (ordered(a) && ordered(b)) [[likely]]
        return host(a) < host(b) ? a : b;
    return min_max_slow(a, b, false, env);
}
template <class T>
[[gnu::always_inline]] inline T max(T a, T b, Env& env) {
    using namespace detail;
    if (ordered(a) && ordered(b)) [[likely]]
        return host(a) > host(b) ? a : b;
    return min_max_slow(a, b, true, env);
}

// COMISS (quiet_is_invalid) and UCOMISS.
template <class T>
[[gnu::always_inline]] inline Order compare(T a, T b, bool quiet_is_invalid, Env& env) {
    using namespace detail;
    if (ordered(a) && ordered(b)) [[likely]] {
        const auto x = host(a), y = host(b);
        return x < y ? Order::less : x > y ? Order::greater : Order::equal;
    }
    return compare_slow(a, b, quiet_is_invalid, env);
}

// CMPSS and friends: predicates 0-7, with VEX 0-31 (SDM vol. 2A CMPPD table 3-1).
template <class T>
[[gnu::always_inline]] inline bool compare_predicate(T a, T b, unsigned predicate, Env& env) {
    // Bit set: true for less, equal, greater, unordered (bits 0-3); bit 4: a quiet NaN is invalid.
    constexpr u8 kTable[16] = {0x02, 0x11, 0x13, 0x08, 0x0D, 0x1E, 0x1C, 0x07,
                               0x0A, 0x19, 0x1B, 0x00, 0x05, 0x16, 0x14, 0x0F};
    const unsigned row = kTable[predicate & 15];
    const bool signals = ((row >> 4) ^ (predicate >> 4)) & 1;
    return row >> static_cast<unsigned>(compare(a, b, signals, env)) & 1;
}

// --- conversions ---

// CVTSS2SD.
[[gnu::always_inline]] inline u64 to_f64(u32 a, Env& env) {
    using namespace detail;
    if (plain(a)) [[likely]]
        return bits(static_cast<double>(host(a)));
    return widen_slow(a, env);
}
// CVTSD2SS.
[[gnu::always_inline]] inline u32 to_f32(u64 a, Env& env) {
    using namespace detail;
    if (env.fast() && plain(a)) [[likely]] {
        const u32 r = bits(static_cast<float>(host(a)));
        if (safe(r)) [[likely]]
            return r;
    }
    return narrow_slow(a, env);
}
// VCVTPH2PS: DAZ does not apply, no DE.
u32 f16_to_f32(u16 a, Env& env);
// VCVTPS2PH: `rc` is the immediate's or MXCSR's; FTZ does not apply.
u16 f32_to_f16(u32 a, Rounding rc, Env& env);

// CVTSI2SS and friends.
template <class T>
[[gnu::always_inline]] inline T from_i32(i32 v, Env& env) {
    if constexpr (sizeof(T) == 8) {
        return detail::bits(static_cast<double>(v));
    } else {
        if (env.fast()) [[likely]]
            return detail::bits(static_cast<float>(v));
        return detail::from_integer_slow<T>(v, env);
    }
}
template <class T>
[[gnu::always_inline]] inline T from_i64(i64 v, Env& env) {
    if (env.fast()) [[likely]]
        return detail::bits(static_cast<detail::Host<T>>(v));
    return detail::from_integer_slow<T>(v, env);
}

// CVTSS2SI and friends: out of range IE and the integer indefinite.
template <class T>
inline i32 to_i32(T a, Env& env) {
    return static_cast<i32>(detail::to_integer_slow(a, 32, env.rounding(), env));
}
template <class T>
inline i64 to_i64(T a, Env& env) {
    return detail::to_integer_slow(a, 64, env.rounding(), env);
}
// CVTTSS2SI and friends.
template <class T>
[[gnu::always_inline]] inline i32 to_i32_truncated(T a, Env& env) {
    const auto x = detail::host(a);
    if (x > -2147483520 && x < 2147483520) [[likely]] {
        const i32 r = static_cast<i32>(x);
        if (env.fast() || static_cast<detail::Host<T>>(r) == x) [[likely]]
            return r;
    }
    return static_cast<i32>(detail::to_integer_slow(a, 32, Rounding::zero, env));
}
template <class T>
[[gnu::always_inline]] inline i64 to_i64_truncated(T a, Env& env) {
    const auto x = detail::host(a);
    if (x > -9.2e18 && x < 9.2e18) [[likely]] {
        const i64 r = static_cast<i64>(x);
        if (env.fast() || static_cast<detail::Host<T>>(r) == x) [[likely]]
            return r;
    }
    return detail::to_integer_slow(a, 64, Rounding::zero, env);
}

// ROUNDSS and friends, by their immediate: bits 0-1 RC, bit 2 MXCSR.RC instead, bit 3 no PE.
template <class T>
T round_integral(T a, unsigned immediate, Env& env);

// RCPSS, RSQRTSS: hardware differs from model to model here (relative error up to 1.5 * 2^-12). This value,
// the same on every host: the true one rounded to 12 bits, ties up. No flags; denormal operands are zeros,
// tiny results become zero (SDM vol. 2B RCPPS, RSQRTPS).
u32 reciprocal_estimate(u32 a);
u32 reciprocal_sqrt_estimate(u32 a);

}  // namespace mynah::fpu
