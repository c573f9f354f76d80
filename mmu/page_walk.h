// The walk of the guest's page tables (SDM vol. 3A ch. 4), without caches and without side effects.
#pragma once

#include <array>

#include "mmu/mmu.h"

namespace mynah {

// One entry that a walk went through.
struct WalkStep {
    PhysicalAddress address = 0;  // of the entry
    u64 value = 0;
    u8 size = 4;   // bytes of the entry, 4 or 8
    u8 shift = 0;  // log2 of the bytes of linear address space that it covers
};

struct Walk {
    enum class End : u8 { mapped, not_present, reserved };

    std::array<WalkStep, 4> steps;
    u8 count = 0;       // entries read, top level first
    u8 page_shift = 0;  // log2 of the page's size
    End end = End::mapped;
    bool user = true;             // U/S of all levels
    bool writable = true;         // R/W of all levels
    bool no_execute = false;      // XD of any level
    PhysicalAddress address = 0;  // of the linear address, when mapped

    const WalkStep& leaf() const { return steps[count - 1u]; }
};

namespace pte {
inline constexpr u64 present = 1, writable = 2, user = 4, write_through = 1 << 3, cache_disable = 1 << 4,
                     accessed = 1 << 5, dirty = 1 << 6, page_size = 1 << 7, global = 1 << 8,
                     no_execute = u64{1} << 63;
}

// `controls.paging` must be set. `a20_mask` is applied to every physical address.
Walk walk_page_tables(PhysicalMap& map, const PagingControls& controls, const std::array<u64, 4>& pdptes,
                      u64 a20_mask, u64 linear);

// The rights of SDM 4.6 for a mapped page.
inline bool access_allowed(const Walk& w, const PagingControls& c, Access access, Privilege privilege) {
    if (privilege == Privilege::user) {
        if (!w.user) return false;
        if (access == Access::write) return w.writable;
        return access == Access::read || !w.no_execute;
    }
    if (access == Access::execute) return !w.no_execute && !(c.smep && w.user);
    if (c.smap && w.user && privilege != Privilege::supervisor_ac) return false;
    return access == Access::read || w.writable || !c.wp;
}

}  // namespace mynah
