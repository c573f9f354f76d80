// The instruction table (insn_table.inc) as data: decoder, interpreter, recorder, translator and the test
// generator all work from these rows.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "base/types.h"
#include "cpu/feature.h"
#include "cpu/insn.h"
#include "cpu/op.h"

namespace mynah {

// Opcode maps (SDM vol. 2A 2.1.2), with VEX those of mmmmm = 1, 2 and 3.
enum class OpcodeMap : u8 { one_byte, x0f, x0f38, x0f3a };
inline constexpr unsigned kOpcodeMaps = 4;

enum class MandatoryPrefix : u8 { none, x66, f3, f2, any };
enum class ModConstraint : u8 { either, memory, reg, ignored };

// Where an operand is (SDM vol. 2 A.2.1).
enum class OperandKind : u8 {
    none,
    E,     // ModRM.rm: general register or memory
    G,     // ModRM.reg: general register
    I,     // immediate
    J,     // relative branch target
    M,     // ModRM.rm: memory only
    O,     // absolute offset in the instruction
    A,     // direct far pointer
    S,     // ModRM.reg: segment register
    C,     // ModRM.reg: control register
    D,     // ModRM.reg: debug register
    R,     // ModRM.rm: general register, mod ignored
    Z,     // register in the opcode's low bits
    X,     // DS:rSI (segment can be overridden)
    Y,     // ES:rDI
    V,     // ModRM.reg: XMM, YMM
    W,     // ModRM.rm: XMM, YMM or memory
    U,     // ModRM.rm: XMM, YMM only
    P,     // ModRM.reg: MMX
    Q,     // ModRM.rm: MMX or memory
    N,     // ModRM.rm: MMX only
    H,     // VEX.vvvv: vector register
    B,     // VEX.vvvv: general register
    L,     // bits 7-4 of the immediate: vector register
    gpr,   // the fixed general register `fixed`
    sreg,  // the fixed segment register `fixed`
    st0,
    st1,
    sti,  // ModRM.rm: x87 stack register
    xmm0,
    one,  // the constant 1 of D0/D1
};

enum class OperandSize : u8 {
    none,
    b,   // 1
    bs,  // 1, an immediate sign-extended to the operand size
    w,   // 2
    d,   // 4
    q,   // 8
    t,   // 10
    x,   // 16; with VEX.L 32
    xh,  // a half, a quarter and an eighth of it
    xq,
    xe,
    dq,    // 16
    qq,    // 32
    v,     // 2, 4, 8: Insn::osize
    z,     // 2, 4, 4
    y,     // 4, 8
    m,     // 4, or 8 in 64-bit code
    p,     // far pointer: osize + 2
    a,     // BOUND's pair: 2 * osize
    s,     // pseudo-descriptor: 6, or 10 in 64-bit code
    vw,    // register v, memory w
    zw,    // likewise, SDM LAR/LSL
    dw,    // register d, memory w
    db,    // register d, memory b
    env,   // FLDENV: 14 or 28
    save,  // FRSTOR: 94 or 108
    fx,    // 512
    xs,    // XSAVE area
};

struct Operand {
    OperandKind kind = OperandKind::none;
    OperandSize size = OperandSize::none;
    bool read = false;
    bool write = false;
    u8 fixed = 0;
    bool operator==(const Operand&) const = default;
};

// How Insn::osize follows from the code size, 66h and REX.W.
enum class OsizeRule : u8 {
    b,     // 1
    w,     // 2
    v,     // 2, 4, 8
    z,     // 2, 4, 4
    y,     // 4, 8
    m,     // 4, or 8 in 64-bit code
    d64,   // v, but 8 by default in 64-bit code
    f64,   // v, but always 8 in 64-bit code
    lgdt,  // v, but always 8 in 64-bit code and 2 means a 24-bit base
};

namespace row_attr {
inline constexpr u32 lock = 1 << 0;  // LOCK allowed when the first operand is memory
inline constexpr u32 rep = 1 << 1;   // REP repeats
inline constexpr u32 repz = 1 << 2;  // REPE and REPNE repeat, ZF ends
inline constexpr u32 ends_block = 1 << 3;
inline constexpr u32 fault = 1 << 4;  // can fault (memory operands and strings included)
inline constexpr u32 only64 = 1 << 5;
inline constexpr u32 no64 = 1 << 6;
inline constexpr u32 prot = 1 << 7;        // #UD in real and virtual-8086 mode
inline constexpr u32 cpl0 = 1 << 8;        // #GP(0) when CPL > 0
inline constexpr u32 iopl = 1 << 9;        // sensitive to IOPL, VME or the I/O permission map
inline constexpr u32 align = 1 << 10;      // 16- or 32-byte memory operand must be aligned
inline constexpr u32 bitstring = 1 << 11;  // BT family: a register bit offset reaches beyond the operand
inline constexpr u32 by_asize = 1 << 12;   // mnemonic goes by address size
inline constexpr u32 no_access =
    1 << 13;  // the ModRM memory operand is not accessed (LEA, NOP, PREFETCH, INVLPG)
inline constexpr u32 lahf_lm = 1 << 14;  // needs Feature::lahf_lm in 64-bit code
inline constexpr u32 vsib = 1 << 15;     // the memory operand's index is a vector register
inline constexpr u32 vsibh = 1 << 16;    // likewise, of half the instruction's size
inline constexpr u32 wig32 = 1 << 17;    // VEX.W is ignored outside of 64-bit code
}  // namespace row_attr

// What kind of memory a form touches. Of an instruction with an operand, operand_class() tells more.
enum class MemoryClass : u8 { none, operand, moffs, string, stack };

// General registers that operands write: the fields of Insn that name one, and fixed registers as bits.
struct RegisterWrites {
    bool rm = false;  // when it is no memory operand
    bool reg = false;
    bool vvvv = false;
    u16 fixed = 0;
};

struct InsnRow {
    std::string_view encoding;
    std::string_view mnemonic;
    Op op{};
    OpcodeMap map{};
    u8 opcode = 0;
    u8 opcode_count = 1;  // 8 for +r, 16 for +c
    MandatoryPrefix prefix = MandatoryPrefix::any;
    bool modrm = false;
    ModConstraint mod = ModConstraint::either;
    i8 reg = -1;    // required ModRM.reg, or -1
    i8 rm = -1;     // required ModRM.rm, or -1
    i8 rex_w = -1;  // required REX.W or VEX.W, or -1
    i8 vex_l = -1;  // required VEX.L, or -1
    bool vex = false;
    bool lig = false;  // VEX.L is ignored
    std::array<Operand, 4> operands{};
    RegisterWrites writes;
    u32 flags_read = 0;       // eflags bits
    u32 flags_written = 0;    // with a value the SDM defines
    u32 flags_undefined = 0;  // changed, value not defined by the SDM
    u32 attributes = 0;       // row_attr
    Feature feature = Feature::always;
    OsizeRule osize = OsizeRule::y;
    MemoryClass memory = MemoryClass::none;

    constexpr bool has(u32 attribute) const { return attributes & attribute; }
    constexpr unsigned operand_count() const {
        unsigned n = 0;
        while (n < operands.size() && operands[n].kind != OperandKind::none) ++n;
        return n;
    }
};

std::span<const InsnRow> insn_table();
inline const InsnRow& row_of(const Insn& i) {
    return insn_table()[i.row];
}

// The mnemonic of one instruction as Zydis spells it, sizes and condition filled in.
std::string mnemonic(const Insn& i);

// Size in bytes of an operand of this instruction as memory (or register) operand; 0 where it has none.
unsigned operand_bytes(const Insn& i, const Operand& o, u8 code_size);

// How the address of the memory operand is made.
enum class OperandClass : u8 { none, absolute, base, stack, indexed };
OperandClass operand_class(const Insn& i);

// Flags that Jcc, SETcc and CMOVcc with condition 0-15 read.
u32 condition_flags(unsigned cond);

}  // namespace mynah
