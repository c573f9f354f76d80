// Random instructions of one table row with a random state in which their operands lie in the data window.
#pragma once

#include "cpu/insn_table.h"
#include "diff/state.h"
#include "support/encode.h"
#include "support/random.h"

namespace mynah::test {

struct Case {
    Encoding encoding;
    Insn insn;
    UserState state;
};

// Rows that a user-mode program may execute with a result that only depends on the state here.
bool comparable(const InsnRow& row);
// False: no encoding in this mode.
bool generate(const InsnRow& row, u8 code_size, Random& random, Case& out);
// Bits of EFLAGS that have one right value behind the instruction.
u32 defined_flags(const Case& c);
// Fills memory with values that matter: zeros, ones, repeated and random bytes, floating-point numbers.
void fill(std::span<u8> memory, Random& random);

}  // namespace mynah::test
