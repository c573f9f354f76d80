// What executes hot code in place of the interpreter, as the run loop sees it. The translator is one; cpu
// knows none.
//
// An accelerator keeps to everything the interpreter does: same results, same faults, same instruction
// counts.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/types.h"

namespace mynah {

class Core;
class PhysicalMap;
struct Block;

class Accelerator {
  public:
    virtual ~Accelerator() = default;

    // Executes from state.rip on, where the hot block `b` begins, never past Core::stop_at. Afterwards state,
    // `retired` and `faulted` are as the interpreter leaves them between instructions. False: nothing was
    // done, interpret.
    virtual bool run(const Block& b) = 0;
    // The same where the instruction at state.rip goes on in the next page and has no block.
    virtual bool run_straddling() { return false; }
    // Everything that was derived from guest memory or state goes (a snapshot was loaded).
    virtual void drop_all() = 0;
    // Lines for `info jit`.
    virtual std::string describe() const = 0;
    // What it made of the code at `rip` in the present mode, for a report of what went wrong; empty: nothing.
    virtual std::string explain(u64) const { return {}; }
};

// Made when the processor is complete; what it is given outlives it. Null: the interpreter runs everything.
using AcceleratorFactory = std::function<std::unique_ptr<Accelerator>(Core&, PhysicalMap&)>;

}  // namespace mynah
