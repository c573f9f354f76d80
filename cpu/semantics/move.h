// Moves, stack and address arithmetic (SDM vol. 2: MOV, MOVZX, MOVSX, LEA, XCHG, CMOVcc, SETcc, PUSH, POP,
// LEAVE, CBW, CWD). Parameters as in alu.h.
#pragma once

#include "cpu/semantics/operands.h"

namespace mynah::semantics {

template <class T, class D, class S, class E>
[[gnu::always_inline]] inline bool mov(E& e, const Insn& i) {
    typename E::template V<T> v{};
    if (!e.template get<T>(S{}, i, v)) return false;
    return e.template put<T>(D{}, i, v);
}

template <class T, class From, class S, class E>
[[gnu::always_inline]] inline bool movzx(E& e, const Insn& i) {
    typename E::template V<From> v{};
    if (!e.template get<From>(S{}, i, v)) return false;
    const auto r = e.template zero_extend<T, From>(v);
    return e.template put<T>(RegField{}, i, r);
}

template <class T, class From, class S, class E>
[[gnu::always_inline]] inline bool movsx(E& e, const Insn& i) {
    typename E::template V<From> v{};
    if (!e.template get<From>(S{}, i, v)) return false;
    const auto r = e.template sign_extend<T, From>(v);
    return e.template put<T>(RegField{}, i, r);
}

template <class T, class M, class E>
[[gnu::always_inline]] inline bool lea(E& e, const Insn& i) {
    const auto a = e.address(M{}, i);
    const auto r = e.template zero_extend<T, u64>(a);
    return e.template put<T>(RegField{}, i, r);
}

template <class T, class D, class S, class E>
[[gnu::always_inline]] inline bool xchg(E& e, const Insn& i) {
    typename E::template V<T> a{}, b{};
    if (!e.template get<T>(S{}, i, b)) return false;
    if (!e.template get_for_update<T>(D{}, i, a)) return false;
    e.template put_back<T>(D{}, i, b);
    return e.template put<T>(S{}, i, a);
}

// The source is read, and may fault, whatever the condition; a 32-bit destination is cleared above in any
// case.
template <class T, unsigned cc, class S, class E>
[[gnu::always_inline]] inline bool cmov(E& e, const Insn& i) {
    typename E::template V<T> a{}, b{};
    if (!e.template get<T>(S{}, i, b)) return false;
    if (!e.template get<T>(RegField{}, i, a)) return false;
    const auto yes = e.template condition<cc>();
    const auto r = e.template select<T>(yes, b, a);
    return e.template put<T>(RegField{}, i, r);
}

template <unsigned cc, class D, class E>
[[gnu::always_inline]] inline bool setcc(E& e, const Insn& i) {
    const auto yes = e.template condition<cc>();
    const auto one = e.template constant<u8>(1);
    const auto zero = e.template constant<u8>(0);
    const auto r = e.template select<u8>(yes, one, zero);
    return e.template put<u8>(D{}, i, r);
}

template <class T, unsigned stack, class S, class E>
[[gnu::always_inline]] inline bool push(E& e, const Insn& i) {
    typename E::template V<T> v{};
    if (!e.template get<T>(S{}, i, v)) return false;
    return e.template push<T, stack>(v);
}

// Registers only: the address of a memory operand counts the new stack pointer (see pop_memory).
template <class T, unsigned stack, class D, class E>
[[gnu::always_inline]] inline bool pop(E& e, const Insn& i) {
    typename E::template V<T> v{};
    if (!e.template pop<T, stack>(v)) return false;
    return e.template put<T>(D{}, i, v);
}

// SP from BP, then pop BP; nothing moves when the pop faults.
template <class T, unsigned stack, class E>
[[gnu::always_inline]] inline bool leave(E& e, const Insn& i) {
    const auto frame = e.template frame_pointer<stack>();
    typename E::template V<T> v{};
    if (!e.template load<T>(Seg::ss, frame, v)) return false;
    e.template set_sp<stack>(frame + sizeof(T));
    return e.template put<T>(Fixed<rbp>{}, i, v);
}

// CBW, CWDE, CDQE: T from its lower half From.
template <class T, class From, class E>
[[gnu::always_inline]] inline bool widen_accumulator(E& e, const Insn& i) {
    typename E::template V<From> v{};
    if (!e.template get<From>(Fixed<rax>{}, i, v)) return false;
    const auto r = e.template sign_extend<T, From>(v);
    return e.template put<T>(Fixed<rax>{}, i, r);
}

// CWD, CDQ, CQO.
template <class T, class E>
[[gnu::always_inline]] inline bool sign_to_dx(E& e, const Insn& i) {
    typename E::template V<T> v{};
    if (!e.template get<T>(Fixed<rax>{}, i, v)) return false;
    const auto r = e.template sign_fill<T>(v);
    return e.template put<T>(Fixed<rdx>{}, i, r);
}

}  // namespace mynah::semantics
