// Bytes to Insn (SDM vol. 2 ch. 2 and appendix A). Knows nothing of state but the code size.
#pragma once

#include <span>

#include "base/types.h"
#include "cpu/insn.h"

namespace mynah {

enum class DecodeStatus : u8 {
    ok,
    invalid,    // #UD
    too_long,   // over 15 bytes: #GP(0)
    truncated,  // the bytes given end before the instruction does
};

// What is not in the bytes: the default sizes, and whether this is real or virtual-8086 mode (some rows are
// #UD there).
struct DecodeMode {
    u8 code_size = 2;          // bytes: 2, 4, 8
    bool descriptors = false;  // protected mode proper
    // FeatureSet::gating() of the model: rows of other features are #UD, TZCNT and LZCNT then mean BSF and
    // BSR.
    u64 features = ~u64{0};
};

// Decodes the instruction at the start of `code`. When not ok, `out.length` is the bytes looked at.
DecodeStatus decode(std::span<const u8> code, DecodeMode mode, Insn& out);

}  // namespace mynah
