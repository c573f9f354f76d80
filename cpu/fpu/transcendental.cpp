// F2XM1, FYL2X, FYL2XP1, FPATAN, FSIN, FCOS, FSINCOS, FPTAN: special cases by the tables of SDM vol. 2A,
// values from power series in 128-bit arithmetic.
#include <array>

#include "cpu/fpu/wide.h"
#include "cpu/fpu/x87.h"

namespace mynah::fpu {

namespace {

// 1 / n!
constexpr auto kInverseFactorial = [] {
    std::array<Wide, 36> t{};
    t[0] = wide::one;
    for (size_t n = 1; n < t.size(); ++n) t[n] = wide::div(t[n - 1], wide::from_integer(n));
    return t;
}();
// 1 / (2n + 1)
constexpr auto kInverseOdd = [] {
    std::array<Wide, 28> t{};
    for (size_t n = 0; n < t.size(); ++n) t[n] = wide::reciprocal(wide::from_integer(2 * n + 1));
    return t;
}();

// How many terms a series in x (|x| < 2^(exp + 1)) needs: their size falls by at least |x|.
constexpr unsigned terms(i32 exp, unsigned most) {
    if (exp >= -1) return most;
    const unsigned n = static_cast<unsigned>(124 / -(exp + 1)) + 2;
    return n < most ? n : most;
}

// The values next to 1 and x, towards 0: what is left of a correction too small to be seen.
constexpr Wide below(const Wide& x) {
    if (x.sig == static_cast<u128>(1) << 127) return {~static_cast<u128>(0), x.exp - 1, x.sign};
    return {x.sig - 1, x.exp, x.sign};
}

// atan(x) or, with `hyperbolic`, artanh(x), for |x| <= 0.18.
constexpr Wide arctangent_series(const Wide& x, bool hyperbolic) {
    if (x.zero()) return {};
    const Wide x2 = wide::mul(x, x);
    const Wide step = hyperbolic ? x2 : wide::negative(x2);
    const unsigned n = terms(x2.exp, 26);
    Wide sum = kInverseOdd[n];
    for (unsigned k = n; k-- > 0;) sum = wide::add(wide::mul(sum, step), kInverseOdd[k]);
    return wide::mul(x, sum);
}

// atan(k / 16)
constexpr auto kArctangent = [] {
    std::array<Wide, 17> t{};
    for (u64 k = 1; k < t.size(); ++k) {
        // tan(a - b) of two neighbours.
        const Wide d = wide::div(wide::from_integer(16), wide::from_integer(256 + k * (k - 1)));
        t[k] = wide::add(t[k - 1], arctangent_series(d, false));
    }
    return t;
}();

// e^x - 1, |x| <= 0.7
Wide exp_minus_1(const Wide& x) {
    const unsigned n = terms(x.exp, 32);
    Wide sum = kInverseFactorial[n];
    for (unsigned k = n - 1; k > 0; --k) sum = wide::add(wide::mul(sum, x), kInverseFactorial[k]);
    return wide::mul(x, sum);
}

// log2((1 + t) / (1 - t))
Wide log2_of_ratio(const Wide& t) {
    return wide::scaled(wide::mul(arctangent_series(t, true), wide::log2_e), 1);
}

// log2(x), x > 0
Wide log2(Wide x) {
    constexpr Wide kSqrt2{wide::join(0xB504F333F9DE6484, 0x597D89B3754ABE9F), 0, false};
    i32 e = x.exp;
    x.exp = 0;
    if (wide::magnitude_less(kSqrt2, x)) {
        x.exp = -1;
        ++e;
    }
    const Wide t = wide::div(wide::sub(x, wide::one), wide::add(x, wide::one));
    Wide whole = wide::from_integer(static_cast<u64>(e < 0 ? -e : e));
    whole.sign = e < 0;
    return wide::add(whole, log2_of_ratio(t));
}

// sin(x), cos(x) for |x| <= pi / 4
Wide sine_series(const Wide& x) {
    if (x.exp < -60) return below(x);
    const Wide x2 = wide::negative(wide::mul(x, x));
    const unsigned n = terms(x2.exp, 16);
    Wide sum = kInverseFactorial[2 * n + 1];
    for (unsigned k = n; k-- > 0;) sum = wide::add(wide::mul(sum, x2), kInverseFactorial[2 * k + 1]);
    return wide::mul(x, sum);
}
Wide cosine_series(const Wide& x) {
    if (x.zero()) return wide::one;
    if (x.exp < -60) return below(wide::one);
    const Wide x2 = wide::negative(wide::mul(x, x));
    const unsigned n = terms(x2.exp, 16);
    Wide sum = kInverseFactorial[2 * n];
    for (unsigned k = n; k-- > 0;) sum = wide::add(wide::mul(sum, x2), kInverseFactorial[2 * k]);
    return sum;
}

// |a| = quadrant * pi/2 + rest, |rest| <= pi/4; a below 2^63.
struct Reduced {
    unsigned quadrant;
    Wide rest;
};
Reduced reduce(const Number& a) {
    if (a.exp < -1) return {0, {static_cast<u128>(a.sig) << 64, a.exp, false}};
    // The fraction bits of 2/pi, most significant first.
    static constexpr u64 kTwoByPi[6] = {0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041,
                                        0xFE5163ABDEBBC561, 0xB7246E3A424DD2E0, 0x06492EEA09D1921C};
    // |a| * 2/pi = product / 2^384 * 2^(exp - 63), in seven words.
    std::array<u64, 7> product{};
    u64 carry = 0;
    for (size_t i = 6; i-- > 0;) {
        const u128 p = static_cast<u128>(kTwoByPi[i]) * a.sig + carry;
        product[i + 1] = static_cast<u64>(p);
        carry = static_cast<u64>(p >> 64);
    }
    product[0] = carry;
    // The integer part has exp + 1 bits (0 to 63): shift it out.
    const unsigned whole_bits = static_cast<unsigned>(a.exp + 1);
    unsigned quadrant = 0;
    if (whole_bits != 0) {
        quadrant = static_cast<unsigned>(product[0] >> (64 - whole_bits));
        for (size_t i = 0; i < 7; ++i)
            product[i] = product[i] << whole_bits | (i < 6 ? product[i + 1] >> (64 - whole_bits) : 0);
    }
    const bool above_half = product[0] >> 63;
    if (above_half) {
        ++quadrant;
        for (u64& w : product) w = ~w;
    }
    size_t first = 0;
    while (first < 4 && product[first] == 0) ++first;
    const int shift = std::countl_zero(product[first]);
    u128 sig = wide::join(product[first], product[first + 1]);
    if (shift != 0) sig = sig << shift | product[first + 2] >> (64 - shift);
    const Wide rest{sig, -1 - static_cast<i32>(64 * first) - shift, above_half};
    return {quadrant & 3, wide::mul(rest, wide::half_pi)};
}

struct SineCosine {
    Wide sine, cosine;
};
SineCosine sine_cosine(const Number& a, bool want_sine, bool want_cosine) {
    const Reduced r = reduce(a);
    const bool swap = r.quadrant & 1;
    SineCosine v;
    if (swap ? want_cosine : want_sine) v.sine = sine_series(r.rest);
    if (swap ? want_sine : want_cosine) v.cosine = cosine_series(r.rest);
    if (swap) v = {v.cosine, v.sine};
    if (r.quadrant == 1 || r.quadrant == 2) v.cosine.sign = !v.cosine.sign;
    if (r.quadrant >= 2) v.sine.sign = !v.sine.sign;
    if (a.sign) v.sine.sign = !v.sine.sign;
    return v;
}

// Whether FSIN and kin are to be computed at all: false for |a| >= 2^63. `special` is set if `a` has a value
// (or none) by the tables.
enum class Argument : u8 { regular, zero, invalid, out_of_range };
Argument classify(const Number& a, Env& env, F80& special) {
    if (a.nan() || a.infinite()) {
        special = pack_f80(a.nan() ? propagate(a, env) : invalid(env));
        return Argument::invalid;
    }
    if (a.zero()) {
        special = pack_f80(a);
        return Argument::zero;
    }
    if (a.exp >= 63) return Argument::out_of_range;
    if (a.denormal) env.raise(flag::denormal);
    return Argument::regular;
}

constexpr F80 kOne{kTopBit, 0x3FFF};

// The transcendental functions round to 64 bits whatever PC says.
class FullPrecision {
  public:
    explicit FullPrecision(Env& env) : env_(env), precision_(env.precision) { env.precision = 64; }
    ~FullPrecision() { env_.precision = precision_; }
    FullPrecision(const FullPrecision&) = delete;
    FullPrecision& operator=(const FullPrecision&) = delete;

  private:
    Env& env_;
    u8 precision_;
};

void note_denormals(const Number& a, const Number& b, Env& env) {
    if (a.denormal || b.denormal) env.raise(flag::denormal);
}

bool is_one(const Number& a) {
    return a.kind == Kind::finite && a.exp == 0 && a.sig == kTopBit;
}

// y * log2(x) where the logarithm is infinite, of the given sign, and y is not a NaN.
Number times_infinity(const Number& y, bool negative, Env& env) {
    if (y.zero()) return invalid(env);
    return make_infinity(y.sign != negative);
}

}  // namespace

F80 x87_2xm1(F80 v, Env& env) {
    const FullPrecision full(env);
    const Number a = unpack(v);
    if (a.nan()) return pack_f80(propagate(a, env));
    if (a.infinite()) return a.sign ? F80{kTopBit, 0xBFFF} : v;
    if (a.zero()) return v;
    if (a.denormal) env.raise(flag::denormal);
    if (a.exp >= 0) {
        if (is_one(a)) return a.sign ? F80{kTopBit, 0xBFFE} : v;
        return v;
    }
    return to_f80(exp_minus_1(wide::mul(to_wide(a), wide::ln_2)), env);
}

F80 x87_yl2x(F80 vx, F80 vy, Env& env) {
    const FullPrecision full(env);
    const Number x = unpack(vx), y = unpack(vy);
    if (x.nan() || y.nan()) return pack_f80(propagate(x, y, env));
    if (x.zero()) {
        if (y.zero()) return pack_f80(invalid(env));
        if (y.infinite()) return pack_f80(make_infinity(!y.sign));
        env.raise(flag::zero_divide);
        return pack_f80(make_infinity(!y.sign));
    }
    if (x.sign) return pack_f80(invalid(env));
    if (x.infinite()) {
        if (y.denormal) env.raise(flag::denormal);
        return pack_f80(times_infinity(y, false, env));
    }
    const bool one = is_one(x);
    if (y.infinite()) {
        if (one) return pack_f80(invalid(env));
        note_denormals(x, y, env);
        return pack_f80(make_infinity(y.sign != (x.exp < 0)));
    }
    note_denormals(x, y, env);
    if (one || y.zero()) return pack_f80(make_zero(y.sign != (x.exp < 0)));
    if (x.sig == kTopBit) {
        Number e = from_integer(x.exp);
        Number factor = y;
        factor.denormal = false;
        return pack_f80(mul(e, factor, kF80, env));
    }
    return to_f80(wide::mul(log2(to_wide(x)), to_wide(y)), env);
}

F80 x87_yl2xp1(F80 vx, F80 vy, Env& env) {
    const FullPrecision full(env);
    const Number x = unpack(vx), y = unpack(vy);
    if (x.nan() || y.nan()) return pack_f80(propagate(x, y, env));
    if (x.sign && !x.zero() && (x.infinite() || x.exp >= 0)) return pack_f80(invalid(env));
    if (x.infinite()) {
        if (y.denormal) env.raise(flag::denormal);
        return pack_f80(times_infinity(y, false, env));
    }
    if (y.infinite()) {
        if (x.zero()) return pack_f80(invalid(env));
        note_denormals(x, y, env);
        return pack_f80(make_infinity(y.sign != x.sign));
    }
    note_denormals(x, y, env);
    if (x.zero() || y.zero()) return pack_f80(make_zero(y.sign != x.sign));
    const Wide w = to_wide(x);
    if (x.exp < -2) {
        const Wide t = wide::div(w, wide::add(w, wide::from_integer(2)));
        return to_f80(wide::mul(log2_of_ratio(t), to_wide(y)), env);
    }
    const Wide sum = wide::add(w, wide::one);
    if (sum.sig == static_cast<u128>(1) << 127 && x.exp < 64) {
        // x + 1 is a power of two.
        Number factor = y;
        factor.denormal = false;
        return pack_f80(mul(from_integer(sum.exp), factor, kF80, env));
    }
    return to_f80(wide::mul(log2(sum), to_wide(y)), env);
}

F80 x87_patan(F80 vy, F80 vx, Env& env) {
    const FullPrecision full(env);
    const Number y = unpack(vy), x = unpack(vx);
    if (x.nan() || y.nan()) return pack_f80(propagate(x, y, env));
    note_denormals(x, y, env);
    const auto signed_by_y = [&](Wide w) {
        w.sign = y.sign;
        return to_f80(w, env);
    };
    if (y.zero() || (x.infinite() && !y.infinite())) {
        if (x.sign) return signed_by_y(wide::pi);
        return pack_f80(make_zero(y.sign));
    }
    if (x.zero() || (y.infinite() && !x.infinite())) return signed_by_y(wide::half_pi);
    if (x.infinite()) {
        if (!x.sign) return signed_by_y(wide::scaled(wide::pi, -2));
        return signed_by_y(wide::sub(wide::pi, wide::scaled(wide::pi, -2)));
    }
    const bool steep = y.exp > x.exp || (y.exp == x.exp && y.sig > x.sig);
    const Number& n = steep ? x : y;
    const Number& d = steep ? y : x;
    // n / d, exact to 128 bits.
    const bool less = n.sig < d.sig;
    const u128 top = static_cast<u128>(n.sig) << (less ? 64 : 63);
    const u64 q1 = static_cast<u64>(top / d.sig);
    const u128 low = static_cast<u128>(static_cast<u64>(top % d.sig)) << 64;
    const u64 q2 = static_cast<u64>(low / d.sig);
    const Wide t{wide::join(q1, q2), n.exp - d.exp - less, false};
    Wide a;
    if (t.exp < -63) {
        // Less than t by less than a bit; a quotient cut off is that already.
        a = low % d.sig != 0 ? t : below(t);
    } else {
        // k / 16 nearest to t
        const unsigned k = t.exp < -5 ? 0 : static_cast<unsigned>(((t.sig >> (122 - t.exp)) + 1) >> 1);
        Wide rest = t;
        if (k != 0) {
            const Wide c = wide::scaled(wide::from_integer(k), -4);
            rest = wide::div(wide::sub(t, c), wide::add(wide::one, wide::mul(t, c)));
        }
        a = wide::add(kArctangent[k], arctangent_series(rest, false));
    }
    if (steep) a = wide::sub(wide::half_pi, a);
    if (x.sign) a = wide::sub(wide::pi, a);
    return signed_by_y(a);
}

bool x87_sin(F80 v, F80& sine, Env& env) {
    const FullPrecision full(env);
    const Number a = unpack(v);
    const Argument kind = classify(a, env, sine);
    if (kind == Argument::regular) sine = to_f80(sine_cosine(a, true, false).sine, env);
    return kind != Argument::out_of_range;
}

bool x87_cos(F80 v, F80& cosine, Env& env) {
    const FullPrecision full(env);
    const Number a = unpack(v);
    const Argument kind = classify(a, env, cosine);
    if (kind == Argument::regular) cosine = to_f80(sine_cosine(a, false, true).cosine, env);
    if (kind == Argument::zero) cosine = kOne;
    return kind != Argument::out_of_range;
}

bool x87_sincos(F80 v, F80& sine, F80& cosine, Env& env) {
    const FullPrecision full(env);
    const Number a = unpack(v);
    const Argument kind = classify(a, env, sine);
    if (kind == Argument::regular) {
        const SineCosine r = sine_cosine(a, true, true);
        sine = to_f80(r.sine, env);
        cosine = to_f80(r.cosine, env);
    } else {
        cosine = kind == Argument::zero ? kOne : sine;
    }
    return kind != Argument::out_of_range;
}

bool x87_tan(F80 v, F80& tangent, Env& env) {
    const FullPrecision full(env);
    const Number a = unpack(v);
    const Argument kind = classify(a, env, tangent);
    if (kind == Argument::regular) {
        if (a.exp < -60) {
            tangent = to_f80(to_wide(a), env);
        } else {
            const SineCosine r = sine_cosine(a, true, true);
            tangent = to_f80(wide::div(r.sine, r.cosine), env);
        }
    }
    return kind != Argument::out_of_range;
}

}  // namespace mynah::fpu
