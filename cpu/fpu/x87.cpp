#include "cpu/fpu/x87.h"

#include <algorithm>

#include "cpu/fpu/wide.h"

namespace mynah::fpu {

namespace {

// Runs `f` with 64 bits of precision, whatever PC says.
template <class F>
Number in_full(Env& env, F f) {
    const u8 precision = env.precision;
    env.precision = 64;
    const Number n = f();
    env.precision = precision;
    return n;
}

void note_denormal(const Number& a, Env& env) {
    if (a.denormal) env.raise(flag::denormal);
}

}  // namespace

F80 x87_load(const Number& a, Env& env) {
    return pack_f80(in_full(env, [&] { return convert(a, kF80, env); }));
}

namespace {

template <class T>
T store(F80 v, Env& env) {
    Number a = unpack(v);
    a.denormal = false;
    return pack<T>(convert(a, kFormat<T>, env));
}

}  // namespace

u32 x87_store_f32(F80 a, Env& env) {
    return store<u32>(a, env);
}
u64 x87_store_f64(F80 a, Env& env) {
    return store<u64>(a, env);
}

F80 x87_round_integral(F80 v, Env& env) {
    const Number a = unpack(v);
    const Number r = round_integral(a, env.rounding(), false, env);
    if (!a.nan()) note_denormal(a, env);
    return pack_f80(r);
}

F80 x87_scale(F80 v, F80 by, Env& env) {
    const Number a = unpack(v), b = unpack(by);
    if (a.nan() || b.nan()) return pack_f80(propagate(a, b, env));
    if (b.infinite() && (b.sign ? a.infinite() : a.zero())) return pack_f80(invalid(env));
    note_denormal(a, env);
    note_denormal(b, env);
    if (a.kind != Kind::finite) return v;
    if (b.infinite()) return pack_f80(b.sign ? make_zero(a.sign) : make_infinity(a.sign));
    i32 n = 0;
    if (b.kind == Kind::finite && b.exp >= 0) {
        n = b.exp > 16 ? 1 << 17 : static_cast<i32>(b.sig >> (63 - b.exp));
        if (b.sign) n = -n;
    }
    return pack_f80(in_full(env, [&] { return round_to(kF80, a.sign, a.exp + n, a.sig, 0, env); }));
}

Extracted x87_extract(F80 v, Env& env) {
    const Number a = unpack(v);
    if (a.nan()) {
        const F80 n = pack_f80(propagate(a, env));
        return {n, n};
    }
    if (a.zero()) {
        env.raise(flag::zero_divide);
        return {pack_f80(make_infinity(true)), v};
    }
    if (a.infinite()) return {pack_f80(make_infinity(false)), v};
    note_denormal(a, env);
    return {x87_from_integer(a.exp), pack_f80(make_finite(a.sign, 0, a.sig))};
}

Remainder x87_remainder(F80 va, F80 vb, bool nearest, Env& env) {
    const Number a = unpack(va), b = unpack(vb);
    if (a.nan() || b.nan()) return {pack_f80(propagate(a, b, env)), false, 0, false};
    if (a.infinite() || b.zero()) return {pack_f80(invalid(env)), false, 0, false};
    note_denormal(a, env);
    note_denormal(b, env);
    if (a.zero()) return {va, false, 0};
    const auto result = [&](bool sign, i32 exp, u64 sig) {
        if (sig == 0) return pack_f80(make_zero(a.sign));
        const int shift = std::countl_zero(sig);
        return pack_f80(
            in_full(env, [&] { return round_to(kF80, sign, exp - shift, sig << shift, 0, env); }));
    };
    const i32 d = b.infinite() ? -2 : a.exp - b.exp;
    if (d < -1 || (d < 0 && !nearest)) return {result(a.sign, a.exp, a.sig), false, 0};
    if (d >= 64) {
        // Any reduction by 32 to 63 bits will do; this one is what processors do.
        const i32 n = (d & 31) | 32;
        const u64 r = static_cast<u64>((static_cast<u128>(a.sig) << n) % b.sig);
        return {result(a.sign, b.exp + d - n, r), true, 0};
    }
    if (d < 0) {
        // |a| < |b| < 4|a|: the quotient is 0, or 1 if a is more than half of b.
        const u128 doubled = static_cast<u128>(a.sig);  // |a| * 2, in units of b
        if (doubled <= b.sig) return {result(a.sign, a.exp, a.sig), false, 0};
        const u128 r = (static_cast<u128>(b.sig) << 1) - a.sig;  // in units of a
        return {result(!a.sign, a.exp, static_cast<u64>(r)), false, 1};
    }
    const u128 n = static_cast<u128>(a.sig) << d;
    u64 q = static_cast<u64>(n / b.sig), r = static_cast<u64>(n % b.sig);
    bool sign = a.sign;
    if (nearest && (r > b.sig - r || (r == b.sig - r && (q & 1)))) {
        ++q;
        r = b.sig - r;
        sign = !sign;
    }
    return {result(sign, b.exp, r), false, static_cast<u8>(q & 7)};
}

F80 x87_from_bcd(const PackedBcd& bcd) {
    i64 v = 0;
    for (int i = 8; i >= 0; --i)
        v = v * 100 + (bcd[static_cast<size_t>(i)] >> 4) * 10 + (bcd[static_cast<size_t>(i)] & 15);
    F80 r = x87_from_integer(v);
    r.sign_exponent |= static_cast<u16>((bcd[9] & 0x80) << 8);
    return r;
}

PackedBcd x87_to_bcd(F80 a, Env& env) {
    constexpr i64 kLimit = 1'000'000'000'000'000'000;
    Env e = env;
    i64 v = to_integer(unpack(a), 64, env.rounding(), e);
    if ((e.flags & ~env.flags & flag::invalid) || v >= kLimit || v <= -kLimit) {
        env.raise(flag::invalid);
        return {0, 0, 0, 0, 0, 0, 0, 0xC0, 0xFF, 0xFF};
    }
    env = e;
    PackedBcd bcd{};
    if (a.sign_exponent & 0x8000) {
        bcd[9] = 0x80;
        v = -v;
    }
    for (size_t i = 0; i < 9; ++i, v /= 100) bcd[i] = static_cast<u8>(v / 10 % 10 << 4 | v % 10);
    return bcd;
}

F80 x87_constant(unsigned index, Rounding rc) {
    Env env;
    env.control = 0x1F80 | static_cast<u32>(rc) << 13;
    switch (index) {
        case 0:
            return {kTopBit, 0x3FFF};
        case 1:
            return to_f80(wide::log2_10, env);
        case 2:
            return to_f80(wide::log2_e, env);
        case 3:
            return to_f80(wide::pi, env);
        case 4:
            return to_f80(wide::log10_2, env);
        case 5:
            return to_f80(wide::ln_2, env);
        default:
            return {};
    }
}

unsigned x87_examine(F80 a) {
    const Number n = unpack(a);
    switch (n.kind) {
        case Kind::unsupported:
            return 0;
        case Kind::quiet:
        case Kind::signaling:
            return 1;
        case Kind::infinity:
            return 3;
        case Kind::zero:
            return 4;
        default:
            return n.denormal ? 6 : 2;
    }
}

}  // namespace mynah::fpu
