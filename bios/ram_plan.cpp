#include "bios/ram_plan.h"

#include <fmt/format.h>

#include <algorithm>

namespace mynah {

RamPlan::RamPlan(const E820Map& map) {
    for (const E820Entry& e : map) {
        if (e.type != E820Type::ram) continue;
        const u64 base = std::max<u64>(e.base, 0x1000), end = std::min<u64>(e.end(), 4 * GiB);
        if (base < end) free_.push_back({base, end});
    }
}

bool RamPlan::is_free(u64 base, u64 size) const {
    return std::any_of(free_.begin(), free_.end(), [&](const Range& r) {
        return base >= r.base && base <= r.end && size <= r.end - base;
    });
}

Status RamPlan::take(u64 base, u64 size, std::string_view what) {
    if (size == 0) return Ok{};
    for (size_t i = 0; i < free_.size(); ++i) {
        const Range r = free_[i];
        if (base < r.base || base >= r.end || size > r.end - base) continue;
        free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
        if (base + size < r.end)
            free_.insert(free_.begin() + static_cast<std::ptrdiff_t>(i), {base + size, r.end});
        if (r.base < base) free_.insert(free_.begin() + static_cast<std::ptrdiff_t>(i), {r.base, base});
        return Ok{};
    }
    return Error{fmt::format(
        "{} needs {:#x} bytes of memory at {:#x}, which are not all free RAM; give the guest more "
        "memory with -m",
        what, size, base)};
}

std::optional<u64> RamPlan::take_low(u64 size, u64 alignment, u64 from, u64 limit) {
    for (const Range& r : free_) {
        const u64 base = align_up(std::max(r.base, from), alignment), end = std::min(r.end, limit);
        if (base >= end || size > end - base) continue;
        MYNAH_CHECK(take(base, size, "").ok());
        return base;
    }
    return std::nullopt;
}

std::optional<u64> RamPlan::take_high(u64 size, u64 alignment, u64 limit, u64 from) {
    for (auto r = free_.rbegin(); r != free_.rend(); ++r) {
        const u64 low = std::max(r->base, from), end = std::min(r->end, limit);
        if (low >= end || size > end - low) continue;
        const u64 base = align_down(end - size, alignment);
        if (base < low) continue;
        MYNAH_CHECK(take(base, size, "").ok());
        return base;
    }
    return std::nullopt;
}

}  // namespace mynah
