// x87: re-emitted. The guest's registers, control and status word are loaded when first needed and stay in
// the host's x87 until the code is left or something else needs them. The pointers that instructions leave
// behind (FIP, FOP, FDP) are the guest's addresses and go to the state, as late as possible.
#include "cpu/insn_table.h"
#include "cpu/x87/environment.h"
#include "jit/x64/translator.h"

namespace mynah::x64 {

namespace {

constexpr unsigned kOr = 1, kAnd = 4, kCmp = 7;
constexpr Opcode kMovzxWord{.byte = 0xB7, .map = 1};
constexpr Opcode kStoreWord{.byte = 0x89, .word = true};

// Bytes of a memory operand that the host's instruction may access in the guest's place; 0: the interpreter
// executes it. Environments, decimals, and what is handled apart.
unsigned operand_size(const Insn& i, bool& write) {
    const unsigned reg = i.reg & 7;
    write = false;
    switch (i.opcode) {
        case 0xD8:
        case 0xDA:
            return 4;
        case 0xDC:
            return 8;
        case 0xDE:
            return 2;
        default:
            break;
    }
    const bool store = reg >= 1 && reg <= 3;
    write = store || reg == 7;
    switch (i.opcode) {
        case 0xD9:
            return reg == 0 || reg == 2 || reg == 3 ? 4 : 0;
        case 0xDB:
            return reg <= 3 ? 4 : reg == 5 || reg == 7 ? 10 : 0;
        case 0xDD:
            return reg <= 3 ? 8 : 0;
        default:
            return reg <= 3 ? 2 : reg == 5 || reg == 7 ? 8 : 0;
    }
}

// Register forms that hosts agree on to the last bit of the status word. Left out: what is computed (its
// results differ in the last place), FPREM (partial steps differ), and what processors do not document alike.
bool same_everywhere(const Insn& i) {
    const unsigned reg = i.reg & 7, rm = i.rm & 7;
    switch (i.opcode) {
        case 0xD9:
            switch (reg) {
                case 0:
                case 1:
                    return true;
                case 2:
                    return rm == 0;  // FNOP
                case 4:
                    return rm == 0 || rm == 1 || rm == 4 || rm == 5;  // FCHS, FABS, FTST, FXAM
                case 5:
                    return rm <= 6;  // constants
                case 6:
                    return rm == 4 || rm >= 6;  // FXTRACT, FDECSTP, FINCSTP
                case 7:
                    return rm == 2 || rm == 4 || rm == 5;  // FSQRT, FRNDINT, FSCALE
                default:
                    return false;
            }
        case 0xDA:
            return reg <= 3 || (reg == 5 && rm == 1);  // FCMOVcc, FUCOMPP
        case 0xDB:
            return reg <= 3 || reg == 5 || reg == 6;  // FCMOVcc, FUCOMI, FCOMI
        case 0xDD:
            return reg <= 5;
        case 0xDE:
            return reg != 3 || rm == 1;
        case 0xDF:
            return reg <= 3 || reg == 5 || reg == 6;  // FFREEP, aliases, FUCOMIP, FCOMIP
        default:
            return true;
    }
}

bool conditional_move(const Insn& i) {
    return (i.opcode == 0xDA || i.opcode == 0xDB) && (i.reg & 7) <= 3;
}
bool compares_to_flags(const Insn& i) {
    const unsigned reg = i.reg & 7;
    return (i.opcode == 0xDB || i.opcode == 0xDF) && (reg == 5 || reg == 6);
}

}  // namespace

void Translator::need_x87() {
    if (x87_known_) return;
    rax_lost();
    before_clobber();
    const Stub s{.kind = Stub::x87, .here = e_.label(), .resume = e_.label()};
    e_.alu_imm(kCmp, in_state(s_.x87_loaded), 0, false);
    e_.jcc(kE, s.here);
    e_.bind(s.resume);
    stubs_.push_back(s);
    x87_known_ = true;
}

void Translator::write_pointers(const X87Pointers& p) {
    if (p.last == nullptr) return;
    const u32 site = static_cast<u32>(sites_.size());
    sites_.push_back({.region = region_,
                      .entry = &region_->insns[static_cast<size_t>(p.last - region_->insns.data())],
                      .rip = region_->rip_of(*p.last)});
    e_.store_imm32(in_state(s_.x87_last), static_cast<i32>(site), false);
    if (p.segment != nullptr)
        e_.store_imm32(in_state(s_.x87_operand), static_cast<i32>(p.segment->insn.seg) + 1, false);
    if (p.operand != nullptr) write_operand_pointer(*p.operand);
}

void Translator::write_operand_pointer(const Entry& e) {
    const Entry* const here = entry_;
    entry_ = &e;
    effective_address(e.insn);
    entry_ = here;
    e_.store(in_state(s_.x87_fdp), RAX);
}

namespace {

// Changes at most its register operands, and leaves the region at most by a memory operand.
bool harmless(const Insn& i) {
    switch (i.op) {
        case Op::ADD:
        case Op::OR:
        case Op::ADC:
        case Op::SBB:
        case Op::AND:
        case Op::SUB:
        case Op::XOR:
        case Op::CMP:
        case Op::TEST:
        case Op::INC:
        case Op::DEC:
        case Op::NEG:
        case Op::NOT:
        case Op::MOV:
        case Op::MOVZX:
        case Op::MOVSX:
        case Op::LEA:
        case Op::SHL:
        case Op::SHR:
        case Op::SAR:
            return true;
        default:
            return false;
    }
}

bool names(const Insn& i, unsigned g) {
    if (g >= kNoRegister) return false;
    if (!i.has(insn_flag::modrm) && g == rax) return true;
    // AH, CH, DH and BH are of the first four.
    return g == i.reg || g == i.rm || (g < 4 && (g + kHighByte == i.reg || g + kHighByte == i.rm));
}

}  // namespace

void Translator::settle_pointers(const Insn& i) {
    if (!harmless(i)) return write_pointers();
    const Entry* const p = pointers_.operand;
    if (p == nullptr || (!names(i, p->insn.base) && !names(i, p->insn.index))) return;
    write_operand_pointer(*p);
    pointers_.operand = nullptr;
}

// What leaves the pointers alone.
bool Translator::emit_x87_control(const Insn& i) {
    const unsigned reg = i.reg & 7;
    if (i.op == Op::FWAIT) return true;  // nothing is pending
    if (i.opcode == 0xDF && !i.memory() && reg == 4) {
        // FNSTSW AX; an operand's address may need RAX.
        const Entry* const p = pointers_.operand;
        if (p != nullptr && (p->insn.base == rax || p->insn.index == rax)) write_pointers();
        need_x87();
        e_.byte(0xDF);
        e_.byte(0xE0);
        e_.rr({.byte = 0x8B, .word = true}, home(rax), RAX);
        return true;
    }
    if (!i.memory()) return false;
    if (i.opcode == 0xDD && reg == 7) {
        need_x87();
        e_.rm(plain(i.opcode), reg, access(i, 2, true, true));
        return true;
    }
    if (i.opcode == 0xD9 && reg == 7) {
        const Mem operand = access(i, 2, true, true);
        e_.rm(kMovzxWord, RCX, in_state(s_.x87_control));
        e_.rm(kStoreWord, RCX, operand);
        return true;
    }
    if (i.opcode == 0xD9 && reg == 5) {
        need_x87();
        e_.rm(kMovzxWord, RCX, access(i, 2, false));
        e_.mov(RAX, RCX, false);
        e_.alu_imm(kAnd, RAX, x87::sw::exceptions, false);
        e_.alu_imm(kCmp, RAX, x87::sw::exceptions, false);
        e_.jcc(kNE, whole_instead());
        e_.alu_imm(kAnd, RCX, x87::legal_control_word(0xFFFF), false);
        e_.alu_imm(kOr, RCX, x87::legal_control_word(0), false);
        e_.rm(kStoreWord, RCX, in_state(s_.x87_control));
        e_.rm(plain(i.opcode), reg, in_state(s_.x87_control));
        return true;
    }
    return false;
}

bool Translator::emit_x87(const Insn& i) {
    if (!mode_.x87) return false;
    if (ends_block(i)) return false;
    if (emit_x87_control(i)) return true;
    const Opcode opcode = plain(i.opcode);
    const unsigned reg = i.reg & 7;
    if (i.memory()) {
        bool write;
        const unsigned size = operand_size(i, write);
        if (size == 0) return false;
        need_x87();
        e_.rm(opcode, reg, access(i, size, write, true));
        if (mode_.fdp) pointers_.operand = pointers_.segment = entry_;
    } else {
        if (!same_everywhere(i)) return false;
        need_x87();
        if (conditional_move(i)) flags_to_host();
        if (compares_to_flags(i)) {
            // C1 is to be 0 (SDM vol. 2A); AMD leaves it. FINCSTP and FDECSTP clear it.
            e_.rr(plain(0xD9), 6, 7);
            e_.rr(plain(0xD9), 6, 6);
        }
        e_.rr(opcode, reg, i.rm & 7);
        if (compares_to_flags(i)) flags_written();
    }
    pointers_.last = entry_;
    return true;
}

}  // namespace mynah::x64
