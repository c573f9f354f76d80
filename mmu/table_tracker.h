// Which page-table entries something cached came from, by RAM frame.
//
// A frame in use as a page table carries frame_flag::page_table and is known here with the places it was seen
// at
// ("roles": linear base, level, address space) and one bit for each 4 bytes that a cached translation went
// through. A store then costs a look at the bits; only what came from the entry is dropped. A frame whose
// last bit goes is an ordinary one again, so that freed tables do not slow down who gets the frame next.
#pragma once

#include <vector>

#include "mmu/page_walk.h"

namespace mynah {

class TableTracker {
  public:
    static constexpr u32 kAnySpace = ~u32{0};

    // What to drop: all translations of [base, base + 2^shift) in `space`. shift 64: everything.
    struct Drop {
        u64 base;
        u8 shift;
        u32 space;
    };

    explicit TableTracker(PhysicalMap& map);

    // Can stores to the table be seen (or never happen)? If not, what came from it must not be cached.
    bool trackable(PhysicalAddress entry) const;
    // A translation of `linear` in `space` that went through `step` is about to be cached.
    void note(const WalkStep& step, u64 linear, u32 space);
    // The bytes changed: calls `drop` for what came from them.
    template <class F>
    void written(PhysicalAddress address, u64 length, F&& drop);
    // Forgets all tables.
    void clear();

  private:
    struct Role {
        u64 base;
        u32 space;
        u8 shift;
        u8 size;  // of an entry
    };
    struct Table {
        PhysicalAddress frame = 0;
        std::array<u64, 16> used{};
        u16 live = 0;  // bits set in `used`
        u8 roles = 0;
        bool wide = false;      // some role has entries of 8 bytes
        bool too_many = false;  // more roles than fit: a store drops everything
        std::array<Role, 4> role{};
    };

    u32* slot(PhysicalAddress frame);
    Table& make(PhysicalAddress frame, u32& slot);
    void release(Table& table);
    void add_role(Table& table, const Role& role);

    PhysicalMap& map_;
    u64 below_;
    u64 above_;
    std::vector<u32> by_frame_;  // index into tables_ + 1
    std::vector<Table> tables_;
    std::vector<u32> free_;
};

template <class F>
void TableTracker::written(PhysicalAddress address, u64 length, F&& drop) {
    const u32* index = slot(address & ~kPageMask);
    if (!index || *index == 0) return;
    const u32 n = *index - 1;
    const u64 align = tables_[n].wide ? 7 : 3;
    const u64 first = (address & kPageMask & ~align) / 4;
    const u64 last = ((address & kPageMask) + length - 1) / 4;
    for (u64 b = first; b <= last; ++b) {
        u64& word = tables_[n].used[b / 64];
        if (!(word >> b % 64 & 1)) continue;
        word &= ~(u64{1} << b % 64);
        --tables_[n].live;
        const Table& t = tables_[n];
        if (t.too_many) {
            drop(Drop{0, 64, kAnySpace});
            continue;
        }
        for (unsigned r = 0; r < t.roles; ++r) {
            drop(Drop{t.role[r].base + (b * 4 / t.role[r].size << t.role[r].shift), t.role[r].shift,
                      t.role[r].space});
        }
    }
    if (tables_[n].live == 0) release(tables_[n]);
}

}  // namespace mynah
