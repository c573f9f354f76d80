// One decoded instruction: 32 bytes, the same for every engine. Made by decode(), described by its table row.
#pragma once

#include "base/types.h"
#include "cpu/cpu_state.h"
#include "cpu/op.h"

namespace mynah {

// A register number of an 8-bit operand: 0-15 are the low bytes, 16-19 AH, CH, DH, BH.
inline constexpr u8 kHighByte = 16;
// Values of Insn::base and Insn::index besides 0-15.
inline constexpr u8 kNoRegister = 16;  // CpuState::gpr[16] is 0
inline constexpr u8 kRip = 17;         // base only: RIP of the next instruction

namespace insn_flag {
inline constexpr u16 modrm = 1 << 0;
inline constexpr u16 memory = 1 << 1;  // has a ModRM memory operand (mod != 3) or a moffs
inline constexpr u16 lock = 1 << 2;
inline constexpr u16 rep = 1 << 3;    // F3 as a REP/REPE prefix (not as a mandatory prefix)
inline constexpr u16 repne = 1 << 4;  // F2 likewise
inline constexpr u16 rex_w = 1 << 5;
inline constexpr u16 opsize = 1 << 6;    // 66h present
inline constexpr u16 addrsize = 1 << 7;  // 67h present
inline constexpr u16 seg_override = 1 << 8;
inline constexpr u16 ends_block = 1 << 9;  // branches, mode changes, HLT...: nothing is predecoded behind it
inline constexpr u16 rex = 1 << 10;
inline constexpr u16 vex = 1 << 11;
inline constexpr u16 vex_l = 1 << 12;  // 256-bit operands
}  // namespace insn_flag

struct Insn {
    u64 imm = 0;        // immediate (extended as the row says), branch displacement, moffs, or far offset
    i32 disp = 0;       // memory displacement; selector of a direct far pointer; ENTER's nesting level
    u16 row = 0;        // index of the row in insn_table()
    Op op{};            // what to do
    u8 length = 0;      // 1-15
    u8 osize = 0;       // bytes of the integer operands: 1, 2, 4, 8
    u8 asize = 0;       // address size in bytes: 2, 4, 8
    Seg seg = Seg::ds;  // of the memory operand, after overrides and defaults
    u8 base = kNoRegister;
    u8 index = kNoRegister;  // of a gather: the vector register
    u8 scale = 0;            // shift count 0-3
    u8 reg = 0;     // ModRM.reg (or the register in the opcode's low bits), REX applied, kHighByte applied
    u8 rm = 0;      // ModRM.rm when it names a register, likewise
    u8 cond = 0;    // low four bits of the opcode: the condition of Jcc, SETcc, CMOVcc, FCMOVcc
    u8 vvvv = 0;    // VEX.vvvv, the right way up; without VEX the ModRM byte (FOP of the x87)
    u8 opcode = 0;  // last opcode byte: x87 and other families that dispatch on it
    u16 flags = 0;  // insn_flag

    bool has(u16 f) const { return flags & f; }
    bool memory() const { return flags & insn_flag::memory; }
};
static_assert(sizeof(Insn) == 32);

}  // namespace mynah
