// The translator: guest code that is hot becomes host code. An Accelerator for cpu's run loop.
#pragma once

#include <memory>

#include "cpu/accelerator.h"

namespace mynah {

struct JitOptions {
    bool perf_map = false;      // name regions in /tmp/perf-PID.map for Linux perf
    u64 code_bytes = 64 * MiB;  // bound of the code cache; when it is full everything is translated anew
};

namespace Jit {

// Can this host run translated code? (x86-64-v3: BMI2 and AVX2.) Else the interpreter runs everything.
bool supported();
// Null where the host can't, or has no memory for the code cache.
std::unique_ptr<Accelerator> create(Core& core, PhysicalMap& memory, const JitOptions& options);

}  // namespace Jit

}  // namespace mynah
