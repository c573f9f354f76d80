#include "mmu/page_walk.h"

#include "base/bits.h"

namespace mynah {

namespace {

constexpr u64 mask_bits(unsigned hi, unsigned lo) {
    return hi < lo ? 0 : (~u64{0} >> (63 - hi)) & (~u64{0} << lo);
}

constexpr u64 kFrame = mask_bits(51, 12);

struct Walker {
    PhysicalMap& map;
    const PagingControls& controls;
    u64 a20_mask;
    Walk w;

    // Reads the entry at `address`; false: the walk ends here.
    bool step(PhysicalAddress address, u8 size, unsigned shift) {
        address &= a20_mask;
        const PhysicalMap::Target t = map.read_target(address & ~kPageMask);
        WalkStep& s = w.steps[w.count++];
        s.address = address;
        s.size = size;
        s.shift = static_cast<u8>(shift);
        if (t.host) {
            const u8* p = t.host + (address & kPageMask);
            s.value = size == 8 ? load_le<u64>(p) : load_le<u32>(p);
        } else {
            s.value = map.read(address, size);
        }
        if (s.value & pte::present) return true;
        w.end = Walk::End::not_present;
        return false;
    }

    bool reserved(u64 mask) {
        if (!(w.leaf().value & mask)) return false;
        w.end = Walk::End::reserved;
        return true;
    }

    void rights() {
        const u64 v = w.leaf().value;
        w.user = w.user && (v & pte::user);
        w.writable = w.writable && (v & pte::writable);
        if (w.leaf().size == 8) w.no_execute = w.no_execute || (v & pte::no_execute);
    }

    void map_page(u64 base, unsigned shift, u64 linear) {
        w.page_shift = static_cast<u8>(shift);
        w.address = (base | (linear & ((u64{1} << shift) - 1))) & a20_mask;
    }

    // 4.3
    void walk32(u64 linear) {
        if (!step((controls.cr3 & 0xFFFFF000) + (linear >> 22 & 0x3FF) * 4, 4, 22)) return;
        const u64 pde = w.leaf().value;
        if (controls.pse && (pde & pte::page_size)) {
            // PSE-36: bits 13.. are address bits 32.., as many as there are.
            const unsigned high = controls.physical_bits > 32 ? controls.physical_bits - 32u : 0;
            if (reserved(mask_bits(21, 13 + high))) return;
            rights();
            map_page((pde & 0xFFC00000) | bits(pde, 20, 13) << 32, 22, linear);
            return;
        }
        rights();
        if (!step((pde & 0xFFFFF000) + (linear >> 12 & 0x3FF) * 4, 4, 12)) return;
        rights();
        map_page(w.leaf().value & 0xFFFFF000, 12, linear);
    }

    // 4.4 and 4.5: the lower levels, which they share. `always_reserved` is reserved in all entries.
    void walk64(u64 table, u64 linear, unsigned shift, u64 always_reserved) {
        for (;; shift -= 9) {
            if (!step(table + (linear >> shift & 0x1FF) * 8, 8, shift)) return;
            const u64 entry = w.leaf().value;
            u64 forbidden = always_reserved;
            const bool can_be_large = shift == 21 || (shift == 30 && controls.gib_pages);
            const bool large = can_be_large && (entry & pte::page_size);
            if (!can_be_large && shift != 12) forbidden |= pte::page_size;
            if (large) forbidden |= mask_bits(shift - 1, 13);
            if (reserved(forbidden)) return;
            rights();
            if (shift == 12 || large) {
                map_page(entry & kFrame & ~((u64{1} << shift) - 1), shift, linear);
                return;
            }
            table = entry & kFrame;
        }
    }
};

}  // namespace

Walk walk_page_tables(PhysicalMap& map, const PagingControls& controls, const std::array<u64, 4>& pdptes,
                      u64 a20_mask, u64 linear) {
    Walker walker{map, controls, a20_mask, {}};
    if (!controls.pae) {
        walker.walk32(linear);
        return walker.w;
    }
    const u64 xd = controls.nxe ? 0 : pte::no_execute;
    if (controls.long_mode) {
        walker.walk64(controls.cr3 & kFrame, linear, 39, mask_bits(51, controls.physical_bits) | xd);
        return walker.w;
    }
    const u64 pdpte = pdptes[linear >> 30 & 3];
    if (!(pdpte & pte::present)) {
        walker.w.end = Walk::End::not_present;
        return walker.w;
    }
    walker.walk64(pdpte & kFrame, linear, 21, mask_bits(62, controls.physical_bits) | xd);
    return walker.w;
}

}  // namespace mynah
