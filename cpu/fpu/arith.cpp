#include "cpu/fpu/arith.h"

namespace mynah::fpu {

namespace detail {

template <class T>
T add_slow(T a, T b, Env& env) {
    return pack<T>(fpu::add(unpack(a, env.daz()), unpack(b, env.daz()), kFormat<T>, env));
}
template <class T>
T sub_slow(T a, T b, Env& env) {
    return pack<T>(fpu::sub(unpack(a, env.daz()), unpack(b, env.daz()), kFormat<T>, env));
}
template <class T>
T mul_slow(T a, T b, Env& env) {
    return pack<T>(fpu::mul(unpack(a, env.daz()), unpack(b, env.daz()), kFormat<T>, env));
}
template <class T>
T div_slow(T a, T b, Env& env) {
    return pack<T>(fpu::div(unpack(a, env.daz()), unpack(b, env.daz()), kFormat<T>, env));
}
template <class T>
T sqrt_slow(T a, Env& env) {
    return pack<T>(fpu::sqrt(unpack(a, env.daz()), kFormat<T>, env));
}
template <class T>
T fma_slow(T a, T b, T c, bool negate_product, bool negate_addend, Env& env) {
    Number x = unpack(a, env.daz()), z = unpack(c, env.daz());
    if (!x.nan()) x.sign = x.sign != negate_product;
    if (!z.nan()) z.sign = z.sign != negate_addend;
    return pack<T>(fpu::fma(x, unpack(b, env.daz()), z, kFormat<T>, env));
}
template <class T>
Order compare_slow(T a, T b, bool quiet_is_invalid, Env& env) {
    return fpu::compare(unpack(a, env.daz()), unpack(b, env.daz()), quiet_is_invalid, env);
}

template <class T>
T min_max_slow(T a, T b, bool max, Env& env) {
    const Number x = unpack(a, env.daz()), y = unpack(b, env.daz());
    const Order order = fpu::compare(x, y, true, env);
    if (order == (max ? Order::greater : Order::less)) return x.zero() ? pack<T>(x) : a;
    return y.zero() ? pack<T>(y) : b;
}

template <class T>
i64 to_integer_slow(T a, unsigned bits, Rounding rc, Env& env) {
    return to_integer(unpack(a, env.daz()), bits, rc, env);
}

u32 narrow_slow(u64 a, Env& env) {
    return pack<u32>(convert(unpack(a, env.daz()), kF32, env));
}
u64 widen_slow(u32 a, Env& env) {
    return pack<u64>(convert(unpack(a, env.daz()), kF64, env));
}

template <class T>
T from_integer_slow(i64 v, Env& env) {
    return pack<T>(convert(from_integer(v), kFormat<T>, env));
}

#define MYNAH_FOR(T)                                              \
    template T add_slow<T>(T, T, Env&);                           \
    template T sub_slow<T>(T, T, Env&);                           \
    template T mul_slow<T>(T, T, Env&);                           \
    template T div_slow<T>(T, T, Env&);                           \
    template T sqrt_slow<T>(T, Env&);                             \
    template T fma_slow<T>(T, T, T, bool, bool, Env&);            \
    template Order compare_slow<T>(T, T, bool, Env&);             \
    template T min_max_slow<T>(T, T, bool, Env&);                 \
    template i64 to_integer_slow<T>(T, unsigned, Rounding, Env&); \
    template T from_integer_slow<T>(i64, Env&);
MYNAH_FOR(u32)
MYNAH_FOR(u64)
#undef MYNAH_FOR

}  // namespace detail

template <class T>
T round_integral(T a, unsigned immediate, Env& env) {
    const Rounding rc = immediate & 4 ? env.rounding() : static_cast<Rounding>(immediate & 3);
    return pack<T>(round_integral(unpack(a, env.daz()), rc, immediate & 8, env));
}
template u32 round_integral<u32>(u32, unsigned, Env&);
template u64 round_integral<u64>(u64, unsigned, Env&);

u32 f16_to_f32(u16 a, Env& env) {
    Number n = unpack(a);
    n.denormal = false;
    return pack<u32>(convert(n, kF32, env));
}

u16 f32_to_f16(u32 a, Rounding rc, Env& env) {
    Env e = env;
    e.control = (e.control & ~0x6000u) | static_cast<u32>(rc) << 13;
    const u16 r = pack<u16>(convert(unpack(a, env.daz()), kF16, e));
    env.flags = e.flags;
    return r;
}

u32 reciprocal_estimate(u32 a) {
    const Number n = unpack(a, true);
    if (n.nan()) return a | 0x00400000;
    if (n.zero()) return pack<u32>(make_infinity(n.sign));
    if (n.infinite()) return pack<u32>(make_zero(n.sign));
    // 1 / (s / 2^63) in (1/2, 1]: 12 bits and one to round.
    const u64 s = n.sig >> 40;         // 24 bits
    const u64 q = (u64{1} << 36) / s;  // 2^12 .. 2^13
    u64 rounded = (q + 1) >> 1;        // 2^11 .. 2^12
    i32 exp = -n.exp - 1;
    if (rounded == 1 << 12) {
        rounded = 1 << 11;
        ++exp;
    }
    if (exp < kF32.least) return pack<u32>(make_zero(n.sign));
    return pack<u32>(make_finite(n.sign, exp, rounded << 52));
}

u32 reciprocal_sqrt_estimate(u32 a) {
    const Number n = unpack(a, true);
    if (n.nan()) return a | 0x00400000;
    if (n.zero()) return pack<u32>(make_infinity(n.sign));
    if (n.sign) return pack<u32>(indefinite());
    if (n.infinite()) return 0;
    // s in [2^23, 2^25) with an even exponent; r = the most with r^2 * s <= 2^(2 * 12 + 25).
    const bool odd = n.exp & 1;
    const u64 s = n.sig >> (odd ? 39 : 40);
    const u64 limit = u64{1} << 49;
    u64 r = 0;
    for (u64 bit = 1 << 13; bit != 0; bit >>= 1) {
        if ((r | bit) * (r | bit) * s <= limit) r |= bit;
    }
    // r / 2^13 = 1 / sqrt(s / 2^23), in (2^-1/2 ... 1]; 12 bits of it and one to round.
    u64 rounded = (r + 1) >> 1;
    i32 exp = -(n.exp - odd) / 2 - 1;
    if (rounded == 1 << 12) {
        rounded = 1 << 11;
        ++exp;
    }
    return pack<u32>(make_finite(false, exp, rounded << 52));
}

}  // namespace mynah::fpu
