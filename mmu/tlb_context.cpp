#include "mmu/tlb_context.h"

#include <algorithm>

namespace mynah {

void TlbContext::fill_empty(TlbEntry* entries, u64 count) {
    for (u64 n = 0; n < count; ++n) entries[n] = {empty_tag(n), 0};
}

void TlbContext::empty_all() {
    for (unsigned t = 0; t < kTables; ++t) fill_empty(table(t), size(t));
    population_ = {};
    code = nullptr;
    lost_ = true;
}

void TlbContext::reset() {
    fast_size_ = kFirstSize;
    evictions_ = 0;
    storage_.resize(3 * fast_size_ + (kTables - slow_read) * kSlowSize);
    update_view();
    empty_all();
}

void TlbContext::update_view() {
    for (unsigned t = 0; t < 3; ++t) view_.tables[t] = {table(t), (size(t) - 1) * sizeof(TlbEntry)};
    for (unsigned t = 0; t < 2; ++t) view_.victims[t] = table(read_victims + t);
}

void TlbContext::clear() {
    empty_all();
}

void TlbContext::remove(TlbEntry& e, u64 slot) {
    if (e.tag == empty_tag(slot)) return;
    count(e.tag, -1);
    e = {empty_tag(slot), 0};
    lost_ = true;
}

bool TlbContext::insert(unsigned t, u64 linear_page, u64 host) {
    bool moved = false;
    if (t < slow_read && fast_size_ < kLastSize) {
        const TlbEntry& e = entry(t, linear_page);
        if (e.host != 0 && e.tag != linear_page && ++evictions_ > 2 * fast_size_) {
            grow();
            moved = true;
        }
    }
    TlbEntry& e = entry(t, linear_page);
    if (e.tag == linear_page && e.host == host) return moved;
    if (e.host == 0 || e.tag == linear_page) {
        remove(e, slot_of(t, linear_page));
    } else if (t < execute) {
        // Of the same place there as well: both tables are indexed by the lowest bits.
        const unsigned v = read_victims + t;
        remove(entry(v, e.tag), slot_of(v, e.tag));
        entry(v, e.tag) = e;
    } else {
        count(e.tag, -1);
    }
    count(linear_page, 1);
    e = {linear_page, host};
    return moved;
}

bool TlbContext::recall(unsigned t, u64 linear_page) {
    TlbEntry& v = entry(read_victims + t, linear_page);
    if (v.tag != linear_page || v.host == 0) return false;
    TlbEntry& e = entry(t, linear_page);
    std::swap(e, v);
    if (v.host == 0) v.tag = empty_tag(slot_of(read_victims + t, linear_page));
    return true;
}

void TlbContext::grow() {
    const u64 old_size = fast_size_;
    constexpr u64 kOthers = (kTables - slow_read) * kSlowSize;
    std::vector<TlbEntry> old(3 * old_size * 2 + kOthers);
    old.swap(storage_);
    fast_size_ *= 2;
    evictions_ = 0;
    for (unsigned t = 0; t < slow_read; ++t) {
        fill_empty(table(t), fast_size_);
        for (u64 i = 0; i < old_size; ++i) {
            const TlbEntry& e = old[t * old_size + i];
            if (e.tag != empty_tag(i)) entry(t, e.tag) = e;
        }
    }
    std::copy_n(old.data() + 3 * old_size, kOthers, storage_.data() + 3 * fast_size_);
    update_view();
}

void TlbContext::drop_page(u64 linear) {
    const u64 page = linear & ~kPageMask;
    if (population_[0].at(page, kAreaShifts[0]) != 0) {
        for (unsigned t = 0; t < kTables; ++t) {
            TlbEntry& e = entry(t, page);
            if (e.tag == page) remove(e, slot_of(t, page));
        }
    }
}

bool TlbContext::populated(u64 base, unsigned shift) {
    unsigned n = 2;
    while (n > 0 && shift < kAreaShifts[n]) --n;
    const u64 areas = shift <= kAreaShifts[n] ? 1 : std::min<u64>(u64{1} << (shift - kAreaShifts[n]), 512);
    for (u64 a = 0; a < areas; ++a) {
        if (population_[n].at(base + (a << kAreaShifts[n]), kAreaShifts[n]) != 0) return true;
    }
    return false;
}

void TlbContext::drop(u64 base, unsigned shift) {
    if (shift == kPageShift) return drop_page(base);
    if (shift >= 64) return clear();
    const u64 length = u64{1} << shift;
    if (!populated(base, shift)) return;
    for (unsigned t = 0; t < kTables; ++t) {
        TlbEntry* entries = table(t);
        const u64 n = size(t), pages = length >> kPageShift;
        const u64 first = pages < n ? base >> kPageShift : 0;
        for (u64 i = first; i < first + std::min(n, pages); ++i) {
            TlbEntry& e = entries[i & (n - 1)];
            if (e.tag - base >= length) continue;
            remove(e, i & (n - 1));
            if (shift <= kAreaShifts.back() && !populated(base, shift)) return;
        }
    }
}

void TlbContext::drop_writes_at(u64 slot, u64 host_page) {
    const u64 n = slot & (fast_size_ - 1);
    TlbEntry& e = table(1)[n];
    if (e.host == host_page) remove(e, n);
    const u64 m = slot & (kSlowSize - 1);
    TlbEntry& v = table(write_victims)[m];
    if (v.host == host_page) remove(v, m);
}

void TlbContext::drop_writes(u64 host_page) {
    for (u64 i = 0; i < fast_size_; ++i) drop_writes_at(i, host_page);
}

}  // namespace mynah
