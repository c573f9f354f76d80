// From bytes to a Region: which instructions are reached, their blocks, and where the budget is looked at.
#pragma once

#include <span>

#include "jit/region.h"

namespace mynah {

inline constexpr u32 kMaxRegionInstructions = 384;

// Decodes from offset `entry` of the page at `page`. False if there is nothing to translate.
bool find_region(Region& region, const u8* page, u32 entry, const DecodeMode& decode_mode,
                 const ModeBits& mode);

// The region of the one instruction at `entry` that goes on behind the page; `bytes` are all of it and more.
// False: it is not valid.
bool straddling_region(Region& region, std::span<const u8> bytes, u32 entry, const DecodeMode& decode_mode,
                       const ModeBits& mode);

// Does the instruction leave for good (nothing behind it is reached from it)?
bool never_falls_through(const Insn& insn);

// Arithmetic flags that must be known before the instruction (those it reads or keeps), and those it leaves.
struct FlagUse {
    u32 read = 0;
    u32 written = 0;
};
FlagUse flag_use(const Insn& insn);

// Does an operand of it write general register `g`, as the instruction table has it? Registers that are
// written without being named (by MUL, PUSH, MOVS...) are not among them.
bool names_written(const Insn& insn, unsigned g);

// Can the region be left at the instruction (a fault, a call out)?
bool can_leave(const Entry& entry);

// Will all arithmetic flags be overwritten before the guest or anything outside could see them, when
// instruction `index` of the block has just been executed?
bool flags_dead_behind(const Region& region, const RegionBlock& block, u32 index);

}  // namespace mynah
