// Addition, subtraction and logic (SDM vol. 2: ADD, ADC, SUB, SBB, CMP, AND, OR, XOR, TEST, INC, DEC, NEG,
// NOT). AF after a logical operation, undefined in the SDM, is 0 here.
//
// T is the operand type, D the destination's place, S the source's, E the engine. One engine call a
// statement.
#pragma once

#include "cpu/semantics/operands.h"

namespace mynah::semantics {

template <class T, class D, class S, class E>
[[gnu::always_inline]] inline bool add(E& e, const Insn& i) {
    typename E::template V<T> a{}, b{};
    if (!e.template get<T>(S{}, i, b)) return false;
    if (!e.template get_for_update<T>(D{}, i, a)) return false;
    const auto r = e.template add<T>(a, b);
    e.template put_back<T>(D{}, i, r);
    e.template flags_add<T>(a, b, r);
    return true;
}

template <class T, class D, class S, class E>
[[gnu::always_inline]] inline bool adc(E& e, const Insn& i) {
    typename E::template V<T> a{}, b{};
    if (!e.template get<T>(S{}, i, b)) return false;
    if (!e.template get_for_update<T>(D{}, i, a)) return false;
    const auto carry = e.template carry<T>();
    const auto sum = e.template add<T>(a, b);
    const auto r = e.template add<T>(sum, carry);
    e.template put_back<T>(D{}, i, r);
    e.template flags_add<T>(a, b, r);
    return true;
}

template <class T, class D, class S, class E>
[[gnu::always_inline]] inline bool sub(E& e, const Insn& i) {
    typename E::template V<T> a{}, b{};
    if (!e.template get<T>(S{}, i, b)) return false;
    if (!e.template get_for_update<T>(D{}, i, a)) return false;
    const auto r = e.template sub<T>(a, b);
    e.template put_back<T>(D{}, i, r);
    e.template flags_sub<T>(a, b, r);
    return true;
}

template <class T, class D, class S, class E>
[[gnu::always_inline]] inline bool sbb(E& e, const Insn& i) {
    typename E::template V<T> a{}, b{};
    if (!e.template get<T>(S{}, i, b)) return false;
    if (!e.template get_for_update<T>(D{}, i, a)) return false;
    const auto borrow = e.template carry<T>();
    const auto difference = e.template sub<T>(a, b);
    const auto r = e.template sub<T>(difference, borrow);
    e.template put_back<T>(D{}, i, r);
    e.template flags_sub<T>(a, b, r);
    return true;
}

template <class T, class D, class S, class E>
[[gnu::always_inline]] inline bool cmp(E& e, const Insn& i) {
    typename E::template V<T> a{}, b{};
    if (!e.template get<T>(D{}, i, a)) return false;
    if (!e.template get<T>(S{}, i, b)) return false;
    const auto r = e.template sub<T>(a, b);
    e.template flags_sub<T>(a, b, r);
    return true;
}

template <class T, class D, class S, class E>
[[gnu::always_inline]] inline bool and_(E& e, const Insn& i) {
    typename E::template V<T> a{}, b{};
    if (!e.template get<T>(S{}, i, b)) return false;
    if (!e.template get_for_update<T>(D{}, i, a)) return false;
    const auto r = e.template bit_and<T>(a, b);
    e.template put_back<T>(D{}, i, r);
    e.template flags_logic<T>(r);
    return true;
}

template <class T, class D, class S, class E>
[[gnu::always_inline]] inline bool or_(E& e, const Insn& i) {
    typename E::template V<T> a{}, b{};
    if (!e.template get<T>(S{}, i, b)) return false;
    if (!e.template get_for_update<T>(D{}, i, a)) return false;
    const auto r = e.template bit_or<T>(a, b);
    e.template put_back<T>(D{}, i, r);
    e.template flags_logic<T>(r);
    return true;
}

template <class T, class D, class S, class E>
[[gnu::always_inline]] inline bool xor_(E& e, const Insn& i) {
    typename E::template V<T> a{}, b{};
    if (!e.template get<T>(S{}, i, b)) return false;
    if (!e.template get_for_update<T>(D{}, i, a)) return false;
    const auto r = e.template bit_xor<T>(a, b);
    e.template put_back<T>(D{}, i, r);
    e.template flags_logic<T>(r);
    return true;
}

template <class T, class D, class S, class E>
[[gnu::always_inline]] inline bool test(E& e, const Insn& i) {
    typename E::template V<T> a{}, b{};
    if (!e.template get<T>(D{}, i, a)) return false;
    if (!e.template get<T>(S{}, i, b)) return false;
    const auto r = e.template bit_and<T>(a, b);
    e.template flags_logic<T>(r);
    return true;
}

template <class T, class D, class E>
[[gnu::always_inline]] inline bool inc(E& e, const Insn& i) {
    typename E::template V<T> a{};
    if (!e.template get_for_update<T>(D{}, i, a)) return false;
    const auto one = e.template constant<T>(1);
    const auto r = e.template add<T>(a, one);
    e.template put_back<T>(D{}, i, r);
    e.template flags_add_keep_carry<T>(a, one, r);
    return true;
}

template <class T, class D, class E>
[[gnu::always_inline]] inline bool dec(E& e, const Insn& i) {
    typename E::template V<T> a{};
    if (!e.template get_for_update<T>(D{}, i, a)) return false;
    const auto one = e.template constant<T>(1);
    const auto r = e.template sub<T>(a, one);
    e.template put_back<T>(D{}, i, r);
    e.template flags_sub_keep_carry<T>(a, one, r);
    return true;
}

template <class T, class D, class E>
[[gnu::always_inline]] inline bool neg(E& e, const Insn& i) {
    typename E::template V<T> a{};
    if (!e.template get_for_update<T>(D{}, i, a)) return false;
    const auto zero = e.template constant<T>(0);
    const auto r = e.template sub<T>(zero, a);
    e.template put_back<T>(D{}, i, r);
    e.template flags_sub<T>(zero, a, r);
    return true;
}

template <class T, class D, class E>
[[gnu::always_inline]] inline bool not_(E& e, const Insn& i) {
    typename E::template V<T> a{};
    if (!e.template get_for_update<T>(D{}, i, a)) return false;
    const auto r = e.template bit_not<T>(a);
    e.template put_back<T>(D{}, i, r);
    return true;
}

}  // namespace mynah::semantics
