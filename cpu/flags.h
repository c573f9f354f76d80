// EFLAGS bits, and the arithmetic flags in lazy form: what the last instruction left, worked out when asked.
#pragma once

#include <bit>
#include <type_traits>

#include "base/bits.h"
#include "base/types.h"

namespace mynah {

namespace eflags {
inline constexpr u32 cf = 1u << 0;
inline constexpr u32 fixed = 1u << 1;
inline constexpr u32 pf = 1u << 2;
inline constexpr u32 af = 1u << 4;
inline constexpr u32 zf = 1u << 6;
inline constexpr u32 sf = 1u << 7;
inline constexpr u32 tf = 1u << 8;
inline constexpr u32 intr = 1u << 9;  // IF
inline constexpr u32 df = 1u << 10;
inline constexpr u32 of = 1u << 11;
inline constexpr u32 iopl = 3u << 12;
inline constexpr u32 nt = 1u << 14;
inline constexpr u32 rf = 1u << 16;
inline constexpr u32 vm = 1u << 17;
inline constexpr u32 ac = 1u << 18;
inline constexpr u32 vif = 1u << 19;
inline constexpr u32 vip = 1u << 20;
inline constexpr u32 id = 1u << 21;
inline constexpr u32 arithmetic = cf | pf | af | zf | sf | of;
}  // namespace eflags

// Two words hold all six arithmetic flags:
//   result  sign-extended result: ZF = (result == 0), SF = sign ^ delta, PF = parity of the low byte ^ delta
//   carries bit 63: CF; bit 62 ^ bit 63: OF; bit 3: AF; bit 1: SF delta; bit 0: PF delta
class LazyFlags {
  public:
    // After an addition or subtraction: `carry_out` has, for each bit of T, the carry (borrow) out of it.
    template <class T>
    void set_arithmetic(T result, T carry_out) {
        static_assert(std::is_unsigned_v<T>);
        result_ = static_cast<u64>(static_cast<i64>(static_cast<std::make_signed_t<T>>(result)));
        if constexpr (sizeof(T) == 8) {
            carries_ = carry_out & (kCf | kOf | kAf);
        } else {
            carries_ =
                (static_cast<u64>(carry_out) << (64 - 8 * sizeof(T)) & (kCf | kOf)) | (carry_out & kAf);
        }
    }
    // After a logical operation: CF, OF and AF are 0.
    template <class T>
    void set_logical(T result) {
        result_ = static_cast<u64>(static_cast<i64>(static_cast<std::make_signed_t<T>>(result)));
        carries_ = 0;
    }

    bool cf() const { return carries_ >> 63; }
    bool of() const { return (carries_ ^ carries_ << 1) >> 63; }
    bool af() const { return carries_ & kAf; }
    bool zf() const { return result_ == 0; }
    bool sf() const { return ((result_ >> 63) ^ (carries_ >> 1)) & 1; }
    bool pf() const {
        // The XOR of the eight bits, looked up in a word.
        const unsigned low = static_cast<u8>(result_);
        return (0x9669u >> ((low ^ low >> 4) & 15) ^ static_cast<unsigned>(carries_)) & 1;
    }

    void set_cf(bool on) {
        const bool o = of();
        carries_ = (carries_ & ~(kCf | kOf)) | (u64{on} << 63) | (u64{on != o} << 62);
    }
    void set_of(bool on) { carries_ = (carries_ & ~kOf) | (u64{cf() != on} << 62); }
    void set_af(bool on) { carries_ = (carries_ & ~kAf) | (u64{on} << 3); }
    void set_zf(bool on) { set(with(eflags::zf, on)); }

    u32 get() const {
        return (cf() ? eflags::cf : 0) | (pf() ? eflags::pf : 0) | (af() ? eflags::af : 0) |
               (zf() ? eflags::zf : 0) | (sf() ? eflags::sf : 0) | (of() ? eflags::of : 0);
    }
    // Takes the arithmetic bits of `f`.
    void set(u32 f) {
        const bool z = f & eflags::zf, s = f & eflags::sf, p = f & eflags::pf, c = f & eflags::cf,
                   o = f & eflags::of;
        result_ = z ? 0 : 0x100;  // not negative, low byte 0: even parity
        carries_ =
            (u64{c} << 63) | (u64{c != o} << 62) | (f & eflags::af ? kAf : 0) | (u64{s} << 1) | u64{!p};
    }

    // Condition code 0-15 as in Jcc (SDM vol. 1 app. B).
    bool condition(unsigned cc) const {
        bool v = false;
        switch (cc >> 1) {
            case 0:
                v = of();
                break;
            case 1:
                v = cf();
                break;
            case 2:
                v = zf();
                break;
            case 3:
                v = cf() || zf();
                break;
            case 4:
                v = sf();
                break;
            case 5:
                v = pf();
                break;
            case 6:
                v = sf() != of();
                break;
            default:
                v = zf() || sf() != of();
                break;
        }
        return v != static_cast<bool>(cc & 1);
    }

  private:
    static constexpr u64 kCf = u64{1} << 63;
    static constexpr u64 kOf = u64{1} << 62;
    static constexpr u64 kAf = 8;

    u32 with(u32 mask, bool on) const { return (get() & ~mask) | (on ? mask : 0); }

    u64 result_ = 1;
    u64 carries_ = 0;
};

}  // namespace mynah
