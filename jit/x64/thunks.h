// The code that every region shares: entering and leaving, and calls out to C++. Generated once a code cache.
#pragma once

#include "jit/x64/registers.h"

namespace mynah::x64 {

// How translated code goes on after a call out.
struct Outcome {
    enum Kind : u64 {
        behind,   // behind the instruction, which has been executed
        leave,    // to the run loop; state is complete
        address,  // with the host address in `value`
        jump,     // at the code in `value`
    };
    u64 kind;
    u64 value = 0;
};

// What translated code calls. `context` is what was given to generate().
struct Callouts {
    // The TLB had no entry for an access.
    Outcome (*miss)(void* context, u32 site, u64 linear);
    // The same of a span on the stack, all of which must be in one page; never `behind`.
    Outcome (*stack_range)(void* context, u32 site, u64 linear);
    // Executes one instruction.
    Outcome (*interpret)(void* context, u32 site);
    // The same of one that neither faults nor leads elsewhere, without a look at the flags; the selector of
    // a segment load is the first of Core::Accelerated::value, and the stack pointer stays. False: it is not
    // that simple here, and nothing has happened.
    bool (*operate)(void* context, u32 site);
    // The same as `interpret` of one that control never goes on behind: code of where it goes, or null:
    // leave.
    const u8* (*transfer)(void* context, u32 site);
    // The instruction is complete and an event may be due.
    Outcome (*attend)(void* context, u32 site);
    // Code of the jump target in state.rip, or null: leave.
    const u8* (*lookup)(void* context);
    // The same for a direct jump, which may be patched.
    const u8* (*link)(void* context, u32 link);
    void (*load_x87)(void* context);
};

struct Thunks {
    void (*enter)(const u8* code) = nullptr;
    // Jumped to with RIP in RAX: leave. As in the next, the flags are in the state.
    const u8* exit = nullptr;
    // Jumped to: on to the code of the RIP in RAX.
    const u8* indirect = nullptr;
    // The same for what is not in the table of targets: RAX is its key.
    const u8* lookup = nullptr;
    // Jumped to with the link's number in EAX.
    const u8* link = nullptr;
    // Called with the site's number in ECX. Flags must be in the state. RAX: linear address, then as
    // Callouts::miss.
    const u8* miss = nullptr;
    // The same, with a look at the TLB's victims first.
    const u8* read_miss = nullptr;
    const u8* write_miss = nullptr;
    // The same for accesses through the stack pointer, with RAX less Mmu::StackPage::page.
    // `stack_limit` is the last offset in a page where they fit.
    const u8* stack_read_miss = nullptr;
    const u8* stack_write_miss = nullptr;
    // The same of a span, but not back if it is not in a page that fits.
    const u8* stack_range = nullptr;
    // Called with the site's number in ECX; returns only to go on.
    const u8* interpret = nullptr;
    // Called with the site's number in ECX: see Callouts. AL: what it returned.
    const u8* operate = nullptr;
    // The same of a load of FS or GS at CPL 0 outside of 64-bit code, which need not call C++ where it is one
    // of the last two selectors, or null.
    std::array<const u8*, 2> load_segment{};
    // The same of CLAC and STAC at CPL 0.
    const u8* clac = nullptr;
    const u8* stac = nullptr;
    // Jumped to: as `interpret`, for one that goes elsewhere.
    const u8* transfer = nullptr;
    // Called when an event may be due behind the site's instruction.
    const u8* attend = nullptr;
    // Called: loads the vector registers and MXCSR.
    const u8* load_vectors = nullptr;
    // Called: likewise the x87. Changes RAX, RCX and the flags.
    const u8* load_x87 = nullptr;
};

// The byte offset of a target, or of a victim, of the RIP or key in EAX: to ECX.
void scale_index(Encoder& e, u32 factor, unsigned bits);

// Writes them at the encoder's place. `delta`: from the writable to the executable mapping.
// `null_keeps_base`: a segment register's base stays when a null selector is loaded.
Thunks generate_thunks(Encoder& e, i64 delta, const StateOffsets& state, const Callouts& callouts,
                       void* context, bool null_keeps_base);

}  // namespace mynah::x64
