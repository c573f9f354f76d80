#include "cpu/insn_table.h"

#include <cstdlib>

#include "cpu/flags.h"

namespace mynah {
namespace {

struct OpNames {
    const char* names[static_cast<std::size_t>(Op::VFNMSUBSD) + 1];
};
constexpr OpNames kOpNames = {{
    "INVALID",
#define MYNAH_OP(name) #name,
#include "cpu/ops.inc"
#undef MYNAH_OP
}};

constexpr std::string_view kConditions[16] = {"o", "no", "b", "nb", "z", "nz", "be", "nbe",
                                              "s", "ns", "p", "np", "l", "nl", "le", "nle"};

}  // namespace

const char* op_name(Op op) {
    return kOpNames.names[static_cast<unsigned>(op)];
}

std::string mnemonic(const Insn& i) {
    const InsnRow& row = row_of(i);
    std::string_view m = row.mnemonic;
    const unsigned size = row.has(row_attr::by_asize) ? i.asize : i.osize;
    for (unsigned skip = size == 8 ? 2 : size == 4 ? 1 : 0; skip; --skip) {
        const auto bar = m.find('|');
        if (bar == m.npos) break;
        m.remove_prefix(bar + 1);
    }
    m = m.substr(0, m.find('|'));
    if (m.ends_with('*')) return std::string(m.substr(0, m.size() - 1)) + std::string(kConditions[i.cond]);
    return std::string(m);
}

unsigned operand_bytes(const Insn& i, const Operand& o, u8 code_size) {
    const bool memory = i.memory();
    const unsigned vector = i.has(insn_flag::vex_l) ? 32 : 16;
    switch (o.size) {
        case OperandSize::none:
            return 0;
        case OperandSize::b:
        case OperandSize::bs:
            return 1;
        case OperandSize::w:
            return 2;
        case OperandSize::d:
            return 4;
        case OperandSize::q:
            return 8;
        case OperandSize::t:
            return 10;
        case OperandSize::x:
            return vector;
        case OperandSize::xh:
            return vector / 2;
        case OperandSize::xq:
            return vector / 4;
        case OperandSize::xe:
            return vector / 8;
        case OperandSize::dq:
            return 16;
        case OperandSize::qq:
            return 32;
        case OperandSize::v:
            return i.osize;
        case OperandSize::z:
            return i.osize == 2 ? 2 : 4;
        case OperandSize::y:
            return i.has(insn_flag::rex_w) ? 8 : 4;
        case OperandSize::m:
            return code_size == 8 ? 8 : 4;
        case OperandSize::p:
            return i.osize + 2u;
        case OperandSize::a:
            return i.osize * 2u;
        case OperandSize::s:
            return code_size == 8 ? 10 : 6;
        case OperandSize::vw:
            return memory ? 2 : i.osize;
        case OperandSize::zw:
            return memory ? 2 : i.osize == 2 ? 2 : 4;
        case OperandSize::dw:
            return memory ? 2 : 4;
        case OperandSize::db:
            return memory ? 1 : 4;
        case OperandSize::env:
            return i.osize == 2 ? 14 : 28;
        case OperandSize::save:
            return i.osize == 2 ? 94 : 108;
        case OperandSize::fx:
            return 512;
        case OperandSize::xs:
            return 0;
    }
    return 0;
}

OperandClass operand_class(const Insn& i) {
    if (!i.memory()) return OperandClass::none;
    if (i.index != kNoRegister) return OperandClass::indexed;
    if (i.base == kNoRegister || i.base == kRip) return OperandClass::absolute;
    return i.base == rsp || i.base == rbp ? OperandClass::stack : OperandClass::base;
}

u32 condition_flags(unsigned cond) {
    switch (cond >> 1 & 7) {
        case 0:
            return eflags::of;
        case 1:
            return eflags::cf;
        case 2:
            return eflags::zf;
        case 3:
            return eflags::cf | eflags::zf;
        case 4:
            return eflags::sf;
        case 5:
            return eflags::pf;
        case 6:
            return eflags::sf | eflags::of;
        default:
            return eflags::sf | eflags::of | eflags::zf;
    }
}

}  // namespace mynah
