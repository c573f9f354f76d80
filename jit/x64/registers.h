// Where guest registers live in translated code: the same host registers in every region.
//
// RAX and RCX are scratch (LAHF, shift counts), R14 is the budget, RSP the host's stack. Four guest registers
// that compilers use least stay in the state, which GS points at.
#pragma once

#include <array>

#include "jit/x64/encoder.h"

namespace mynah::x64 {

inline constexpr Reg kBudget = R14;

// By guest register number; kNoReg: in the state.
inline constexpr std::array<Reg, 16> kHome = {R11, R9,     RDX,    RBX,    R10, RBP, RSI,    RDI,
                                              R8,  kNoReg, kNoReg, kNoReg, R12, R13, kNoReg, R15};

// Offsets from the GS base of what translated code touches.
struct StateOffsets {
    i32 gpr;  // + 8 * n
    i32 rip;
    i32 eflags;
    i32 attention, interrupt_waits;
    i32 vec;  // + 32 * n
    i32 mxcsr;
    i32 budget;
    i32 space;
    i32 targets;
    i32 value;
    i32 spans;  // + 8 * n
    i32 flags;
    i32 vectors_loaded;
    i32 x87_loaded;
    i32 host_mxcsr;
    i32 host_stack;
    i32 gs_base, kernel_gs_base;
    i32 stack_page;  // Mmu::StackPage
    i32 stack_page_changes;
    i32 privilege;
    i32 views;  // Mmu::views()
    i32 stack_limit;
    i32 x87_control, x87_fdp;
    i32 x87_last, x87_operand;
    i32 read_table, write_table, fetch_table;  // Mmu::Table
    i32 read_victims, write_victims;           // Mmu::victims()
    std::array<i32, 8> segment;                // Core::SegShortcut
    std::array<i32, 6> segment_register;  // SegmentRegister: the selector first, its base in the second half
    std::array<i32, 6> loaded_segment;    // Core::LoadedSegment: the same, then the descriptor
    i32 gdt_base, gdt_limit;
    std::array<i32, 5> control;  // CR0 to CR4, 0 for CR1
};

}  // namespace mynah::x64
