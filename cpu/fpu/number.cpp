#include "cpu/fpu/number.h"

#include <cmath>
#include <utility>

namespace mynah::fpu {

namespace {

struct Cut {
    u64 sig;
    bool carry;  // the significand became 2.0; sig is 1.0
    bool inexact;
    bool up;
};

// Keeps the upper `precision` bits of hi:lo.
Cut cut(u64 hi, u64 lo, int precision, bool sign, Rounding rc) {
    const int drop = 64 - precision;
    u64 kept = hi, ulp = 1;
    bool half = lo >> 63, rest = lo << 1;
    if (drop > 0) {
        ulp = u64{1} << drop;
        kept = hi & ~(ulp - 1);
        half = hi & ulp >> 1;
        rest = (hi & ((ulp >> 1) - 1)) || lo;
    }
    const bool inexact = half || rest;
    bool up = false;
    switch (rc) {
        case Rounding::nearest:
            up = half && (rest || (kept & ulp));
            break;
        case Rounding::down:
            up = inexact && sign;
            break;
        case Rounding::up:
            up = inexact && !sign;
            break;
        case Rounding::zero:
            break;
    }
    if (!up) return {kept, false, inexact, false};
    kept += ulp;
    if (kept == 0) return {kTopBit, true, true, true};
    return {kept, false, true, true};
}

Number overflow(const Format& f, int precision, bool sign, Env& env) {
    env.raise(flag::overflow | flag::inexact);
    const Rounding rc = env.rounding();
    env.rounded_up = rc == Rounding::nearest || rc == (sign ? Rounding::down : Rounding::up);
    if (env.rounded_up) return make_infinity(sign);
    return make_finite(sign, f.greatest, ~u64{0} << (64 - precision));
}

// hi:lo >> n, bits shifted out kept as sticky.
void shift_right(u64& hi, u64& lo, u32 n) {
    if (n == 0) return;
    if (n < 64) {
        lo = hi << (64 - n) | lo >> n | ((lo << (64 - n)) != 0);
        hi >>= n;
    } else if (n < 128) {
        const bool sticky = lo != 0 || (n > 64 && hi << (128 - n) != 0);
        lo = hi >> (n - 64) | sticky;
        hi = 0;
    } else {
        lo = (hi | lo) != 0;
        hi = 0;
    }
}

u128 shift_right(u128 v, u32 n) {
    if (n == 0) return v;
    if (n > 127) return v != 0;
    return v >> n | ((v << (128 - n)) != 0);
}

Number quieted(Number n) {
    n.kind = Kind::quiet;
    n.sig |= kQuietBit | kTopBit;
    return n;
}

void note_denormal(const Number& a, Env& env) {
    if (a.denormal) env.raise(flag::denormal);
}

// (-1)^sign * v / 2^126 * 2^exp
Number round_128(const Format& f, bool sign, i32 exp, u128 v, Env& env) {
    const u64 top = static_cast<u64>(v >> 64);
    const int shift = top ? std::countl_zero(top) : 64 + std::countl_zero(static_cast<u64>(v));
    v <<= shift;
    return round_to(f, sign, exp + 1 - shift, static_cast<u64>(v >> 64), static_cast<u64>(v), env);
}

// Sum of two non-zero values a / 2^126 * 2^exp; both below 2^127, the larger exponent's top bit at 125 or
// 126.
Number add_128(const Format& f, bool sign_a, i32 exp_a, u128 a, bool sign_b, i32 exp_b, u128 b, Env& env) {
    if (exp_a < exp_b) {
        std::swap(sign_a, sign_b);
        std::swap(exp_a, exp_b);
        std::swap(a, b);
    }
    b = shift_right(b, static_cast<u32>(exp_a - exp_b));
    if (sign_a == sign_b) return round_128(f, sign_a, exp_a, a + b, env);
    if (a == b) return make_zero(env.rounding() == Rounding::down);
    return a > b ? round_128(f, sign_a, exp_a, a - b, env) : round_128(f, sign_b, exp_a, b - a, env);
}

}  // namespace

Number round_to(const Format& f, bool sign, i32 exp, u64 hi, u64 lo, Env& env) {
    const int precision = env.x87 && f.precision == 64 ? env.precision : f.precision;
    const Cut c = cut(hi, lo, precision, sign, env.rounding());
    const i32 e = exp + c.carry;
    if (e > f.greatest) {
        if (env.masked(flag::overflow)) return overflow(f, precision, sign, env);
        env.raise(flag::overflow | (c.inexact ? flag::inexact : 0));
        env.rounded_up = c.up;
        if (f.bias_adjust == 0) return make_infinity(sign);
        if (e - f.bias_adjust > f.greatest) {
            // FSCALE can be too far out for the adjustment.
            env.raise(flag::inexact);
            env.rounded_up = true;
            return make_infinity(sign);
        }
        return make_finite(sign, e - f.bias_adjust, c.sig);
    }
    if (e >= f.least) [[likely]] {
        if (c.inexact) {
            env.raise(flag::inexact);
            env.rounded_up = c.up;
        }
        return make_finite(sign, e, c.sig);
    }

    // Tiny after rounding.
    if (!env.masked(flag::underflow)) {
        env.raise(flag::underflow | (c.inexact ? flag::inexact : 0));
        env.rounded_up = c.up;
        if (f.bias_adjust == 0) return make_zero(sign);
        if (e + f.bias_adjust >= f.least) return make_finite(sign, e + f.bias_adjust, c.sig);
        env.raise(flag::inexact);
        env.rounded_up = false;
        return make_zero(sign);
    }
    if (env.ftz() && f.precision != kF16.precision) {
        env.raise(flag::underflow | flag::inexact);
        return make_zero(sign);
    }
    shift_right(hi, lo, static_cast<u32>(f.least - exp));
    const Cut d = cut(hi, lo, precision, sign, env.rounding());
    if (d.inexact) {
        env.raise(flag::underflow | flag::inexact);
        env.rounded_up = d.up;
    }
    if (d.sig == 0) return make_zero(sign);
    return make_finite(sign, f.least, d.sig);
}

Number propagate(const Number& a, Env& env) {
    if (a.kind == Kind::unsupported) return invalid(env);
    if (a.kind == Kind::signaling) env.raise(flag::invalid);
    return quieted(a);
}

Number propagate(const Number& a, const Number& b, Env& env) {
    if (a.kind == Kind::unsupported || b.kind == Kind::unsupported) return invalid(env);
    if (a.kind == Kind::signaling || b.kind == Kind::signaling) env.raise(flag::invalid);
    if (!a.nan()) return quieted(b);
    if (!b.nan() || !env.x87) return quieted(a);
    if (a.kind != b.kind) return quieted(a.kind == Kind::quiet ? a : b);
    if (a.sig != b.sig) return quieted(a.sig > b.sig ? a : b);
    return quieted(a.sign ? b : a);
}

Number add(const Number& a, const Number& b, const Format& f, Env& env) {
    if (a.nan() || b.nan()) return propagate(a, b, env);
    if (a.infinite() && b.infinite() && a.sign != b.sign) return invalid(env);
    note_denormal(a, env);
    note_denormal(b, env);
    if (a.infinite()) return a;
    if (b.infinite()) return b;
    if (a.zero() && b.zero()) return make_zero(a.sign == b.sign ? a.sign : env.rounding() == Rounding::down);
    if (a.zero()) return round_to(f, b.sign, b.exp, b.sig, 0, env);
    if (b.zero()) return round_to(f, a.sign, a.exp, a.sig, 0, env);
    return add_128(f, a.sign, a.exp + 1, static_cast<u128>(a.sig) << 62, b.sign, b.exp + 1,
                   static_cast<u128>(b.sig) << 62, env);
}

Number sub(const Number& a, const Number& b, const Format& f, Env& env) {
    if (a.nan() || b.nan()) return propagate(a, b, env);
    Number n = b;
    n.sign = !n.sign;
    return add(a, n, f, env);
}

Number mul(const Number& a, const Number& b, const Format& f, Env& env) {
    if (a.nan() || b.nan()) return propagate(a, b, env);
    const bool sign = a.sign != b.sign;
    if ((a.infinite() && b.zero()) || (a.zero() && b.infinite())) return invalid(env);
    note_denormal(a, env);
    note_denormal(b, env);
    if (a.infinite() || b.infinite()) return make_infinity(sign);
    if (a.zero() || b.zero()) return make_zero(sign);
    return round_128(f, sign, a.exp + b.exp, static_cast<u128>(a.sig) * b.sig, env);
}

Number div(const Number& a, const Number& b, const Format& f, Env& env) {
    if (a.nan() || b.nan()) return propagate(a, b, env);
    const bool sign = a.sign != b.sign;
    if ((a.infinite() && b.infinite()) || (a.zero() && b.zero())) return invalid(env);
    if (b.zero() && !a.infinite()) {
        env.raise(flag::zero_divide);
        return make_infinity(sign);
    }
    note_denormal(a, env);
    note_denormal(b, env);
    if (a.infinite()) return make_infinity(sign);
    if (a.zero() || b.infinite()) return make_zero(sign);
    const bool less = a.sig < b.sig;
    const u128 n = static_cast<u128>(a.sig) << (less ? 64 : 63);
    const u64 q = static_cast<u64>(n / b.sig);
    const u64 r = static_cast<u64>(n - static_cast<u128>(q) * b.sig);
    const bool half = static_cast<u128>(r) * 2 >= b.sig;
    const bool rest = r != 0 && static_cast<u128>(r) * 2 != b.sig;
    return round_to(f, sign, a.exp - b.exp - less, q, static_cast<u64>(half) << 63 | rest, env);
}

Number sqrt(const Number& a, const Format& f, Env& env) {
    if (a.nan()) return propagate(a, env);
    if (a.zero()) return a;
    if (a.sign) return invalid(env);
    note_denormal(a, env);
    if (a.infinite()) return a;
    const bool odd = a.exp & 1;
    const u128 n = static_cast<u128>(a.sig) << (odd ? 64 : 63);
    // An estimate good to some 50 bits, one step of Newton's, then exact.
    const double estimate = std::sqrt(static_cast<double>(a.sig) * (odd ? 2.0 : 1.0)) * 3037000499.9760499;
    u64 root = estimate >= 18446744073709549568.0 ? ~u64{0} : static_cast<u64>(estimate);
    if (root < kTopBit) root = kTopBit;
    const i128 error = static_cast<i128>(n - static_cast<u128>(root) * root);
    const i128 next = static_cast<i128>(root) + error / static_cast<i128>(root) / 2;
    root = next >> 64 > 0 ? ~u64{0} : static_cast<u64>(next);
    while (static_cast<u128>(root) * root > n) --root;
    while (root != ~u64{0} && static_cast<u128>(root + 1) * (root + 1) <= n) ++root;
    const u128 rest = n - static_cast<u128>(root) * root;
    const u64 lo = static_cast<u64>(rest > root) << 63 | (rest != 0);
    return round_to(f, false, (a.exp - odd) / 2, root, lo, env);
}

Number fma(const Number& a, const Number& b, const Number& c, const Format& f, Env& env) {
    if (a.nan() || b.nan() || c.nan()) {
        const bool any_signaling =
            a.kind == Kind::signaling || b.kind == Kind::signaling || c.kind == Kind::signaling;
        if (any_signaling) env.raise(flag::invalid);
        return quieted(a.nan() ? a : b.nan() ? b : c);
    }
    const bool sign = a.sign != b.sign;
    if ((a.infinite() && b.zero()) || (a.zero() && b.infinite())) return invalid(env);
    const bool product_infinite = a.infinite() || b.infinite();
    if (product_infinite && c.infinite() && sign != c.sign) return invalid(env);
    note_denormal(a, env);
    note_denormal(b, env);
    note_denormal(c, env);
    if (product_infinite) return make_infinity(sign);
    if (c.infinite()) return c;
    if (a.zero() || b.zero()) {
        if (c.zero()) return make_zero(sign == c.sign ? sign : env.rounding() == Rounding::down);
        return round_to(f, c.sign, c.exp, c.sig, 0, env);
    }
    const u128 product = static_cast<u128>(a.sig) * b.sig;  // 126 is its one's place
    if (c.zero()) return round_128(f, sign, a.exp + b.exp, product, env);
    // One bit down for the carry; the significands' low bits are zero.
    return add_128(f, sign, a.exp + b.exp + 1, product >> 1, c.sign, c.exp + 1,
                   static_cast<u128>(c.sig) << 62, env);
}

Number convert(const Number& a, const Format& f, Env& env) {
    if (a.nan()) return propagate(a, env);
    note_denormal(a, env);
    if (a.kind != Kind::finite) return a;
    return round_to(f, a.sign, a.exp, a.sig, 0, env);
}

namespace {

// The integer nearest to |a| under rc. False if it is 2^64 or more.
bool integral_magnitude(const Number& a, Rounding rc, u64& value, bool& inexact, bool& up) {
    value = 0;
    inexact = up = false;
    if (a.zero()) return true;
    if (a.exp > 63) return false;
    u64 hi = a.sig, lo = 0;
    shift_right(hi, lo, static_cast<u32>(63 - a.exp));
    inexact = lo != 0;
    switch (rc) {
        case Rounding::nearest:
            up = lo > kTopBit || (lo == kTopBit && (hi & 1));
            break;
        case Rounding::down:
            up = inexact && a.sign;
            break;
        case Rounding::up:
            up = inexact && !a.sign;
            break;
        case Rounding::zero:
            break;
    }
    value = hi + up;
    return true;  // inexact implies exp < 63: no wrap
}

}  // namespace

Number round_integral(const Number& a, Rounding rc, bool suppress, Env& env) {
    if (a.nan()) return propagate(a, env);
    if (a.kind != Kind::finite || a.exp >= 63) return a;
    u64 v = 0;
    bool inexact = false, up = false;
    (void)integral_magnitude(a, rc, v, inexact, up);
    if (inexact && !suppress) env.raise(flag::inexact);
    if (inexact) env.rounded_up = up;
    if (v == 0) return make_zero(a.sign);
    const int shift = std::countl_zero(v);
    return make_finite(a.sign, 63 - shift, v << shift);
}

i64 to_integer(const Number& a, unsigned bits, Rounding rc, Env& env) {
    const i64 undefined = static_cast<i64>(~u64{0} << (bits - 1));
    u64 v = 0;
    bool inexact = false, up = false;
    if (a.nan() || a.infinite() || !integral_magnitude(a, rc, v, inexact, up) ||
        v > (u64{1} << (bits - 1)) - !a.sign) {
        env.raise(flag::invalid);
        return undefined;
    }
    if (inexact) {
        env.raise(flag::inexact);
        env.rounded_up = up;
    }
    return static_cast<i64>(a.sign ? 0 - v : v);
}

Number from_integer(i64 v) {
    if (v == 0) return make_zero(false);
    const u64 magnitude = v < 0 ? 0 - static_cast<u64>(v) : static_cast<u64>(v);
    const int shift = std::countl_zero(magnitude);
    return make_finite(v < 0, 63 - shift, magnitude << shift);
}

Order compare(const Number& a, const Number& b, bool quiet_is_invalid, Env& env) {
    if (a.nan() || b.nan()) {
        if (quiet_is_invalid || a.kind > Kind::quiet || b.kind > Kind::quiet) env.raise(flag::invalid);
        return Order::unordered;
    }
    note_denormal(a, env);
    note_denormal(b, env);
    if (a.zero() && b.zero()) return Order::equal;
    if (a.zero()) return b.sign ? Order::greater : Order::less;
    if (b.zero()) return a.sign ? Order::less : Order::greater;
    if (a.sign != b.sign) return a.sign ? Order::less : Order::greater;
    int c = 0;  // of the magnitudes
    if (a.infinite() || b.infinite()) {
        c = static_cast<int>(a.infinite()) - static_cast<int>(b.infinite());
    } else if (a.exp != b.exp) {
        c = a.exp < b.exp ? -1 : 1;
    } else if (a.sig != b.sig) {
        c = a.sig < b.sig ? -1 : 1;
    }
    if (a.sign) c = -c;
    return c < 0 ? Order::less : c > 0 ? Order::greater : Order::equal;
}

}  // namespace mynah::fpu
