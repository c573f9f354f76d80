// A small seeded generator, the same on every host (splitmix64).
#pragma once

#include "base/types.h"

namespace mynah::test {

class Random {
  public:
    explicit Random(u64 seed) : state_(seed) {}
    u64 next() {
        u64 z = (state_ += 0x9E3779B97F4A7C15);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
    u32 below(u32 n) { return static_cast<u32>((next() >> 32) * n >> 32); }
    bool chance(u32 one_in) { return below(one_in) == 0; }

  private:
    u64 state_;
};

}  // namespace mynah::test
