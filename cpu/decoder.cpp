#include "cpu/decoder.h"

#include <algorithm>

#include "base/bits.h"
#include "cpu/decode_tables.h"

namespace mynah {
namespace {

using namespace decode_tables;

constexpr unsigned kMaxLength = 15;

// Base and index of 16-bit ModRM.rm (SDM vol. 2A table 2-1).
constexpr struct {
    u8 base, index;
} kAddress16[8] = {{rbx, rsi},         {rbx, rdi},         {rbp, rsi},         {rbp, rdi},
                   {rsi, kNoRegister}, {rdi, kNoRegister}, {rbp, kNoRegister}, {rbx, kNoRegister}};

enum RexBit : u8 { rex_b = 1, rex_x = 2, rex_r = 4, rex_w = 8 };

class Decoder {
  public:
    // Works in `out` itself: fields written one by one and then copied as a whole would stall.
    Decoder(std::span<const u8> code, DecodeMode mode, Insn& out)
        : start_(code.data()),
          p_(code.data()),
          end_(code.data() + std::min<std::size_t>(code.size(), kMaxLength)),
          mode_(mode),
          insn_(out) {}

    DecodeStatus run() {
        insn_ = Insn{};
        const DecodeStatus status = decode();
        insn_.length = static_cast<u8>(p_ - start_);
        if (status == DecodeStatus::truncated && p_ - start_ >= static_cast<std::ptrdiff_t>(kMaxLength)) {
            return DecodeStatus::too_long;
        }
        return status;
    }

  private:
    DecodeStatus decode() {
        if (!prefixes()) return DecodeStatus::truncated;
        insn_.asize = address_size();
        bool vex = false;
        if ((opcode_ & 0xFE) == 0xC4) [[unlikely]] {
            if (p_ == end_) return DecodeStatus::truncated;
            vex = mode_.code_size == 8 || *p_ >= 0xC0;  // else LES, LDS
        }
        const DecodeStatus found = vex ? find_vex_row() : find_row();
        if (found != DecodeStatus::ok) return found;

        const Entry& e = tables.entries[insn_.row];
        const unsigned a = e.attributes;
        insn_.op = e.op;
        insn_.opcode = opcode_;
        insn_.cond = opcode_ & 15;
        insn_.osize = tables.operand_sizes[static_cast<unsigned>(e.osize)][mode_.code_size >> 2]
                                          [(rex_ & rex_w) >> 2 | static_cast<unsigned>(opsize_)];
        if (a & entry_attr::modrm) {
            if (!operands_of_modrm(a)) return DecodeStatus::truncated;
        } else if (a & entry_attr::opcode_reg) {
            unsigned r = (opcode_ & 7u) | (rex_ & rex_b) << 3;
            if (a & entry_attr::byte_reg) r = byte_register(r);
            insn_.reg = static_cast<u8>(r);
            insn_.rm = a & entry_attr::rm_is_rax ? u8{rax} : insn_.reg;
            insn_.seg = segment(Seg::ds);
        } else {
            insn_.seg = segment(Seg::ds);
        }
        if (e.immediate != Immediate::none && !immediate(e.immediate)) return DecodeStatus::truncated;

        if (vex && !vex_operands(e.vex)) return DecodeStatus::invalid;
        u16 f = insn_.flags;
        if (rep_ && !(a & entry_attr::mandatory)) f |= rep_ == 2 ? insn_flag::rep : insn_flag::repne;
        if (a & entry_attr::ends_block) f |= insn_flag::ends_block;
        insn_.flags = f;

        if ((f & insn_flag::lock) && (!(a & entry_attr::lock) || !(f & insn_flag::memory)))
            return DecodeStatus::invalid;
        if ((a & entry_attr::prot) && !mode_.descriptors) return DecodeStatus::invalid;
        if ((a & entry_attr::check_reg) && !special_register_exists()) return DecodeStatus::invalid;
        return DecodeStatus::ok;
    }

    bool prefixes() {
        u16 f = 0;
        for (;;) {
            if (p_ == end_) return false;
            const u8 b = *p_++;
            switch (b) {
                case 0x66:
                    opsize_ = true;
                    f |= insn_flag::opsize;
                    break;
                case 0x67:
                    f |= insn_flag::addrsize;
                    break;
                case 0xF0:
                    f |= insn_flag::lock;
                    break;
                case 0xF2:
                    rep_ = 3;
                    break;
                case 0xF3:
                    rep_ = 2;
                    break;
                case 0x26:
                case 0x2E:
                case 0x36:
                case 0x3E:
                    // ES, CS, SS and DS mean nothing in 64-bit code, not even against an earlier FS or GS.
                    if (mode_.code_size != 8) {
                        override_ = static_cast<Seg>(b >> 3 & 3);
                        f |= insn_flag::seg_override;
                    }
                    break;
                case 0x64:
                case 0x65:
                    override_ = b == 0x64 ? Seg::fs : Seg::gs;
                    f |= insn_flag::seg_override;
                    break;
                default:
                    if ((b & 0xF0) == 0x40 && mode_.code_size == 8) {
                        rex_ = b;
                        continue;
                    }
                    opcode_ = b;
                    if (rex_) f |= insn_flag::rex | (rex_ & rex_w ? insn_flag::rex_w : 0);
                    insn_.flags = f;
                    return true;
            }
            rex_ = 0;  // a REX that is not the last prefix is ignored
        }
    }

    u8 address_size() const {
        if (!(insn_.flags & insn_flag::addrsize)) return mode_.code_size;
        return mode_.code_size == 4 ? 2 : 4;
    }

    // A ModRM byte that made the choice is among the bytes looked at.
    DecodeStatus invalid(Node node) {
        if (node.kind != NodeKind::row && node.kind != NodeKind::prefix) ++p_;
        return DecodeStatus::invalid;
    }

    DecodeStatus find_row() {
        unsigned map = 0;
        if (opcode_ == 0x0F) {
            if (p_ == end_) return DecodeStatus::truncated;
            opcode_ = *p_++;
            map = 1;
            if (opcode_ == 0x38 || opcode_ == 0x3A) {
                map = opcode_ == 0x38 ? 2 : 3;
                if (p_ == end_) return DecodeStatus::truncated;
                opcode_ = *p_++;
            }
        }
        const Node node = tables.nodes[mode_.code_size >> 3][map][opcode_];
        unsigned row = node.base;
        if (node.kind != NodeKind::row && !look_up(node, rep_ ? rep_ : static_cast<unsigned>(opsize_), row)) {
            return DecodeStatus::truncated;
        }
        if (row == kInvalid) return invalid(node);
        const Entry* e = &tables.entries[row];
        if ((e->attributes & entry_attr::w_pair) && (rex_ & rex_w)) e = &tables.entries[++row];
        if (e->op == Op::NOP && opcode_ == 0x90 && map == 0 && (rex_ & rex_b)) row = tables.row_xchg;
        if (!(mode_.features >> static_cast<unsigned>(e->feature) & 1)) [[unlikely]] {
            if (e->op == Op::TZCNT)
                row = tables.row_bsf;
            else if (e->op == Op::LZCNT)
                row = tables.row_bsr;
            else
                return invalid(node);
        }
        if ((e->attributes & entry_attr::lahf_lm) && mode_.code_size == 8 &&
            !(mode_.features >> static_cast<unsigned>(Feature::lahf_lm) & 1)) {
            return invalid(node);
        }
        insn_.row = static_cast<u16>(row);
        return DecodeStatus::ok;
    }

    // False: the ModRM byte is missing.
    [[gnu::always_inline]] bool look_up(Node node, unsigned prefix, unsigned& row) const {
        if (node.kind == NodeKind::prefix) {
            row = tables.slots[row + prefix];
            return true;
        }
        if (p_ == end_) return false;
        const unsigned modrm = *p_;
        const unsigned mod_reg = (modrm >> 3 & 7) | (modrm >= 0xC0 ? 8 : 0);
        row = tables.slots[row + mod_reg + (node.kind == NodeKind::full ? prefix * 16 : 0)];
        if ((row & kByRm) && row != kInvalid) row = tables.slots[(row & ~unsigned{kByRm}) + (modrm & 7)];
        return true;
    }

    // Behind C4 or C5 (SDM vol. 2A 2.3.5).
    DecodeStatus find_vex_row() {
        if (rep_ || opsize_ || rex_ || (insn_.flags & insn_flag::lock) || !mode_.descriptors) {
            ++p_;  // that it is VEX shows in the next byte
            return DecodeStatus::invalid;
        }
        const bool three = opcode_ == 0xC4;
        if (end_ - p_ < (three ? 3 : 2)) {
            p_ = end_;
            return DecodeStatus::truncated;
        }
        const unsigned first = *p_++, last = three ? *p_++ : first;
        const unsigned map = three ? first & 31 : 1, w = three ? last >> 7 : 0, l = last >> 2 & 1;
        opcode_ = *p_++;
        if (map == 0 || map > kVexMaps) return DecodeStatus::invalid;
        const bool code64 = mode_.code_size == 8;
        vvvv_ = static_cast<u8>(~last >> 3 & 15);
        if (code64) rex_ = static_cast<u8>((three ? ~first >> 5 & 7 : ~first >> 5 & 4) | w << 3);
        insn_.flags |= insn_flag::vex | (l ? insn_flag::vex_l : 0) | (rex_ & rex_w ? insn_flag::rex_w : 0);

        const Node node = tables.vex_nodes[code64][map - 1][w << 1 | l][opcode_];
        unsigned row = node.base;
        if (node.kind != NodeKind::row && !look_up(node, last & 3, row)) return DecodeStatus::truncated;
        if (row == kInvalid) return invalid(node);
        if (!(mode_.features >> static_cast<unsigned>(tables.entries[row].feature) & 1)) return invalid(node);
        insn_.row = static_cast<u16>(row);
        return DecodeStatus::ok;
    }

    // Once all else is there. False: #UD.
    bool vex_operands(u8 a) {
        if (!(a & vex_attr::vvvv) && vvvv_ != 0) return false;
        if (mode_.code_size != 8) {
            vvvv_ &= 7;
            if (a & vex_attr::register4) insn_.imm &= 0x7F;
        }
        insn_.vvvv = vvvv_;
        if (a & vex_attr::ignore_l) insn_.flags &= static_cast<u16>(~insn_flag::vex_l);
        if (!(a & vex_attr::vsib)) return true;
        if (!sib_ || insn_.asize == 2) return false;
        insn_.index = vector_index_;
        // Destination, index and mask must be three registers (SDM vol. 2C VPGATHERDD).
        return insn_.reg != insn_.index && insn_.reg != vvvv_ && insn_.index != vvvv_;
    }

    // Without REX, byte registers 4-7 are AH, CH, DH, BH.
    unsigned byte_register(unsigned r) const { return !rex_ && r >= 4 ? kHighByte + r - 4 : r; }

    Seg segment(Seg by_default) const {
        return insn_.flags & insn_flag::seg_override ? override_ : by_default;
    }

    bool operands_of_modrm(unsigned a) {
        if (p_ == end_) return false;
        const unsigned modrm = *p_++;
        insn_.flags |= insn_flag::modrm;
        insn_.vvvv = static_cast<u8>(modrm);
        unsigned reg = (modrm >> 3 & 7) | (rex_ & rex_r) << 1;
        if (a & (entry_attr::byte_reg | entry_attr::narrow_reg)) {
            reg = a & entry_attr::byte_reg ? byte_register(reg) : reg & 7;
        }
        insn_.reg = static_cast<u8>(reg);
        if (modrm >= 0xC0 || (a & entry_attr::mod_ignored)) {
            unsigned rm = (modrm & 7) | (rex_ & rex_b) << 3;
            if (a & (entry_attr::byte_rm | entry_attr::narrow_rm)) {
                rm = a & entry_attr::byte_rm ? byte_register(rm) : rm & 7;
            }
            insn_.rm = static_cast<u8>(rm);
            insn_.seg = segment(Seg::ds);
            return true;
        }
        insn_.flags |= insn_flag::memory;
        return insn_.asize == 2 ? address16(modrm) : address32(modrm);
    }

    bool address16(unsigned modrm) {
        const unsigned mod = modrm >> 6, rm = modrm & 7;
        if (mod == 0 && rm == 6) {
            insn_.seg = segment(Seg::ds);
            return take_disp<i16>();
        }
        insn_.base = kAddress16[rm].base;
        insn_.index = kAddress16[rm].index;
        insn_.seg = segment(insn_.base == rbp ? Seg::ss : Seg::ds);
        return mod == 0 || (mod == 1 ? take_disp<i8>() : take_disp<i16>());
    }

    bool address32(unsigned modrm) {
        const unsigned mod = modrm >> 6;
        unsigned base = modrm & 7;
        if (base == 4) {
            if (p_ == end_) return false;
            const unsigned sib = *p_++;
            const unsigned index = (sib >> 3 & 7) | (rex_ & rex_x) << 2;
            insn_.scale = static_cast<u8>(sib >> 6);
            sib_ = true;
            vector_index_ = static_cast<u8>(index);
            if (index != 4) insn_.index = static_cast<u8>(index);
            base = sib & 7;
            if (base == 5 && mod == 0) {
                insn_.seg = segment(Seg::ds);
                return take_disp<i32>();
            }
        } else if (base == 5 && mod == 0) {
            if (mode_.code_size == 8) insn_.base = kRip;
            insn_.seg = segment(Seg::ds);
            return take_disp<i32>();
        }
        base |= (rex_ & rex_b) << 3;
        insn_.base = static_cast<u8>(base);
        insn_.seg = segment(base == rsp || base == rbp ? Seg::ss : Seg::ds);
        return mod == 0 || (mod == 1 ? take_disp<i8>() : take_disp<i32>());
    }

    template <class T>
    bool take_disp() {
        T d;
        if (!take(d)) return false;
        insn_.disp = d;
        return true;
    }

    // Sign-extends when T is signed.
    template <class T>
    bool take_imm() {
        T v;
        if (!take(v)) return false;
        insn_.imm = static_cast<u64>(static_cast<i64>(v));
        return true;
    }

    template <class T>
    bool take(T& value) {
        if (static_cast<std::size_t>(end_ - p_) < sizeof(T)) {
            p_ = end_;
            return false;
        }
        value = load_le<T>(p_);
        p_ += sizeof(T);
        return true;
    }

    bool immediate(Immediate kind) {
        switch (kind) {
            case Immediate::none:
                return true;
            case Immediate::ib:
                return take_imm<u8>();
            case Immediate::ibs:
            case Immediate::jb:
                return take_imm<i8>();
            case Immediate::iw:
                return take_imm<u16>();
            case Immediate::iz:
            case Immediate::jz:
                return insn_.osize == 2 ? take_imm<i16>() : take_imm<i32>();
            case Immediate::iv:
                return insn_.osize == 2   ? take_imm<u16>()
                       : insn_.osize == 4 ? take_imm<u32>()
                                          : take_imm<u64>();
            case Immediate::moffs:
                insn_.flags |= insn_flag::memory;
                return insn_.asize == 2   ? take_imm<u16>()
                       : insn_.asize == 4 ? take_imm<u32>()
                                          : take_imm<u64>();
            case Immediate::ap:
                return (insn_.osize == 2 ? take_imm<u16>() : take_imm<u32>()) && take_disp<u16>();
            case Immediate::iw_ib:
                return take_imm<u16>() && take_disp<u8>();
            case Immediate::one:
                insn_.imm = 1;
                return true;
        }
        return false;
    }

    // SDM vol. 2B MOV: CS cannot be loaded, there are CR0, 2, 3, 4 and 8 and DR0 to DR7.
    bool special_register_exists() const {
        switch (insn_.op) {
            case Op::MOV_SREG_RM:
                return insn_.reg < 6 && insn_.reg != 1;
            case Op::MOV_RM_SREG:
                return insn_.reg < 6;
            case Op::MOV_CR_R:
            case Op::MOV_R_CR:
                return insn_.reg < 9 && (0x11D >> insn_.reg & 1);
            default:
                return insn_.reg < 8;
        }
    }

    const u8* start_;
    const u8* p_;
    const u8* end_;
    DecodeMode mode_;
    Insn& insn_;
    u8 opcode_ = 0;
    u8 rex_ = 0;
    u8 rep_ = 0;  // 2: F3, 3: F2, as in MandatoryPrefix
    bool opsize_ = false;
    bool sib_ = false;
    u8 vector_index_ = 0;  // with SIB: the index as the number of a vector register
    u8 vvvv_ = 0;
    Seg override_ = Seg::ds;
};

}  // namespace

DecodeStatus decode(std::span<const u8> code, DecodeMode mode, Insn& out) {
    return Decoder(code, mode, out).run();
}

}  // namespace mynah
