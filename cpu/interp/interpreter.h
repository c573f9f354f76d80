// The run loop: finds blocks, takes events at instruction boundaries, steps alone where care is needed.
#pragma once

#include <optional>
#include <span>
#include <unordered_set>

#include "cpu/accelerator.h"
#include "cpu/cpu.h"
#include "cpu/interp/block_cache.h"

namespace mynah {

class Interpreter {
  public:
    Interpreter(Core& core, PhysicalMap& memory);

    Exit run(u64 budget, u64 slack);
    void request_exit();
    bool exit_requested() const { return core_.exit_requested; }
    // Would an event wake the halted processor now?
    bool wakeable() const;
    BlockCache& blocks() { return cache_; }
    // From now on blocks that were entered `heat` times go to `accelerator` (null: none does).
    void accelerate(Accelerator* accelerator, u32 heat);
    void visit(Archive& ar);

  private:
    // Longest run of blocks before a look at the budget: bounds the host's stack should a compiler not
    // turn a step's last call into a jump.
    static constexpr u64 kStretch = 4096;

    std::optional<Exit> attend();
    bool take_interrupt();
    void run_blocks();
    void step_one();
    // Decodes the instruction at state.rip into step_entries_, wherever its bytes are. False: faulted.
    bool fetch_one();
    Block* find_block(bool& alone);
    bool code_breakpoint();
    // -d in_asm, exec and cpu: the instruction that is about to run.
    void trace(u64 linear, std::span<const u8> bytes);

    Core& core_;
    PhysicalMap& memory_;
    BlockCache cache_;
    Entry step_entries_[2];
    Block step_block_{};
    bool careful_ = false;
    const bool tracing_;
    Accelerator* accelerator_ = nullptr;
    std::unordered_set<u64> seen_;  // instructions that in_asm has shown
};

}  // namespace mynah
