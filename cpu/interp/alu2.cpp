#include "cpu/interp/families.h"
#include "cpu/semantics/alu.h"

namespace mynah {

namespace {

template <class F>
Steps unary(const Insn& i, F f) {
    return with_size(i.osize, [&]<class T>() -> Steps {
        // 40-4F: the register in the opcode.
        if (i.opcode < 0x80) return f.template operator()<T, RegField>();
        return with_rm<T>(i, [&]<class D>() -> Steps { return f.template operator()<T, D>(); });
    });
}

Steps test_steps(const Insn& i) {
    return with_size(i.osize, [&]<class T>() -> Steps {
        auto f = []<class U, class D, class S>() -> Steps {
            return {fast_step<&semantics::test<U, D, S, Fast>>,
                    slow_step<&semantics::test<U, Any<D>, S, Slow>>,
                    record_step<&semantics::test<U, Any<D>, S, Recorder>>};
        };
        if (i.opcode == 0xA8 || i.opcode == 0xA9) return f.template operator()<T, Fixed<rax>, Immediate>();
        if (i.opcode == 0x84 || i.opcode == 0x85)
            return with_rm<T>(i, [&]<class D>() -> Steps { return f.template operator()<T, D, RegField>(); });
        return with_rm<T>(i, [&]<class D>() -> Steps { return f.template operator()<T, D, Immediate>(); });
    });
}

}  // namespace

Steps alu2_step(const Insn& i) {
    switch (i.op) {
        case Op::TEST:
            return test_steps(i);
        case Op::INC:
            return unary(i, []<class T, class D>() -> Steps {
                return {fast_step<&semantics::inc<T, D, Fast>>, slow_step<&semantics::inc<T, Any<D>, Slow>>,
                        record_step<&semantics::inc<T, Any<D>, Recorder>>};
            });
        case Op::DEC:
            return unary(i, []<class T, class D>() -> Steps {
                return {fast_step<&semantics::dec<T, D, Fast>>, slow_step<&semantics::dec<T, Any<D>, Slow>>,
                        record_step<&semantics::dec<T, Any<D>, Recorder>>};
            });
        case Op::NEG:
            return unary(i, []<class T, class D>() -> Steps {
                return {fast_step<&semantics::neg<T, D, Fast>>, slow_step<&semantics::neg<T, Any<D>, Slow>>,
                        record_step<&semantics::neg<T, Any<D>, Recorder>>};
            });
        case Op::NOT:
            return unary(i, []<class T, class D>() -> Steps {
                return {fast_step<&semantics::not_<T, D, Fast>>, slow_step<&semantics::not_<T, Any<D>, Slow>>,
                        record_step<&semantics::not_<T, Any<D>, Recorder>>};
            });
        default:
            return {};
    }
}

}  // namespace mynah
