#include "cpu/semantics/move.h"
#include "cpu/interp/families.h"

namespace mynah {

namespace {

template <class T, class D, class S>
Steps mov() {
    return {fast_step<&semantics::mov<T, D, S, Fast>>, slow_step<&semantics::mov<T, Any<D>, Any<S>, Slow>>,
            record_step<&semantics::mov<T, Any<D>, Any<S>, Recorder>>};
}

Steps mov_steps(const Insn& i) {
    return with_size(i.osize, [&]<class T>() -> Steps {
        if (i.opcode >= 0xB0 && i.opcode <= 0xBF) return mov<T, RegField, Immediate>();
        switch (i.opcode) {
            case 0x88:
            case 0x89:
                return with_rm<T>(i, []<class D>() -> Steps { return mov<T, D, RegField>(); });
            case 0x8A:
            case 0x8B:
                return with_rm<T>(i, []<class S>() -> Steps { return mov<T, RegField, S>(); });
            case 0xA0:
            case 0xA1:
                return mov<T, Fixed<rax>, Memory<Form::absolute>>();
            case 0xA2:
            case 0xA3:
                return mov<T, Memory<Form::absolute>, Fixed<rax>>();
            default:
                return with_rm<T>(i, []<class D>() -> Steps { return mov<T, D, Immediate>(); });
        }
    });
}

template <class From>
Steps movzx_steps(const Insn& i) {
    return with_word_size(i.osize, [&]<class T>() -> Steps {
        return with_rm<u32>(i, []<class S>() -> Steps {
            return {fast_step<&semantics::movzx<T, From, S, Fast>>,
                    slow_step<&semantics::movzx<T, From, Any<S>, Slow>>,
                    record_step<&semantics::movzx<T, From, Any<S>, Recorder>>};
        });
    });
}

template <class From>
Steps movsx_steps(const Insn& i) {
    return with_word_size(i.osize, [&]<class T>() -> Steps {
        return with_rm<u32>(i, []<class S>() -> Steps {
            return {fast_step<&semantics::movsx<T, From, S, Fast>>,
                    slow_step<&semantics::movsx<T, From, Any<S>, Slow>>,
                    record_step<&semantics::movsx<T, From, Any<S>, Recorder>>};
        });
    });
}

Steps lea_steps(const Insn& i) {
    return with_word_size(i.osize, [&]<class T>() -> Steps {
        return with_memory<u32>(i, []<class M>() -> Steps {
            return {fast_step<&semantics::lea<T, M, Fast>>, slow_step<&semantics::lea<T, Any<M>, Slow>>,
                    record_step<&semantics::lea<T, Any<M>, Recorder>>};
        });
    });
}

Steps xchg_steps(const Insn& i) {
    return with_size(i.osize, [&]<class T>() -> Steps {
        if (i.opcode >= 0x90)
            return {fast_step<&semantics::xchg<T, Fixed<rax>, RegField, Fast>>,
                    slow_step<&semantics::xchg<T, Fixed<rax>, RegField, Slow>>,
                    record_step<&semantics::xchg<T, Fixed<rax>, RegField, Recorder>>};
        return with_rm<T>(i, []<class D>() -> Steps {
            return {fast_step<&semantics::xchg<T, D, RegField, Fast>>,
                    slow_step<&semantics::xchg<T, Any<D>, RegField, Slow>>,
                    record_step<&semantics::xchg<T, Any<D>, RegField, Recorder>>};
        });
    });
}

template <class E>
bool nothing(E&, const Insn&) {
    return true;
}

}  // namespace

Steps move_step(const Insn& i) {
    switch (i.op) {
        case Op::MOV:
            return mov_steps(i);
        case Op::MOVZX:
            return i.opcode & 1 ? movzx_steps<u16>(i) : movzx_steps<u8>(i);
        case Op::MOVSX:
            return i.opcode & 1 ? movsx_steps<u16>(i) : movsx_steps<u8>(i);
        case Op::MOVSXD:
            // 63 /r without REX.W moves 16 or 32 bits as they are.
            if (i.osize == 2)
                return with_rm<u16>(i, []<class S>() -> Steps { return mov<u16, RegField, S>(); });
            if (i.osize == 4)
                return with_rm<u32>(i, []<class S>() -> Steps { return mov<u32, RegField, S>(); });
            return with_rm<u32>(i, []<class S>() -> Steps {
                return {fast_step<&semantics::movsx<u64, u32, S, Fast>>,
                        slow_step<&semantics::movsx<u64, u32, Any<S>, Slow>>,
                        record_step<&semantics::movsx<u64, u32, Any<S>, Recorder>>};
            });
        case Op::LEA:
            return lea_steps(i);
        case Op::XCHG:
            return xchg_steps(i);
        case Op::CBW:
            switch (i.osize) {
                case 2:
                    return {fast_step<&semantics::widen_accumulator<u16, u8, Fast>>,
                            slow_step<&semantics::widen_accumulator<u16, u8, Slow>>,
                            record_step<&semantics::widen_accumulator<u16, u8, Recorder>>};
                case 4:
                    return {fast_step<&semantics::widen_accumulator<u32, u16, Fast>>,
                            slow_step<&semantics::widen_accumulator<u32, u16, Slow>>,
                            record_step<&semantics::widen_accumulator<u32, u16, Recorder>>};
                default:
                    return {fast_step<&semantics::widen_accumulator<u64, u32, Fast>>,
                            slow_step<&semantics::widen_accumulator<u64, u32, Slow>>,
                            record_step<&semantics::widen_accumulator<u64, u32, Recorder>>};
            }
        case Op::CWD:
            return with_word_size(i.osize, []<class T>() -> Steps {
                return {fast_step<&semantics::sign_to_dx<T, Fast>>,
                        slow_step<&semantics::sign_to_dx<T, Slow>>,
                        record_step<&semantics::sign_to_dx<T, Recorder>>};
            });
        case Op::NOP:
        case Op::PAUSE:
        case Op::PREFETCH:
        case Op::ENDBR:
            return {fast_step<&nothing<Fast>>, slow_step<&nothing<Slow>>, record_step<&nothing<Recorder>>};
        default:
            return {};
    }
}

}  // namespace mynah
