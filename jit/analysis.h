// From bytes to a Region: which instructions are reached, their blocks, and where the budget is looked at.
#pragma once

#include <array>
#include <bitset>
#include <span>
#include <vector>

#include "base/reused_list.h"
#include "jit/region.h"

namespace mynah {

inline constexpr u32 kMaxRegionInstructions = 384;

class RegionFinder {
  public:
    RegionFinder();
    // Decodes from offset `entry` of the page at `page`. False if there is nothing to translate.
    bool find(Region& region, const u8* page, u32 entry, const DecodeMode& decode_mode, const ModeBits& mode);

  private:
    class Search;
    // Kept from one to the next, and empty between.
    std::array<u16, kPageSize> at_;              // instruction by offset
    std::array<u16, kPageSize> number_;          // block by offset, where one begins
    std::array<u64, kPageSize / 64> leaders_{};  // bits: where blocks begin
    std::bitset<kPageSize> external_;            // those that may be entered from outside
    ReusedList<Entry> found_;                    // in the order of their finding
    std::vector<u32> marked_;                    // offsets of blocks, in order
    std::vector<u32> work_;
    // Of a walk over blocks.
    struct Visit {
        u32 block;
        unsigned edge;
    };
    std::vector<u8> state_;
    std::vector<Visit> visits_;
};

// The region of the one instruction at `entry` that goes on behind the page; `bytes` are all of it and more.
// False: it is not valid.
bool straddling_region(Region& region, std::span<const u8> bytes, u32 entry, const DecodeMode& decode_mode,
                       const ModeBits& mode);

// Does the instruction leave for good (nothing behind it is reached from it)?
bool never_falls_through(const Insn& insn);

// Does a block end with it, as far as its bytes tell? A repeated string instruction retires more than one, so
// a block can't count behind it.
inline bool ends_block(const Insn& insn) {
    return insn.op == Op::INVALID || insn.has(insn_flag::ends_block | insn_flag::rep | insn_flag::repne);
}

// The instruction with its step, which is looked for when first asked.
const Entry& select(Region& region, Entry& entry);
inline const Entry& select(const CallSite& site) {
    return site.entry->step != nullptr ? *site.entry : select(*site.region, *site.entry);
}

// Arithmetic flags that must be known before the instruction (those it reads or keeps), and those it leaves.
struct FlagUse {
    u32 read = 0;
    u32 written = 0;
};
FlagUse flag_use(const Insn& insn);

// Bits: the general registers that its operands write, as the instruction table has it. Registers that are
// written without being named (by MUL, PUSH, MOVS...) are not among them.
u32 named_written(const Insn& insn);

// Can the region be left at the instruction (a fault, a call out)?
bool can_leave(const Entry& entry);

// Will all arithmetic flags be overwritten before the guest or anything outside could see them, when
// instruction `index` of the block has just been executed?
bool flags_dead_behind(Region& region, const RegionBlock& block, u32 index);

}  // namespace mynah
