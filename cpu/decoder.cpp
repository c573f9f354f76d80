#include "cpu/decoder.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bits.h"
#include "cpu/decode_tables.h"

namespace mynah {
namespace {

using namespace decode_tables;

constexpr u8 kMaxLength = 15;
// How far is looked when all prefixes, the longest opcode, ModRM, SIB, a displacement and the longest
// immediate come together.
constexpr std::size_t kRoom = kMaxLength + 3 + 2 + 4 + 8;

// Base and index of 16-bit ModRM.rm (SDM vol. 2A table 2-1).
constexpr struct {
    u8 base, index;
} kAddress16[8] = {{rbx, rsi},         {rbx, rdi},         {rbp, rsi},         {rbp, rdi},
                   {rsi, kNoRegister}, {rdi, kNoRegister}, {rbp, kNoRegister}, {rbx, kNoRegister}};

enum RexBit : u8 { rex_b = 1, rex_x = 2, rex_r = 4, rex_w = 8, rex_present = 0x40 };

// The flag that an instruction gets from each byte that can be a prefix.
constexpr std::array<u16, 256> kPrefixes = [] {
    std::array<u16, 256> flags{};
    for (const u8 seg : {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65}) flags[seg] = insn_flag::seg_override;
    for (unsigned rex = 0x40; rex < 0x50; ++rex) flags[rex] = insn_flag::rex;
    flags[0x66] = insn_flag::opsize;
    flags[0x67] = insn_flag::addrsize;
    flags[0xF0] = insn_flag::lock;
    flags[0xF2] = insn_flag::repne;
    flags[0xF3] = insn_flag::rep;
    return flags;
}();

// Bits that mean the same in two words are moved: to ask for each would be a branch.
static_assert(insn_flag::rex_w == rex_w << 2 && insn_flag::rex == rex_present << 4);
static_assert(insn_flag::modrm == entry_attr::modrm && insn_flag::ends_block == entry_attr::ends_block << 2);
static_assert((insn_flag::rex_w | insn_flag::opsize) == 3 << 5, "the second index of operand_sizes");
static_assert((insn_flag::rep | insn_flag::repne) == 3 << 3 && insn_flag::rep < insn_flag::repne);
constexpr unsigned kRepeat = insn_flag::rep | insn_flag::repne;

constexpr Insn kBlank{};

// Takes the bytes as they come: for too few, see decode_padded().
class Decoder {
  public:
    // `code` has kRoom bytes at least. Works in `out` itself: fields written one by one and then copied as a
    // whole would stall.
    Decoder(const u8* code, const DecodeMode& mode, Insn& out)
        : start_(code), p_(code), mode_(mode), code64_(mode.code_size == 8), insn_(out) {}

    [[gnu::always_inline]] DecodeStatus run() {
        insn_ = Insn{};
        const DecodeStatus status = decode();
        if (p_ > start_ + kMaxLength) [[unlikely]] {
            insn_ = Insn{};
            insn_.length = kMaxLength;
            return DecodeStatus::too_long;
        }
        insn_.flags = static_cast<u16>(flags_);
        insn_.length = static_cast<u8>(p_ - start_);
        return status;
    }

    // What most code is made of: no prefix but REX, and a row that is always there. False: it is not that.
    [[gnu::always_inline]] bool run_plain() {
        std::memcpy(&insn_, &kBlank, sizeof insn_);  // padding too: in whole words
        opcode_ = *p_++;
        if (code64_ && (opcode_ & 0xF0) == 0x40) {
            rex_ = opcode_;
            flags_ = flags_of_rex();
            opcode_ = *p_++;
        }
        const auto& maps = tables.nodes[code64_];
        Node node = maps[0][opcode_];
        if (!node.plain) {
            if (opcode_ != 0x0F) return false;
            opcode_ = *p_++;
            node = maps[1][opcode_];
            if (!node.plain) return false;
        }
        const unsigned row = look_up(node, 0);
        if (row == kInvalid) return false;
        insn_.asize = mode_.code_size;
        take_operands(row);
        insn_.flags = static_cast<u16>(flags_);
        insn_.length = static_cast<u8>(p_ - start_);
        return true;
    }

  private:
    [[gnu::always_inline]] DecodeStatus decode() {
        opcode_ = prefixes();
        insn_.asize = address_size();
        unsigned row;
        if (!find_row(row)) {
            flags_ &= ~kRepeat;
            return DecodeStatus::invalid;
        }
        take_operands(row);
        const Entry& e = tables.entries[row];
        if (e.attributes & entry_attr::mandatory) flags_ &= ~kRepeat;
        constexpr unsigned kConditions = entry_attr::prot | entry_attr::check_reg;
        if ((e.attributes & kConditions) | (flags_ & (insn_flag::lock | insn_flag::vex))) return check(e);
        return DecodeStatus::ok;
    }

    [[gnu::always_inline]] void take_operands(unsigned row) {
        const Entry& e = tables.entries[row];
        const unsigned a = e.attributes;
        insn_.row = static_cast<u16>(row);
        insn_.op = e.op;
        insn_.opcode = static_cast<u8>(opcode_);
        insn_.cond = static_cast<u8>(opcode_ & 15);
        insn_.osize =
            tables.operand_sizes[mode_.code_size >> 2][flags_ >> 5 & 3][static_cast<unsigned>(e.osize)];
        if (a & entry_attr::modrm) {
            operands_of_modrm(a);
        } else {
            insn_.seg = segment(Seg::ds);
            if (a & entry_attr::opcode_reg) register_in_opcode(a);
        }
        if (e.immediate != Immediate::none) immediate(e.immediate);
        flags_ |= (a & entry_attr::modrm) | (a & entry_attr::ends_block) << 2;
    }

    DecodeStatus check(const Entry& e) {
        const unsigned a = e.attributes;
        const bool exists =
            (!(flags_ & insn_flag::vex) || vex_operands(e.vex)) &&
            (!(flags_ & insn_flag::lock) || ((a & entry_attr::lock) && (flags_ & insn_flag::memory))) &&
            (!(a & entry_attr::prot) || mode_.descriptors) &&
            (!(a & entry_attr::check_reg) || special_register_exists());
        return exists ? DecodeStatus::ok : DecodeStatus::invalid;
    }

    // The first byte of the opcode.
    [[gnu::always_inline]] unsigned prefixes() {
        for (;;) {
            const u8 b = *p_++;
            const unsigned flag = kPrefixes[b];
            if (flag == 0 || (flag == insn_flag::rex && !code64_) || p_ > start_ + kMaxLength) {
                flags_ |= flags_of_rex();
                return b;
            }
            if (flag == insn_flag::rex) {
                rex_ = b;
            } else {
                rex_ = 0;  // a REX that is not the last prefix is ignored
                legacy_prefix(b, flag);
            }
        }
    }

    unsigned flags_of_rex() const { return (rex_ & rex_w) << 2 | (rex_ & rex_present) << 4; }

    void legacy_prefix(u8 b, unsigned flag) {
        if (flag & kRepeat) flags_ &= ~kRepeat;  // the last one counts
        if (flag == insn_flag::seg_override) {
            // ES, CS, SS and DS mean nothing in 64-bit code, not even against an earlier FS or GS.
            if (b < 0x64 && code64_) return;
            override_ = b == 0x64 ? Seg::fs : b == 0x65 ? Seg::gs : static_cast<Seg>(b >> 3 & 3);
        }
        flags_ |= flag;
    }

    u8 address_size() const {
        if (!(flags_ & insn_flag::addrsize)) return mode_.code_size;
        return mode_.code_size == 4 ? 2 : 4;
    }

    // A ModRM byte that made the choice is among the bytes looked at.
    bool no_row(Node node) {
        if (node.kind != NodeKind::row && node.kind != NodeKind::prefix) ++p_;
        return false;
    }

    // False: #UD.
    [[gnu::always_inline]] bool find_row(unsigned& row) {
        unsigned map = 0;
        if (opcode_ == 0x0F) {
            opcode_ = *p_++;
            map = 1;
            if (opcode_ == 0x38 || opcode_ == 0x3A) {
                map = opcode_ == 0x38 ? 2 : 3;
                opcode_ = *p_++;
            }
        }
        const Node node = tables.nodes[code64_][map][opcode_];
        row = look_up(node, flags_ & kRepeat ? 1 + (flags_ >> 3 & 3) : flags_ >> 6 & 1);
        if (row == kInvalid) [[unlikely]] {
            // In the place of LES and LDS where they would have no memory operand, or do not exist.
            return map == 0 && (opcode_ & 0xFE) == 0xC4 ? find_vex_row(row) : no_row(node);
        }
        const unsigned a = tables.entries[row].attributes;
        constexpr unsigned kSpecial = entry_attr::w_pair | entry_attr::b_xchg | entry_attr::lahf_lm;
        if (a & kSpecial) [[unlikely]] {
            if ((a & entry_attr::w_pair) && (rex_ & rex_w)) ++row;
            if ((a & entry_attr::b_xchg) && (rex_ & rex_b)) row = tables.row_xchg;
            if ((a & entry_attr::lahf_lm) && code64_ && !has(Feature::lahf_lm)) return no_row(node);
        }
        if (has(tables.entries[row].feature)) [[likely]]
            return true;
        const Op op = tables.entries[row].op;
        if (op != Op::TZCNT && op != Op::LZCNT) return no_row(node);
        row = op == Op::TZCNT ? tables.row_bsf : tables.row_bsr;
        return true;
    }

    bool has(Feature feature) const { return mode_.features >> static_cast<unsigned>(feature) & 1; }

    // The row, or kInvalid.
    [[gnu::always_inline]] unsigned look_up(Node node, unsigned prefix) const {
        if (node.kind == NodeKind::row) return node.base;
        if (node.kind == NodeKind::prefix) return tables.slots[node.base + prefix];
        const unsigned modrm = *p_;
        const unsigned mod_reg = (modrm >> 3 & 7) | (modrm >= 0xC0 ? 8 : 0);
        const unsigned row =
            tables.slots[node.base + mod_reg + (node.kind == NodeKind::full ? prefix * 16 : 0)];
        const bool by_rm = (row & kByRm) && row != kInvalid;
        return by_rm ? tables.slots[(row & ~unsigned{kByRm}) + (modrm & 7)] : row;
    }

    // Behind C4 or C5 (SDM vol. 2A 2.3.5).
    bool find_vex_row(unsigned& row) {
        constexpr unsigned kForbidden = kRepeat | insn_flag::opsize | insn_flag::lock | insn_flag::rex;
        if ((flags_ & kForbidden) || !mode_.descriptors) {
            ++p_;  // that it is VEX shows in the next byte
            return false;
        }
        const bool three = opcode_ == 0xC4;
        const unsigned first = *p_++, last = three ? *p_++ : first;
        const unsigned map = three ? first & 31 : 1, w = three ? last >> 7 : 0, l = last >> 2 & 1;
        opcode_ = *p_++;
        if (map == 0 || map > kVexMaps) return false;
        vvvv_ = static_cast<u8>(~last >> 3 & 15);
        if (code64_) rex_ = (three ? ~first >> 5 & 7 : ~first >> 5 & 4) | w << 3;
        flags_ |= insn_flag::vex | (l ? insn_flag::vex_l : 0) | (rex_ & rex_w) << 2;

        const Node node = tables.vex_nodes[code64_][map - 1][w << 1 | l][opcode_];
        row = look_up(node, last & 3);
        return (row != kInvalid && has(tables.entries[row].feature)) || no_row(node);
    }

    // Once all else is there. False: #UD.
    bool vex_operands(u8 a) {
        if (!(a & vex_attr::vvvv) && vvvv_ != 0) return false;
        if (!code64_) {
            vvvv_ &= 7;
            if (a & vex_attr::register4) insn_.imm &= 0x7F;
        }
        const bool sib = (insn_.vvvv & 7) == 4;
        insn_.vvvv = vvvv_;
        if (a & vex_attr::ignore_l) flags_ &= ~unsigned{insn_flag::vex_l};
        if (!(a & vex_attr::vsib)) return true;
        if (!sib || insn_.asize == 2) return false;
        if (insn_.index == kNoRegister) insn_.index = 4;  // what is no index is a vector register like others
        // Destination, index and mask must be three registers (SDM vol. 2C VPGATHERDD).
        return insn_.reg != insn_.index && insn_.reg != vvvv_ && insn_.index != vvvv_;
    }

    // Without REX, byte registers 4-7 are AH, CH, DH, BH.
    unsigned byte_register(unsigned r) const { return !rex_ && r >= 4 ? kHighByte + r - 4 : r; }

    Seg segment(Seg by_default) const { return flags_ & insn_flag::seg_override ? override_ : by_default; }

    [[gnu::always_inline]] void register_in_opcode(unsigned a) {
        unsigned r = (opcode_ & 7u) | (rex_ & rex_b) << 3;
        if (a & entry_attr::byte_reg) r = byte_register(r);
        insn_.reg = static_cast<u8>(r);
        insn_.rm = a & entry_attr::rm_is_rax ? u8{rax} : insn_.reg;
    }

    [[gnu::always_inline]] void operands_of_modrm(unsigned a) {
        const unsigned modrm = *p_++;
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
            return;
        }
        flags_ |= insn_flag::memory;
        insn_.asize == 2 ? address16(modrm) : address32(modrm);
    }

    void address16(unsigned modrm) {
        const unsigned mod = modrm >> 6, rm = modrm & 7;
        if (mod == 0 && rm == 6) {
            insn_.seg = segment(Seg::ds);
            insn_.disp = take<i16>();
            return;
        }
        insn_.base = kAddress16[rm].base;
        insn_.index = kAddress16[rm].index;
        insn_.seg = segment(insn_.base == rbp ? Seg::ss : Seg::ds);
        if (mod != 0) insn_.disp = mod == 1 ? take<i8>() : take<i16>();
    }

    [[gnu::always_inline]] void address32(unsigned modrm) {
        const unsigned mod = modrm >> 6;
        unsigned base = modrm & 7;
        if (base == 4) {
            const unsigned sib = *p_++;
            const unsigned index = (sib >> 3 & 7) | (rex_ & rex_x) << 2;
            insn_.scale = static_cast<u8>(sib >> 6);
            if (index != 4) insn_.index = static_cast<u8>(index);
            base = sib & 7;
        }
        if (base == 5 && mod == 0) {
            if (code64_ && (modrm & 7) == 5) insn_.base = kRip;
            insn_.seg = segment(Seg::ds);
            insn_.disp = take<i32>();
            return;
        }
        base |= (rex_ & rex_b) << 3;
        insn_.base = static_cast<u8>(base);
        insn_.seg = segment(base == rsp || base == rbp ? Seg::ss : Seg::ds);
        if (mod != 0) insn_.disp = mod == 1 ? take<i8>() : take<i32>();
    }

    template <class T>
    T take() {
        const T v = load_le<T>(p_);
        p_ += sizeof(T);
        return v;
    }

    // Sign-extends when T is signed.
    template <class T>
    void take_imm() {
        insn_.imm = static_cast<u64>(static_cast<i64>(take<T>()));
    }

    // Of `size` bytes, zero-extended.
    void take_imm(unsigned size) {
        size == 2 ? take_imm<u16>() : size == 4 ? take_imm<u32>() : take_imm<u64>();
    }

    [[gnu::always_inline]] void immediate(Immediate kind) {
        switch (kind) {
            case Immediate::none:
                return;
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
                return take_imm(insn_.osize);
            case Immediate::moffs:
                flags_ |= insn_flag::memory;
                return take_imm(insn_.asize);
            case Immediate::ap:
                take_imm(insn_.osize == 2 ? 2 : 4);
                insn_.disp = take<u16>();
                return;
            case Immediate::iw_ib:
                take_imm<u16>();
                insn_.disp = take<u8>();
                return;
            case Immediate::one:
                insn_.imm = 1;
                return;
        }
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
    const DecodeMode& mode_;
    const unsigned code64_;
    Insn& insn_;
    unsigned flags_ = 0;  // Insn::flags in the making
    unsigned opcode_ = 0;
    unsigned rex_ = 0;
    u8 vvvv_ = 0;
    Seg override_ = Seg::ds;
};

[[gnu::noinline]] DecodeStatus decode_any(const u8* code, const DecodeMode& mode, Insn& out) {
    return Decoder(code, mode, out).run();
}

// What is behind its end has no part in an instruction that ends before.
[[gnu::noinline]] DecodeStatus decode_padded(std::span<const u8> code, const DecodeMode& mode, Insn& out) {
    std::array<u8, kRoom> padded{};
    std::ranges::copy(code, padded.begin());
    const DecodeStatus status = decode(padded, mode, out);
    if (out.length <= code.size()) return status;
    out = Insn{};
    out.length = static_cast<u8>(code.size());
    return DecodeStatus::truncated;
}

}  // namespace

DecodeStatus decode(std::span<const u8> code, DecodeMode mode, Insn& out) {
    if (code.size() < kRoom) [[unlikely]]
        return decode_padded(code, mode, out);
    if (mode.code_size != 2 && Decoder(code.data(), mode, out).run_plain()) return DecodeStatus::ok;
    return decode_any(code.data(), mode, out);
}

}  // namespace mynah
