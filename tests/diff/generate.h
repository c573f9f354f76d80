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

// Why a row is not held to the host's processor; null: it is.
const char* left_out(const InsnRow& row);
inline bool comparable(const InsnRow& row) {
    return left_out(row) == nullptr;
}
// Instructions that load or store selectors, and what makes their operands good ones most of the time.
bool uses_selectors(Op op);
// Held to an error bound: processors differ within it.
bool transcendental(const InsnRow& row);
bool approximation(Op op);
// False: no encoding in this mode.
bool generate(const InsnRow& row, Mode wanted, Random& random, Case& c);
// Bits of EFLAGS that have one right value behind the instruction.
u32 defined_flags(const Case& c);

}  // namespace mynah::test
