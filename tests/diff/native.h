// One instruction on the host's own processor, by single step. x86-64 Linux only.
#pragma once

#include <span>

#include "cpu/feature.h"
#include "diff/state.h"

namespace mynah::test {

class NativeCpu {
  public:
    // Maps the code and data windows at their fixed addresses; one at a time.
    NativeCpu();
    ~NativeCpu();
    NativeCpu(const NativeCpu&) = delete;
    NativeCpu& operator=(const NativeCpu&) = delete;
    // False: the addresses could not be had.
    bool usable() const { return usable_; }
    // Linux's descriptors are there, and segments for 16-bit code and 16-bit addresses could be had.
    bool has_segments() const { return segments_; }
    // Does the host's processor have it, and does its kernel let user mode use it?
    static bool has(Feature feature);
    static bool is_intel();

    std::span<u8> code();
    std::span<u8> data();
    // Runs the instruction at `in.rip` to its end; a repeated one is stepped until RIP moves.
    Outcome run(const UserState& in);

  private:
    bool usable_ = false;
    bool segments_ = false;
    void* signal_stack_ = nullptr;
};

}  // namespace mynah::test
