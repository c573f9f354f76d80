// binary32 and binary64 arithmetic against the host CPU: results and flags, every rounding mode, DAZ, FTZ,
// masks. Built on x86-64 hosts only.
#include <gtest/gtest.h>
#include <immintrin.h>
#include <signal.h>
#include <ucontext.h>

#include "cpu/fpu/arith.h"
#include "cpu/fpu_cases.h"

namespace mynah {
namespace {

using namespace fpu;
using fpu_test::operand;
using fpu_test::operand_near;
using fpu_test::Random;

// What the instruction under test left: an unmasked exception is noted, and the instruction repeated with all
// masked.
volatile u32 trapped_flags;
volatile bool trapped;

void on_sigfpe(int, siginfo_t*, void* context) {
    auto* fp = static_cast<ucontext_t*>(context)->uc_mcontext.fpregs;
    trapped_flags = fp->mxcsr & 63;
    trapped = true;
    fp->mxcsr = 0x1F80;
}

class TrapGuard {
  public:
    TrapGuard() {
        struct sigaction action {};
        action.sa_sigaction = on_sigfpe;
        action.sa_flags = SA_SIGINFO;
        sigaction(SIGFPE, &action, &old_);
    }
    ~TrapGuard() { sigaction(SIGFPE, &old_, nullptr); }

  private:
    struct sigaction old_ {};
};

struct Result {
    u64 value = 0;
    u32 flags = 0;
    bool trapped = false;
};

// Runs `f` with MXCSR = mxcsr.
template <class F>
[[gnu::always_inline]] inline Result on_host(u32 mxcsr, F f) {
    const u32 normal = 0x1F80;
    u32 after = 0;
    trapped = false;
    asm volatile("ldmxcsr %0" : : "m"(mxcsr) : "memory");
    Result r;
    r.value = f();
    asm volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(after) : "m"(normal) : "memory");
    r.trapped = trapped;
    r.flags = trapped ? trapped_flags : after & 63;
    return r;
}

#define TWO(name, instruction, T)                                                                           \
    Result name(u32 mxcsr, T a, T b) {                                                                      \
        return on_host(mxcsr, [=] {                                                                         \
            __m128i x = _mm_set_epi64x(0, static_cast<i64>(a)), y = _mm_set_epi64x(0, static_cast<i64>(b)); \
            asm volatile(instruction " %1, %0" : "+x"(x) : "x"(y) : "memory");                              \
            return static_cast<u64>(static_cast<T>(_mm_cvtsi128_si64(x)));                                  \
        });                                                                                                 \
    }
// clang-format off
TWO(host_addss, "addss", u32) TWO(host_subss, "subss", u32) TWO(host_mulss, "mulss", u32) TWO(host_divss, "divss", u32)
TWO(host_minss, "minss", u32) TWO(host_maxss, "maxss", u32)
TWO(host_addsd, "addsd", u64) TWO(host_subsd, "subsd", u64) TWO(host_mulsd, "mulsd", u64) TWO(host_divsd, "divsd", u64)
TWO(host_minsd, "minsd", u64) TWO(host_maxsd, "maxsd", u64)
#define CMP(p) TWO(host_cmpss##p, "cmpss $" #p ",", u32) TWO(host_cmpsd##p, "cmpsd $" #p ",", u64)
CMP(0) CMP(1) CMP(2) CMP(3) CMP(4) CMP(5) CMP(6) CMP(7)
#undef CMP
#define ONE(name, instruction, From, To)                                                                \
    Result name(u32 mxcsr, From a) {                                                                    \
        return on_host(mxcsr, [=] {                                                                     \
            __m128i x = _mm_setzero_si128(), y = _mm_set_epi64x(0, static_cast<i64>(a));                \
            asm volatile(instruction " %1, %0" : "+x"(x) : "x"(y) : "memory");                          \
            return static_cast<u64>(static_cast<To>(_mm_cvtsi128_si64(x)));                             \
        });                                                                                             \
    }
ONE(host_sqrtss, "sqrtss", u32, u32) ONE(host_sqrtsd, "sqrtsd", u64, u64)
ONE(host_cvtss2sd, "cvtss2sd", u32, u64) ONE(host_cvtsd2ss, "cvtsd2ss", u64, u32)
#define ROUND(i) ONE(host_roundss##i, "roundss $" #i ",", u32, u32) ONE(host_roundsd##i, "roundsd $" #i ",", u64, u64)
ROUND(0) ROUND(1) ROUND(2) ROUND(3) ROUND(4) ROUND(8) ROUND(12)
#undef ROUND
#define TO_INT(name, instruction, From, reg, Int)                                                       \
    Result name(u32 mxcsr, From a) {                                                                    \
        return on_host(mxcsr, [=] {                                                                     \
            __m128i y = _mm_set_epi64x(0, static_cast<i64>(a));                                         \
            u64 r = 0;                                                                                  \
            asm volatile(instruction " %1, %" reg "0" : "=r"(r) : "x"(y) : "memory");                   \
            return static_cast<u64>(static_cast<i64>(static_cast<Int>(r)));                             \
        });                                                                                             \
    }
TO_INT(host_cvtss2si32, "cvtss2si", u32, "k", i32) TO_INT(host_cvtss2si64, "cvtss2si", u32, "q", i64)
TO_INT(host_cvtsd2si32, "cvtsd2si", u64, "k", i32) TO_INT(host_cvtsd2si64, "cvtsd2si", u64, "q", i64)
TO_INT(host_cvttss2si32, "cvttss2si", u32, "k", i32) TO_INT(host_cvttss2si64, "cvttss2si", u32, "q", i64)
TO_INT(host_cvttsd2si32, "cvttsd2si", u64, "k", i32) TO_INT(host_cvttsd2si64, "cvttsd2si", u64, "q", i64)
#define FROM_INT(name, instruction, Int, reg, To)                                                       \
    Result name(u32 mxcsr, Int a) {                                                                     \
        return on_host(mxcsr, [=] {                                                                     \
            __m128i x = _mm_setzero_si128();                                                            \
            const i64 v = a;                                                                            \
            asm volatile(instruction " %" reg "1, %0" : "+x"(x) : "r"(v) : "memory");                   \
            return static_cast<u64>(static_cast<To>(_mm_cvtsi128_si64(x)));                             \
        });                                                                                             \
    }
FROM_INT(host_cvtsi2ss32, "cvtsi2ss", i32, "k", u32) FROM_INT(host_cvtsi2ss64, "cvtsi2ss", i64, "q", u32)
FROM_INT(host_cvtsi2sd32, "cvtsi2sd", i32, "k", u64) FROM_INT(host_cvtsi2sd64, "cvtsi2sd", i64, "q", u64)
#define COMPARE(name, instruction, T)                                                                   \
    Result name(u32 mxcsr, T a, T b) {                                                                  \
        return on_host(mxcsr, [=] {                                                                     \
            __m128i x = _mm_set_epi64x(0, static_cast<i64>(a)), y = _mm_set_epi64x(0, static_cast<i64>(b)); \
            u64 f = 0;                                                                                  \
            asm volatile(instruction " %2, %1\n\tpushfq\n\tpopq %0" : "=r"(f) : "x"(x), "x"(y) : "memory", "cc"); \
            return f & 0x45;                                                                            \
        });                                                                                             \
    }
COMPARE(host_comiss, "comiss", u32) COMPARE(host_ucomiss, "ucomiss", u32)
COMPARE(host_comisd, "comisd", u64) COMPARE(host_ucomisd, "ucomisd", u64)
// clang-format on

#define FMA(name, instruction, T)                                                                       \
    [[gnu::target("fma")]] u64 name##_raw(T a, T b, T c) {                                              \
        __m128i x = _mm_set_epi64x(0, static_cast<i64>(a)), y = _mm_set_epi64x(0, static_cast<i64>(b)), \
                z = _mm_set_epi64x(0, static_cast<i64>(c));                                             \
        asm volatile(instruction " %2, %1, %0" : "+x"(x) : "x"(y), "x"(z) : "memory");                  \
        return static_cast<u64>(static_cast<T>(_mm_cvtsi128_si64(x)));                                  \
    }                                                                                                   \
    Result name(u32 mxcsr, T a, T b, T c) {                                                             \
        return on_host(mxcsr, [=] { return name##_raw(a, b, c); });                                     \
    }
                                                                    FMA(host_fmass, "vfmadd213ss", u32)
                                                                        FMA(host_fmasd, "vfmadd213sd", u64)

                                                                            u64 order_flags(Order o) {
    return o == Order::unordered ? 0x45 : o == Order::less ? 1 : o == Order::equal ? 0x40 : 0;
}

u32 random_mxcsr(Random& r, bool unmasked) {
    u32 m = 0x1F80;
    if (r.one_in(2)) m |= static_cast<u32>(r.below(4)) << 13;
    if (r.one_in(3)) m |= 0x40;
    if (r.one_in(3)) m |= 0x8000;
    if (r.one_in(3)) m |= 0x20;
    if (unmasked) m = (m & ~0x1FA0u) | static_cast<u32>(r.below(64)) << 7;
    return m;
}

int failures;

template <class Ours, class... A>
void check(const char* what, u32 mxcsr, const Result& host, Ours ours, A... operands) {
    Env env = Env::sse(mxcsr);
    const u64 value = ours(env);
    const u32 flags = env.visible_flags() | (mxcsr & 63);
    const bool stops = env.unmasked() != 0;
    if (flags == host.flags && stops == host.trapped && (stops || value == host.value)) return;
    if (++failures > 40) return;
    ADD_FAILURE() << what << " mxcsr " << std::hex << mxcsr << " operands"
                  << ((std::string(" ") +
                       [](u64 v) {
                           char t[32];
                           snprintf(t, sizeof t, "%llx", static_cast<unsigned long long>(v));
                           return std::string(t);
                       }(static_cast<u64>(operands))) +
                      ...)
                  << ": " << value << " flags " << flags << (stops ? " stops" : "") << ", host " << host.value
                  << " flags " << host.flags << (host.trapped ? " traps" : "");
}

template <class T>
void arithmetic(Random& r, u32 m) {
    const T a = operand<T>(r), b = operand_near<T>(r, a), c = operand_near<T>(r, r.one_in(2) ? a : b);
    constexpr bool s = sizeof(T) == 4;
#define CHECK2(name, HS, HD)        \
    check(                          \
        #HS, m,                     \
        [&] {                       \
            if constexpr (s)        \
                return HS(m, a, b); \
            else                    \
                return HD(m, a, b); \
        }(),                        \
        [&](Env& e) { return name; }, a, b)
    CHECK2((add<T>(a, b, e)), host_addss, host_addsd);
    CHECK2((sub<T>(a, b, e)), host_subss, host_subsd);
    CHECK2((mul<T>(a, b, e)), host_mulss, host_mulsd);
    CHECK2((div<T>(a, b, e)), host_divss, host_divsd);
    CHECK2((min<T>(a, b, e)), host_minss, host_minsd);
    CHECK2((max<T>(a, b, e)), host_maxss, host_maxsd);
    CHECK2(order_flags(compare<T>(a, b, true, e)), host_comiss, host_comisd);
    CHECK2(order_flags(compare<T>(a, b, false, e)), host_ucomiss, host_ucomisd);
#define CHECKP(p)                                                                                 \
    CHECK2((static_cast<T>(0) - static_cast<T>(compare_predicate<T>(a, b, p, e))), host_cmpss##p, \
           host_cmpsd##p)
    switch (r.below(8)) {
        case 0:
            CHECKP(0);
            break;
        case 1:
            CHECKP(1);
            break;
        case 2:
            CHECKP(2);
            break;
        case 3:
            CHECKP(3);
            break;
        case 4:
            CHECKP(4);
            break;
        case 5:
            CHECKP(5);
            break;
        case 6:
            CHECKP(6);
            break;
        default:
            CHECKP(7);
            break;
    }
    if (__builtin_cpu_supports("fma")) {
        check(
            "fma", m,
            [&] {
                if constexpr (s)
                    return host_fmass(m, b, a, c);
                else
                    return host_fmasd(m, b, a, c);
            }(),
            [&](Env& e) { return fma<T>(a, b, c, e); }, a, b, c);
    }
}

template <class T>
T near_integer(Random& r) {
    if (r.one_in(2)) return operand<T>(r);
    Env e = Env::sse(0x1F80);
    const T v = from_i64<T>(static_cast<i64>(r.next()) >> r.below(64), e);
    return r.one_in(2)
               ? v
               : mul<T>(v, from_i64<T>(1, e) - (T{1} << (fpu::kFormat<T>.precision - 1)) * r.below(8), e);
}

template <class T>
void conversions(Random& r, u32 m) {
    constexpr bool s = sizeof(T) == 4;
    const T a = near_integer<T>(r);
#define CHECK1(name, HS, HD)     \
    check(                       \
        #HS, m,                  \
        [&] {                    \
            if constexpr (s)     \
                return HS(m, a); \
            else                 \
                return HD(m, a); \
        }(),                     \
        [&](Env& e) { return static_cast<u64>(name); }, a)
    CHECK1((sqrt<T>(a, e)), host_sqrtss, host_sqrtsd);
    CHECK1(static_cast<i64>(to_i32<T>(a, e)), host_cvtss2si32, host_cvtsd2si32);
    CHECK1((to_i64<T>(a, e)), host_cvtss2si64, host_cvtsd2si64);
    CHECK1(static_cast<i64>(to_i32_truncated<T>(a, e)), host_cvttss2si32, host_cvttsd2si32);
    CHECK1((to_i64_truncated<T>(a, e)), host_cvttss2si64, host_cvttsd2si64);
    if constexpr (s) {
        check(
            "cvtss2sd", m, host_cvtss2sd(m, a), [&](Env& e) { return to_f64(a, e); }, a);
    } else {
        check(
            "cvtsd2ss", m, host_cvtsd2ss(m, a), [&](Env& e) { return to_f32(a, e); }, a);
        // Values near binary32's edges.
        const u64 n = to_f64(operand<u32>(r), *std::make_unique<Env>()) + r.below(5) - 2;
        check(
            "cvtsd2ss", m, host_cvtsd2ss(m, n), [&](Env& e) { return to_f32(n, e); }, n);
    }
#define CHECKR(i) CHECK1((round_integral<T>(a, i, e)), host_roundss##i, host_roundsd##i)
    if (__builtin_cpu_supports("sse4.1")) {
        CHECKR(0), CHECKR(1), CHECKR(2), CHECKR(3), CHECKR(4), CHECKR(8), CHECKR(12);
    }
    const i64 v = static_cast<i64>(r.next()) >> r.below(64);
    const i32 w = static_cast<i32>(v);
    check(
        "cvtsi2f64", m,
        [&] {
            if constexpr (s)
                return host_cvtsi2ss64(m, v);
            else
                return host_cvtsi2sd64(m, v);
        }(),
        [&](Env& e) { return from_i64<T>(v, e); }, v);
    check(
        "cvtsi2f32", m,
        [&] {
            if constexpr (s)
                return host_cvtsi2ss32(m, w);
            else
                return host_cvtsi2sd32(m, w);
        }(),
        [&](Env& e) { return from_i32<T>(w, e); }, w);
}

[[gnu::target("f16c")]] u64 host_half_raw(u16 a) {
    __m128i x = _mm_set_epi64x(0, a);
    asm volatile("vcvtph2ps %0, %0" : "+x"(x) : : "memory");
    return static_cast<u32>(_mm_cvtsi128_si64(x));
}
template <int imm>
[[gnu::target("f16c")]] u64 host_to_half_raw(u32 a) {
    __m128i x = _mm_set_epi64x(0, a);
    asm volatile("vcvtps2ph %1, %0, %0" : "+x"(x) : "i"(imm) : "memory");
    return static_cast<u16>(_mm_cvtsi128_si64(x));
}

void halves(Random& r, u32 m) {
    const u16 a = static_cast<u16>(r.next());
    check(
        "vcvtph2ps", m, on_host(m, [=] { return host_half_raw(a); }),
        [&](Env& e) { return f16_to_f32(a, e); }, a);
    Env quiet;
    const u32 b =
        r.one_in(3)
            ? operand<u32>(r)
            : (f16_to_f32(static_cast<u16>(operand<u16>(r)), quiet) ^ static_cast<u32>(r.below(1 << 15)));
    const auto ours = [b](Env& e, Rounding rounding) {
        const u16 value = f32_to_f16(b, rounding, e);
        // Of a denormal number Intel's processors report PE with an underflow that is not masked.
        const bool denormal = (e.visible_flags() & flag::denormal) != 0;
        if (denormal && (e.unmasked() & flag::underflow) && __builtin_cpu_is("intel")) e.raise(flag::inexact);
        return value;
    };
    check(
        "vcvtps2ph rc", m, on_host(m, [=] { return host_to_half_raw<4>(b); }),
        [&](Env& e) { return ours(e, e.rounding()); }, b);
    check(
        "vcvtps2ph up", m, on_host(m, [=] { return host_to_half_raw<2>(b); }),
        [&](Env& e) { return ours(e, Rounding::up); }, b);
}

TEST(FpuSseHost, Binary32) {
    failures = 0;
    Random r(1);
    for (u64 n = fpu_test::rounds(120'000); n != 0 && failures < 40; --n)
        arithmetic<u32>(r, random_mxcsr(r, false));
}
TEST(FpuSseHost, Binary64) {
    failures = 0;
    Random r(2);
    for (u64 n = fpu_test::rounds(120'000); n != 0 && failures < 40; --n)
        arithmetic<u64>(r, random_mxcsr(r, false));
}
TEST(FpuSseHost, Conversions32) {
    failures = 0;
    Random r(3);
    for (u64 n = fpu_test::rounds(80'000); n != 0 && failures < 40; --n)
        conversions<u32>(r, random_mxcsr(r, false));
}
TEST(FpuSseHost, Conversions64) {
    failures = 0;
    Random r(4);
    for (u64 n = fpu_test::rounds(80'000); n != 0 && failures < 40; --n)
        conversions<u64>(r, random_mxcsr(r, false));
}
TEST(FpuSseHost, Halves) {
    if (!__builtin_cpu_supports("f16c")) GTEST_SKIP() << "the host has no F16C";
    failures = 0;
    Random r(5);
    for (u64 n = fpu_test::rounds(200'000); n != 0 && failures < 40; --n) halves(r, random_mxcsr(r, false));
}
TEST(FpuSseHost, Unmasked) {
    failures = 0;
    TrapGuard guard;
    Random r(6);
    for (u64 n = fpu_test::rounds(4'000); n != 0 && failures < 40; --n) {
        const u32 m = random_mxcsr(r, true);
        arithmetic<u32>(r, m);
        arithmetic<u64>(r, m);
        conversions<u32>(r, m);
        conversions<u64>(r, m);
        if (__builtin_cpu_supports("f16c")) halves(r, m);
    }
}

}  // namespace
}  // namespace mynah
