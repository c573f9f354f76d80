#include "cpu/semantics/alu.h"
#include "cpu/interp/families.h"

namespace mynah {

namespace {

// The six encodings of the eight operations: 00-3F by column, 80-83.
template <class F>
Steps binary(const Insn& i, F f) {
    return with_size(i.osize, [&]<class T>() -> Steps {
        if (i.opcode >= 0x80)
            return with_rm<T>(i,
                              [&]<class D>() -> Steps { return f.template operator()<T, D, Immediate>(); });
        switch (i.opcode & 7) {
            case 0:
            case 1:
                return with_rm<T>(
                    i, [&]<class D>() -> Steps { return f.template operator()<T, D, RegField>(); });
            case 2:
            case 3:
                return with_rm<T>(
                    i, [&]<class S>() -> Steps { return f.template operator()<T, RegField, S>(); });
            default:
                return f.template operator()<T, Fixed<rax>, Immediate>();
        }
    });
}

}  // namespace

Steps alu_step(const Insn& i) {
    switch (i.op) {
        case Op::ADD:
            return binary(i, []<class T, class D, class S>() -> Steps {
                return {fast_step<&semantics::add<T, D, S, Fast>>,
                        slow_step<&semantics::add<T, Any<D>, Any<S>, Slow>>,
                        record_step<&semantics::add<T, Any<D>, Any<S>, Recorder>>};
            });
        case Op::ADC:
            return binary(i, []<class T, class D, class S>() -> Steps {
                return {fast_step<&semantics::adc<T, D, S, Fast>>,
                        slow_step<&semantics::adc<T, Any<D>, Any<S>, Slow>>,
                        record_step<&semantics::adc<T, Any<D>, Any<S>, Recorder>>};
            });
        case Op::SUB:
            return binary(i, []<class T, class D, class S>() -> Steps {
                return {fast_step<&semantics::sub<T, D, S, Fast>>,
                        slow_step<&semantics::sub<T, Any<D>, Any<S>, Slow>>,
                        record_step<&semantics::sub<T, Any<D>, Any<S>, Recorder>>};
            });
        case Op::SBB:
            return binary(i, []<class T, class D, class S>() -> Steps {
                return {fast_step<&semantics::sbb<T, D, S, Fast>>,
                        slow_step<&semantics::sbb<T, Any<D>, Any<S>, Slow>>,
                        record_step<&semantics::sbb<T, Any<D>, Any<S>, Recorder>>};
            });
        case Op::CMP:
            return binary(i, []<class T, class D, class S>() -> Steps {
                return {fast_step<&semantics::cmp<T, D, S, Fast>>,
                        slow_step<&semantics::cmp<T, Any<D>, Any<S>, Slow>>,
                        record_step<&semantics::cmp<T, Any<D>, Any<S>, Recorder>>};
            });
        case Op::AND:
            return binary(i, []<class T, class D, class S>() -> Steps {
                return {fast_step<&semantics::and_<T, D, S, Fast>>,
                        slow_step<&semantics::and_<T, Any<D>, Any<S>, Slow>>,
                        record_step<&semantics::and_<T, Any<D>, Any<S>, Recorder>>};
            });
        case Op::OR:
            return binary(i, []<class T, class D, class S>() -> Steps {
                return {fast_step<&semantics::or_<T, D, S, Fast>>,
                        slow_step<&semantics::or_<T, Any<D>, Any<S>, Slow>>,
                        record_step<&semantics::or_<T, Any<D>, Any<S>, Recorder>>};
            });
        case Op::XOR:
            return binary(i, []<class T, class D, class S>() -> Steps {
                return {fast_step<&semantics::xor_<T, D, S, Fast>>,
                        slow_step<&semantics::xor_<T, Any<D>, Any<S>, Slow>>,
                        record_step<&semantics::xor_<T, Any<D>, Any<S>, Recorder>>};
            });
        default:
            return {};
    }
}

}  // namespace mynah
