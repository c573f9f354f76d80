// What is still in RAX from the access before: functions save and restore registers one after the other, and
// go from one field of a structure to the next.
#include "jit/x64/translator.h"

namespace mynah::x64 {

namespace {

// Bits: guest registers that are not in the state.
constexpr u32 kAtHome = [] {
    u32 registers = 0;
    for (unsigned g = 0; g < kHome.size(); ++g) registers |= static_cast<u32>(kHome[g] != kNoReg) << g;
    return registers;
}();

bool at_home(u8 g) {
    return kAtHome >> g & 1;
}

}  // namespace

// True: of its code only accesses use RAX, and those of flags_to_state() and its like, which say so.
bool Translator::keeps_rax(const Insn& i) const {
    const bool rm = i.memory() || at_home(i.rm);
    switch (i.op) {
        case Op::PUSH:
            return !i.memory() &&
                   (i.opcode == 0x68 || i.opcode == 0x6A || at_home(i.opcode == 0xFF ? i.rm : i.reg));
        case Op::POP:
            return !i.memory() && at_home(i.opcode == 0x8F ? i.rm : i.reg);
        case Op::MOV:
            if (i.opcode >= 0xB0 && i.opcode <= 0xBF) return at_home(i.reg);
            if (i.opcode == 0xC6 || i.opcode == 0xC7) return rm;
            return i.has(insn_flag::modrm) && rm && at_home(i.reg);
        case Op::MOVZX:
        case Op::MOVSX:
        case Op::MOVSXD:
            return rm && at_home(i.reg);
        case Op::LEA:
            return at_home(i.reg) && at_home(i.base) && (i.index == kNoRegister || at_home(i.index)) &&
                   i.osize >= 4 && i.asize >= 4 && (i.asize == 8 || i.osize == 4);
        case Op::SHL:
        case Op::SHR:
        case Op::SAR:
            return !i.memory() && at_home(i.rm) && !(i.opcode & 2) && i.osize >= 4;
        case Op::ADC:
        case Op::SBB:
            return false;
        case Op::FPU:
            // Neither FLDCW nor FNSTSW AX.
            return i.memory() ? i.opcode != 0xD9 || i.reg < 5 : i.opcode != 0xDF;
        case Op::NOP:
        case Op::ENDBR:
            return true;
        default:
            if (is_alu(i.op)) {
                // Those of the accumulator have no ModRM byte.
                if (!i.has(insn_flag::modrm)) return true;
                const bool immediate = (i.opcode >= 0x80 && i.opcode <= 0x83) || i.opcode >= 0xF6;
                return rm && (immediate || at_home(i.reg));
            }
            return i.op >= Op::MOVD && rm;
    }
}

}  // namespace mynah::x64
