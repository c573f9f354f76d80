// Where an operand is: types, so that each combination becomes its own code.
#pragma once

#include "cpu/insn.h"

namespace mynah {

struct RegField {};   // Insn::reg
struct RmField {};    // Insn::rm, a register
struct Immediate {};  // Insn::imm
template <u8 n>
struct Fixed {};  // register n

// The shape of an address. `any` covers all that have none of their own: RIP-relative, 16 bits.
enum class Form : u8 { any, base32, base64, indexed32, indexed64, absolute };
template <Form form>
struct Memory {};

}  // namespace mynah
