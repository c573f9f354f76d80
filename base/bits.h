// Bit fields, alignment, sign extension and unaligned little-endian access.
#pragma once

#include <bit>
#include <cstring>
#include <type_traits>

#include "base/types.h"

namespace mynah {

static_assert(std::endian::native == std::endian::little, "guest values are kept in host order");

// Bit `n` of `v`.
template <class T>
constexpr bool bit(T v, unsigned n) {
    return (v >> n) & 1;
}

// Bits `hi`..`lo` of `v`, both included, shifted down. hi - lo < 63.
template <class T>
constexpr T bits(T v, unsigned hi, unsigned lo) {
    return static_cast<T>((v >> lo) & ((u64{1} << (hi - lo + 1)) - 1));
}

template <class T>
constexpr T with_bit(T v, unsigned n, bool on) {
    return static_cast<T>((v & ~(T{1} << n)) | (static_cast<T>(on) << n));
}

// `alignment` is a power of two.
template <class T>
constexpr T align_down(T v, u64 alignment) {
    return static_cast<T>(v & ~(alignment - 1));
}

template <class T>
constexpr T align_up(T v, u64 alignment) {
    return static_cast<T>((v + alignment - 1) & ~(alignment - 1));
}

// Sign-extends the low `width` (1..64) bits of `v`.
constexpr u64 sign_extend(u64 v, unsigned width) {
    const unsigned shift = 64 - width;
    return static_cast<u64>(static_cast<i64>(v << shift) >> shift);
}

// Reads and writes at any alignment, in guest (little-endian) order.
template <class T>
T load_le(const void* p) {
    static_assert(std::is_trivially_copyable_v<T>);
    T v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

template <class T>
void store_le(void* p, T v) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::memcpy(p, &v, sizeof v);
}

}  // namespace mynah
