// The host's x87 between being loaded and stored: guest state goes in and out.
#pragma once

#include "cpu/cpu_state.h"

namespace mynah::x64 {

// As XSAVE has it. The pointers and FOP are the host's: the guest's stay in its state.
class alignas(64) X87Image {
  public:
    // All exceptions are masked in `x` and none is pending.
    void load(const X87State& x);
    // Leaves the host's x87 as C++ code expects it.
    void store(X87State& x);

  private:
    struct Register {
        u64 significand = 0;
        u16 sign_exponent = 0;
        u16 reserved[3]{};
    };
    u16 control_ = 0, status_ = 0;
    u8 valid_ = 0;
    u8 reserved_ = 0;
    u16 opcode_ = 0;
    u64 fip_ = 0, fdp_ = 0;
    u64 mxcsr_ = 0;
    Register st_[8];
    u8 vectors_[352]{};
    u64 components_ = 0;
    u64 header_[7]{};
};
static_assert(sizeof(X87Image) == 576);

}  // namespace mynah::x64
