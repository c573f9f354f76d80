// Every operation, by SDM mnemonic. One Op is one meaning; sizes and operand forms are in Insn and its row.
#pragma once

#include "base/types.h"

namespace mynah {

enum class Op : u16 {
    INVALID = 0,
#define MYNAH_OP(name) name,
#include "cpu/ops.inc"
#undef MYNAH_OP
};

// How many there are, INVALID included.
inline constexpr unsigned kOps = [] {
    constexpr Op kAll[] = {
        Op::INVALID,
#define MYNAH_OP(name) Op::name,
#include "cpu/ops.inc"
#undef MYNAH_OP
    };
    return static_cast<unsigned>(sizeof kAll / sizeof kAll[0]);
}();

const char* op_name(Op op);

}  // namespace mynah
