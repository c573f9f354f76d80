// Shifts, rotates, bit tests and multiplication by two operands (SDM vol. 2: SHL, SHR, SAR, ROL, ROR, RCL,
// RCR, SHLD, SHRD, BT, BTS, BTR, BTC, IMUL).
//
// Where the SDM leaves flags undefined: OF of a shift or rotate by more than one follows the formula for one,
// applied to the result; AF is 0; CF of a shift by more than the operand's width is 0 (SHL, SHR) or the sign
// (SAR); BT and its kin leave SF, ZF, AF, PF and OF alone; IMUL sets SF, ZF and PF of the low half and clears
// AF. SHLD and SHRD of 16 bits by more than 16 shift the destination in again behind the source.
#pragma once

#include "cpu/semantics/operands.h"

namespace mynah::semantics {

enum class ShiftKind : u8 { rol, ror, rcl, rcr, shl, shr, sar };
enum class BitKind : u8 { test, set, reset, complement };

// D is shifted by S (CL or an immediate), masked to 5 or 6 bits.
template <class T, ShiftKind kind, class D, class S, class E>
[[gnu::always_inline]] inline bool shift(E& e, const Insn& i) {
    typename E::template V<T> a{};
    typename E::template V<u8> n{};
    if (!e.template get<u8>(S{}, i, n)) return false;
    if (!e.template get_for_update<T>(D{}, i, a)) return false;
    const auto count = e.template bit_and<u8>(n, sizeof(T) == 8 ? 63 : 31);
    const auto r = e.template shift<kind, T>(a, count);
    e.template put_back<T>(D{}, i, r);
    return true;
}

// Left: SHLD, else SHRD.
template <class T, bool left, class D, class S, class E>
[[gnu::always_inline]] inline bool double_shift(E& e, const Insn& i) {
    typename E::template V<T> a{}, b{};
    typename E::template V<u8> n{};
    if (!e.template get<u8>(S{}, i, n)) return false;
    if (!e.template get<T>(RegField{}, i, b)) return false;
    if (!e.template get_for_update<T>(D{}, i, a)) return false;
    const auto count = e.template bit_and<u8>(n, sizeof(T) == 8 ? 63 : 31);
    const auto r = e.template double_shift<left, T>(a, b, count);
    e.template put_back<T>(D{}, i, r);
    return true;
}

// Registers, and memory with an immediate bit number, which is cut to the operand.
template <class T, BitKind kind, class D, class S, class E>
[[gnu::always_inline]] inline bool bit_test(E& e, const Insn& i) {
    typename E::template V<T> a{}, n{};
    if (!e.template get<T>(S{}, i, n)) return false;
    if constexpr (kind == BitKind::test) {
        if (!e.template get<T>(D{}, i, a)) return false;
    } else {
        if (!e.template get_for_update<T>(D{}, i, a)) return false;
    }
    const auto number = e.template bit_and<T>(n, sizeof(T) * 8 - 1);
    const auto mask = e.template one_bit<T>(number);
    e.template carry_from<T>(a, number);
    if constexpr (kind == BitKind::set) {
        const auto r = e.template bit_or<T>(a, mask);
        e.template put_back<T>(D{}, i, r);
    } else if constexpr (kind == BitKind::reset) {
        const auto inverse = e.template bit_not<T>(mask);
        const auto r = e.template bit_and<T>(a, inverse);
        e.template put_back<T>(D{}, i, r);
    } else if constexpr (kind == BitKind::complement) {
        const auto r = e.template bit_xor<T>(a, mask);
        e.template put_back<T>(D{}, i, r);
    }
    return true;
}

// reg = A * B.
template <class T, class A, class B, class E>
[[gnu::always_inline]] inline bool imul(E& e, const Insn& i) {
    typename E::template V<T> a{}, b{};
    if (!e.template get<T>(A{}, i, a)) return false;
    if (!e.template get<T>(B{}, i, b)) return false;
    const auto r = e.template imul<T>(a, b);
    return e.template put<T>(RegField{}, i, r);
}

}  // namespace mynah::semantics
