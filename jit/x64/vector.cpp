// SSE: re-emitted with the same registers. The guest's vector registers and MXCSR are loaded when first
// needed and stay in the host's until the code is left or calls out.
#include "cpu/insn_table.h"
#include "jit/x64/host.h"
#include "jit/x64/translator.h"

namespace mynah::x64 {

namespace {

// What differs between hosts, has operands that are not where the host has them, or is too rare.
bool left_out(Op op) {
    switch (op) {
        case Op::RCPPS:
        case Op::RCPSS:
        case Op::RSQRTPS:
        case Op::RSQRTSS:
        case Op::MASKMOVQ:
        case Op::MASKMOVDQU:
        case Op::PCMPESTRI:
        case Op::PCMPESTRM:
        case Op::PCMPISTRI:
        case Op::PCMPISTRM:
            return true;
        case Op::AESENC:
        case Op::AESENCLAST:
        case Op::AESDEC:
        case Op::AESDECLAST:
        case Op::AESIMC:
        case Op::AESKEYGENASSIST:
        case Op::PCLMULQDQ:
            return !host_has_aes();
        default:
            return false;
    }
}

u8 prefix_byte(MandatoryPrefix p) {
    switch (p) {
        case MandatoryPrefix::x66:
            return 0x66;
        case MandatoryPrefix::f3:
            return 0xF3;
        case MandatoryPrefix::f2:
            return 0xF2;
        default:
            return 0;
    }
}

}  // namespace

void Translator::need_vectors() {
    if (vectors_known_) return;
    before_clobber();
    const Stub s{.kind = Stub::vectors, .here = e_.label(), .resume = e_.label()};
    e_.alu_imm(7, in_state(s_.vectors_loaded), 0, false);
    e_.jcc(kE, s.here);
    e_.bind(s.resume);
    stubs_.push_back(s);
    vectors_known_ = true;
}

bool Translator::emit_vector(const Insn& i) {
    const bool crc = i.op == Op::CRC32;
    if (i.op == Op::MOVNTI) {
        const unsigned size = i.osize;
        access(i, size, true);
        store_sized(at(RAX), value_of(i.reg, RCX), size);
        return true;
    }
    if (!crc && (!mode_.sse || i.op < Op::MOVD || left_out(i.op))) return false;
    if (i.has(insn_flag::vex)) return false;
    const InsnRow& row = row_of(i);
    const Operand* memory = nullptr;
    unsigned general_reg = kNoRegister, general_rm = kNoRegister;
    bool reg_written = false, rm_written = false, rm_read = false, has_immediate = false;
    unsigned reg = row.reg >= 0 ? static_cast<unsigned>(row.reg) : i.reg;
    for (const Operand& o : row.operands) {
        switch (o.kind) {
            case OperandKind::none:
            case OperandKind::V:
            case OperandKind::U:
            case OperandKind::xmm0:
                break;
            case OperandKind::I:
                has_immediate = true;
                break;
            case OperandKind::W:
            case OperandKind::M:
                if (i.memory()) memory = &o;
                break;
            case OperandKind::E:
                if (i.memory()) {
                    memory = &o;
                } else {
                    general_rm = i.rm;
                    rm_written = o.write;
                    rm_read = o.read;
                }
                break;
            case OperandKind::G:
                general_reg = i.reg;
                reg_written = o.write;
                break;
            default:
                return false;
        }
    }
    if (i.memory() && memory == nullptr) return false;
    if (crc && !i.memory() && i.rm >= kHighByte) return false;
    const bool wide = i.has(insn_flag::rex_w);
    Opcode o{.byte = i.opcode,
             .map = static_cast<u8>(static_cast<unsigned>(row.map)),
             .prefix = prefix_byte(row.prefix),
             .wide = wide};
    if (crc) {
        o.word = i.has(insn_flag::opsize) && i.opcode == 0xF1;
        o.byte_rm = i.opcode == 0xF0;
        o.wide = wide;
    } else {
        need_vectors();
    }
    if (memory != nullptr) {
        const unsigned size = operand_bytes(i, *memory, mode_.code_size);
        if (size == 0 || size > 16) return false;
        access(i, size, memory->write);
        if (row.has(row_attr::align) && size == 16) {
            e_.byte(0xA8);  // TEST AL, 15
            e_.byte(15);
            e_.jcc(kNE, whole_instead());
        }
    }
    if (general_reg != kNoRegister) {
        reg = value_of(general_reg, RCX);
    }
    if (memory != nullptr) {
        e_.rm(o, reg, at(RAX));
    } else if (general_rm != kNoRegister) {
        const Reg h = home(general_rm);
        if (h != kNoReg) {
            e_.rr(o, reg, h);
        } else {
            if (rm_read || !rm_written) e_.load(RAX, slot(general_rm));
            e_.rr(o, reg, RAX);
            // What moves to a general register zero-extends.
            if (rm_written) e_.store(slot(general_rm), RAX);
        }
    } else {
        e_.rr(o, reg, i.rm);
    }
    if (has_immediate) e_.imm8(i.imm);
    if (general_reg != kNoRegister && reg_written && home(general_reg) == kNoReg)
        e_.store(slot(general_reg), RCX);
    if (row.flags_written & eflags::arithmetic) flags_written();
    return true;
}

}  // namespace mynah::x64
