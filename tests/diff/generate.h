// Random instructions of one table row with a random state in which their operands lie in the data window.
#pragma once

#include <vector>

#include "cpu/insn_table.h"
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

// 64-bit code, 32-bit code, 32-bit code with 16-bit addresses, 16-bit code in protected mode.
enum class Mode : u8 { bits64, bits32, addresses16, bits16 };
inline u8 code_size_of(Mode m) {
    return m == Mode::bits64 ? 8 : m == Mode::bits16 ? 2 : 4;
}

// Rows that a user-mode program may execute with a result that only depends on the state here.
bool comparable(const InsnRow& row);
// False: no encoding in this mode.
bool generate(const InsnRow& row, Mode mode, Random& random, Case& out);
// Bits of EFLAGS that have one right value behind the instruction.
u32 defined_flags(const Case& c);
// Fills memory with values that matter: zeros, ones, repeated and random bytes, floating-point numbers.
void fill(std::span<u8> memory, Random& random);

}  // namespace mynah::test
