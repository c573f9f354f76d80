// The x87 environment and registers as memory images: FNSTENV, FNSAVE and, for their parts, FXSAVE and XSAVE.
#pragma once

#include "base/types.h"
#include "cpu/cpu_state.h"
#include "cpu/insn.h"

namespace mynah {

class Core;

namespace x87 {

namespace sw {  // status word, SDM vol. 1 8.1.3
inline constexpr u16 stack_fault = 0x40, summary = 0x80, c0 = 0x100, c1 = 0x200, c2 = 0x400, top = 0x3800,
                     c3 = 0x4000, busy = 0x8000;
inline constexpr u16 conditions = c0 | c1 | c2 | c3;
inline constexpr u16 exceptions = 0x3F;
}  // namespace sw

// Two bits a physical register: valid, zero, special, empty (SDM vol. 1 8.1.7).
u16 full_tag_word(const X87State& x);
void set_full_tag_word(X87State& x, u16 tags);

// Bits that do not exist cleared, bit 6 set.
constexpr u16 legal_control_word(u16 v) {
    return static_cast<u16>((v & 0x1F3F) | 0x40);
}

// After the control word or the exception flags were written: ES and B follow, and FERR#.
void update_summary(Core& core);

// FOP of an instruction (SDM vol. 1 8.1.9).
constexpr u16 fop(const Insn& i) {
    return static_cast<u16>((i.opcode & 7) << 8 | i.vvvv);
}

// What FNINIT does.
void initialize(Core& core);

}  // namespace x87
}  // namespace mynah
