// Linear to physical translation for one CPU: page walks (SDM vol. 3A ch. 4) and software TLBs over them.
//
// The TLBs are invisible: page tables are tracked, so a store to one drops what was cached from it, and a
// page fault is raised only after a fresh walk. A run is thus the same with any TLB size, and none of it is
// saved.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "base/types.h"
#include "mmu/physical_map.h"

namespace mynah {

enum class Access : u8 { read, write, execute };

// The controls that translation depends on. Kept by cpu; handed over whole on each change.
struct PagingControls {
    u64 cr3 = 0;
    bool paging = false;     // CR0.PG
    bool pae = false;        // CR4.PAE
    bool long_mode = false;  // EFER.LMA
    bool pse = false;        // CR4.PSE
    bool pge = false;        // CR4.PGE
    bool pcid = false;       // CR4.PCIDE
    bool wp = false;         // CR0.WP
    bool nxe = false;        // EFER.NXE
    bool smep = false;
    bool smap = false;
    bool gib_pages = true;                          // the CPU model has 1 GiB pages
    u8 physical_bits = PhysicalMap::kPhysicalBits;  // MAXPHYADDR of the CPU model, at most kPhysicalBits
    bool operator==(const PagingControls&) const = default;
};

// Page-fault error code bits (SDM vol. 3A 4.7).
namespace pf {
inline constexpr u32 present = 1;
inline constexpr u32 write = 2;
inline constexpr u32 user = 4;
inline constexpr u32 reserved = 8;
inline constexpr u32 fetch = 16;
}  // namespace pf

// Who accesses. `supervisor_ac`: explicit supervisor access with EFLAGS.AC = 1 (SMAP off for it). Implicit
// supervisor accesses (descriptor tables, TSS) are `supervisor` at any CPL.
enum class Privilege : u8 { supervisor, supervisor_ac, user };

struct Translation {
    bool ok = false;
    u32 error_code = 0;  // of the #PF when !ok
    PhysicalAddress address = 0;
};

struct TlbEntry {
    u64 tag;   // linear page address. An empty entry has that of a page which belongs elsewhere
    u64 host;  // host address of the page, 0 when empty; in slow tables the physical page
};
static_assert(sizeof(TlbEntry) == 16, "generated code indexes by 16");

class Mmu final : public MapObserver, public FrameObserver {
  public:
    explicit Mmu(PhysicalMap& map);
    ~Mmu() override;

    // New CR0/CR3/CR4/EFER values. Flushes exactly what the SDM (4.10.4.1) demands, nothing else; with
    // coherent tables most of it is a change of the current context. Not to be called for each CPL change.
    void set_controls(const PagingControls& controls);
    const PagingControls& controls() const { return controls_; }
    // The privilege of ordinary accesses from now on (CPL 3, or EFLAGS.AC under SMAP): a pointer swap.
    void set_privilege(Privilege privilege);
    const Privilege& privilege() const { return privilege_; }
    // PAE page-directory-pointer registers, loaded with CR3 (SDM 4.4.1). False: a reserved bit is set, #GP.
    [[nodiscard]] bool load_pdptes(u64 cr3);
    // To be read, or set (snapshots); the next set_controls() then looks at them again.
    std::array<u64, 4>& pdptes();
    // INVLPG, INVPCID: with coherent caches nothing the guest can see; here to be exact about what is
    // dropped.
    void invalidate_page(u64 linear);
    void flush();

    // --- for generated code, which looks up by itself: entry = entries + (linear >> 8 & mask), a hit when
    // linear - tag <= kPageSize - size. ---
    struct Table {
        TlbEntry* entries;
        u64 mask;  // of the byte offset: (entry count - 1) * 16
    };
    const Table& table(Access access) const { return current_[static_cast<unsigned>(access)]; }
    // What there is to look up in at one privilege.
    struct View {
        std::array<Table, 3> tables;
        std::array<const TlbEntry*, 2> victims;
    };
    // Null: not known, or the same as at another privilege. Generated code at CPL 0 changes between the first
    // two by itself: it makes the data tables of one the current ones, sets privilege(), and forgets
    // stack_page(), counting that.
    const std::array<const View*, 3>& views() const { return views_; }
    // What other pages took the places of, of read and write: entry = victims + (linear >> 8 & kVictimMask).
    static constexpr u64 kVictimMask = 0xFF0;
    const TlbEntry* const& victims(Access access) const { return victims_[static_cast<unsigned>(access)]; }
    // The page that generated code used last through the stack pointer, from the current write table: a
    // look-up with no table. Set by generated code.
    struct StackPage {
        static constexpr u64 kNone = u64{7} << 60;  // farther than a page from every canonical address
        u64 page = kNone;
        u64 host = 0;
        u64 host_less_page = 0;
    };
    const StackPage& stack_page() const { return stack_page_; }
    // Counts how often it was forgotten: whenever a page may have gone from the current context's read or
    // write table otherwise than to make room for another.
    const u64& stack_page_changes() const { return stack_page_changes_; }
    // Makes it the page of a linear address that can be written fast. False: not that simple.
    bool use_stack_page(u64 linear);
    // Changes when a page that was noted in the current context since it last changed may be mapped otherwise
    // now, and with the context; EFLAGS.AC makes no difference. Never repeats.
    const u64& code_epoch() const { return code_epoch_; }
    void note_code(u64 linear);

    // --- fast paths: the host pointer of an access of `size` bytes, or null (miss, crosses a page, MMIO,
    // ...) ---
    const u8* fast_read(u64 linear, unsigned size) const { return hit<Access::read>(linear, size); }
    u8* fast_write(u64 linear, unsigned size) const { return hit<Access::write>(linear, size); }
    const u8* fast_fetch(u64 linear) const { return hit<Access::execute>(linear, 1); }

    // The same with another privilege than the current one: descriptor tables and the TSS at CPL 3.
    u8* fast_as(u64 linear, unsigned size, Access access, Privilege privilege);

    // --- slow paths ---
    // Walks (or uses what is cached), sets accessed/dirty bits, checks rights, fills the TLB where it may.
    Translation translate(u64 linear, Access access, Privilege privilege);
    // As an inspector sees it: sets nothing, fills nothing, as a supervisor.
    std::optional<PhysicalAddress> peek(u64 linear) const;
    // Lines for `info mem` (ranges, end excluded, with length and rights), or `info tlb` (each page, with
    // what its entry has set: X stands for no-execute, P for a large page).
    std::string describe_mappings(bool each_page) const;

    void map_changed() override;
    void a20_changed() override;
    void frame_protected(PhysicalAddress frame) override;
    void frame_written(PhysicalAddress address, u64 length) override;

  private:
    struct Impl;

    template <Access access>
    u8* hit(u64 linear, unsigned size) const {
        const Table& t = current_[static_cast<unsigned>(access)];
        const auto& e = *reinterpret_cast<const TlbEntry*>(reinterpret_cast<const u8*>(t.entries) +
                                                           (linear >> 8 & t.mask));
        const u64 offset = linear - e.tag;
        if (offset > kPageSize - size) return nullptr;
        return reinterpret_cast<u8*>(e.host + offset);
    }

    std::array<Table, 3> current_;
    std::array<const TlbEntry*, 2> victims_{};
    std::array<const View*, 3> views_{};
    u64 code_epoch_ = 0;
    StackPage stack_page_;
    u64 stack_page_changes_ = 0;
    PagingControls controls_;
    Privilege privilege_ = Privilege::supervisor;
    std::array<u64, 4> pdptes_{};
    std::unique_ptr<Impl> impl_;
};

}  // namespace mynah
