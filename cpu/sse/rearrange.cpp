// Packing, interleaving, shuffling, blending, widening, inserting and extracting.
#include "cpu/sse/operation.h"

namespace mynah::sse {
namespace {

namespace op {

// Narrows: the destination's lanes below, the source's above.
template <class From, class To>
struct Pack {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8) {
        const auto x = lanes<From>(a), y = lanes<From>(b);
        Lanes<To, N> r;
        for (unsigned i = 0; i < x.size(); ++i) {
            r[i] = saturate<To>(x[i]);
            r[x.size() + i] = saturate<To>(y[i]);
        }
        return vec(r);
    }
};

template <class T, bool High>
struct Unpack {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8) {
        const auto x = lanes<T>(a), y = lanes<T>(b);
        Lanes<T, N> r;
        constexpr unsigned first = High ? r.size() / 2 : 0;
        for (unsigned i = 0; i < r.size() / 2; ++i) {
            r[2 * i] = x[first + i];
            r[2 * i + 1] = y[first + i];
        }
        return vec(r);
    }
};

// PUNPCKL on MMX registers reads 4 bytes of memory; that form has its own function below.

struct PSHUFB {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8) {
        const auto x = lanes<u8>(a), y = lanes<u8>(b);
        Lanes<u8, N> r;
        for (unsigned i = 0; i < N; ++i) r[i] = y[i] & 0x80 ? u8{0} : x[y[i] & (N - 1)];
        return vec(r);
    }
};

struct PALIGNR {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8 imm) {
        const auto x = lanes<u8>(a), y = lanes<u8>(b);
        Lanes<u8, N> r;
        for (unsigned i = 0; i < N; ++i) {
            const unsigned at = i + imm;
            r[i] = at < N ? y[at] : at < 2 * N ? x[at - N] : u8{0};
        }
        return vec(r);
    }
};

// Four lanes of T from `First` on, chosen by the immediate; the others pass.
template <class T, unsigned First>
struct Shuffle {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>&, const Vec<N>& b, u8 imm) {
        const auto y = lanes<T>(b);
        auto r = y;
        for (unsigned i = 0; i < 4; ++i) r[First + i] = y[First + (imm >> (2 * i) & 3)];
        return vec(r);
    }
};

struct SHUFPS {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8 imm) {
        const auto x = lanes<u32>(a), y = lanes<u32>(b);
        return vec(Lanes<u32, N>{x[imm & 3], x[imm >> 2 & 3], y[imm >> 4 & 3], y[imm >> 6]});
    }
};
struct SHUFPD {
    static constexpr unsigned upper_immediate = 2;
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8 imm) {
        return Vec<N>{{a.q[imm & 1], b.q[imm >> 1 & 1]}};
    }
};

// Lane i from the source where bit i of the immediate is set.
template <class T>
struct Blend {
    static constexpr unsigned upper_immediate = sizeof(T) == 2 ? 0 : 16 / sizeof(T);
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8 imm) {
        auto x = lanes<T>(a);
        const auto y = lanes<T>(b);
        for (unsigned i = 0; i < x.size(); ++i) x[i] = imm >> i & 1 ? y[i] : x[i];
        return vec(x);
    }
};

template <unsigned Step>
struct Duplicate {  // MOVSLDUP (even lanes) and MOVSHDUP (odd)
    template <unsigned N>
    static Vec<N> apply(const Vec<N>&, const Vec<N>& b, u8) {
        const auto y = lanes<u32>(b);
        return vec(Lanes<u32, N>{y[Step], y[Step], y[2 + Step], y[2 + Step]});
    }
};

}  // namespace op

// BLENDVPS and friends: lanes whose top bit is set in XMM0, or in the register that the immediate names.
template <class T, class R, bool Memory>
bool blend_variable(Core& c, const Insn& i) {
    Value<R> b;
    if (!R::ready(c) || !load_rm<R, Memory>(c, i, b)) return false;
    auto x = lanes<T>(R::get(c, R::first(i)));
    const auto y = lanes<T>(b), mask = lanes<T>(R::get(c, R::vex ? i.imm >> 4 & 15 : 0));
    for (unsigned k = 0; k < x.size(); ++k) x[k] = mask[k] >> (8 * sizeof(T) - 1) ? y[k] : x[k];
    R::set(c, i.reg, vec(x));
    return true;
}
template <class T>
Handler pick_blend(const Insn& i) {
    return by_form(i, []<class R, bool Memory>() -> Handler { return &blend_variable<T, R, Memory>; });
}

// PMOVSX and PMOVZX: the low lanes of the source, which as memory is that much smaller.
template <class From, class To, class R, bool Memory>
bool widen(Core& c, const Insn& i) {
    constexpr unsigned count = R::size / sizeof(To), bytes = count * sizeof(From);
    using Source =
        std::conditional_t<bytes == 16, Xmm,
                           std::conditional_t<bytes == 8, u64, std::conditional_t<bytes == 4, u32, u16>>>;
    Source s;
    if (!R::ready(c) || !load_low<Source, Memory>(c, i, s)) return false;
    const auto from = std::bit_cast<std::array<From, count>>(s);
    std::array<To, count> r;
    for (unsigned k = 0; k < count; ++k) r[k] = static_cast<To>(from[k]);
    R::set(c, i.reg, vec(r));
    return true;
}
template <class From, class To>
Handler pick_widen(const Insn& i) {
    return by_form(i, []<class R, bool Memory>() -> Handler { return &widen<From, To, R, Memory>; });
}

template <class T>
bool unpack_low_mmx_memory(Core& c, const Insn& i) {
    u32 low;
    if (!mmx_ready(c) || !c.load_operand(i, low)) return false;
    mmx_enter(c);
    MmxForm::set(c, i.reg, op::Unpack<T, false>::template apply<8>(MmxForm::get(c, i.reg), Mmx{{low}}, 0));
    return true;
}
template <class T>
Handler pick_unpack_low(const Insn& i) {
    if (uses_mmx(i) && i.memory()) return &unpack_low_mmx_memory<T>;
    return pick<op::Unpack<T, false>>(i);
}

// --- single lanes ---
template <class T, class R, bool Memory>
bool insert(Core& c, const Insn& i) {
    T v;
    if (!R::ready(c)) return false;
    if constexpr (Memory) {
        if (!c.load_operand(i, v)) return false;
    } else {
        v = static_cast<T>(c.state.gpr[i.rm]);
    }
    auto x = lanes<T>(R::get(c, R::first(i)));
    x[i.imm & (x.size() - 1)] = v;
    R::set(c, i.reg, vec(x));
    return true;
}
template <bool Memory>
bool insert_word_mmx(Core& c, const Insn& i) {
    u16 v;
    if (!mmx_ready(c)) return false;
    if constexpr (Memory) {
        if (!c.load_operand(i, v)) return false;
    } else {
        v = static_cast<u16>(c.state.gpr[i.rm]);
    }
    mmx_enter(c);
    auto x = lanes<u16>(MmxForm::get(c, i.reg));
    x[i.imm & 3] = v;
    MmxForm::set(c, i.reg, vec(x));
    return true;
}
template <class T>
Handler pick_insert(const Insn& i) {
    return by_form128(i, []<class R, bool Memory>() -> Handler { return &insert<T, R, Memory>; });
}

// PEXTRB and friends (0F 3A): to a register zero-extended, or to memory.
template <class T, class R, bool Memory>
bool extract(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    const auto x = lanes<T>(xmm(c, i.reg));
    const T v = x[i.imm & (x.size() - 1)];
    if constexpr (Memory) return c.store_operand(i, v);
    c.state.gpr[i.rm] = v;
    return true;
}
template <class T>
Handler pick_extract(const Insn& i) {
    return by_form128(i, []<class R, bool Memory>() -> Handler { return &extract<T, R, Memory>; });
}
// PEXTRW with opcode 0F C5: from ModRM.rm.
template <class R>
bool extract_word(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    R::enter(c);
    const auto x = lanes<u16>(R::get(c, i.rm));
    c.state.gpr[i.reg] = x[i.imm & (x.size() - 1)];
    return true;
}

template <class R, bool Memory>
bool insertps(Core& c, const Insn& i) {
    u32 v;
    if (!R::ready(c)) return false;
    if constexpr (Memory) {
        if (!c.load_operand(i, v)) return false;
    } else {
        v = lanes<u32>(xmm(c, i.rm))[i.imm >> 6 & 3];
    }
    auto x = lanes<u32>(R::get(c, R::first(i)));
    x[i.imm >> 4 & 3] = v;
    for (unsigned k = 0; k < 4; ++k) {
        if (i.imm >> k & 1) x[k] = 0;
    }
    R::set(c, i.reg, vec(x));
    return true;
}

}  // namespace

Handler rearrange_handler(const Insn& i) {
    const bool m = i.memory();
    switch (i.op) {
        case Op::PACKSSWB:
            return pick<op::Pack<i16, i8>>(i);
        case Op::PACKSSDW:
            return pick<op::Pack<i32, i16>>(i);
        case Op::PACKUSWB:
            return pick<op::Pack<i16, u8>>(i);
        case Op::PACKUSDW:
            return pick_xmm<op::Pack<i32, u16>>(i);
        case Op::PUNPCKLBW:
            return pick_unpack_low<u8>(i);
        case Op::PUNPCKLWD:
            return pick_unpack_low<u16>(i);
        case Op::PUNPCKLDQ:
            return pick_unpack_low<u32>(i);
        case Op::PUNPCKHBW:
            return pick<op::Unpack<u8, true>>(i);
        case Op::PUNPCKHWD:
            return pick<op::Unpack<u16, true>>(i);
        case Op::PUNPCKHDQ:
            return pick<op::Unpack<u32, true>>(i);
        case Op::UNPCKLPS:
            return pick_xmm<op::Unpack<u32, false>>(i);
        case Op::UNPCKHPS:
            return pick_xmm<op::Unpack<u32, true>>(i);
        case Op::UNPCKLPD:
        case Op::PUNPCKLQDQ:
            return pick_xmm<op::Unpack<u64, false>>(i);
        case Op::UNPCKHPD:
        case Op::PUNPCKHQDQ:
            return pick_xmm<op::Unpack<u64, true>>(i);
        case Op::PSHUFB:
            return pick<op::PSHUFB>(i);
        case Op::PALIGNR:
            return pick<op::PALIGNR>(i);
        case Op::PSHUFW:
            return pick_mmx<op::Shuffle<u16, 0>>(i);
        case Op::PSHUFD:
            return pick_xmm<op::Shuffle<u32, 0>>(i);
        case Op::PSHUFLW:
            return pick_xmm<op::Shuffle<u16, 0>>(i);
        case Op::PSHUFHW:
            return pick_xmm<op::Shuffle<u16, 4>>(i);
        case Op::SHUFPS:
            return pick_xmm<op::SHUFPS>(i);
        case Op::SHUFPD:
            return pick_xmm<op::SHUFPD>(i);
        case Op::BLENDPS:
            return pick_xmm<op::Blend<u32>>(i);
        case Op::BLENDPD:
            return pick_xmm<op::Blend<u64>>(i);
        case Op::PBLENDW:
            return pick_xmm<op::Blend<u16>>(i);
        case Op::MOVSLDUP:
            return pick_xmm<op::Duplicate<0>>(i);
        case Op::MOVSHDUP:
            return pick_xmm<op::Duplicate<1>>(i);
        case Op::BLENDVPS:
            return pick_blend<u32>(i);
        case Op::BLENDVPD:
            return pick_blend<u64>(i);
        case Op::PBLENDVB:
            return pick_blend<u8>(i);
        case Op::PMOVSXBW:
            return pick_widen<i8, i16>(i);
        case Op::PMOVSXBD:
            return pick_widen<i8, i32>(i);
        case Op::PMOVSXBQ:
            return pick_widen<i8, i64>(i);
        case Op::PMOVSXWD:
            return pick_widen<i16, i32>(i);
        case Op::PMOVSXWQ:
            return pick_widen<i16, i64>(i);
        case Op::PMOVSXDQ:
            return pick_widen<i32, i64>(i);
        case Op::PMOVZXBW:
            return pick_widen<u8, u16>(i);
        case Op::PMOVZXBD:
            return pick_widen<u8, u32>(i);
        case Op::PMOVZXBQ:
            return pick_widen<u8, u64>(i);
        case Op::PMOVZXWD:
            return pick_widen<u16, u32>(i);
        case Op::PMOVZXWQ:
            return pick_widen<u16, u64>(i);
        case Op::PMOVZXDQ:
            return pick_widen<u32, u64>(i);
        case Op::PINSRB:
            return pick_insert<u8>(i);
        case Op::PINSRW:
            if (uses_mmx(i)) return m ? &insert_word_mmx<true> : &insert_word_mmx<false>;
            return pick_insert<u16>(i);
        case Op::PINSRD:
            return pick_insert<u32>(i);
        case Op::PINSRQ:
            return pick_insert<u64>(i);
        case Op::PEXTRB:
            return pick_extract<u8>(i);
        case Op::PEXTRW:
            if (i.opcode == 0xC5 && uses_mmx(i)) return &extract_word<MmxForm>;
            if (i.opcode == 0xC5)
                return by_form128(i, []<class R, bool Memory>() -> Handler { return &extract_word<R>; });
            return pick_extract<u16>(i);
        case Op::PEXTRD:
        case Op::EXTRACTPS:
            return pick_extract<u32>(i);
        case Op::PEXTRQ:
            return pick_extract<u64>(i);
        case Op::INSERTPS:
            return by_form128(i, []<class R, bool Memory>() -> Handler { return &insertps<R, Memory>; });
        default:
            return nullptr;
    }
}

}  // namespace mynah::sse
