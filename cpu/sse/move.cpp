// Moves between registers and memory, MMX and XMM, and mask extraction.
#include "cpu/sse/access.h"

namespace mynah::sse {
namespace {

// --- whole XMM registers ---
bool copy(Core& c, const Insn& i) {
    if (!sse_ready(c)) return false;
    set_xmm(c, i.reg, xmm(c, i.rm));
    return true;
}
bool copy_back(Core& c, const Insn& i) {
    if (!sse_ready(c)) return false;
    set_xmm(c, i.rm, xmm(c, i.reg));
    return true;
}
template <bool Aligned>
bool load(Core& c, const Insn& i) {
    Xmm v;
    if (!sse_ready(c)) return false;
    if (!(Aligned ? load_aligned(c, i, v) : c.load_operand(i, v))) return false;
    set_xmm(c, i.reg, v);
    return true;
}
template <bool Aligned>
bool store(Core& c, const Insn& i) {
    if (!sse_ready(c)) return false;
    return Aligned ? store_aligned(c, i, xmm(c, i.reg)) : c.store_operand(i, xmm(c, i.reg));
}

// The operand that is written comes first in the row; here that tells loads from stores.
bool is_store(const Insn& i) {
    const OperandKind k = row_of(i).operands[0].kind;
    return k == OperandKind::W || k == OperandKind::M || k == OperandKind::E || k == OperandKind::Q;
}

template <bool Aligned>
Handler pick_full(const Insn& i) {
    if (!i.memory()) return is_store(i) ? &copy_back : &copy;
    return is_store(i) ? &store<Aligned> : &load<Aligned>;
}

// --- the low lane: loads clear the rest, register moves keep it ---
template <class T>
bool load_scalar(Core& c, const Insn& i) {
    T v;
    if (!sse_ready(c) || !c.load_operand(i, v)) return false;
    set_xmm(c, i.reg, Xmm{{v, 0}});
    return true;
}
template <class T>
bool store_scalar(Core& c, const Insn& i) {
    return sse_ready(c) && c.store_operand(i, static_cast<T>(c.state.vec[i.reg].q[0]));
}
template <class T>
void set_low(Core& c, unsigned n, T v) {
    if constexpr (sizeof(T) == 8)
        c.state.vec[n].q[0] = v;
    else
        c.state.vec[n].q[0] = (c.state.vec[n].q[0] & ~u64{0xFFFFFFFF}) | v;
}
template <class T, bool Back>
bool move_scalar(Core& c, const Insn& i) {
    if (!sse_ready(c)) return false;
    const unsigned to = Back ? i.rm : i.reg, from = Back ? i.reg : i.rm;
    set_low(c, to, static_cast<T>(c.state.vec[from].q[0]));
    return true;
}
template <class T>
Handler pick_scalar(const Insn& i) {
    if (i.memory()) return is_store(i) ? &store_scalar<T> : &load_scalar<T>;
    return is_store(i) ? &move_scalar<T, true> : &move_scalar<T, false>;
}
// MOVQ between XMM registers clears the upper half.
template <bool Back>
bool move_quad(Core& c, const Insn& i) {
    if (!sse_ready(c)) return false;
    const unsigned to = Back ? i.rm : i.reg, from = Back ? i.reg : i.rm;
    set_xmm(c, to, Xmm{{c.state.vec[from].q[0], 0}});
    return true;
}

// --- halves ---
template <unsigned Half>
bool load_half(Core& c, const Insn& i) {
    u64 v;
    if (!sse_ready(c) || !c.load_operand(i, v)) return false;
    c.state.vec[i.reg].q[Half] = v;
    return true;
}
template <unsigned Half>
bool store_half(Core& c, const Insn& i) {
    return sse_ready(c) && c.store_operand(i, c.state.vec[i.reg].q[Half]);
}
template <unsigned Half>
Handler pick_half(const Insn& i) {
    return is_store(i) ? &store_half<Half> : &load_half<Half>;
}
template <unsigned To, unsigned From>
bool move_half(Core& c, const Insn& i) {
    if (!sse_ready(c)) return false;
    c.state.vec[i.reg].q[To] = c.state.vec[i.rm].q[From];
    return true;
}
template <bool Memory>
bool movddup(Core& c, const Insn& i) {
    u64 v;
    if (!sse_ready(c) || !load_low<u64, Memory>(c, i, v)) return false;
    set_xmm(c, i.reg, Xmm{{v, v}});
    return true;
}

// --- general registers and XMM: MOVD, MOVQ (66 0F 6E, 66 0F 7E) ---
template <class T, bool Memory>
bool from_general(Core& c, const Insn& i) {
    T v;
    if (!sse_ready(c)) return false;
    if constexpr (Memory) {
        if (!c.load_operand(i, v)) return false;
    } else {
        v = static_cast<T>(c.state.gpr[i.rm]);
    }
    set_xmm(c, i.reg, Xmm{{v, 0}});
    return true;
}
template <class T, bool Memory>
bool to_general(Core& c, const Insn& i) {
    if (!sse_ready(c)) return false;
    const T v = static_cast<T>(c.state.vec[i.reg].q[0]);
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
    if (is_store(i)) return i.memory() ? &to_general<T, true> : &to_general<T, false>;
    return i.memory() ? &from_general<T, true> : &from_general<T, false>;
}

Handler pick_movq(const Insn& i) {
    switch (i.opcode) {
        case 0x6E:
        case 0x7E:
            // 66/NP 0F 6E and 7E with REX.W have a general register; F3 0F 7E has none.
            if (row_of(i).prefix != MandatoryPrefix::f3) return pick_general<u64>(i);
            return i.memory() ? &load_scalar<u64> : &move_quad<false>;
        case 0xD6:
            return i.memory() ? &store_scalar<u64> : &move_quad<true>;
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
template <class T>
bool movmsk(Core& c, const Insn& i) {
    if (!sse_ready(c)) return false;
    const auto x = lanes<T>(xmm(c, i.rm));
    u64 mask = 0;
    for (unsigned k = 0; k < x.size(); ++k) mask |= u64{x[k]} >> (8 * sizeof(T) - 1) << k;
    c.state.gpr[i.reg] = mask;
    return true;
}
bool pmovmskb_mmx(Core& c, const Insn& i) {
    if (!mmx_ready(c)) return false;
    mmx_enter(c);
    const auto x = lanes<u8>(Registers<8>::get(c, i.rm));
    u64 mask = 0;
    for (unsigned k = 0; k < 8; ++k) mask |= u64{x[k]} >> 7 << k;
    c.state.gpr[i.reg] = mask;
    return true;
}

// MASKMOVQ, MASKMOVDQU: bytes of `reg` whose mask byte has its top bit go to DS:rDI. With no bit nothing is
// touched; else everything from the first to the last such byte must be writable before any of it is written.
template <unsigned N>
bool mask_move(Core& c, const Insn& i) {
    using R = Registers<N>;
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
    const bool m = i.memory();
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
            return &move_half<0, 1>;
        case Op::MOVLHPS:
            return &move_half<1, 0>;
        case Op::MOVDDUP:
            return m ? &movddup<true> : &movddup<false>;
        case Op::MOVNTQ:
            return &mmx_store<u64, true, false>;
        case Op::MOVDQ2Q:
            return &movdq2q;
        case Op::MOVQ2DQ:
            return &movq2dq;
        case Op::MOVMSKPS:
            return &movmsk<u32>;
        case Op::MOVMSKPD:
            return &movmsk<u64>;
        case Op::PMOVMSKB:
            return uses_mmx(i) ? &pmovmskb_mmx : &movmsk<u8>;
        case Op::MASKMOVQ:
            return &mask_move<8>;
        case Op::MASKMOVDQU:
            return &mask_move<16>;
        default:
            return nullptr;
    }
}

}  // namespace mynah::sse
