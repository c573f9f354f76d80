// Packed integers: lane-wise operations, multiply-add, horizontal sums, shifts.
#include <algorithm>

#include "cpu/sse/operation.h"

namespace mynah::sse {
namespace {

namespace op {

#define MYNAH_LANES(name, type, value)                                                     \
    struct name {                                                                          \
        template <unsigned N>                                                              \
        static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8) {                        \
            return map<type>(a, b, []([[maybe_unused]] type x, type y) { return value; }); \
        }                                                                                  \
    };
#include "cpu/sse/packed.inc"
#undef MYNAH_LANES

struct PMADDWD {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8) {
        const auto x = lanes<i16>(a), y = lanes<i16>(b);
        Lanes<u32, N> r;
        for (unsigned i = 0; i < r.size(); ++i) {
            r[i] = static_cast<u32>(i32{x[2 * i]} * y[2 * i]) +
                   static_cast<u32>(i32{x[2 * i + 1]} * y[2 * i + 1]);
        }
        return vec(r);
    }
};

struct PMADDUBSW {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8) {
        const auto x = lanes<u8>(a);
        const auto y = lanes<i8>(b);
        Lanes<i16, N> r;
        for (unsigned i = 0; i < r.size(); ++i) {
            r[i] = saturate<i16>(i32{x[2 * i]} * y[2 * i] + i32{x[2 * i + 1]} * y[2 * i + 1]);
        }
        return vec(r);
    }
};

struct PSADBW {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8) {
        const auto x = lanes<u8>(a), y = lanes<u8>(b);
        Vec<N> r;
        for (unsigned i = 0; i < N; ++i) r.q[i / 8] += x[i] > y[i] ? u64{x[i]} - y[i] : u64{y[i]} - x[i];
        return r;
    }
};

// Sums or differences of neighbours: first the destination's pairs, then the source's.
template <class T, class F>
struct Horizontal {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8) {
        const auto x = lanes<T>(a), y = lanes<T>(b);
        Lanes<T, N> r;
        constexpr unsigned half = r.size() / 2;
        for (unsigned i = 0; i < half; ++i) {
            r[i] = static_cast<T>(F{}(x[2 * i], x[2 * i + 1]));
            r[half + i] = static_cast<T>(F{}(y[2 * i], y[2 * i + 1]));
        }
        return vec(r);
    }
};
template <class T>
struct Plus {
    T operator()(T a, T b) const { return static_cast<T>(a + b); }
};
template <class T>
struct Minus {
    T operator()(T a, T b) const { return static_cast<T>(a - b); }
};
struct PlusSaturated {
    i16 operator()(i16 a, i16 b) const { return saturate<i16>(a + b); }
};
struct MinusSaturated {
    i16 operator()(i16 a, i16 b) const { return saturate<i16>(a - b); }
};

struct MPSADBW {
    static constexpr unsigned upper_immediate = 3;
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8 imm) {
        const auto x = lanes<u8>(a), y = lanes<u8>(b);
        const unsigned first = imm & 4, block = (imm & 3u) * 4;
        Lanes<u16, N> r;
        for (unsigned i = 0; i < 8; ++i) {
            unsigned sum = 0;
            for (unsigned k = 0; k < 4; ++k) {
                const int d = x[first + i + k] - y[block + k];
                sum += static_cast<unsigned>(d < 0 ? -d : d);
            }
            r[i] = static_cast<u16>(sum);
        }
        return vec(r);
    }
};

struct PHMINPOSUW {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>&, const Vec<N>& b, u8) {
        const auto y = lanes<u16>(b);
        const auto least = std::min_element(y.begin(), y.end());
        Vec<N> r;
        r.q[0] = u64{*least} | static_cast<u64>(least - y.begin()) << 16;
        return r;
    }
};

// Shifts: every lane by one count, which may be anything.
template <class T>
struct Left {
    static T shift(T v, u64 n) { return n < 8 * sizeof(T) ? static_cast<T>(v << n) : T{0}; }
};
template <class T>
struct Right {
    static T shift(T v, u64 n) { return n < 8 * sizeof(T) ? static_cast<T>(v >> n) : T{0}; }
};
template <class T>
struct Arithmetic {
    static T shift(T v, u64 n) { return static_cast<T>(v >> std::min<u64>(n, 8 * sizeof(T) - 1)); }
};

template <class T, class F, unsigned N>
Vec<N> shift_lanes(const Vec<N>& a, u64 count) {
    auto x = lanes<T>(a);
    for (auto& v : x) v = F::shift(v, count);
    return vec(x);
}

template <class T, class F>
struct Shift {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8) {
        return shift_lanes<T, F>(a, b.q[0]);
    }
    template <unsigned N>
    static Vec<N> immediate(const Vec<N>& a, u8 count) {
        return shift_lanes<T, F>(a, count);
    }
};

// The whole register, by bytes.
struct LeftBytes {
    template <unsigned N>
    static Vec<N> immediate(const Vec<N>& a, u8 count) {
        if (count > 15) return {};
        const u128 v = std::bit_cast<u128>(a) << (8 * count);
        return std::bit_cast<Vec<N>>(v);
    }
};
struct RightBytes {
    template <unsigned N>
    static Vec<N> immediate(const Vec<N>& a, u8 count) {
        if (count > 15) return {};
        const u128 v = std::bit_cast<u128>(a) >> (8 * count);
        return std::bit_cast<Vec<N>>(v);
    }
};

}  // namespace op

// Groups 12 to 14: the source is ModRM.rm, and so is the destination without VEX.
template <class F, class R>
bool shift_immediate(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    R::enter(c);
    const unsigned to = R::vex ? i.vvvv : i.rm;
    const auto a = R::get(c, i.rm);
    const u8 count = static_cast<u8>(i.imm);
    if constexpr (R::size == 32) {
        R::set(c, to,
               join(F::template immediate<16>(low_half(a), count),
                    F::template immediate<16>(high_half(a), count)));
    } else {
        R::set(c, to, F::template immediate<R::size>(a, count));
    }
    return true;
}
// The count is 16 bytes whatever is shifted.
template <class F, class R, bool Memory>
bool shift_by_register(Core& c, const Insn& i) {
    Xmm count;
    if (!R::ready(c) || !load_rm<R, Memory>(c, i, count)) return false;
    const auto a = R::get(c, R::first(i));
    if constexpr (R::size == 32) {
        R::set(c, i.reg,
               join(F::template apply<16>(low_half(a), count, 0),
                    F::template apply<16>(high_half(a), count, 0)));
    } else {
        R::set(c, i.reg, F::template apply<16>(a, count, 0));
    }
    return true;
}

template <class F>
Handler pick_shift_immediate(const Insn& i) {
    return by_form(i, []<class R, bool Memory>() -> Handler { return &shift_immediate<F, R>; });
}
template <class F>
Handler pick_shift(const Insn& i) {
    if (i.opcode >= 0x71 && i.opcode <= 0x73)
        return uses_mmx(i) ? &shift_immediate<F, MmxForm> : pick_shift_immediate<F>(i);
    if (uses_mmx(i)) return pick_mmx<F>(i);
    return by_form(i, []<class R, bool Memory>() -> Handler { return &shift_by_register<F, R, Memory>; });
}

template <class R, bool Memory>
bool ptest(Core& c, const Insn& i) {
    Value<R> b;
    if (!R::ready(c) || !load_rm<R, Memory>(c, i, b)) return false;
    const auto a = R::get(c, i.reg);
    u64 both = 0, only_b = 0;
    for (unsigned k = 0; k < a.q.size(); ++k) {
        both |= a.q[k] & b.q[k];
        only_b |= ~a.q[k] & b.q[k];
    }
    c.state.flags.set((both == 0 ? eflags::zf : 0) | (only_b == 0 ? eflags::cf : 0));
    return true;
}

}  // namespace

Handler packed_handler(const Insn& i) {
    using namespace op;
    switch (i.op) {
#define MYNAH_LANES(name, type, value) \
    case Op::name:                     \
        return pick<op::name>(i);
#include "cpu/sse/packed.inc"
#undef MYNAH_LANES
        case Op::PMADDWD:
            return pick<op::PMADDWD>(i);
        case Op::PMADDUBSW:
            return pick<op::PMADDUBSW>(i);
        case Op::PSADBW:
            return pick<op::PSADBW>(i);
        case Op::PHADDW:
            return pick<Horizontal<u16, Plus<u16>>>(i);
        case Op::PHADDD:
            return pick<Horizontal<u32, Plus<u32>>>(i);
        case Op::PHADDSW:
            return pick<Horizontal<i16, PlusSaturated>>(i);
        case Op::PHSUBW:
            return pick<Horizontal<u16, Minus<u16>>>(i);
        case Op::PHSUBD:
            return pick<Horizontal<u32, Minus<u32>>>(i);
        case Op::PHSUBSW:
            return pick<Horizontal<i16, MinusSaturated>>(i);
        case Op::MPSADBW:
            return pick_xmm<op::MPSADBW>(i);
        case Op::PHMINPOSUW:
            return pick_xmm128<op::PHMINPOSUW>(i);
        case Op::PSLLW:
            return pick_shift<Shift<u16, Left<u16>>>(i);
        case Op::PSLLD:
            return pick_shift<Shift<u32, Left<u32>>>(i);
        case Op::PSLLQ:
            return pick_shift<Shift<u64, Left<u64>>>(i);
        case Op::PSRLW:
            return pick_shift<Shift<u16, Right<u16>>>(i);
        case Op::PSRLD:
            return pick_shift<Shift<u32, Right<u32>>>(i);
        case Op::PSRLQ:
            return pick_shift<Shift<u64, Right<u64>>>(i);
        case Op::PSRAW:
            return pick_shift<Shift<i16, Arithmetic<i16>>>(i);
        case Op::PSRAD:
            return pick_shift<Shift<i32, Arithmetic<i32>>>(i);
        case Op::PSLLDQ:
            return pick_shift_immediate<LeftBytes>(i);
        case Op::PSRLDQ:
            return pick_shift_immediate<RightBytes>(i);
        case Op::PTEST:
            return by_form(i, []<class R, bool Memory>() -> Handler { return &ptest<R, Memory>; });
        default:
            return nullptr;
    }
}

}  // namespace mynah::sse
