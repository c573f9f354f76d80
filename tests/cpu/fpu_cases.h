// Random floating-point operands, most of them near an edge, for the tests of cpu/fpu.
#pragma once

#include <cstdlib>

#include "base/types.h"
#include "cpu/fpu/number.h"

namespace mynah::fpu_test {

class Random {
  public:
    explicit Random(u64 seed) : state_(seed) {}
    u64 next() {  // splitmix64
        u64 z = state_ += 0x9E3779B97F4A7C15;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
    }
    u64 below(u64 n) { return next() % n; }
    bool one_in(u64 n) { return below(n) == 0; }

  private:
    u64 state_;
};

// Times `n`, or a hundred times that with MYNAH_LONG in the environment.
inline u64 rounds(u64 n) {
    return std::getenv("MYNAH_LONG") != nullptr ? n * 100 : n;
}

// A fraction of `bits` bits: runs of ones and zeros, few bits, near the ends, or anything.
inline u64 fraction(Random& r, unsigned bits) {
    const u64 mask = (u64{1} << bits) - 1;
    switch (r.below(8)) {
        case 0:
            return 0;
        case 1:
            return mask;
        case 2:
            return r.below(4);
        case 3:
            return mask - r.below(4);
        case 4:
            return u64{1} << r.below(bits);
        case 5:
            return mask << r.below(bits) & mask;
        case 6:
            return (u64{1} << (bits - 1)) + r.below(3) - 1;
        default:
            return r.next() & mask;
    }
}

inline unsigned exponent(Random& r, unsigned bits) {
    const unsigned mask = (1u << bits) - 1, bias = mask >> 1;
    switch (r.below(10)) {
        case 0:
            return 0;
        case 1:
            return mask;
        case 2:
            return 1 + static_cast<unsigned>(r.below(3));
        case 3:
            return mask - 1 - static_cast<unsigned>(r.below(3));
        case 4:
            return bias + static_cast<unsigned>(r.below(5)) - 2;
        case 5:
            return bias + static_cast<unsigned>(r.below(140)) - 70;
        case 6:
            return bias / 2 + static_cast<unsigned>(r.below(9)) - 4;
        case 7:
            return bias + bias / 2 + static_cast<unsigned>(r.below(9)) - 4;
        default:
            return static_cast<unsigned>(r.next()) & mask;
    }
}

// One call of Random a statement: their order must not depend on the compiler.
template <class T>
T operand(Random& r) {
    constexpr unsigned f = static_cast<unsigned>(fpu::kFormat<T>.precision) - 1, e = 8 * sizeof(T) - 1 - f;
    const u64 sign = r.below(2) << (8 * sizeof(T) - 1);
    if (r.one_in(16)) return static_cast<T>(sign);
    const u64 exp = exponent(r, e);
    return static_cast<T>(sign | exp << f | fraction(r, f));
}

// A second operand: unrelated, or close to the first, with an exponent near by.
template <class T>
T operand_near(Random& r, T a) {
    constexpr unsigned f = static_cast<unsigned>(fpu::kFormat<T>.precision) - 1;
    const T sign = static_cast<T>(r.below(2) << (8 * sizeof(T) - 1));
    switch (r.below(8)) {
        case 0:
            return static_cast<T>(a ^ sign);
        case 1:
            return static_cast<T>((a + r.below(5) - 2) ^ sign);
        case 2:
        case 3: {
            const u64 exponents = r.below(2 * f) - f;
            return static_cast<T>((a + (exponents << f) + r.below(64)) ^ sign);
        }
        default:
            return operand<T>(r);
    }
}

inline fpu::F80 operand_f80(Random& r) {
    const u64 sign = r.below(2) << 15;
    if (r.one_in(16)) return {0, static_cast<u16>(sign)};
    fpu::F80 v;
    v.sign_exponent = static_cast<u16>(sign | exponent(r, 15));
    if (r.one_in(3)) v.sign_exponent = static_cast<u16>(sign | (16383 - 64 + r.below(128)));
    const u64 integer = r.one_in(24) ? 0 : u64{1} << 63;
    v.significand = fraction(r, 63) | integer;
    if ((v.sign_exponent & 0x7FFF) == 0 && !r.one_in(6)) v.significand &= ~(u64{1} << 63);
    return v;
}

inline fpu::F80 operand_near(Random& r, fpu::F80 a) {
    const u16 sign = static_cast<u16>(r.below(2) << 15);
    switch (r.below(8)) {
        case 0:
            return {a.significand, static_cast<u16>(a.sign_exponent ^ sign)};
        case 1:
            return {a.significand + r.below(5) - 2, static_cast<u16>(a.sign_exponent ^ sign)};
        case 2:
        case 3: {
            const u64 exp = a.sign_exponent + r.below(140) - 70;
            return {a.significand ^ r.below(64), static_cast<u16>(exp ^ sign)};
        }
        default:
            return operand_f80(r);
    }
}

}  // namespace mynah::fpu_test
