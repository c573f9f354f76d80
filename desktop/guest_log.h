// The last lines about what a guest did that is not supported. Lines that come again are counted, not kept.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/types.h"

namespace mynah {

// From any thread.
class GuestLog {
  public:
    static constexpr size_t kMostLines = 500;

    struct Line {
        std::string text;
        u64 count = 1;
    };

    void add(std::string_view text);
    void clear();
    // In the order in which they came first.
    std::vector<Line> lines() const;
    // Changes whenever lines() has.
    u64 version() const;

  private:
    mutable std::mutex mutex_;
    std::deque<Line> lines_;
    std::unordered_map<std::string, u64> numbers_;  // line to its number since the start
    u64 dropped_ = 0;                               // lines before the first
    u64 version_ = 0;
};

}  // namespace mynah
