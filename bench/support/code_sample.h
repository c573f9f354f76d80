// Code as compilers make it: the functions of a shared library of the host's, where they are in their pages.
#pragma once

#include <string>
#include <vector>

#include "base/types.h"

namespace mynah::bench {

struct CodeSample {
    std::vector<u8> bytes;     // from a page's start on
    u64 address = 0;           // of the first one
    std::vector<u64> entries;  // of functions, offsets in `bytes`, ascending
};

// The C library, 64-bit or 32-bit; empty if it is not there.
CodeSample c_library(bool wide);

}  // namespace mynah::bench
