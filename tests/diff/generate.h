// Random instructions of one table row with a random state in which their operands lie in the data window.
#pragma once

#include <vector>

#include "cpu/insn_table.h"
#include "diff/random_state.h"
#include "diff/state.h"
#include "support/encode.h"
#include "support/random.h"

namespace mynah::test {

struct Case {
    Encoding encoding;
    Insn insn;
    UserState state;
    // What the memory operand of a restoring instruction is made to hold; empty for all others.
    std::vector<u8> image;
    u64 image_at = 0;  // linear
};

enum class Family : u8 { integer, x87, sse };
Family family_of(const InsnRow& row);

// Rows that a user-mode program may execute with a result that only depends on the state here.
bool comparable(const InsnRow& row);
// False: no encoding in this mode.
bool generate(const InsnRow& row, Mode mode, Random& random, Case& out);
// Bits of EFLAGS that have one right value behind the instruction.
u32 defined_flags(const Case& c);

}  // namespace mynah::test
