// From an operation on values to the functions that execute it: on MMX, XMM or YMM registers, from a register
// or memory. An operation is a struct with  template <unsigned N> static Vec<N> apply(Vec<N> a, Vec<N> b, u8
// immediate)  for N = 8 or 16. 256-bit forms do it in both halves; `upper_immediate`, if there is one, is the
// number of the immediate's bits that belong to the lower half alone.
#pragma once

#include "cpu/sse/access.h"

namespace mynah::sse {

template <class F, unsigned N>
Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8 immediate) {
    if constexpr (N == 32) {
        u8 upper = immediate;
        if constexpr (requires { F::upper_immediate; })
            upper = static_cast<u8>(immediate >> F::upper_immediate);
        return join(F::template apply<16>(low_half(a), low_half(b), immediate),
                    F::template apply<16>(high_half(a), high_half(b), upper));
    } else {
        return F::template apply<N>(a, b, immediate);
    }
}

template <class F, class R, bool Memory>
bool execute(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    Value<R> b;
    if (!load_rm<R, Memory>(c, i, b)) return false;
    R::enter(c);
    R::set(c, i.reg, apply<F>(R::get(c, R::first(i)), b, static_cast<u8>(i.imm)));
    return true;
}

// MMX only.
template <class F>
Handler pick_mmx(const Insn& i) {
    return i.memory() ? &execute<F, MmxForm, true> : &execute<F, MmxForm, false>;
}
// XMM and YMM only.
template <class F>
Handler pick_xmm(const Insn& i) {
    return by_form(i, []<class R, bool Memory>() -> Handler { return &execute<F, R, Memory>; });
}
// XMM only.
template <class F>
Handler pick_xmm128(const Insn& i) {
    return by_form128(i, []<class R, bool Memory>() -> Handler { return &execute<F, R, Memory>; });
}
// Operations that exist on all kinds of register.
template <class F>
Handler pick(const Insn& i) {
    return uses_mmx(i) ? pick_mmx<F>(i) : pick_xmm<F>(i);
}

}  // namespace mynah::sse
