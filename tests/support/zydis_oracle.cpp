#include "support/zydis_oracle.h"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "base/check.h"
#include "cpu/decoder.h"
#include "cpu/flags.h"
#include "cpu/insn_table.h"

namespace mynah::test {
namespace {

// An operand in either decoder's eyes. Registers are ZydisRegister values.
struct Plain {
    enum Type : u8 { none, reg, mem, imm, ptr } type = none;
    int a = 0, base = 0, index = 0, scale = 0;  // a: register, segment of memory or selector
    i64 value = 0;                              // displacement, immediate, far offset
    unsigned bits = 0;                          // of memory and immediates; 0: not compared
    bool operator==(const Plain&) const = default;
};

std::string text(const Plain& p) {
    char b[160];
    const auto name = [](int r) {
        const char* s = ZydisRegisterGetString(static_cast<ZydisRegister>(r));
        return s ? s : "?";
    };
    switch (p.type) {
        case Plain::none:
            return "none";
        case Plain::reg:
            return name(p.a);
        case Plain::mem:
            std::snprintf(b, sizeof b, "%u:%s:[%s+%s*%d+%lld]", p.bits, name(p.a), name(p.base),
                          name(p.index), p.scale, static_cast<long long>(p.value));
            return b;
        case Plain::imm:
            std::snprintf(b, sizeof b, "%llx", static_cast<unsigned long long>(p.value));
            return b;
        case Plain::ptr:
            std::snprintf(b, sizeof b, "%x:%llx", p.a, static_cast<unsigned long long>(p.value));
            return b;
    }
    return "";
}

int general(unsigned n, unsigned bytes) {
    if (bytes == 1) {
        if (n >= kHighByte) return ZYDIS_REGISTER_AH + static_cast<int>(n - kHighByte);
        return n < 4 ? ZYDIS_REGISTER_AL + static_cast<int>(n) : ZYDIS_REGISTER_SPL + static_cast<int>(n) - 4;
    }
    return (bytes == 2   ? ZYDIS_REGISTER_AX
            : bytes == 4 ? ZYDIS_REGISTER_EAX
                         : ZYDIS_REGISTER_RAX) +
           static_cast<int>(n);
}

i64 sign_extend(i64 v, unsigned bits) {
    if (bits == 0 || bits >= 64) return v;
    return static_cast<i64>(static_cast<u64>(v) << (64 - bits)) >> (64 - bits);
}

Plain our_memory(const Insn& i, unsigned bytes) {
    Plain p{Plain::mem};
    p.a = ZYDIS_REGISTER_ES + static_cast<int>(i.seg);
    const int first = i.asize == 2   ? ZYDIS_REGISTER_AX
                      : i.asize == 4 ? ZYDIS_REGISTER_EAX
                                     : ZYDIS_REGISTER_RAX;
    if (i.base == kRip)
        p.base = i.asize == 8 ? ZYDIS_REGISTER_RIP : ZYDIS_REGISTER_EIP;
    else if (i.base != kNoRegister)
        p.base = first + i.base;
    const InsnRow& row = row_of(i);
    if (row.has(row_attr::vsib) || row.has(row_attr::vsibh)) {
        const bool wide = i.has(insn_flag::vex_l) && row.has(row_attr::vsib);
        p.index = (wide ? ZYDIS_REGISTER_YMM0 : ZYDIS_REGISTER_XMM0) + i.index;
        p.scale = 1 << i.scale;
    } else if (i.index != kNoRegister) {
        p.index = first + i.index;
        p.scale = 1 << i.scale;
    }
    p.value = i.disp;
    p.bits = bytes * 8;
    return p;
}

Plain our_operand(const Insn& i, const Operand& o, u8 code_size) {
    const unsigned bytes = operand_bytes(i, o, code_size);
    const auto reg = [](int r) { return Plain{Plain::reg, r}; };
    const auto vector = [bytes](unsigned n) {
        return Plain{Plain::reg,
                     (bytes == 32 ? ZYDIS_REGISTER_YMM0 : ZYDIS_REGISTER_XMM0) + static_cast<int>(n)};
    };
    using enum OperandKind;
    switch (o.kind) {
        case none:
            return {};
        case E:
        case M:
            return i.memory() ? our_memory(i, bytes) : reg(general(i.rm, bytes));
        case R:
            return reg(general(i.rm, bytes));
        case G:
        case Z:
            return reg(general(i.reg, bytes));
        case gpr:
            return reg(general(o.fixed, bytes));
        case I: {
            const bool second = i.op == Op::ENTER && o.size == OperandSize::b;
            Plain p{Plain::imm};
            const unsigned bits =
                o.size == OperandSize::bs || o.size == OperandSize::z ? i.osize * 8u : bytes * 8u;
            p.value = sign_extend(second ? i.disp : static_cast<i64>(i.imm), bits);
            p.bits = bits;
            return p;
        }
        case J:
            return Plain{Plain::imm, 0, 0, 0, 0, static_cast<i64>(i.imm), 64};
        case A:
            return Plain{Plain::ptr, i.disp, 0,
                         0,          0,      static_cast<i64>(i.imm & (i.osize == 2 ? 0xFFFF : 0xFFFFFFFF))};
        case O: {
            Plain p{Plain::mem};
            p.a = ZYDIS_REGISTER_ES + static_cast<int>(i.seg);
            p.value = sign_extend(static_cast<i64>(i.imm), i.asize * 8u);  // Zydis shows offsets signed
            p.bits = bytes * 8;
            return p;
        }
        case S:
            return reg(ZYDIS_REGISTER_ES + i.reg);
        case C:
            return reg(ZYDIS_REGISTER_CR0 + i.reg);
        case D:
            return reg(ZYDIS_REGISTER_DR0 + i.reg);
        case X:
        case Y: {
            Plain p{Plain::mem};
            p.a = o.kind == Y ? ZYDIS_REGISTER_ES : ZYDIS_REGISTER_ES + static_cast<int>(i.seg);
            p.base = (i.asize == 2   ? ZYDIS_REGISTER_AX
                      : i.asize == 4 ? ZYDIS_REGISTER_EAX
                                     : ZYDIS_REGISTER_RAX) +
                     (o.kind == X ? 6 : 7);
            p.bits = bytes * 8;
            return p;
        }
        case V:
            return vector(i.reg);
        case W:
            return i.memory() ? our_memory(i, bytes) : vector(i.rm);
        case U:
            return vector(i.rm);
        case H:
            return vector(i.vvvv);
        case L:
            return vector(i.imm >> 4 & 15);
        case B:
            return reg(general(i.vvvv, bytes));
        case P:
            return reg(ZYDIS_REGISTER_MM0 + i.reg);
        case Q:
            return i.memory() ? our_memory(i, bytes) : reg(ZYDIS_REGISTER_MM0 + i.rm);
        case N:
            return reg(ZYDIS_REGISTER_MM0 + i.rm);
        case sreg:
            return reg(ZYDIS_REGISTER_ES + o.fixed);
        case st0:
            return reg(ZYDIS_REGISTER_ST0);
        case st1:
            return reg(ZYDIS_REGISTER_ST1);
        case sti:
            return reg(ZYDIS_REGISTER_ST0 + i.rm);
        case xmm0:
            return reg(ZYDIS_REGISTER_XMM0);
        case one:
            return Plain{Plain::imm, 0, 0, 0, 0, 1, 8};
    }
    return {};
}

Plain zydis_operand(const ZydisDecodedOperand& o, const Plain& ours) {
    Plain p;
    switch (o.type) {
        case ZYDIS_OPERAND_TYPE_REGISTER:
            return Plain{Plain::reg, o.reg.value};
        case ZYDIS_OPERAND_TYPE_MEMORY:
            p.type = Plain::mem;
            p.a = o.mem.type == ZYDIS_MEMOP_TYPE_AGEN ? ours.a : static_cast<int>(o.mem.segment);
            p.base = o.mem.base;
            p.index = o.mem.index;
            p.scale = o.mem.index ? o.mem.scale : 0;
            p.value = o.mem.disp.has_displacement ? o.mem.disp.value : 0;
            p.bits = ours.bits ? o.size : 0;
            return p;
        case ZYDIS_OPERAND_TYPE_POINTER:
            return Plain{Plain::ptr, o.ptr.segment, 0, 0, 0, static_cast<i64>(o.ptr.offset)};
        case ZYDIS_OPERAND_TYPE_IMMEDIATE:
            p.type = Plain::imm;
            p.bits = ours.bits;
            p.value = sign_extend(o.imm.value.s, ours.bits);
            return p;
        default:
            return p;
    }
}

// Extensions that no model of ours has (yet): their encodings are #UD here.
bool in_table(const ZydisDecodedInstruction& z) {
    if (z.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX) {
        switch (z.meta.isa_set) {
            case ZYDIS_ISA_SET_AVX:
            case ZYDIS_ISA_SET_AVX2:
            case ZYDIS_ISA_SET_AVX2GATHER:
            case ZYDIS_ISA_SET_AVXAES:
            case ZYDIS_ISA_SET_BMI1:
            case ZYDIS_ISA_SET_BMI2:
            case ZYDIS_ISA_SET_F16C:
            case ZYDIS_ISA_SET_FMA:
                return true;
            default:
                return false;
        }
    }
    if (z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY) return false;
    switch (z.meta.isa_set) {
        case ZYDIS_ISA_SET_ADOX_ADCX:
        case ZYDIS_ISA_SET_AMD:
        case ZYDIS_ISA_SET_AMD3DNOW:
        case ZYDIS_ISA_SET_AMD_INVLPGB:
        case ZYDIS_ISA_SET_CLWB:
        case ZYDIS_ISA_SET_CLZERO:
        case ZYDIS_ISA_SET_ENQCMD:
        case ZYDIS_ISA_SET_GFNI:
        case ZYDIS_ISA_SET_HRESET:
        case ZYDIS_ISA_SET_KEYLOCKER:
        case ZYDIS_ISA_SET_KEYLOCKER_WIDE:
        case ZYDIS_ISA_SET_MCOMMIT:
        case ZYDIS_ISA_SET_MONITORX:
        case ZYDIS_ISA_SET_MOVDIR:
        case ZYDIS_ISA_SET_CET:
        case ZYDIS_ISA_SET_PADLOCK_ACE:
        case ZYDIS_ISA_SET_PADLOCK_PHE:
        case ZYDIS_ISA_SET_PADLOCK_PMM:
        case ZYDIS_ISA_SET_PADLOCK_RNG:
        case ZYDIS_ISA_SET_PCONFIG:
        case ZYDIS_ISA_SET_PKU:
        case ZYDIS_ISA_SET_PT:
        case ZYDIS_ISA_SET_RDPID:
        case ZYDIS_ISA_SET_RDPRU:
        case ZYDIS_ISA_SET_RTM:
        case ZYDIS_ISA_SET_SERIALIZE:
        case ZYDIS_ISA_SET_SGX:
        case ZYDIS_ISA_SET_SGX_ENCLV:
        case ZYDIS_ISA_SET_SHA:
        case ZYDIS_ISA_SET_SMX:
        case ZYDIS_ISA_SET_SNP:
        case ZYDIS_ISA_SET_SSE4A:
        case ZYDIS_ISA_SET_SVM:
        case ZYDIS_ISA_SET_TDX:
        case ZYDIS_ISA_SET_TSX_LDTRK:
        case ZYDIS_ISA_SET_UINTR:
        case ZYDIS_ISA_SET_VMFUNC:
        case ZYDIS_ISA_SET_VTX:
        case ZYDIS_ISA_SET_WAITPKG:
        case ZYDIS_ISA_SET_XSAVES:
            return false;
        default:
            return true;
    }
}

// In what two decodings differ, the first of these that does.
enum class Part : u8 { validity, length, mnemonic, operands };

// The differences that stay, each with its reason. Nothing else may differ, and these in the named part
// alone.
const char* listed(const Insn& i, u8 code_size, Part part) {
    if (part == Part::validity && (i.op == Op::SYSCALL || i.op == Op::SYSRET) && code_size != 8) {
        return "SYSCALL and SYSRET in legacy code: AMD64 APM vol. 3 has them; Zydis knows Intel's only";
    }
    if (part == Part::mnemonic) {
        if (i.op == Op::ENDBR) return "ENDBR is a NOP to Zydis without CET; it has its own name here";
        return nullptr;
    }
    if (part != Part::operands) return nullptr;
    if (i.op == Op::MOVSXD && i.osize == 2 && i.memory()) {
        return "66 MOVSXD: SDM vol. 2B has r16, r/m16, so 2 bytes are read; Zydis 4.0 says 4";
    }
    if (i.memory() && i.base == kNoRegister && code_size == 8 && i.asize == 4 &&
        i.has(insn_flag::rex | insn_flag::vex)) {
        return "67 REX.B SIB, mod 00, base 101: SDM vol. 2A table 2-5 has no base whatever REX.B; Zydis 4.0 "
               "shows r13d";
    }
    if (i.op == Op::CLFLUSH || i.op == Op::CLFLUSHOPT)
        return "CLFLUSH m8 in the SDM; Zydis gives the whole line as its size";
    if (i.op == Op::NOP && i.opcode == 0x1E && i.has(insn_flag::opsize) && !i.memory()) {
        return "66 0F 1E: NOP r/m16 like its neighbours; Zydis has the 32-bit registers of RDSSP";
    }
    return nullptr;
}

std::string hex(std::span<const u8> code) {
    std::string s;
    char b[4];
    for (const u8 c : code) {
        std::snprintf(b, sizeof b, "%02X ", c);
        s += b;
    }
    return s;
}

// Every visible operand of Zydis must be one of ours, in order, and every one of ours one of Zydis's, where
// the implied ones are hidden behind the visible ones.
std::string compare_operands(const Insn& i, const ZydisDecodedInstruction& z,
                             const ZydisDecodedOperand* theirs, u8 code_size) {
    const InsnRow& row = row_of(i);
    unsigned visible = 0;
    for (unsigned n = 0; n < row.operand_count(); ++n) {
        const Plain ours = our_operand(i, row.operands[n], code_size);
        if (visible < z.operand_count_visible && ours == zydis_operand(theirs[visible], ours)) {
            ++visible;
            continue;
        }
        bool hidden = false;
        for (unsigned k = z.operand_count_visible; k < z.operand_count; ++k) {
            if (ours == zydis_operand(theirs[k], ours)) hidden = true;
        }
        if (!hidden) {
            std::string what = " operand " + std::to_string(n) + ": " + text(ours) + ", Zydis";
            for (unsigned k = 0; k < z.operand_count; ++k) what += " " + text(zydis_operand(theirs[k], ours));
            return what;
        }
    }
    if (visible != z.operand_count_visible)
        return " operands: Zydis has " + std::to_string(z.operand_count_visible) + " visible";
    return "";
}

}  // namespace

struct ZydisOracle::Impl {
    ZydisDecoder decoder;
};

ZydisOracle::ZydisOracle(u8 code_size) : impl_(new Impl), code_size_(code_size) {
    const ZydisMachineMode mode = code_size == 8   ? ZYDIS_MACHINE_MODE_LONG_64
                                  : code_size == 4 ? ZYDIS_MACHINE_MODE_LEGACY_32
                                                   : ZYDIS_MACHINE_MODE_LEGACY_16;
    const ZydisStackWidth stack = code_size == 8   ? ZYDIS_STACK_WIDTH_64
                                  : code_size == 4 ? ZYDIS_STACK_WIDTH_32
                                                   : ZYDIS_STACK_WIDTH_16;
    MYNAH_CHECK(ZYAN_SUCCESS(ZydisDecoderInit(&impl_->decoder, mode, stack)));
    for (const ZydisDecoderMode off :
         {ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET, ZYDIS_DECODER_MODE_CLDEMOTE,
          ZYDIS_DECODER_MODE_WBNOINVD, ZYDIS_DECODER_MODE_KNC}) {
        ZydisDecoderEnableMode(&impl_->decoder, off, ZYAN_FALSE);
    }
}

ZydisOracle::~ZydisOracle() {
    delete impl_;
}

Comparison ZydisOracle::compare(std::span<const u8> code) const {
    ZydisDecodedInstruction z;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    const ZyanStatus zs = ZydisDecoderDecodeFull(&impl_->decoder, code.data(), code.size(), &z, operands);
    Insn i;
    const DecodeStatus s = decode(code, {code_size_, true}, i);
    Comparison c;
    const bool z_ok = ZYAN_SUCCESS(zs) && in_table(z);
    if (s != DecodeStatus::ok && !z_ok) {
        c.verdict = Verdict::both_invalid;
        return c;
    }
    c.length = s == DecodeStatus::ok ? i.length : 0;
    const auto different = [&](Part part, const std::string& what) {
        if (const char* reason = listed(i, code_size_, part)) {
            c.verdict = Verdict::listed;
            c.message = reason;
            return c;
        }
        c.verdict = Verdict::different;
        const unsigned n = z_ok ? z.length : i.length;
        c.message = std::to_string(code_size_ * 8) + "-bit " +
                    hex(code.first(std::min<std::size_t>(n ? n : 15, code.size()))) + what;
        return c;
    };
    if (s != DecodeStatus::ok) {
        return different(Part::validity, std::string("only Zydis decodes it: ") +
                                             ZydisMnemonicGetString(z.mnemonic) + " isa " +
                                             ZydisISASetGetString(z.meta.isa_set));
    }
    const std::string m = mnemonic(i);
    if (!z_ok) {
        char status[48];
        std::snprintf(status, sizeof status, "%08x", static_cast<unsigned>(zs));
        return different(Part::validity, "only decode() decodes it: " + m + " row " +
                                             std::string(row_of(i).encoding) + " status " + status);
    }
    if (i.length != z.length)
        return different(Part::length, "length " + std::to_string(i.length) + " of " + m + ", Zydis " +
                                           std::to_string(z.length) + " of " +
                                           ZydisMnemonicGetString(z.mnemonic));
    if (m != ZydisMnemonicGetString(z.mnemonic))
        return different(Part::mnemonic, "mnemonic " + m + ", Zydis " + ZydisMnemonicGetString(z.mnemonic));
    if (const std::string what = compare_operands(i, z, operands, code_size_); !what.empty())
        return different(Part::operands, m + what);
    return c;
}

// Known to differ, each with its reason.
static bool flags_listed(const Insn& i) {
    switch (i.op) {
        case Op::SBB:
            return true;    // Zydis has AF undefined; SDM vol. 2B SBB: set according to the result
        case Op::MOV_CR_R:  // SDM vol. 2B MOV: undefined; Zydis says nothing
        case Op::MOV_R_CR:
        case Op::MOV_DR_R:
        case Op::MOV_R_DR:
        case Op::PTEST:  // those that are cleared are not in Zydis's rows with VEX
        case Op::VTESTPS:
        case Op::VTESTPD:
        case Op::BEXTR:  // SDM vol. 2A BEXTR: OF and CF are cleared; Zydis has them undefined
        case Op::CMPS:   // Zydis counts REPE's look at ZF, which the instruction itself has set
        case Op::SCAS:
            return true;
        default:
            return i.opcode == 0xD0 ||
                   i.opcode == 0xD1;  // OF is defined for shifts by 1; Zydis has one row for all
    }
}

std::string ZydisOracle::compare_flags(std::span<const u8> code) const {
    ZydisDecodedInstruction z;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    Insn i;
    if (decode(code, {code_size_, true}, i) != DecodeStatus::ok ||
        !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&impl_->decoder, code.data(), code.size(), &z, operands)) ||
        flags_listed(i)) {
        return "";
    }
    constexpr u32 compared = eflags::arithmetic | eflags::df;
    u32 read = 0, written = 0, undefined = 0;
    if (const ZydisAccessedFlags* f = z.cpu_flags) {
        read = f->tested & compared;
        written = (f->modified | f->set_0 | f->set_1) & compared;
        undefined = f->undefined & compared;
    }
    const InsnRow& row = row_of(i);
    const bool conditional = i.op == Op::JCC || i.op == Op::SETCC || i.op == Op::CMOVCC;
    const u32 our_read = conditional ? condition_flags(i.cond) : row.flags_read & compared;
    if (our_read == read && (row.flags_written & compared) == written &&
        (row.flags_undefined & compared) == undefined)
        return "";
    char b[160];
    std::snprintf(b, sizeof b, "%s: read %x written %x undefined %x, Zydis %x %x %x", mnemonic(i).c_str(),
                  our_read, row.flags_written & compared, row.flags_undefined & compared, read, written,
                  undefined);
    return b;
}

}  // namespace mynah::test
