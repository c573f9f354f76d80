// Shifts on values: result, and the flags in LazyFlags' terms.
#pragma once

#include "cpu/flags.h"
#include "cpu/semantics/shift.h"

namespace mynah::semantics {

template <class T>
inline constexpr unsigned kBits = sizeof(T) * 8;

template <class T>
bool top_bit(T v) {
    return v >> (kBits<T> - 1) & 1;
}

// The word that LazyFlags::set_arithmetic takes for given CF and OF, with AF 0.
template <class T>
T carries(bool cf, bool of) {
    return static_cast<T>(static_cast<T>(T{cf} << (kBits<T> - 1)) |
                          static_cast<T>(T{cf != of} << (kBits<T> - 2)));
}

// `count` is already masked; 0 changes nothing.
template <ShiftKind kind, class T>
[[gnu::always_inline]] inline T shift_value(LazyFlags& flags, T a, unsigned count) {
    constexpr unsigned n = kBits<T>;
    if (count == 0) return a;
    if constexpr (kind == ShiftKind::shl) {
        const T r = count < n ? static_cast<T>(a << count) : T{0};
        const bool cf = count <= n && (a >> (n - count) & 1);
        flags.set_arithmetic<T>(r, carries<T>(cf, top_bit(r) != cf));
        return r;
    } else if constexpr (kind == ShiftKind::shr) {
        const T r = count < n ? static_cast<T>(a >> count) : T{0};
        const bool cf = count <= n && (a >> (count - 1) & 1);
        // For a shift by one the top bit of what was shifted.
        flags.set_arithmetic<T>(r, carries<T>(cf, top_bit(static_cast<T>(r << 1)) != top_bit(r)));
        return r;
    } else if constexpr (kind == ShiftKind::sar) {
        using S = std::make_signed_t<T>;
        const unsigned k = count < n ? count : n - 1;
        const T r = static_cast<T>(static_cast<S>(a) >> k);
        const bool cf = count < n ? (a >> (count - 1) & 1) : top_bit(a);
        flags.set_arithmetic<T>(r, carries<T>(cf, false));
        return r;
    } else if constexpr (kind == ShiftKind::rol) {
        const unsigned k = count % n;
        const T r = static_cast<T>(a << k | (k != 0 ? a >> (n - k) : 0));
        const bool cf = r & 1;
        flags.set_cf(cf);
        flags.set_of(top_bit(r) != cf);
        return r;
    } else if constexpr (kind == ShiftKind::ror) {
        const unsigned k = count % n;
        const T r = static_cast<T>(a >> k | (k != 0 ? a << (n - k) : 0));
        flags.set_cf(top_bit(r));
        flags.set_of(top_bit(r) != top_bit(static_cast<T>(r << 1)));
        return r;
    } else {
        // Rotation of n + 1 bits, CF on top.
        const unsigned k = count % (n + 1);
        bool cf = flags.cf();
        T r = a;
        if (k != 0) {
            const T in = static_cast<T>(cf);
            if constexpr (kind == ShiftKind::rcl) {
                r = static_cast<T>((k < n ? static_cast<T>(a << k) : 0) | static_cast<T>(in << (k - 1)) |
                                   (k > 1 ? a >> (n + 1 - k) : 0));
                cf = a >> (n - k) & 1;
            } else {
                r = static_cast<T>((k < n ? a >> k : 0) | static_cast<T>(in << (n - k)) |
                                   (k > 1 ? static_cast<T>(a << (n + 1 - k)) : 0));
                cf = a >> (k - 1) & 1;
            }
        }
        flags.set_cf(cf);
        flags.set_of(kind == ShiftKind::rcl ? top_bit(r) != cf
                                            : top_bit(r) != top_bit(static_cast<T>(r << 1)));
        return r;
    }
}

template <bool left, class T>
[[gnu::always_inline]] inline T double_shift_value(LazyFlags& flags, T a, T b, unsigned count) {
    constexpr unsigned n = kBits<T>;
    if (count == 0) return a;
    T r;
    bool cf;
    if (count <= n) {
        if constexpr (left) {
            r = count < n ? static_cast<T>(a << count | b >> (n - count)) : b;
            cf = a >> (n - count) & 1;
        } else {
            r = count < n ? static_cast<T>(a >> count | static_cast<T>(b << (n - count))) : b;
            cf = a >> (count - 1) & 1;
        }
    } else {
        const unsigned k = count - n;  // 16-bit operands only
        if constexpr (left) {
            r = static_cast<T>(b << k | a >> (n - k));
            cf = b >> (n - k) & 1;
        } else {
            r = static_cast<T>(b >> k | static_cast<T>(a << (n - k)));
            cf = b >> (k - 1) & 1;
        }
    }
    flags.set_arithmetic<T>(r, carries<T>(cf, top_bit(r) != top_bit(a)));
    return r;
}

}  // namespace mynah::semantics
