#include "cpu/interp/families.h"
#include "cpu/semantics/move.h"

namespace mynah {

namespace {

// f.operator()<T, stack pointer size>().
template <class F>
Steps with_stack(const Insn& i, Site s, F f) {
    return with_word_size(i.osize, [&]<class T>() -> Steps {
        if (s.stack_size == 8) return f.template operator()<T, 8>();
        if constexpr (sizeof(T) != 8) {
            if (s.stack_size == 4) return f.template operator()<T, 4>();
            return f.template operator()<T, 2>();
        }
        return {};
    });
}

template <class T, unsigned stack, class S>
Steps push() {
    return {fast_step<&semantics::push<T, stack, S, Fast>>,
            slow_step<&semantics::push<T, stack, Any<S>, Slow>>,
            record_step<&semantics::push<T, stack, Any<S>, Recorder>>};
}

template <class T, unsigned stack, class D>
Steps pop() {
    return {fast_step<&semantics::pop<T, stack, D, Fast>>, slow_step<&semantics::pop<T, stack, D, Slow>>,
            record_step<&semantics::pop<T, stack, D, Recorder>>};
}

}  // namespace

Steps stack_step(const Insn& i, Site s) {
    if (i.op == Op::PUSH) {
        return with_stack(i, s, [&]<class T, unsigned stack>() -> Steps {
            if (i.opcode >= 0x50 && i.opcode <= 0x57) return push<T, stack, RegField>();
            if (i.opcode == 0x68 || i.opcode == 0x6A) return push<T, stack, Immediate>();
            if (!i.memory()) return push<T, stack, RmField>();
            return push<T, stack, Memory<Form::any>>();
        });
    }
    if (i.op == Op::POP && !i.memory()) {
        return with_stack(i, s, [&]<class T, unsigned stack>() -> Steps {
            if (i.opcode >= 0x58 && i.opcode <= 0x5F) return pop<T, stack, RegField>();
            return pop<T, stack, RmField>();
        });
    }
    if (i.op == Op::LEAVE) {
        return with_stack(i, s, []<class T, unsigned stack>() -> Steps {
            return {fast_step<&semantics::leave<T, stack, Fast>>,
                    slow_step<&semantics::leave<T, stack, Slow>>,
                    record_step<&semantics::leave<T, stack, Recorder>>};
        });
    }
    return {};
}

}  // namespace mynah
