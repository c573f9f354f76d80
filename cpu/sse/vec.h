// The contents of an MMX (8 bytes), XMM (16) or YMM register (32) as a value, and its lanes.
#pragma once

#include <array>
#include <bit>
#include <limits>

#include "base/types.h"

namespace mynah::sse {

template <unsigned N>
struct alignas(N < 16 ? N : 16) Vec {
    std::array<u64, N / 8> q{};
};
using Mmx = Vec<8>;
using Xmm = Vec<16>;
using Ymm = Vec<32>;

inline Xmm low_half(const Ymm& v) {
    return Xmm{{v.q[0], v.q[1]}};
}
inline Xmm high_half(const Ymm& v) {
    return Xmm{{v.q[2], v.q[3]}};
}
inline Ymm join(const Xmm& low, const Xmm& high) {
    return Ymm{{low.q[0], low.q[1], high.q[0], high.q[1]}};
}

template <class T, unsigned N>
using Lanes = std::array<T, N / sizeof(T)>;

template <class T, unsigned N>
Lanes<T, N> lanes(const Vec<N>& v) {
    return std::bit_cast<Lanes<T, N>>(v);
}
template <class T, std::size_t Count>
Vec<sizeof(T) * Count> vec(const std::array<T, Count>& a) {
    return std::bit_cast<Vec<sizeof(T) * Count>>(a);
}

// f on each pair of lanes.
template <class T, unsigned N, class F>
Vec<N> map(const Vec<N>& a, const Vec<N>& b, F f) {
    Lanes<T, N> x = lanes<T>(a);
    const Lanes<T, N> y = lanes<T>(b);
    for (unsigned i = 0; i < x.size(); ++i) x[i] = static_cast<T>(f(x[i], y[i]));
    return vec(x);
}

template <class T>
constexpr T saturate(i32 v) {
    constexpr i32 low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
    return static_cast<T>(v < low ? low : v > high ? high : v);
}

}  // namespace mynah::sse
