// One instruction on our processor, at CPL 3 of a minimal long-mode system that catches every fault.
#pragma once

#include <span>

#include "cpu/harness.h"
#include "diff/state.h"

namespace mynah::test {

class GuestCpu {
  public:
    explicit GuestCpu(std::string_view model = "max", Engine engine = Engine::interp);
    std::span<u8> data();
    void write_code(u64 address, std::span<const u8> bytes);
    Outcome run(const UserState& in);
    // The same as one block of code, as translators want it: behind the instruction there is a jump to
    // itself. Not for branches.
    Outcome run_block(const UserState& in, u64 length);
    // `count` instructions in `length` bytes, at once; likewise.
    Outcome run_sequence(const UserState& in, u64 length, u64 count);
    Box& box() { return box_; }

  private:
    void begin(const UserState& in);
    Outcome end(const UserState& in);
    Box box_;
};

}  // namespace mynah::test
