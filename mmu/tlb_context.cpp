#include "mmu/tlb_context.h"

#include <algorithm>

namespace mynah {

namespace {
constexpr TlbEntry kEmpty{Mmu::kInvalidTag, 0};
}

void TlbContext::reset() {
    fast_size_ = kFirstSize;
    evictions_ = 0;
    storage_.assign(3 * fast_size_ + 2 * kSlowSize, kEmpty);
}

void TlbContext::clear() {
    std::ranges::fill(storage_, kEmpty);
}

bool TlbContext::insert(unsigned t, u64 linear_page, u64 addend) {
    bool moved = false;
    if (t < slow_read && fast_size_ < kLastSize) {
        const u64 tag = entry(t, linear_page).tag;
        if (tag != Mmu::kInvalidTag && tag != linear_page && ++evictions_ > 2 * fast_size_) {
            grow();
            moved = true;
        }
    }
    entry(t, linear_page) = {linear_page, addend};
    return moved;
}

void TlbContext::grow() {
    const u64 old_size = fast_size_;
    std::vector<TlbEntry> old(3 * old_size * 2 + 2 * kSlowSize, kEmpty);
    old.swap(storage_);
    fast_size_ *= 2;
    evictions_ = 0;
    for (unsigned t = 0; t < slow_read; ++t) {
        for (u64 i = 0; i < old_size; ++i) {
            const TlbEntry& e = old[t * old_size + i];
            if (e.tag != Mmu::kInvalidTag) entry(t, e.tag) = e;
        }
    }
    std::copy_n(old.data() + 3 * old_size, 2 * kSlowSize, storage_.data() + 3 * fast_size_);
}

void TlbContext::drop_page(u64 linear) {
    const u64 page = linear & ~kPageMask;
    for (unsigned t = 0; t < kTables; ++t) {
        TlbEntry& e = entry(t, page);
        if (e.tag == page) e.tag = Mmu::kInvalidTag;
    }
}

void TlbContext::drop(u64 base, unsigned shift) {
    if (shift == kPageShift) return drop_page(base);
    if (shift >= 64) return clear();
    const u64 length = u64{1} << shift;
    for (unsigned t = 0; t < kTables; ++t) {
        TlbEntry* entries = table(t);
        const u64 n = size(t), pages = length >> kPageShift;
        const u64 first = pages < n ? base >> kPageShift : 0;
        for (u64 i = first; i < first + std::min(n, pages); ++i) {
            TlbEntry& e = entries[i & (n - 1)];
            if (e.tag - base < length) e.tag = Mmu::kInvalidTag;
        }
    }
}

void TlbContext::drop_writes_at(u64 slot, u64 host_page) {
    TlbEntry& e = table(1)[slot & (fast_size_ - 1)];
    if (e.tag != Mmu::kInvalidTag && e.tag + e.addend == host_page) e.tag = Mmu::kInvalidTag;
}

void TlbContext::drop_writes(u64 host_page) {
    for (u64 i = 0; i < fast_size_; ++i) drop_writes_at(i, host_page);
}

}  // namespace mynah
