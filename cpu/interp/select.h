// Which code executes a predecoded instruction.
#pragma once

#include "cpu/decoder.h"
#include "cpu/interp/families.h"

namespace mynah {

// The steps of an operation that the semantics text describes; null for all others.
Steps semantic_steps(const Insn& i, Site site);

// The constant one of D0 and D1 becomes the immediate.
inline void take_constant(Insn& i) {
    if (i.op >= Op::ROL && i.op <= Op::SAR && (i.opcode == 0xD0 || i.opcode == 0xD1)) i.imm = 1;
}

// Fills Entry::step and what it needs from Entry::insn. True: the block ends with this instruction.
bool select_step(Entry& e, DecodeStatus status, Site site);

}  // namespace mynah
