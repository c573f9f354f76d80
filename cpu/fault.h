// Exceptions as values (SDM vol. 3A ch. 6).
#pragma once

#include "base/types.h"

namespace mynah {

enum class Vector : u8 {
    de = 0,  // divide error
    db = 1,  // debug
    nmi = 2,
    bp = 3,   // breakpoint
    of = 4,   // overflow
    br = 5,   // BOUND
    ud = 6,   // invalid opcode
    nm = 7,   // no coprocessor
    df = 8,   // double fault
    ts = 10,  // invalid TSS
    np = 11,  // segment not present
    ss = 12,  // stack
    gp = 13,  // general protection
    pf = 14,  // page fault
    mf = 16,  // x87
    ac = 17,  // alignment check
    mc = 18,
    xm = 19,  // SIMD floating point
};

struct Fault {
    Vector vector = Vector::ud;
    bool has_error_code = false;
    bool trap = false;  // delivered after the instruction: the saved RIP is the next one (#DB single step)
    u32 error_code = 0;
    u64 address = 0;  // CR2 for #PF; the DR6 bits to set for #DB
};

}  // namespace mynah
