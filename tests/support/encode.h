// Random valid encodings of one row of the instruction table. Works from the row alone and shares nothing
// with decode(), so that the two check each other.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "base/types.h"
#include "cpu/insn_table.h"
#include "support/random.h"

namespace mynah::test {

// What the encoding may look like. The defaults allow everything that is legal.
struct EncodeOptions {
    bool register_form = true;
    bool memory_form = true;
    u8 osize = 0;              // 2, 4 or 8: only this operand size, where the row has a choice; 0: any
    bool change_asize = true;  // 67h allowed
    bool segments = true;      // segment overrides allowed
    bool fs_gs = true;         // FS and GS among them
    bool lock = true;          // where legal
    bool rep = true;           // F2/F3 where they repeat
    bool redundant =
        true;  // prefixes without effect: REX bits, REX.W of an 8-bit operation, doubled prefixes
    // Memory operands: registers that may be base or index, absolute and RIP-relative forms, displacement
    // bits.
    u32 base_registers = 0xFFFF;
    u32 index_registers = 0xFFFF;
    bool absolute = true;
    bool rip_relative = true;
    unsigned displacement_bits = 64;  // significant ones of displacements
    std::optional<u64> address;       // what absolute forms (moffs too) address; otherwise anything
    // Register operands: general registers that may be named by ModRM.reg, ModRM.rm or the opcode.
    // Without it RSP (and SP, ESP, SPL) is never written to.
    bool allow_rsp = true;
};

struct Encoding {
    std::array<u8, 16> bytes{};
    u8 length = 0;  // 0: the row has no encoding in this mode under these options
    explicit operator bool() const { return length != 0; }
    std::span<const u8> span() const { return {bytes.data(), length}; }
};

Encoding encode_random(const InsnRow& row, u8 code_size, Random& random, const EncodeOptions& options = {});

// Is the row in code of this size at all?
bool exists_in(const InsnRow& row, u8 code_size);

}  // namespace mynah::test
