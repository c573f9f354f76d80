// Predecoded code: entries in a row, ending with the branch or with a pseudo entry that goes on behind the
// block.
#pragma once

#include "cpu/core.h"
#include "cpu/insn.h"
#include "cpu/interp/handler.h"

namespace mynah {

// Executes its entry, and in threaded builds everything behind it; returns the entry to go on with, or null
// when the run loop has to look (state.rip and retired are exact then).
using Step = const Entry* (*)(Core&, const Entry*);

struct Entry {
    Insn insn;
    Step step;
    union {
        Step slow;        // where `step` goes when its fast path does not do
        Handler handler;  // of `call_handler` steps
    };
    u16 offset;  // of the instruction from the block's start
    u16 index;   // instructions before it in the block
};

struct Block {
    const u8* host;  // the code's bytes
    Entry* entries;
    // Where control goes: behind the block, and to the target of a direct branch in the same page. Followed
    // without a look at the TLB. A dead target has a count that no limit admits.
    Block* fallthrough;
    Block* taken;
    Block* next_in_page;
    u32 key;
    u32 count;  // instructions
    u32 bytes;
    // Entries left until an accelerator is asked. At 0 links stop serving: the run loop asks.
    mutable u32 heat;
    static constexpr u32 kDead = 0x7FFFFFFF;
    bool dead() const { return count == kDead; }
};

// Threaded builds end each step in a call of the next, which compilers turn into a jump when they optimise;
// the others return to a loop. One text serves both, and a mixture is correct as well.
#ifdef MYNAH_THREADED
inline constexpr bool kThreaded = true;
#else
inline constexpr bool kThreaded = false;
#endif

[[gnu::always_inline]] inline const Entry* go_on(Core& c, const Entry* e) {
    if constexpr (kThreaded) return e->step(c, e);
    return e;
}

inline u64 rip_of(const Core& c, const Entry* e) {
    return c.block_rip + e->offset;
}

}  // namespace mynah
