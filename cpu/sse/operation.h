// From an operation on values to the functions that execute it: on MMX or XMM registers, from a register or
// memory. An operation is a struct with  template <unsigned N> static Vec<N> apply(Vec<N> a, Vec<N> b, u8
// immediate).
#pragma once

#include "cpu/sse/access.h"

namespace mynah::sse {

template <class F, unsigned N, bool Memory>
bool execute(Core& c, const Insn& i) {
    using R = Registers<N>;
    if (!R::ready(c)) return false;
    Vec<N> b;
    if (!load_rm<Memory>(c, i, b)) return false;
    R::enter(c);
    R::set(c, i.reg, F::template apply<N>(R::get(c, i.reg), b, static_cast<u8>(i.imm)));
    return true;
}

template <class F, unsigned N>
Handler pick_width(const Insn& i) {
    return i.memory() ? &execute<F, N, true> : &execute<F, N, false>;
}
// Operations that exist on both kinds of register.
template <class F>
Handler pick(const Insn& i) {
    return uses_mmx(i) ? pick_width<F, 8>(i) : pick_width<F, 16>(i);
}
// XMM only.
template <class F>
Handler pick_xmm(const Insn& i) {
    return pick_width<F, 16>(i);
}

}  // namespace mynah::sse
