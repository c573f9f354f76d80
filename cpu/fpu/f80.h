// The 80-bit extended format as it is stored (SDM vol. 1 4.2.2).
#pragma once

#include "base/archive.h"
#include "base/types.h"

namespace mynah::fpu {

struct F80 {
    u64 significand = 0;    // with its explicit integer bit
    u16 sign_exponent = 0;  // bit 15: sign
    bool operator==(const F80&) const = default;
    void visit(Archive& ar) { ar.all(significand, sign_exponent); }
};

}  // namespace mynah::fpu
