// What AVX and AVX2 have and SSE has not: broadcasts, permutations, 128-bit lanes, shifts by lane, tests,
// clearing.
#include "cpu/sse/operation.h"

namespace mynah::sse {
namespace {

namespace op {

// VPERMILPS, VPERMILPD: in each 16 bytes, by the immediate (of the source) or by the second source's lanes.
struct PermuteSingles {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>&, const Vec<N>& b, u8 imm) {
        const auto y = lanes<u32>(b);
        return vec(Lanes<u32, N>{y[imm & 3], y[imm >> 2 & 3], y[imm >> 4 & 3], y[imm >> 6]});
    }
};
struct PermuteDoubles {
    static constexpr unsigned upper_immediate = 2;
    template <unsigned N>
    static Vec<N> apply(const Vec<N>&, const Vec<N>& b, u8 imm) {
        return Vec<N>{{b.q[imm & 1], b.q[imm >> 1 & 1]}};
    }
};
struct PermuteSinglesBy {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8) {
        const auto x = lanes<u32>(a), y = lanes<u32>(b);
        return vec(Lanes<u32, N>{x[y[0] & 3], x[y[1] & 3], x[y[2] & 3], x[y[3] & 3]});
    }
};
struct PermuteDoublesBy {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8) {
        return Vec<N>{{a.q[b.q[0] >> 1 & 1], a.q[b.q[1] >> 1 & 1]}};
    }
};

struct BlendDwords {
    static constexpr unsigned upper_immediate = 4;
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8 imm) {
        auto x = lanes<u32>(a);
        const auto y = lanes<u32>(b);
        for (unsigned i = 0; i < x.size(); ++i) x[i] = imm >> i & 1 ? y[i] : x[i];
        return vec(x);
    }
};

// Each lane by its own count.
template <class T>
struct ShiftLeft {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8) {
        return map<T>(a, b, [](T x, T n) { return n < 8 * sizeof(T) ? x << n : 0; });
    }
};
template <class T>
struct ShiftRight {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8) {
        return map<T>(a, b, [](T x, T n) { return n < 8 * sizeof(T) ? x >> n : 0; });
    }
};
struct ShiftArithmetic {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8) {
        return map<u32>(a, b, [](u32 x, u32 n) { return static_cast<i32>(x) >> (n < 32 ? n : 31); });
    }
};

}  // namespace op

template <class F>
Handler pick_vex(const Insn& i) {
    return by_vex_form(i, []<class R, bool Memory>() -> Handler { return &execute<F, R, Memory>; });
}

// --- across the halves ---

// VPERMD, VPERMPS: lanes of the second source, by the first.
template <bool Memory>
bool permute_dwords(Core& c, const Insn& i) {
    Ymm b;
    if (!vex_ready(c) || !load_rm<Vex256, Memory>(c, i, b)) return false;
    const auto index = lanes<u32>(Vex256::get(c, i.vvvv)), y = lanes<u32>(b);
    Lanes<u32, 32> r;
    for (unsigned k = 0; k < 8; ++k) r[k] = y[index[k] & 7];
    Vex256::set(c, i.reg, vec(r));
    return true;
}
// VPERMQ, VPERMPD: by the immediate.
template <bool Memory>
bool permute_quads(Core& c, const Insn& i) {
    Ymm b;
    if (!vex_ready(c) || !load_rm<Vex256, Memory>(c, i, b)) return false;
    Ymm r;
    for (unsigned k = 0; k < 4; ++k) r.q[k] = b.q[i.imm >> (2 * k) & 3];
    Vex256::set(c, i.reg, r);
    return true;
}
// VPERM2F128, VPERM2I128: each half one of four, or zero.
template <bool Memory>
bool permute_halves(Core& c, const Insn& i) {
    Ymm b;
    if (!vex_ready(c) || !load_rm<Vex256, Memory>(c, i, b)) return false;
    const Ymm a = Vex256::get(c, i.vvvv);
    const auto half = [&](u64 selector) {
        if (selector & 8) return Xmm{};
        const Ymm& from = selector & 2 ? b : a;
        return selector & 1 ? high_half(from) : low_half(from);
    };
    Vex256::set(c, i.reg, join(half(i.imm), half(i.imm >> 4)));
    return true;
}
template <bool Memory>
bool insert_half(Core& c, const Insn& i) {
    Xmm b;
    if (!vex_ready(c) || !load_rm<Vex128, Memory>(c, i, b)) return false;
    const Ymm a = Vex256::get(c, i.vvvv);
    Vex256::set(c, i.reg, i.imm & 1 ? join(low_half(a), b) : join(b, high_half(a)));
    return true;
}
template <bool Memory>
bool extract_half(Core& c, const Insn& i) {
    if (!vex_ready(c)) return false;
    const Ymm a = Vex256::get(c, i.reg);
    const Xmm r = i.imm & 1 ? high_half(a) : low_half(a);
    if constexpr (Memory) return c.store_operand(i, r);
    Vex128::set(c, i.rm, r);
    return true;
}

template <class T, class R, bool Memory>
bool broadcast(Core& c, const Insn& i) {
    T v;
    if (!R::ready(c) || !load_low<T, Memory>(c, i, v)) return false;
    std::array<T, R::size / sizeof(T)> r;
    r.fill(v);
    R::set(c, i.reg, std::bit_cast<Value<R>>(r));
    return true;
}
template <class T>
Handler pick_broadcast(const Insn& i) {
    return by_vex_form(i, []<class R, bool Memory>() -> Handler { return &broadcast<T, R, Memory>; });
}

// VTESTPS, VTESTPD: PTEST of the sign bits.
template <class T, class R, bool Memory>
bool test_signs(Core& c, const Insn& i) {
    Value<R> b;
    if (!R::ready(c) || !load_rm<R, Memory>(c, i, b)) return false;
    const auto x = lanes<T>(R::get(c, i.reg)), y = lanes<T>(b);
    T both = 0, only_y = 0;
    for (unsigned k = 0; k < x.size(); ++k) {
        both |= x[k] & y[k];
        only_y |= static_cast<T>(~x[k]) & y[k];
    }
    constexpr unsigned sign = 8 * sizeof(T) - 1;
    c.state.flags.set((both >> sign ? 0 : eflags::zf) | (only_y >> sign ? 0 : eflags::cf));
    return true;
}
template <class T>
Handler pick_test(const Insn& i) {
    return by_vex_form(i, []<class R, bool Memory>() -> Handler { return &test_signs<T, R, Memory>; });
}

// VZEROUPPER, VZEROALL: of the registers that the mode has.
template <bool All>
bool clear(Core& c, const Insn&) {
    if (!vex_ready(c)) return false;
    for (unsigned n = 0; n < (c.mode.code64() ? 16u : 8u); ++n) {
        if (All)
            c.state.vec[n].q = {};
        else
            Vex128::set(c, n, xmm(c, n));
    }
    return true;
}

}  // namespace

Handler avx_handler(const Insn& i) {
    const bool m = i.memory();
    switch (i.op) {
        case Op::VZEROUPPER:
            return &clear<false>;
        case Op::VZEROALL:
            return &clear<true>;
        case Op::VBROADCASTSS:
        case Op::VPBROADCASTD:
            return pick_broadcast<u32>(i);
        case Op::VBROADCASTSD:
        case Op::VPBROADCASTQ:
            return pick_broadcast<u64>(i);
        case Op::VPBROADCASTB:
            return pick_broadcast<u8>(i);
        case Op::VPBROADCASTW:
            return pick_broadcast<u16>(i);
        case Op::VBROADCASTF128:
        case Op::VBROADCASTI128:
            return &broadcast<Xmm, Vex256, true>;
        case Op::VEXTRACTF128:
        case Op::VEXTRACTI128:
            return m ? &extract_half<true> : &extract_half<false>;
        case Op::VINSERTF128:
        case Op::VINSERTI128:
            return m ? &insert_half<true> : &insert_half<false>;
        case Op::VPERM2F128:
        case Op::VPERM2I128:
            return m ? &permute_halves<true> : &permute_halves<false>;
        case Op::VPERMD:
        case Op::VPERMPS:
            return m ? &permute_dwords<true> : &permute_dwords<false>;
        case Op::VPERMQ:
        case Op::VPERMPD:
            return m ? &permute_quads<true> : &permute_quads<false>;
        case Op::VPERMILPS:
            return row_of(i).map == OpcodeMap::x0f3a ? pick_vex<op::PermuteSingles>(i)
                                                     : pick_vex<op::PermuteSinglesBy>(i);
        case Op::VPERMILPD:
            return row_of(i).map == OpcodeMap::x0f3a ? pick_vex<op::PermuteDoubles>(i)
                                                     : pick_vex<op::PermuteDoublesBy>(i);
        case Op::VPBLENDD:
            return pick_vex<op::BlendDwords>(i);
        case Op::VPSLLVD:
            return pick_vex<op::ShiftLeft<u32>>(i);
        case Op::VPSLLVQ:
            return pick_vex<op::ShiftLeft<u64>>(i);
        case Op::VPSRLVD:
            return pick_vex<op::ShiftRight<u32>>(i);
        case Op::VPSRLVQ:
            return pick_vex<op::ShiftRight<u64>>(i);
        case Op::VPSRAVD:
            return pick_vex<op::ShiftArithmetic>(i);
        case Op::VTESTPS:
            return pick_test<u32>(i);
        case Op::VTESTPD:
            return pick_test<u64>(i);
        default:
            return nullptr;
    }
}

}  // namespace mynah::sse
