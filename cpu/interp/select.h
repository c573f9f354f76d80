// Which code executes a predecoded instruction.
#pragma once

#include "cpu/decoder.h"
#include "cpu/interp/families.h"

namespace mynah {

// The steps of an operation that the semantics text describes; null for all others.
Steps semantic_steps(const Insn& i, Site site);

// Fills Entry::step and what it needs from Entry::insn. True: the block ends with this instruction.
bool select_step(Entry& e, DecodeStatus status, Site site);

}  // namespace mynah
