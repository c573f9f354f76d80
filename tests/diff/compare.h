// What our processor and the host's may differ in, and whether they differ in more.
#pragma once

#include <string>

#include "diff/generate.h"

namespace mynah::test {

// FXSAVE and its kin, whose image processors fill as they like in part.
bool stores_image(const Insn& i);

// The first difference behind the instruction; empty if there is none.
std::string compare(const Case& c, const Outcome& host, const Outcome& ours, Family family);

}  // namespace mynah::test
