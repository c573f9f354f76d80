// The unit of translation: all blocks of a page that direct branches reach from one entry.
#pragma once

#include <vector>

#include "cpu/interp/block.h"
#include "mmu/physical_map.h"

namespace mynah {

// Everything about the processor's state that translated code takes for granted.
struct ModeBits {
    u8 code_size = 2;   // 2, 4, 8
    u8 stack_size = 2;  // 2, 4, 8
    bool descriptors = false;
    bool supervisor = false;  // CPL 0
    bool flat = false;       // DS, ES and SS: base 0, all 4 GiB readable and writable (always in 64-bit code)
    bool flat_cs = false;    // CS likewise readable
    bool sse = false;        // SSE executes natively: enabled, all exceptions masked
    bool x87 = false;        // x87 likewise
    bool fdp = false;        // its memory operands leave their address in FDP
    bool unspanned = false;  // one block, whose accesses are all looked up: where spans fail
    bool avx = false;        // AVX is enabled too
    bool operator==(const ModeBits&) const = default;
};

struct RegionKey {
    const u8* host = nullptr;  // of the first byte of code
    u64 rip = 0;
    u32 mode = 0;  // number of the ModeBits
    bool operator==(const RegionKey&) const = default;
};
inline constexpr u32 kNoBlock = ~u32{0};

struct RegionBlock {
    u32 first = 0;  // instruction
    u32 count = 0;
    u16 begin = 0;           // offset in the page
    u16 end = 0;             // behind the last instruction
    u32 next = kNoBlock;     // where it falls through to, if that is in the region
    u32 taken = kNoBlock;    // target of its branch, likewise
    bool external = false;   // may be entered from outside
    bool poll = false;       // looks at the budget whenever it is entered
    bool truncated = false;  // ends before an instruction that is not translated: the interpreter goes on
    u32 need = 0;            // the most instructions from here to the next poll
};

struct Region;

// A direct jump to somewhere else in the same page, patched when its target is translated.
struct Link {
    u8* jump = nullptr;  // the rel32 jump, in the writable mapping
    u32 unlinked = 0;    // its displacement before patching
    Region* from = nullptr;
    Region* to = nullptr;
    u64 rip = 0;
    bool unspanned = false;  // to a region of ModeBits::unspanned, made when it is first wanted
};

// Where translated code may call out: which instruction that is.
struct CallSite {
    Region* region = nullptr;
    Entry* entry = nullptr;  // one of the region's
    u64 rip = 0;             // of the instruction
    u32 given_back = 0;      // instructions of its block from this one on: charged and not run yet
    u8 size = 0;             // of the access
    bool write = false;
    bool relies = false;  // the code behind it takes for granted that no page is mapped otherwise
    bool checks = false;  // the instruction checks it: who executes it otherwise must not go on behind it
    bool shadow = false;  // STI: interrupts wait for one instruction more
    bool x87 = false;     // the code behind it takes for granted that the x87 is loaded
    bool span = false;    // of `size` and `write` as a whole; the first access in it:
    bool span_writes = false;
    u8 span_at = 0;
};

struct Region {
    RegionKey key;
    PhysicalAddress frame = 0;  // of the page
    u64 page_rip = 0;           // RIP of the page's first byte; wraps as RIP does
    u8 stack_size = 0;          // ModeBits
    std::vector<Entry>
        insns;  // decoded, in order within blocks; `offset` from the page's start; `step` by select()
    std::vector<RegionBlock> blocks;  // in address order
    struct Exported {
        u64 rip;
        u32 need;
        const u8* code;
    };
    std::vector<Exported> entries;
    std::vector<u32> host_offsets;  // where the code of each instruction begins
    std::vector<Link*> incoming;
    const u8* code = nullptr;  // executable
    // Of an instruction that straddles pages, which is a region of its own: the bytes in the next page, its
    // linear address, frame and host address.
    u32 straddles = 0;
    u64 next_linear = 0;
    PhysicalAddress next_frame = 0;
    const u8* next_host = nullptr;
    u32 code_bytes = 0;
    u32 stubs_offset = 0;  // what is behind is reached by jumps only
    bool dead = false;
    bool hoist = true;     // accesses to the stack may be checked together
    u32 stack_misses = 0;  // such checks that failed for good

    u64 rip_of(const Entry& e) const { return page_rip + e.offset; }
    u64 rip_of(const RegionBlock& b) const { return page_rip + b.begin; }
};

}  // namespace mynah
