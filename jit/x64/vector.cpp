// SSE, AVX and the VEX-encoded general instructions: re-emitted with the same registers. The guest's vector
// registers and MXCSR are loaded when first needed and stay in the host's until the code is left or calls
// out.
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
        case Op::DPPS:  // which NaN of several comes out
        case Op::DPPD:
        case Op::MASKMOVQ:
        case Op::MASKMOVDQU:
        case Op::PCMPESTRI:
        case Op::PCMPESTRM:
        case Op::PCMPISTRI:
        case Op::PCMPISTRM:
        case Op::VMASKMOVPS:
        case Op::VMASKMOVPD:
        case Op::VPMASKMOVD:
        case Op::VPMASKMOVQ:
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
    rax_lost();
    spare_flags();
    const Stub s{.kind = Stub::vectors, .here = e_.label(), .resume = e_.label()};
    e_.alu_imm(7, in_state(s_.vectors_loaded), 0, false);
    e_.jcc(kE, s.here);
    e_.bind(s.resume);
    stubs_.push_back(s);
    vectors_known_ = true;
}

// MOVNTI, CRC32 and BMI: no vector register.
bool Translator::emit_general_vex(const Insn& i) {
    switch (i.op) {
        case Op::MOVNTI: {
            const Mem operand = access(i, i.osize, true, true);
            store_sized(operand, value_of(i.reg, RCX), i.osize);
            return true;
        }
        case Op::CRC32:
            if (!i.memory() && i.rm >= kHighByte) return false;
            return reemit(i);
        case Op::RORX:
        case Op::SARX:
        case Op::SHLX:
        case Op::SHRX:
        case Op::MULX:
        case Op::PDEP:
        case Op::PEXT:
            return reemit(i);
        case Op::ANDN: {
            if (!reemit(i)) return false;
            // Flags as of a logical operation; PF and AF are not the same on every host.
            const Reg r = value_of(i.reg, RCX);
            e_.rr(sized(0x84, i.osize), r, r);
            flags_written();
            return true;
        }
        case Op::BEXTR:
        case Op::BLSI:
        case Op::BLSMSK:
        case Op::BLSR:
        case Op::BZHI:
            // Hosts differ in PF and AF.
            if (!dead_flags() || !reemit(i)) return false;
            flags_written(true);
            return true;
        default:
            return false;
    }
}

bool Translator::emit_vector(const Insn& i) {
    if (emit_general_vex(i)) return true;
    const bool vex = i.has(insn_flag::vex);
    if (i.op < Op::MOVD || left_out(i.op) || !(vex ? mode_.avx : mode_.sse)) return false;
    if (i.op == Op::VZEROUPPER || i.op == Op::VZEROALL) {
        need_vectors();
        if (mode_.code_size != 8) {
            // There it leaves YMM8 to YMM15 alone. VXORPS or VMOVAPS, either of which clears the upper half.
            const bool all = i.op == Op::VZEROALL;
            for (unsigned n = 0; n < 8; ++n)
                e_.vex_rr({.byte = static_cast<u8>(all ? 0x57 : 0x28), .map = 1}, n, all ? n : 0, n);
            return true;
        }
        e_.byte(0xC5);
        e_.byte(i.op == Op::VZEROALL ? 0xFC : 0xF8);
        e_.byte(0x77);
        return true;
    }
    if (!reemit(i)) return false;
    if (row_of(i).flags_written & eflags::arithmetic) flags_written();
    return true;
}

// The same instruction with general registers where they are and the memory operand's host address. False: it
// has operands that can't be had that way, and nothing was emitted.
bool Translator::reemit(const Insn& i) {
    const InsnRow& row = row_of(i);
    if (row.has(row_attr::vsib | row_attr::vsibh)) return false;
    const bool vex = i.has(insn_flag::vex);
    const Operand* memory = nullptr;
    bool vectors = false, immediate_byte = false, reg_written = false, rm_written = false,
         vvvv_written = false;
    unsigned general_reg = kNoRegister, general_rm = kNoRegister, general_vvvv = kNoRegister;
    for (const Operand& o : row.operands) {
        switch (o.kind) {
            case OperandKind::none:
                break;
            case OperandKind::V:
            case OperandKind::U:
            case OperandKind::H:
            case OperandKind::xmm0:
                vectors = true;
                break;
            case OperandKind::L:
                vectors = immediate_byte = true;
                break;
            case OperandKind::I:
                immediate_byte = true;
                break;
            case OperandKind::W:
                vectors = true;
                [[fallthrough]];
            case OperandKind::M:
                if (i.memory()) memory = &o;
                break;
            case OperandKind::E:
                if (i.memory()) {
                    memory = &o;
                } else {
                    general_rm = i.rm;
                    rm_written = o.write;
                }
                break;
            case OperandKind::G:
                general_reg = i.reg;
                reg_written = o.write;
                break;
            case OperandKind::B:
                general_vvvv = i.vvvv;
                vvvv_written = o.write;
                break;
            default:
                return false;
        }
    }
    if (i.memory() && memory == nullptr) return false;
    if (general_vvvv != kNoRegister && home(general_vvvv) == kNoReg) return false;
    const unsigned size = memory == nullptr ? 0 : operand_bytes(i, *memory, mode_.code_size);
    if (memory != nullptr && (size == 0 || size > 32)) return false;
    (void)vvvv_written;

    Opcode o{.byte = i.opcode,
             .wide = i.has(insn_flag::rex_w),
             .map = static_cast<u8>(static_cast<unsigned>(row.map)),
             .prefix = prefix_byte(row.prefix)};
    // VEX.W outside of 64-bit code: the row's, where it counts.
    if (vex && row.rex_w >= 0) o.wide = row.rex_w == 1;
    if (mode_.code_size != 8 && (row.has(row_attr::wig32) || (vex && !vectors))) o.wide = false;
    if (i.op == Op::CRC32) {
        o.word = i.osize == 2;
        o.byte_rm = i.opcode == 0xF0;
    }
    if (vectors) need_vectors();
    Mem operand;
    if (memory != nullptr) {
        const bool flags_stay = (row.flags_written & eflags::arithmetic) == 0;
        const bool aligned = row.has(row_attr::align) && size >= 16;
        operand =
            aligned ? access_aligned(i, size, memory->write) : access(i, size, memory->write, flags_stay);
    }
    unsigned reg = row.reg >= 0 ? static_cast<unsigned>(row.reg) : i.reg;
    if (general_reg != kNoRegister) reg = value_of(general_reg, RCX);
    const unsigned vvvv = general_vvvv != kNoRegister ? static_cast<unsigned>(home(general_vvvv)) : i.vvvv;
    const bool l256 = i.has(insn_flag::vex_l);
    const auto with_register = [&](unsigned rm) {
        vex ? e_.vex_rr(o, reg, vvvv, rm, l256) : e_.rr(o, reg, rm);
    };
    const bool in_slot = memory == nullptr && general_rm != kNoRegister && home(general_rm) == kNoReg;
    if (in_slot) e_.load(RAX, slot(general_rm));
    if (memory != nullptr) {
        vex ? e_.vex_rm(o, reg, vvvv, operand, l256) : e_.rm(o, reg, operand);
    } else {
        with_register(in_slot                     ? unsigned{RAX}
                      : general_rm == kNoRegister ? i.rm
                                                  : unsigned{home(general_rm)});
    }
    if (immediate_byte) e_.imm8(i.imm);
    // What moves to a general register zero-extends.
    if (in_slot && rm_written) e_.store(slot(general_rm), RAX);
    if (reg_written && home(general_reg) == kNoReg) e_.store(slot(general_reg), RCX);
    return true;
}

}  // namespace mynah::x64
