// From an instruction to the code that executes it. Each function returns null for operations of another
// group.
#pragma once

#include "cpu/interp/engine.h"

namespace mynah {

// What is known besides the Insn when a block is made.
struct Site {
    u8 stack_size;
    bool in_page;  // a direct branch whose target and successor both lie in the block's page
};

Steps alu_step(const Insn& i);            // ADD..CMP
Steps alu2_step(const Insn& i);           // TEST, INC, DEC, NEG, NOT
Steps move_step(const Insn& i);           // MOV, MOVZX, MOVSX, LEA, XCHG, NOP...
Steps condition_step(const Insn& i);      // CMOVcc, SETcc
Steps stack_step(const Insn& i, Site s);  // PUSH, POP, LEAVE of registers
Steps shift_step(const Insn& i);          // shifts by immediate and CL, IMUL, bit tests of registers
Step branch_step(const Insn& i, Site s);
Handler integer_handler(const Insn& i);  // everything else that is integer
Handler bmi_handler(const Insn& i);
Handler string_handler(const Insn& i);
Handler io_handler(const Insn& i);

// --- choosing template arguments ---
inline Form form_of(const Insn& i) {
    if (i.base == kRip || i.asize == 2) return Form::any;
    if (i.index != kNoRegister) return i.asize == 8 ? Form::indexed64 : Form::indexed32;
    return i.asize == 8 ? Form::base64 : Form::base32;
}

// f.operator()<M>() for the memory form of `i`. Rare combinations share code.
template <class T, class F>
Steps with_memory(const Insn& i, F f) {
    switch (form_of(i)) {
        case Form::base64:
            return f.template operator()<Memory<Form::base64>>();
        case Form::base32:
            return f.template operator()<Memory<Form::base32>>();
        case Form::indexed64:
            if constexpr (sizeof(T) >= 4) return f.template operator()<Memory<Form::indexed64>>();
            break;
        case Form::indexed32:
            if constexpr (sizeof(T) == 4) return f.template operator()<Memory<Form::indexed32>>();
            break;
        default:
            break;
    }
    return f.template operator()<Memory<Form::any>>();
}

// f.operator()<place>() for the ModRM r/m operand.
template <class T, class F>
Steps with_rm(const Insn& i, F f) {
    if (!i.memory()) return f.template operator()<RmField>();
    return with_memory<T>(i, f);
}

template <class F>
Steps with_size(unsigned size, F f) {
    switch (size) {
        case 1:
            return f.template operator()<u8>();
        case 2:
            return f.template operator()<u16>();
        case 4:
            return f.template operator()<u32>();
        default:
            return f.template operator()<u64>();
    }
}
// 16 bits and more.
template <class F>
Steps with_word_size(unsigned size, F f) {
    switch (size) {
        case 2:
            return f.template operator()<u16>();
        case 4:
            return f.template operator()<u32>();
        default:
            return f.template operator()<u64>();
    }
}

}  // namespace mynah
