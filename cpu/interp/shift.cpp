#include "cpu/semantics/shift.h"
#include "cpu/interp/families.h"

namespace mynah {

namespace {

using semantics::BitKind;
using semantics::ShiftKind;

template <class T, ShiftKind kind, class D, class S>
Steps shift() {
    return {fast_step<&semantics::shift<T, kind, D, S, Fast>>,
            slow_step<&semantics::shift<T, kind, D, S, Slow>>,
            record_step<&semantics::shift<T, kind, D, S, Recorder>>};
}

// C0, C1: by an immediate; D0, D1: by one (the decoder gives imm = 1); D2, D3: by CL.
template <ShiftKind kind>
Steps shift_steps(const Insn& i) {
    return with_size(i.osize, [&]<class T>() -> Steps {
        using M = Memory<Form::any>;
        if (i.opcode >= 0xD2)
            return i.memory() ? shift<T, kind, M, Fixed<rcx>>() : shift<T, kind, RmField, Fixed<rcx>>();
        return i.memory() ? shift<T, kind, M, Immediate>() : shift<T, kind, RmField, Immediate>();
    });
}

template <class T, bool left, class D, class S>
Steps double_shift() {
    return {fast_step<&semantics::double_shift<T, left, D, S, Fast>>,
            slow_step<&semantics::double_shift<T, left, D, S, Slow>>,
            record_step<&semantics::double_shift<T, left, D, S, Recorder>>};
}

template <bool left>
Steps double_shift_steps(const Insn& i) {
    return with_word_size(i.osize, [&]<class T>() -> Steps {
        using M = Memory<Form::any>;
        const bool by_cl = i.opcode & 1;
        if (by_cl) {
            return i.memory() ? double_shift<T, left, M, Fixed<rcx>>()
                              : double_shift<T, left, RmField, Fixed<rcx>>();
        }
        return i.memory() ? double_shift<T, left, M, Immediate>()
                          : double_shift<T, left, RmField, Immediate>();
    });
}

template <class T, BitKind kind, class D, class S>
Steps bit_test() {
    return {fast_step<&semantics::bit_test<T, kind, D, S, Fast>>,
            slow_step<&semantics::bit_test<T, kind, D, S, Slow>>,
            record_step<&semantics::bit_test<T, kind, D, S, Recorder>>};
}

// Memory with a bit number in a register reaches far: see bit_string() in integer.cpp.
template <BitKind kind>
Steps bit_steps(const Insn& i) {
    return with_word_size(i.osize, [&]<class T>() -> Steps {
        if (i.opcode == 0xBA) {
            if (i.memory()) return bit_test<T, kind, Memory<Form::any>, Immediate>();
            return bit_test<T, kind, RmField, Immediate>();
        }
        if (i.memory()) return {};
        return bit_test<T, kind, RmField, RegField>();
    });
}

template <class T, class A, class B>
Steps imul() {
    return {fast_step<&semantics::imul<T, A, B, Fast>>, slow_step<&semantics::imul<T, A, Any<B>, Slow>>,
            record_step<&semantics::imul<T, A, Any<B>, Recorder>>};
}

}  // namespace

Steps shift_step(const Insn& i) {
    switch (i.op) {
        case Op::ROL:
            return shift_steps<ShiftKind::rol>(i);
        case Op::ROR:
            return shift_steps<ShiftKind::ror>(i);
        case Op::RCL:
            return shift_steps<ShiftKind::rcl>(i);
        case Op::RCR:
            return shift_steps<ShiftKind::rcr>(i);
        case Op::SHL:
            return shift_steps<ShiftKind::shl>(i);
        case Op::SHR:
            return shift_steps<ShiftKind::shr>(i);
        case Op::SAR:
            return shift_steps<ShiftKind::sar>(i);
        case Op::SHLD:
            return double_shift_steps<true>(i);
        case Op::SHRD:
            return double_shift_steps<false>(i);
        case Op::BT:
            return bit_steps<BitKind::test>(i);
        case Op::BTS:
            return bit_steps<BitKind::set>(i);
        case Op::BTR:
            return bit_steps<BitKind::reset>(i);
        case Op::BTC:
            return bit_steps<BitKind::complement>(i);
        case Op::IMUL2:
            return with_word_size(i.osize, [&]<class T>() -> Steps {
                return with_rm<u64>(i, []<class S>() -> Steps { return imul<T, RegField, S>(); });
            });
        case Op::IMUL3:
            return with_word_size(i.osize, [&]<class T>() -> Steps {
                return with_rm<u64>(i, []<class S>() -> Steps { return imul<T, Immediate, S>(); });
            });
        default:
            return {};
    }
}

}  // namespace mynah
