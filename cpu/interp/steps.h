// How steps hand over to each other and leave.
#pragma once

#include "cpu/interp/block_cache.h"

namespace mynah {

// The instruction of `e` has faulted: the run loop delivers.
const Entry* leave_faulted(Core& c, const Entry* e);
// The instruction of `e` is complete; the run loop goes on behind it.
const Entry* leave_behind(Core& c, const Entry* e);
// Complete, going on at `rip` with `retired` instructions done.
const Entry* leave_at(Core& c, u64 rip, u64 retired);
// Goes on at `rip`, in whatever block begins there.
const Entry* enter_anywhere(Core& c, u64 rip, u64 retired);
// The same, leaving behind a wish: the run loop shall set *link.
const Entry* leave_for_link(Core& c, u64 rip, u64 retired, Block** link);

// Counts an entry. False: the block is hot.
[[gnu::always_inline]] inline bool cools(const Block& b) {
    if (b.heat == 0) return false;
    --b.heat;
    return true;
}

// May the running block hand over to `b`, which begins at `rip`?
[[gnu::always_inline]] inline bool link_serves(const Core& c, const Block* b, u64 rip, u64 retired) {
    return b != nullptr && !c.attention && retired + b->count <= c.block_limit &&
           rip + b->bytes <= c.code_end && cools(*b);
}

[[gnu::always_inline]] inline const Entry* enter_block(Core& c, const Block* b, u64 rip, u64 retired) {
    c.block_rip = rip;
    c.block_retired = retired;
    c.block = b;
    return go_on(c, b->entries);
}

// Goes on in the same page, along a link of the running block.
[[gnu::always_inline]] inline const Entry* enter_linked(Core& c, u64 rip, u64 retired, Block* const* link) {
    const Block* b = *link;
    if (!link_serves(c, b, rip, retired)) [[unlikely]]
        return leave_for_link(c, rip, retired, const_cast<Block**>(link));
    return enter_block(c, b, rip, retired);
}

// Steps that any family uses.
// Calls Entry::handler with exact rip, next_rip and retired.
const Entry* call_handler(Core& c, const Entry* e);
// The same for the last instruction of a block.
const Entry* call_handler_last(Core& c, const Entry* e);
// The pseudo entry behind a block that does not end in a branch.
const Entry* fall_through(Core& c, const Entry* e);
// The pseudo entry behind a block of one entry made for single-stepping.
const Entry* stop_here(Core& c, const Entry* e);

// Whether a branch from `e` by `displacement` stays in the block's page.
inline bool stays_in_page(const Block& b, const Entry* e, u64 displacement) {
    const u64 end = (reinterpret_cast<u64>(b.host) & kPageMask) + e->offset + e->insn.length;
    return end + displacement < kPageSize;
}

}  // namespace mynah
