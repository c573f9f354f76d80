// The transcendental functions against MPFR: the same value, rounded the same way, in every rounding mode.
// mpfr.h declares what takes intmax_t only behind this.
#include <cstdint>
#include <cstdio>

#include <gtest/gtest.h>
#include <mpfr.h>

#include "cpu/fpu/x87.h"
#include "cpu/fpu_cases.h"

namespace mynah {
namespace {

using namespace fpu;
using fpu_test::Random;

class Real {
  public:
    explicit Real(mpfr_prec_t bits = 700) { mpfr_init2(v, bits); }
    Real(const F80& a, mpfr_prec_t bits) : Real(bits) {
        mpfr_set_uj_2exp(v, a.significand, static_cast<i32>(a.sign_exponent & 0x7FFF) - 16383 - 63,
                         MPFR_RNDN);
        if (a.sign_exponent & 0x8000) mpfr_neg(v, v, MPFR_RNDN);
    }
    ~Real() { mpfr_clear(v); }
    Real(const Real&) = delete;
    Real& operator=(const Real&) = delete;
    operator mpfr_ptr() { return v; }

    mpfr_t v;
};

// What an x87 with infinite precision would store; false outside of the normal range.
bool expected(Real& exact, Rounding rc, F80& out) {
    static constexpr mpfr_rnd_t kModes[] = {MPFR_RNDN, MPFR_RNDD, MPFR_RNDU, MPFR_RNDZ};
    Real rounded(64);
    mpfr_set(rounded, exact, kModes[static_cast<unsigned>(rc)]);
    if (mpfr_zero_p(rounded.v) || !mpfr_number_p(rounded.v)) return false;
    const long e = mpfr_get_exp(rounded.v) - 1;
    if (e <= kF80.least || e >= kF80.greatest) return false;
    const bool sign = mpfr_signbit(rounded.v);
    mpfr_abs(rounded, rounded, MPFR_RNDN);
    mpfr_mul_2si(rounded, rounded, 63 - e, MPFR_RNDN);
    out = {mpfr_get_uj(rounded, MPFR_RNDN), static_cast<u16>((sign ? 0x8000 : 0) | (e + 16383))};
    return true;
}

i64 distance(const F80& a, const F80& b) {
    const auto order = [](const F80& v) {
        return static_cast<i128>(v.sign_exponent & 0x7FFF) << 63 | (v.significand & ~kTopBit);
    };
    const i128 d = order(a) - order(b);
    if (a.sign_exponent >> 15 != b.sign_exponent >> 15 || d > 1000 || d < -1000) return 1000;
    return static_cast<i64>(d < 0 ? -d : d);
}

// Operands with exponents from `low` to `high`.
F80 between(Random& r, int low, int high, bool with_sign = true) {
    const u64 e = static_cast<u64>(16383 + low) + r.below(static_cast<u64>(high - low + 1));
    return {fpu_test::fraction(r, 63) | kTopBit, static_cast<u16>((with_sign ? r.below(2) << 15 : 0) | e)};
}

class Check {
  public:
    template <class Ours, class Exact>
    void operator()(const char* what, Random& r, const F80& a, const F80& b, Ours ours, Exact exact) {
        Env e;
        e.x87 = true;
        e.control = 0x1F80 | static_cast<u32>(r.below(4)) << 13;
        Real truth;
        Real x(a, 64), y(b, 64);
        exact(truth, x, y);
        F80 want;
        if (!expected(truth, e.rounding(), want)) return;
        const F80 got = ours(a, b, e);
        const i64 d = distance(want, got);
        ++cases;
        if (d != 0) ++inexact;
        if (d > 1) ++wrong;
        EXPECT_LE(d, 1) << what << std::hex << " " << a.sign_exponent << "." << a.significand << " "
                        << b.sign_exponent << "." << b.significand << " rc " << (e.control >> 13 & 3) << ": "
                        << got.sign_exponent << "." << got.significand << ", MPFR " << want.sign_exponent
                        << "." << want.significand;
    }
    // Nearly all must even be correctly rounded.
    ~Check() {
        std::printf("  %llu results, %llu not correctly rounded, %llu differences of more than 1 ulp\n",
                    static_cast<unsigned long long>(cases), static_cast<unsigned long long>(inexact),
                    static_cast<unsigned long long>(wrong));
        EXPECT_GT(cases, 1000u);
        EXPECT_LE(inexact, cases / 10000);
    }
    u64 cases = 0, inexact = 0, wrong = 0;
};

TEST(FpuMpfr, TwoToX) {
    Check check;
    Random r(41);
    for (u64 n = fpu_test::rounds(4000); n != 0; --n) {
        const F80 a = between(r, r.one_in(2) ? -70 : -4, -1);
        check(
            "f2xm1", r, a, a, [](F80 x, F80, Env& e) { return x87_2xm1(x, e); },
            [](Real& t, Real& x, Real&) {
                mpfr_const_log2(t, MPFR_RNDN);
                mpfr_mul(t, t, x, MPFR_RNDN);
                mpfr_expm1(t, t, MPFR_RNDN);
            });
    }
}

TEST(FpuMpfr, Logarithms) {
    Check check;
    Random r(42);
    for (u64 n = fpu_test::rounds(4000); n != 0; --n) {
        const F80 y = between(r, -10, 10);
        F80 x = between(r, r.one_in(2) ? -1 : -16000, r.one_in(2) ? 0 : 16000, false);
        if (r.one_in(4)) x = {kTopBit + r.next() % 0x1000, 0x3FFF};
        if (r.one_in(4)) x = {~(r.next() % 0x1000), 0x3FFE};
        check(
            "fyl2x", r, x, y, [](F80 a, F80 b, Env& e) { return x87_yl2x(a, b, e); },
            [](Real& t, Real& a, Real& b) {
                mpfr_log2(t, a, MPFR_RNDN);
                mpfr_mul(t, t, b, MPFR_RNDN);
            });
        const F80 z = between(r, r.one_in(2) ? -70 : -4, r.one_in(8) ? 80 : -3);
        if (z.sign_exponent >= 0xBFFF) continue;
        check(
            "fyl2xp1", r, z, y, [](F80 a, F80 b, Env& e) { return x87_yl2xp1(a, b, e); },
            [](Real& t, Real& a, Real& b) {
                Real l;
                mpfr_log1p(t, a, MPFR_RNDN);
                mpfr_const_log2(l, MPFR_RNDN);
                mpfr_div(t, t, l, MPFR_RNDN);
                mpfr_mul(t, t, b, MPFR_RNDN);
            });
    }
}

TEST(FpuMpfr, Arctangent) {
    Check check;
    Random r(43);
    for (u64 n = fpu_test::rounds(6000); n != 0; --n) {
        const int range = r.one_in(3) ? 100 : 6;
        const F80 y = between(r, -range, range),
                  x = r.one_in(4) ? fpu_test::operand_near(r, y) : between(r, -range, range);
        if (unpack(x).kind != Kind::finite) continue;
        // Beyond, the difference from the quotient is below Real's precision.
        if (std::abs(unpack(x).exp - unpack(y).exp) > 300) continue;
        check(
            "fpatan", r, y, x, [](F80 a, F80 b, Env& e) { return x87_patan(a, b, e); },
            [](Real& t, Real& a, Real& b) { mpfr_atan2(t, a, b, MPFR_RNDN); });
    }
}

// The multiple of pi/2 nearest to which 64-bit values of any exponent come: there reduction is hardest.
F80 near_multiple(Random& r) {
    Real t(200);
    mpfr_const_pi(t, MPFR_RNDN);
    mpfr_div_2ui(t, t, 1, MPFR_RNDN);
    mpfr_mul_ui(t, t, static_cast<unsigned long>(1 + (r.next() >> r.below(63))), MPFR_RNDN);
    F80 v;
    return expected(t, Rounding::nearest, v) && v.sign_exponent < 16383 + 63 ? v : F80{kTopBit, 0x4000};
}

TEST(FpuMpfr, Trigonometric) {
    Check check;
    Random r(44);
    for (u64 n = fpu_test::rounds(5000); n != 0; --n) {
        const F80 a =
            r.one_in(3) ? near_multiple(r) : between(r, r.one_in(3) ? -75 : -3, r.one_in(2) ? 62 : 3);
        check(
            "fsin", r, a, a,
            [](F80 x, F80, Env& e) {
                F80 s;
                EXPECT_TRUE(x87_sin(x, s, e));
                return s;
            },
            [](Real& t, Real& x, Real&) { mpfr_sin(t, x, MPFR_RNDN); });
        check(
            "fcos", r, a, a,
            [](F80 x, F80, Env& e) {
                F80 c;
                EXPECT_TRUE(x87_cos(x, c, e));
                return c;
            },
            [](Real& t, Real& x, Real&) { mpfr_cos(t, x, MPFR_RNDN); });
        check(
            "fptan", r, a, a,
            [](F80 x, F80, Env& e) {
                F80 v;
                EXPECT_TRUE(x87_tan(x, v, e));
                return v;
            },
            [](Real& t, Real& x, Real&) { mpfr_tan(t, x, MPFR_RNDN); });
    }
}

}  // namespace
}  // namespace mynah
