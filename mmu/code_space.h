// What translated code relies on of the mapping that it runs in, and how long that holds: an epoch is a
// number that stands for it, and ends when the mapping of a page changes that was noted.
//
// Kernels map themselves in each address space by the same entries near the root. Supervisor contexts where
// those that noted pages are mapped by have the same values have one code space: what was found in one of
// them serves in all.
#pragma once

#include <memory>
#include <vector>

#include "mmu/table_tracker.h"

namespace mynah {

struct TlbContext;

// Pages by hash: says for certain only that there is none.
class CodeFilter {
  public:
    void clear();
    void add(u64 linear);
    // May one be in the area of 2^shift bytes from `base` on?
    bool meets(u64 base, unsigned shift) const;

  private:
    static constexpr unsigned kAreaShift = 21;
    template <size_t N>
    struct Bits {
        std::array<u64, N> words{};
        static u64 place(u64 number) { return number * 0x9E3779B97F4A7C15 >> 32; }
        void set(u64 number) { words[place(number) / 64 % N] |= u64{1} << (place(number) & 63); }
        bool test(u64 number) const { return words[place(number) / 64 % N] >> (place(number) & 63) & 1; }
    };
    Bits<256> pages_;
    Bits<16> areas_;  // of 2 MiB
    bool any_ = false;
};

struct CodeSpace {
    u64 epoch = 0;  // 0: a noted page has been dropped; a new number is due
    CodeFilter pages;

    // Of spaces that contexts may share: the paging mode (TlbContext::Key::bits) and the entries nearest to
    // the root that map all noted pages.
    struct Top {
        u32 index = 0;
        u64 entry = 0;
    };
    // A space with so many is one context's alone.
    static constexpr size_t kMostTops = 32;
    u32 bits = 0;
    std::vector<Top> tops;

    void drop(u64 base, unsigned shift) {
        if (pages.meets(base, shift)) epoch = 0;
    }
};

// Decides which contexts have one in common.
class CodeSpaces {
  public:
    CodeSpaces(PhysicalMap& map, TableTracker& tracker,
               const std::vector<std::unique_ptr<TlbContext>>& contexts)
        : map_(map), tracker_(tracker), contexts_(contexts) {}

    // Gives a space to a context that has none.
    void join(TlbContext& c);
    // Code of that page, which the context has in its execute table or has noted before, is relied on.
    void note(TlbContext& c, u64 linear);
    // For each drop, and for each context that is of the drop's address space.
    void drop(TlbContext& c, const TableTracker::Drop& d);
    // For each drop, whatever its address space: who noted a page may be gone.
    void drop(const TableTracker::Drop& d);
    // Contexts have to join anew.
    void clear();

  private:
    bool alike(TlbContext& c, const CodeSpace& s);
    // The context's own entry, which is tracked from now on. False: it can't be.
    bool top_entry(const TlbContext& c, u32 index, u64& entry);
    static unsigned top_shift(u32 bits);
    static u32 top_index(u32 bits, u64 linear);
    void leave_all(const CodeSpace& s, const TlbContext* but);

    static constexpr size_t kMost = 8;

    PhysicalMap& map_;
    TableTracker& tracker_;
    const std::vector<std::unique_ptr<TlbContext>>& contexts_;
    std::vector<std::unique_ptr<CodeSpace>> shared_;
};

}  // namespace mynah
