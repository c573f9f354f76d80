// One instruction on our processor, at CPL 3 of a minimal long-mode system that catches every fault.
#pragma once

#include <span>

#include "cpu/harness.h"
#include "diff/state.h"

namespace mynah::test {

class GuestCpu {
  public:
    explicit GuestCpu(std::string_view model = "max");
    std::span<u8> data();
    void write_code(u64 address, std::span<const u8> bytes);
    Outcome run(const UserState& in);
    Box& box() { return box_; }

  private:
    Box box_;
};

}  // namespace mynah::test
