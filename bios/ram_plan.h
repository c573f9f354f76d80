// Finds room in guest RAM below 4 GiB for what a loader places there.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "bios/e820.h"

namespace mynah {

class RamPlan {
  public:
    // Page 0 (IVT and BDA) is never given out.
    explicit RamPlan(const E820Map& map);

    // Takes a fixed range. Error: it does not lie in RAM or overlaps what is taken; `what` names it.
    Status take(u64 base, u64 size, std::string_view what);
    // The lowest / highest free range; `alignment` is a power of two; `size` > 0. It starts at `from` or
    // above and ends at `limit` or below.
    std::optional<u64> take_low(u64 size, u64 alignment, u64 from, u64 limit = u64{1} << 32);
    std::optional<u64> take_high(u64 size, u64 alignment, u64 limit = u64{1} << 32, u64 from = 0);
    // True if the whole range is free RAM.
    bool is_free(u64 base, u64 size) const;

  private:
    struct Range {
        u64 base, end;
    };
    std::vector<Range> free_;  // sorted
};

}  // namespace mynah
