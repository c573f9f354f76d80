// The instruction table turned inside out for decode(): opcode to row in one to three dense look-ups.
#pragma once

#include "base/types.h"
#include "cpu/insn_table.h"

namespace mynah::decode_tables {

inline constexpr u16 kInvalid = 0xFFFF;
// In `slots`: the low bits are the first of eight slots chosen by ModRM.rm.
inline constexpr u16 kByRm = 0x8000;

// What follows an opcode byte.
enum class NodeKind : u8 {
    row,     // `base` is the row, or kInvalid
    prefix,  // slots[base + prefix], prefix as in MandatoryPrefix
    reg,     // slots[base + 8 * (mod == 3) + ModRM.reg]
    full,    // slots[base + 16 * prefix + 8 * (mod == 3) + ModRM.reg]
};

struct Node {
    u16 base = kInvalid;
    NodeKind kind = NodeKind::row;
    // Its rows that need no prefix are in every processor and mode, and ask for nothing but operands.
    bool plain = false;
};
static_assert(sizeof(Node) == 4);

namespace vex_attr {
inline constexpr u8 vvvv = 1 << 0;      // vvvv names an operand; else it must be 1111b
inline constexpr u8 ignore_l = 1 << 1;  // LIG
inline constexpr u8 vsib = 1 << 2;
inline constexpr u8 register4 = 1 << 3;  // the immediate names a register
}  // namespace vex_attr

enum class Immediate : u8 { none, ib, ibs, iw, iz, iv, jb, jz, ap, moffs, iw_ib, one };

namespace entry_attr {
inline constexpr u16 modrm = 1 << 0;
inline constexpr u16 mod_ignored = 1 << 1;
inline constexpr u16 byte_reg = 1 << 2;    // ModRM.reg (or the opcode's low bits) names a byte register
inline constexpr u16 byte_rm = 1 << 3;     // ModRM.rm likewise
inline constexpr u16 narrow_reg = 1 << 4;  // REX.R has no meaning
inline constexpr u16 narrow_rm = 1 << 5;   // REX.B has no meaning
inline constexpr u16 lock = 1 << 6;
inline constexpr u16 ends_block = 1 << 7;
inline constexpr u16 prot = 1 << 8;
inline constexpr u16 mandatory = 1 << 9;    // F2/F3 belongs to the opcode
inline constexpr u16 w_pair = 1 << 10;      // with REX.W it is the next row
inline constexpr u16 opcode_reg = 1 << 11;  // register in the opcode's low bits
inline constexpr u16 check_reg = 1 << 12;   // ModRM.reg names a segment, control or debug register
inline constexpr u16 lahf_lm = 1 << 13;
inline constexpr u16 rm_is_rax = 1 << 14;  // the other register of XCHG rAX
inline constexpr u16 b_xchg = 1 << 15;     // NOP that is XCHG with REX.B
}  // namespace entry_attr

// What decode() needs of a row.
struct Entry {
    Op op{};
    u16 attributes = 0;
    OsizeRule osize{};
    Immediate immediate{};
    Feature feature{};
    u8 vex = 0;  // vex_attr
};
static_assert(sizeof(Entry) == 8);

inline constexpr unsigned kMaxRows = 2048;
inline constexpr unsigned kMaxSlots = 28 * 1024;
inline constexpr unsigned kVexMaps = 3;

struct Tables {
    Node nodes[2][kOpcodeMaps][256];      // first: 64-bit code
    Node vex_nodes[2][kVexMaps][4][256];  // first: 64-bit code; third: VEX.W << 1 | VEX.L
    u8 operand_sizes[3][4][16];           // Insn::osize by [code size >> 2][66h << 1 | REX.W][OsizeRule]
    Entry entries[kMaxRows];
    u16 slots[kMaxSlots];
    unsigned slots_used = 0;
    // Rows that stand in: for TZCNT and LZCNT when the feature is off, for NOP with REX.B.
    u16 row_bsf = 0, row_bsr = 0, row_xchg = 0;
};

extern const Tables tables;

}  // namespace mynah::decode_tables
