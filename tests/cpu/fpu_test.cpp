// Portable checks of cpu/fpu: the fast paths against the integer ones, fixed results, and a digest of
// millions of results: a check against regressions and that every host computes the same. The results
// themselves are held against a processor in fpu_sse_host_test and x87_host_test.
#include <gtest/gtest.h>

#include "cpu/fpu/arith.h"
#include "cpu/fpu/x87.h"
#include "cpu/fpu_cases.h"

namespace mynah {
namespace {

using namespace fpu;
using fpu_test::operand;
using fpu_test::operand_near;
using fpu_test::Random;

constexpr u32 kFastMxcsr = 0x1FA0;

template <class T>
void fast_equals_slow(u64 seed) {
    Random r(seed);
    for (u64 n = fpu_test::rounds(100'000); n != 0; --n) {
        const T a = operand<T>(r), b = operand_near<T>(r, a);
        const auto check = [&](const char* what, auto fast, auto slow) {
            Env f = Env::sse(kFastMxcsr), s = f;
            ASSERT_EQ(fast(f), slow(s)) << what << std::hex << ' ' << a << ' ' << b;
            ASSERT_EQ(f.flags | flag::inexact, s.flags | flag::inexact)
                << what << std::hex << ' ' << a << ' ' << b;
        };
        check(
            "add", [&](Env& e) { return add<T>(a, b, e); },
            [&](Env& e) { return detail::add_slow<T>(a, b, e); });
        check(
            "sub", [&](Env& e) { return sub<T>(a, b, e); },
            [&](Env& e) { return detail::sub_slow<T>(a, b, e); });
        check(
            "mul", [&](Env& e) { return mul<T>(a, b, e); },
            [&](Env& e) { return detail::mul_slow<T>(a, b, e); });
        check(
            "div", [&](Env& e) { return div<T>(a, b, e); },
            [&](Env& e) { return detail::div_slow<T>(a, b, e); });
        check(
            "sqrt", [&](Env& e) { return sqrt<T>(a, e); },
            [&](Env& e) { return detail::sqrt_slow<T>(a, e); });
        check(
            "min", [&](Env& e) { return min<T>(a, b, e); },
            [&](Env& e) { return detail::min_max_slow<T>(a, b, false, e); });
        check(
            "compare", [&](Env& e) { return compare<T>(a, b, false, e); },
            [&](Env& e) { return detail::compare_slow<T>(a, b, false, e); });
        check(
            "to_i32", [&](Env& e) { return to_i32_truncated<T>(a, e); },
            [&](Env& e) { return static_cast<i32>(detail::to_integer_slow<T>(a, 32, Rounding::zero, e)); });
        check(
            "to_i64", [&](Env& e) { return to_i64_truncated<T>(a, e); },
            [&](Env& e) { return detail::to_integer_slow<T>(a, 64, Rounding::zero, e); });
        const i64 v = static_cast<i64>(r.next()) >> r.below(64);
        check(
            "from_i64", [&](Env& e) { return from_i64<T>(v, e); },
            [&](Env& e) { return detail::from_integer_slow<T>(v, e); });
    }
}

TEST(Fpu, FastPathsAgree32) {
    fast_equals_slow<u32>(21);
}
TEST(Fpu, FastPathsAgree64) {
    fast_equals_slow<u64>(22);
}

TEST(Fpu, FusedRoundsOnce) {
    // (1 + 2^-52)^2 - (1 + 2^-51) = 2^-104
    Env e;
    EXPECT_EQ(fma<u64>(0x3FF0000000000001, 0x3FF0000000000001, 0xBFF0000000000002, e), 0x3970000000000000u);
    EXPECT_EQ(e.flags, 0u);
}

TEST(Fpu, ConstantsFollowRounding) {
    // FLDPI lies just above 64 bits rounded down.
    EXPECT_EQ(x87_constant(3, Rounding::nearest), (F80{0xC90FDAA22168C235, 0x4000}));
    EXPECT_EQ(x87_constant(3, Rounding::zero), (F80{0xC90FDAA22168C234, 0x4000}));
    EXPECT_EQ(x87_constant(1, Rounding::nearest), (F80{0xD49A784BCD1B8AFE, 0x4000}));
    EXPECT_EQ(x87_constant(1, Rounding::up), (F80{0xD49A784BCD1B8AFF, 0x4000}));
    EXPECT_EQ(x87_constant(0, Rounding::down), (F80{0x8000000000000000, 0x3FFF}));
    EXPECT_EQ(x87_constant(6, Rounding::up), (F80{0, 0}));
}

// RCPSS and RSQRTSS keep the bound the SDM gives.
TEST(Fpu, Estimates) {
    Random r(7);
    for (u64 n = 0; n < 500'000; ++n) {
        const u32 a = static_cast<u32>(r.below(0x7E000000 - 0x00800000)) + 0x00800000;
        const double x = std::bit_cast<float>(a);
        const double p = std::bit_cast<float>(reciprocal_estimate(a));
        const double q = std::bit_cast<float>(reciprocal_sqrt_estimate(a));
        ASSERT_LE(std::abs(p * x - 1), 1.5 / 4096) << std::hex << a;
        ASSERT_LE(std::abs(q * std::sqrt(x) - 1), 1.5 / 4096) << std::hex << a;
    }
    EXPECT_EQ(reciprocal_estimate(0x80000000), 0xFF800000u);
    EXPECT_EQ(reciprocal_estimate(0x00000001), 0x7F800000u);  // a denormal counts as zero
    EXPECT_EQ(reciprocal_estimate(0x7F000001), 0u);           // and a tiny result is one
    EXPECT_EQ(reciprocal_estimate(0x7F800001), 0x7FC00001u);
    EXPECT_EQ(reciprocal_sqrt_estimate(0xBF800000), 0xFFC00000u);
    EXPECT_EQ(reciprocal_sqrt_estimate(0x3F800000), 0x3F800000u);
}

class Digest {
  public:
    void operator()(u64 v) { value_ = (value_ ^ v) * 0x9E3779B97F4A7C15, value_ ^= value_ >> 29; }
    void operator()(const F80& v) {
        (*this)(v.significand);
        (*this)(v.sign_exponent);
    }
    void operator()(const Env& e) { (*this)(e.visible_flags() | u64{e.rounded_up} << 8); }
    u64 value() const { return value_; }

  private:
    u64 value_ = 0;
};

template <class T>
void digest_sse(Digest& d, Random& r) {
    Env e = Env::sse(static_cast<u32>(r.next() & 0xFFC0));
    const T a = operand<T>(r), b = operand_near<T>(r, a), c = operand_near<T>(r, b);
    d(add<T>(a, b, e)), d(sub<T>(a, b, e)), d(mul<T>(a, b, e)), d(div<T>(a, b, e)), d(sqrt<T>(a, e));
    d(e);
    d(fma<T>(a, b, c, e)), d(min<T>(a, b, e)), d(max<T>(a, b, e)),
        d(compare_predicate<T>(a, b, r.next() & 31, e));
    d(static_cast<u64>(to_i32<T>(a, e))), d(static_cast<u64>(to_i64<T>(b, e))),
        d(round_integral<T>(a, r.next() & 15, e));
    d(e);
}

TEST(Fpu, DigestSse) {
    Digest d;
    Random r(31);
    for (int n = 0; n < 100'000; ++n) {
        digest_sse<u32>(d, r);
        digest_sse<u64>(d, r);
        Env e = Env::sse(static_cast<u32>(r.next() & 0xFFC0));
        d(to_f32(operand<u64>(r), e)), d(to_f64(operand<u32>(r), e)),
            d(f16_to_f32(static_cast<u16>(r.next()), e));
        const Rounding rc = static_cast<Rounding>(r.below(4));
        d(f32_to_f16(operand<u32>(r), rc, e));
        d(reciprocal_estimate(operand<u32>(r))), d(reciprocal_sqrt_estimate(operand<u32>(r)));
        d(e);
    }
    EXPECT_EQ(d.value(), 13706672885298936698u);
}

TEST(Fpu, DigestX87) {
    Digest d;
    Random r(32);
    for (int n = 0; n < 60'000; ++n) {
        Env e = Env::from_x87(static_cast<u16>(r.next() & 0xF3F), 0);
        const F80 a = fpu_test::operand_f80(r), b = fpu_test::operand_near(r, a);
        const Number x = unpack(a), y = unpack(b);
        d(x87_add(x, y, e)), d(x87_sub(x, y, e)), d(x87_mul(x, y, e)), d(x87_div(x, y, e)), d(x87_sqrt(x, e));
        d(e);
        d(x87_store_f32(a, e)), d(x87_store_f64(a, e)), d(x87_round_integral(a, e)), d(x87_scale(a, b, e));
        d(x87_extract(a, e).exponent), d(x87_remainder(a, b, r.below(2) != 0, e).value);
        for (const u8 byte : x87_to_bcd(a, e)) d(byte);
        d(e);
        d(x87_2xm1(a, e)), d(x87_yl2x(a, b, e)), d(x87_yl2xp1(a, b, e)), d(x87_patan(a, b, e));
        F80 s, c;
        if (x87_sincos(a, s, c, e)) d(s), d(c);
        if (x87_tan(a, s, e)) d(s);
        d(e);
    }
    EXPECT_EQ(d.value(), 9453468763820306611u);
}

}  // namespace
}  // namespace mynah
