// Memory for BARs: page-aligned, a power of two long.
#pragma once

#include <algorithm>
#include <bit>
#include <memory>
#include <new>
#include <span>

#include "base/types.h"
#include "mmu/physical_map.h"

namespace mynah {

class PageMemory {
  public:
    PageMemory() = default;
    // A copy of `content`, filled up with FFh as an erased ROM is. Empty content: no memory.
    explicit PageMemory(std::span<const u8> content) {
        if (content.empty()) return;
        size_ = std::bit_ceil(std::max<size_t>(content.size(), kPageSize));
        bytes_.reset(new (std::align_val_t{kPageSize}) u8[size_]);
        std::copy(content.begin(), content.end(), bytes_.get());
        std::fill(bytes_.get() + content.size(), bytes_.get() + size_, u8{0xFF});
    }
    bool empty() const { return size_ == 0; }
    std::span<u8> bytes() { return {bytes_.get(), size_}; }

  private:
    struct Free {
        void operator()(u8* p) const { ::operator delete[](p, std::align_val_t{kPageSize}); }
    };
    std::unique_ptr<u8[], Free> bytes_;
    size_t size_ = 0;
};

}  // namespace mynah
