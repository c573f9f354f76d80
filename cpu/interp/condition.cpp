#include "cpu/interp/families.h"
#include "cpu/semantics/move.h"

namespace mynah {

namespace {

// f.operator()<cc>() for a condition code known when the block is made.
template <unsigned cc = 0, class F>
Steps with_condition(unsigned n, F f) {
    if constexpr (cc == 15) {
        return f.template operator()<15>();
    } else {
        return n == cc ? f.template operator()<cc>() : with_condition<cc + 1>(n, f);
    }
}

}  // namespace

Steps condition_step(const Insn& i) {
    if (i.op == Op::CMOVCC) {
        return with_condition(i.cond, [&]<unsigned cc>() -> Steps {
            return with_word_size(i.osize, [&]<class T>() -> Steps {
                if (!i.memory())
                    return {fast_step<&semantics::cmov<T, cc, RmField, Fast>>,
                            slow_step<&semantics::cmov<T, cc, RmField, Slow>>,
                            record_step<&semantics::cmov<T, cc, RmField, Recorder>>};
                using M = Memory<Form::any>;
                return {fast_step<&semantics::cmov<T, cc, M, Fast>>,
                        slow_step<&semantics::cmov<T, cc, M, Slow>>,
                        record_step<&semantics::cmov<T, cc, M, Recorder>>};
            });
        });
    }
    if (i.op == Op::SETCC) {
        return with_condition(i.cond, [&]<unsigned cc>() -> Steps {
            if (!i.memory())
                return {fast_step<&semantics::setcc<cc, RmField, Fast>>,
                        slow_step<&semantics::setcc<cc, RmField, Slow>>,
                        record_step<&semantics::setcc<cc, RmField, Recorder>>};
            using M = Memory<Form::any>;
            return {fast_step<&semantics::setcc<cc, M, Fast>>, slow_step<&semantics::setcc<cc, M, Slow>>,
                    record_step<&semantics::setcc<cc, M, Recorder>>};
        });
    }
    return {};
}

}  // namespace mynah
