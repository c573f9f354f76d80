// The software TLB of one context: an address space at one privilege under one set of controls.
#pragma once

#include <array>
#include <utility>
#include <vector>

#include "mmu/code_space.h"
#include "mmu/mmu.h"

namespace mynah {

struct TlbContext {
    static constexpr u64 kFirstSize = 1024;
    static constexpr u64 kLastSize = 16384;
    static constexpr u64 kSlowSize = 256;
    // What another page took the place of in the first two is among their victims.
    enum : unsigned {
        execute = 2,
        slow_read = 3,
        slow_write = 4,
        read_victims = 5,
        write_victims = 6,
        kTables = 7
    };

    struct Key {
        static constexpr u32 kA20 = 1, kPaging = 2, kPae = 4, kLongMode = 8;
        static constexpr unsigned kPrivilege = 10;

        std::array<u64, 4> root{};  // CR3's base, or the four PDPTEs
        u32 bits = 0;
        bool user() const { return (bits >> kPrivilege & 3) == static_cast<u32>(Privilege::user); }
        // Most differ in the first.
        bool operator==(const Key& k) const {
            return root[0] == k.root[0] && bits == k.bits && root == k.root;
        }
    };

    Key key;
    u32 space = 0;  // address space, for TableTracker
    u64 last_used = 0;
    CodeSpace* code = nullptr;  // of its execute table: its own or one of CodeSpaces; null: not decided yet
    CodeSpace own_code;

    TlbContext() { reset(); }
    // Back to empty tables of the first size.
    void reset();
    // Empties the tables where they are.
    void clear();

    const Mmu::View& view() const { return view_; }

    u64 size(unsigned table) const { return table < slow_read ? fast_size_ : kSlowSize; }
    TlbEntry* table(unsigned t) {
        return storage_.data() +
               (t < slow_read ? t * fast_size_ : 3 * fast_size_ + (t - slow_read) * kSlowSize);
    }
    u64 slot_of(unsigned t, u64 linear) const { return (linear >> kPageShift) & (size(t) - 1); }
    TlbEntry& entry(unsigned t, u64 linear) { return table(t)[slot_of(t, linear)]; }
    // True: the tables were moved.
    bool insert(unsigned t, u64 linear_page, u64 host);
    // Brings a page back to one of the first two tables if it is among the victims.
    bool recall(unsigned t, u64 linear_page);
    void drop_page(u64 linear);
    void drop(u64 base, unsigned shift);
    // Write entries that lead to `host_page`.
    void drop_writes_at(u64 slot, u64 host_page);
    void drop_writes(u64 host_page);
    // Has any entry gone since this was last asked? Who found a page in the tables then has to look again.
    bool lost() { return std::exchange(lost_, false); }

  private:
    // Must never match in slot `n`.
    static constexpr u64 empty_tag(u64 n) { return n == 0 ? kPageSize : 0; }
    static void fill_empty(TlbEntry* entries, u64 count);
    void empty_all();
    void grow();
    void update_view();

    Mmu::View view_{};
    u64 fast_size_ = kFirstSize;
    u64 evictions_ = 0;
    bool lost_ = false;
    // Entries in use by area of 2 MiB, 1 GiB and 512 GiB of linear addresses, hashed: most page tables that
    // go have nothing cached any more.
    struct Population {
        std::array<u16, 512> by_area{};
        // Kernels map low memory a multiple of 1 GiB above what programs use: not by the lowest bits.
        u16& at(u64 page, unsigned shift) {
            return by_area[static_cast<u32>((page >> shift) * 0x9E3779B1) >> (32 - 9)];
        }
    };
    static constexpr std::array<u8, 3> kAreaShifts{21, 30, 39};
    void count(u64 page, int by) {
        for (unsigned n = 0; n < 3; ++n) {
            u16& c = population_[n].at(page, kAreaShifts[n]);
            c = static_cast<u16>(c + by);
        }
    }
    // False: nothing of the area of 2^shift bytes is cached.
    bool populated(u64 base, unsigned shift);
    void remove(TlbEntry& e, u64 slot);

    std::array<Population, 3> population_{};
    std::vector<TlbEntry> storage_;  // read, write, execute, then those of kSlowSize
};

}  // namespace mynah
