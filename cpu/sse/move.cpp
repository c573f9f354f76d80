// Moves between registers and memory, MMX and XMM, and mask extraction.
#include "cpu/sse/access.h"

namespace mynah::sse {
namespace {

// --- whole registers ---
template <class R>
bool copy(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    R::set(c, i.reg, R::get(c, i.rm));
    return true;
}
template <class R>
bool copy_back(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    R::set(c, i.rm, R::get(c, i.reg));
    return true;
}
template <bool Aligned, class R>
bool load(Core& c, const Insn& i) {
    Value<R> v;
    if (!R::ready(c)) return false;
    if (!(Aligned ? load_aligned(c, i, v) : c.load_operand(i, v))) return false;
    R::set(c, i.reg, v);
    return true;
}
template <bool Aligned, class R>
bool store(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    return Aligned ? store_aligned(c, i, R::get(c, i.reg)) : c.store_operand(i, R::get(c, i.reg));
}

template <bool Aligned>
Handler pick_full(const Insn& i) {
    const bool to_rm = is_store(i);
    return by_form(i, [to_rm]<class R, bool Memory>() -> Handler {
        if constexpr (Memory) return to_rm ? &store<Aligned, R> : &load<Aligned, R>;
        return to_rm ? &copy_back<R> : &copy<R>;
    });
}

// --- the low lane: loads clear the rest, register moves take it from the first source ---
template <class T, class R>
bool load_scalar(Core& c, const Insn& i) {
    T v;
    if (!R::ready(c) || !c.load_operand(i, v)) return false;
    R::set(c, i.reg, Xmm{{v, 0}});
    return true;
}
template <class T, class R>
bool store_scalar(Core& c, const Insn& i) {
    return R::ready(c) && c.store_operand(i, low_lane<T>(c, i.reg));
}
template <class T, bool Back, class R>
bool move_scalar(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    const unsigned to = Back ? i.rm : i.reg, from = Back ? i.reg : i.rm;
    set_scalar<R>(c, to, R::vex ? i.vvvv : to, low_lane<T>(c, from));
    return true;
}
template <class T>
Handler pick_scalar(const Insn& i) {
    const bool to_rm = is_store(i);
    return by_form128(i, [to_rm]<class R, bool Memory>() -> Handler {
        if constexpr (Memory) return to_rm ? &store_scalar<T, R> : &load_scalar<T, R>;
        return to_rm ? &move_scalar<T, true, R> : &move_scalar<T, false, R>;
    });
}
// MOVQ between XMM registers clears the upper half.
template <bool Back, class R>
bool move_quad(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    const unsigned to = Back ? i.rm : i.reg, from = Back ? i.reg : i.rm;
    R::set(c, to, Xmm{{c.state.vec[from].q[0], 0}});
    return true;
}

// --- halves ---
template <unsigned Half, class R>
void set_half(Core& c, const Insn& i, u64 v) {
    Xmm x = xmm(c, R::first(i));
    x.q[Half] = v;
    R::set(c, i.reg, x);
}
template <unsigned Half, class R>
bool load_half(Core& c, const Insn& i) {
    u64 v;
    if (!R::ready(c) || !c.load_operand(i, v)) return false;
    set_half<Half, R>(c, i, v);
    return true;
}
template <unsigned Half, class R>
bool store_half(Core& c, const Insn& i) {
    return R::ready(c) && c.store_operand(i, c.state.vec[i.reg].q[Half]);
}
template <unsigned Half>
Handler pick_half(const Insn& i) {
    const bool to_memory = is_store(i);
    return by_form128(i, [to_memory]<class R, bool Memory>() -> Handler {
        return to_memory ? &store_half<Half, R> : &load_half<Half, R>;
    });
}
template <unsigned To, unsigned From, class R>
bool move_half(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    set_half<To, R>(c, i, c.state.vec[i.rm].q[From]);
    return true;
}
template <unsigned To, unsigned From>
Handler pick_move_half(const Insn& i) {
    return by_form128(i, []<class R, bool Memory>() -> Handler { return &move_half<To, From, R>; });
}
// The even quadwords twice; as memory operand the 128-bit form has one.
template <class R, bool Memory>
bool movddup(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    if constexpr (R::size == 32) {
        Ymm v;
        if (!load_rm<R, Memory>(c, i, v)) return false;
        R::set(c, i.reg, Ymm{{v.q[0], v.q[0], v.q[2], v.q[2]}});
    } else {
        u64 v;
        if (!load_low<u64, Memory>(c, i, v)) return false;
        R::set(c, i.reg, Xmm{{v, v}});
    }
    return true;
}

// --- general registers and XMM: MOVD, MOVQ (66 0F 6E, 66 0F 7E) ---
template <class T, class R, bool Memory>
bool from_general(Core& c, const Insn& i) {
    T v;
    if (!R::ready(c)) return false;
    if constexpr (Memory) {
        if (!c.load_operand(i, v)) return false;
    } else {
        v = static_cast<T>(c.state.gpr[i.rm]);
    }
    R::set(c, i.reg, Xmm{{v, 0}});
    return true;
}
template <class T, class R, bool Memory>
bool to_general(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    const T v = low_lane<T>(c, i.reg);
    if constexpr (Memory) return c.store_operand(i, v);
    c.state.gpr[i.rm] = v;
    return true;
}

// --- MMX ---
template <class T, bool Memory, bool General>
bool mmx_load(Core& c, const Insn& i) {
    T v;
    if (!mmx_ready(c)) return false;
    if constexpr (Memory) {
        if (!c.load_operand(i, v)) return false;
    } else {
        v = static_cast<T>(General ? c.state.gpr[i.rm] : mmx(c, i.rm));
    }
    mmx_enter(c);
    set_mmx(c, i.reg, v);
    return true;
}
template <class T, bool Memory, bool General>
bool mmx_store(Core& c, const Insn& i) {
    if (!mmx_ready(c)) return false;
    const T v = static_cast<T>(mmx(c, i.reg));
    if constexpr (Memory) {
        if (!c.store_operand(i, v)) return false;
        mmx_enter(c);
    } else {
        mmx_enter(c);
        if constexpr (General)
            c.state.gpr[i.rm] = v;
        else
            set_mmx(c, i.rm, v);
    }
    return true;
}

template <class T, bool General>
Handler pick_mmx(const Insn& i) {
    if (is_store(i)) return i.memory() ? &mmx_store<T, true, General> : &mmx_store<T, false, General>;
    return i.memory() ? &mmx_load<T, true, General> : &mmx_load<T, false, General>;
}

template <class T>
Handler pick_general(const Insn& i) {
    if (uses_mmx(i)) return pick_mmx<T, true>(i);
    const bool to_rm = is_store(i);
    return by_form128(i, [to_rm]<class R, bool Memory>() -> Handler {
        return to_rm ? &to_general<T, R, Memory> : &from_general<T, R, Memory>;
    });
}

Handler pick_movq(const Insn& i) {
    switch (i.opcode) {
        case 0x6E:
        case 0x7E:
            // 66/NP 0F 6E and 7E with REX.W have a general register; F3 0F 7E has none.
            if (row_of(i).prefix != MandatoryPrefix::f3) return pick_general<u64>(i);
            return by_form128(i, []<class R, bool Memory>() -> Handler {
                return Memory ? &load_scalar<u64, R> : &move_quad<false, R>;
            });
        case 0xD6:
            return by_form128(i, []<class R, bool Memory>() -> Handler {
                return Memory ? &store_scalar<u64, R> : &move_quad<true, R>;
            });
        default:
            return pick_mmx<u64, false>(i);  // 0F 6F, 0F 7F
    }
}

bool movdq2q(Core& c, const Insn& i) {
    if (!sse_ready(c) || !mmx_ready(c)) return false;
    mmx_enter(c);
    set_mmx(c, i.reg, c.state.vec[i.rm].q[0]);
    return true;
}
bool movq2dq(Core& c, const Insn& i) {
    if (!sse_ready(c) || !mmx_ready(c)) return false;
    mmx_enter(c);
    set_xmm(c, i.reg, Xmm{{mmx(c, i.rm), 0}});
    return true;
}

// MMX loses its hold: all tags empty, TOP 0.
bool emms(Core& c, const Insn&) {
    if (!mmx_ready(c)) return false;
    c.state.x87.set_top(0);
    c.state.x87.valid = 0;
    return true;
}

// --- masks ---
template <class T, class R>
bool movmsk(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    R::enter(c);
    const auto x = lanes<T>(R::get(c, i.rm));
    u64 mask = 0;
    for (unsigned k = 0; k < x.size(); ++k) mask |= u64{x[k]} >> (8 * sizeof(T) - 1) << k;
    c.state.gpr[i.reg] = mask;
    return true;
}
template <class T>
Handler pick_movmsk(const Insn& i) {
    return by_form(i, []<class R, bool Memory>() -> Handler { return &movmsk<T, R>; });
}

// MASKMOVQ, MASKMOVDQU: bytes of `reg` whose mask byte has its top bit go to DS:rDI. With no bit nothing is
// touched; else everything from the first to the last such byte must be writable before any of it is written.
template <class R>
bool mask_move(Core& c, const Insn& i) {
    constexpr unsigned N = R::size;
    if (!R::ready(c)) return false;
    const auto data = lanes<u8>(R::get(c, i.reg)), mask = lanes<u8>(R::get(c, i.rm));
    const u64 rdi_value = c.state.gpr[rdi];
    const u64 offset = i.asize == 8   ? rdi_value
                       : i.asize == 4 ? static_cast<u32>(rdi_value)
                                      : static_cast<u16>(rdi_value);
    unsigned first = N, last = 0;
    for (unsigned k = 0; k < N; ++k) {
        if (!(mask[k] & 0x80)) continue;
        if (first == N) first = k;
        last = k;
    }
    if (first < N) {
        u64 a, end;
        if (!c.linear(i.seg, offset + first, 1, Access::write, a)) return false;
        if (!c.linear(i.seg, offset + last, 1, Access::write, end)) return false;
        if (!c.probe_write(a, last - first + 1)) return false;
        for (unsigned k = first; k <= last; ++k) {
            if ((mask[k] & 0x80) && !c.store(i.seg, offset + k, data[k])) return false;
        }
    }
    R::enter(c);
    return true;
}

}  // namespace

Handler move_handler(const Insn& i) {
    switch (i.op) {
        case Op::EMMS:
            return &emms;
        case Op::MOVD:
            return pick_general<u32>(i);
        case Op::MOVQ:
            return pick_movq(i);
        case Op::MOVAPS:
        case Op::MOVAPD:
        case Op::MOVDQA:
        case Op::MOVNTPS:
        case Op::MOVNTPD:
        case Op::MOVNTDQ:
        case Op::MOVNTDQA:
            return pick_full<true>(i);
        case Op::MOVUPS:
        case Op::MOVUPD:
        case Op::MOVDQU:
        case Op::LDDQU:
            return pick_full<false>(i);
        case Op::MOVSS:
            return pick_scalar<u32>(i);
        case Op::MOVSD_X:
            return pick_scalar<u64>(i);
        case Op::MOVLPS:
        case Op::MOVLPD:
            return pick_half<0>(i);
        case Op::MOVHPS:
        case Op::MOVHPD:
            return pick_half<1>(i);
        case Op::MOVHLPS:
            return pick_move_half<0, 1>(i);
        case Op::MOVLHPS:
            return pick_move_half<1, 0>(i);
        case Op::MOVDDUP:
            return by_form(i, []<class R, bool Memory>() -> Handler { return &movddup<R, Memory>; });
        case Op::MOVNTQ:
            return &mmx_store<u64, true, false>;
        case Op::MOVDQ2Q:
            return &movdq2q;
        case Op::MOVQ2DQ:
            return &movq2dq;
        case Op::MOVMSKPS:
            return pick_movmsk<u32>(i);
        case Op::MOVMSKPD:
            return pick_movmsk<u64>(i);
        case Op::PMOVMSKB:
            return uses_mmx(i) ? &movmsk<u8, MmxForm> : pick_movmsk<u8>(i);
        case Op::MASKMOVQ:
            return &mask_move<MmxForm>;
        case Op::MASKMOVDQU:
            return by_form128(i, []<class R, bool Memory>() -> Handler { return &mask_move<R>; });
        default:
            return nullptr;
    }
}

}  // namespace mynah::sse
