#include "support/encode.h"

#include <algorithm>
#include <vector>

#include "base/bits.h"

namespace mynah::test {
namespace {

struct Bytes {
    std::vector<u8> v;
    void put(u64 value, unsigned size) {
        for (unsigned i = 0; i < size; ++i) v.push_back(static_cast<u8>(value >> (8 * i)));
    }
};

// Do rows of the same opcode ask for this prefix? Then it is not free to be added or left out.
bool opcode_uses(const InsnRow& row, MandatoryPrefix prefix) {
    // By encoding, map and opcode, a bit for each prefix.
    constexpr size_t kCodes = size_t{2} * kOpcodeMaps * 256;
    const auto code = [](const InsnRow& r) {
        return ((r.vex ? size_t{kOpcodeMaps} : 0) + static_cast<unsigned>(r.map)) * 256 + r.opcode;
    };
    static const std::array<u8, kCodes> kUsed = [&] {
        std::array<u8, kCodes> used{};
        for (const InsnRow& r : insn_table())
            used[code(r)] |= static_cast<u8>(1u << static_cast<unsigned>(r.prefix));
        return used;
    }();
    return kUsed[code(row)] >> static_cast<unsigned>(prefix) & 1;
}

class Encoder {
  public:
    Encoder(const InsnRow& row, u8 code_size, Random& random, const EncodeOptions& options)
        : row_(row), code_size_(code_size), random_(random), o_(options) {}

    Encoding run() {
        Encoding result;
        if (!exists_in(row_, code_size_)) return result;
        choose_prefixes();
        if (!choose_size()) return result;
        if (!body()) return result;
        Bytes all;
        std::vector<u8> prefixes = prefixes_;
        for (std::size_t i = prefixes.size(); i > 1; --i)
            std::swap(prefixes[i - 1], prefixes[random_.below(static_cast<u32>(i))]);
        for (const u8 p : prefixes) all.put(p, 1);
        if (row_.vex) {
            put_vex(all);
        } else {
            if (code_size_ == 8 && (rex_ || rex_needed_)) all.put(0x40u | rex_, 1);
            if (row_.map != OpcodeMap::one_byte) all.put(0x0F, 1);
            if (row_.map == OpcodeMap::x0f38) all.put(0x38, 1);
            if (row_.map == OpcodeMap::x0f3a) all.put(0x3A, 1);
        }
        all.put(opcode_, 1);
        all.v.insert(all.v.end(), body_.v.begin(), body_.v.end());
        if (all.v.size() > 15) return result;
        std::copy(all.v.begin(), all.v.end(), result.bytes.begin());
        result.length = static_cast<u8>(all.v.size());
        return result;
    }

  private:
    bool coin() { return random_.next() >> 63; }

    void put_vex(Bytes& all) {
        const unsigned map = static_cast<unsigned>(row_.map), pp = static_cast<unsigned>(row_.prefix);
        const bool wide = row_.has(row_attr::wig32) && code_size_ != 8;
        const bool w = row_.rex_w >= 0 && !wide                        ? row_.rex_w
                       : row_.rex_w < 0 && code_size_ == 8 && uses_y() ? rex_ >> 3
                                                                       : coin();
        const bool l = row_.vex_l >= 0 ? row_.vex_l : coin();
        const unsigned last = (~vvvv_ & 15) << 3 | static_cast<unsigned>(l) << 2 | pp;
        if (map == 1 && !w && !(rex_ & 3) && coin()) {
            all.put(0xC5, 1);
            all.put((rex_ & 4 ? 0 : 0x80) | last, 1);
            return;
        }
        all.put(0xC4, 1);
        all.put((~u32{rex_} & 7) << 5 | map, 1);
        all.put(static_cast<unsigned>(w) << 7 | last, 1);
    }
    bool uses_y() const {
        for (const Operand& o : row_.operands)
            if (o.size == OperandSize::y) return true;
        return false;
    }

    void choose_prefixes() {
        if (row_.vex) {
            for (const Operand& o : row_.operands) {
                if (o.kind == OperandKind::H) vvvv_ = random_.below(code_size_ == 8 ? 16 : 8);
                if (o.kind == OperandKind::B) {
                    do vvvv_ = random_.below(code_size_ == 8 ? 16 : 8);
                    while (!o_.allow_rsp && vvvv_ == rsp);
                }
            }
        } else {
            mandatory_prefix();
        }
        if (o_.rep && row_.prefix == MandatoryPrefix::any) {
            if (row_.has(row_attr::rep) && coin()) prefixes_.push_back(coin() ? 0xF3 : 0xF2);
            if (row_.has(row_attr::repz) && coin()) prefixes_.push_back(coin() ? 0xF3 : 0xF2);
        }
        if (o_.segments && random_.chance(6)) {
            static constexpr u8 kSegments[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65};
            prefixes_.push_back(kSegments[random_.below(o_.fs_gs ? 6 : 4)]);
        }
        asize_ = code_size_;
        const bool vsib = row_.has(row_attr::vsib) || row_.has(row_attr::vsibh);
        if (vsib && code_size_ == 2 ? true
                                    : o_.change_asize && !(vsib && code_size_ == 4) && random_.chance(6)) {
            prefixes_.push_back(0x67);
            asize_ = code_size_ == 4 ? 2 : 4;
        }
    }

    void mandatory_prefix() {
        switch (row_.prefix) {
            case MandatoryPrefix::x66:
                prefixes_.push_back(0x66);
                has66_ = true;
                break;
            case MandatoryPrefix::f2:
                prefixes_.push_back(0xF2);
                break;
            case MandatoryPrefix::f3:
                prefixes_.push_back(0xF3);
                break;
            default:
                break;
        }
    }

    // Prefixes that choose the operand size. False when the wish cannot be had.
    bool choose_size() {
        const bool free66 = row_.prefix == MandatoryPrefix::any || row_.prefix == MandatoryPrefix::f2 ||
                            row_.prefix == MandatoryPrefix::f3;
        const bool sized66 = row_.osize == OsizeRule::v || row_.osize == OsizeRule::z ||
                             row_.osize == OsizeRule::d64 || row_.osize == OsizeRule::f64;
        const bool fixed66 = row_.prefix == MandatoryPrefix::none || row_.prefix == MandatoryPrefix::x66;
        // 66h may be added if it only means the operand size.
        const bool may66 = !row_.vex && free66 && !fixed66 && !opcode_uses(row_, MandatoryPrefix::x66);
        const bool sized_w = row_.osize == OsizeRule::v || row_.osize == OsizeRule::y;
        bool w = row_.rex_w > 0 && !row_.vex, p66 = has66_;
        if (row_.rex_w < 0 && code_size_ == 8) {
            if (o_.osize == 8)
                w = sized_w;
            else if (o_.osize == 0)
                w = sized_w ? random_.chance(3) : o_.redundant && random_.chance(4);
        }
        if (sized66 && may66 && !has66_) {
            const u8 with66 = code_size_ == 2 ? 4 : 2;
            if (o_.osize == 0)
                p66 = random_.chance(3);
            else if (!w)
                p66 = o_.osize == with66;
            if (p66) prefixes_.push_back(0x66);
        } else if (!sized66 && o_.redundant && may66 && random_.chance(8)) {
            prefixes_.push_back(0x66);
            p66 = true;
        }
        if (w) rex_ |= 8;
        const u8 plain = code_size_ == 2 ? (p66 ? 4 : 2) : (p66 ? 2 : 4);
        switch (row_.osize) {
            case OsizeRule::b:
                osize_ = 1;
                break;
            case OsizeRule::w:
                osize_ = 2;
                break;
            case OsizeRule::v:
                osize_ = w ? 8 : plain;
                break;
            case OsizeRule::z:
                osize_ = w ? 4 : plain;
                break;
            case OsizeRule::y:
                osize_ = w ? 8 : 4;
                break;
            case OsizeRule::m:
                osize_ = code_size_ == 8 ? 8 : 4;
                break;
            case OsizeRule::d64:
                osize_ = code_size_ != 8 ? plain : w || !p66 ? 8 : 2;
                break;
            case OsizeRule::f64:
            case OsizeRule::lgdt:
                osize_ = code_size_ == 8 ? 8 : plain;
                break;
        }
        if (o_.osize && (sized_w || sized66) && osize_ != o_.osize) return false;
        return true;
    }

    // A general register for a field; byte registers without REX reach AH to BH.
    unsigned pick_register(unsigned rex_bit, bool general) {
        for (;;) {
            unsigned r = random_.below(8);
            bool extended = code_size_ == 8 && random_.chance(3);
            if (general && !o_.allow_rsp && r == rsp && !extended) continue;
            if (extended) rex_ |= static_cast<u8>(rex_bit);
            return r;
        }
    }

    bool is_general(OperandKind k) const {
        return k == OperandKind::E || k == OperandKind::G || k == OperandKind::R || k == OperandKind::Z;
    }

    bool body() {
        opcode_ = row_.opcode;
        if (code_size_ == 8 && o_.redundant && random_.chance(8)) rex_needed_ = true;
        const bool vsib = row_.has(row_attr::vsib) || row_.has(row_attr::vsibh);
        if (row_.opcode_count == 16) opcode_ |= static_cast<u8>(random_.below(16));
        if (row_.opcode_count == 8) {
            unsigned r = pick_register(1, true);
            if (row_.opcode == 0x90 && r == 0 && !(rex_ & 1)) r = 1 + random_.below(o_.allow_rsp ? 7 : 3);
            opcode_ |= static_cast<u8>(r);
        }
        if (row_.modrm && !(vsib ? vsib_operand() : modrm())) return false;
        for (const Operand& op : row_.operands) immediate(op);
        return true;
    }

    // Destination, mask and index: three vector registers.
    bool vsib_operand() {
        for (unsigned tries = 0; tries < 64; ++tries) {
            const unsigned reg = random_.below(code_size_ == 8 ? 16 : 8),
                           index = random_.below(code_size_ == 8 ? 16 : 8);
            const unsigned base = random_.below(code_size_ == 8 ? 16 : 8), mod = random_.below(3);
            if (reg == vvvv_ || index == vvvv_ || reg == index) continue;
            const bool no_base = (base & 7) == 5 && mod == 0;
            if (no_base ? !o_.absolute : !in(o_.base_registers, base)) continue;
            rex_ = static_cast<u8>((reg & 8) >> 1 | (index & 8) >> 2 | (base & 8) >> 3);
            body_.put(mod << 6 | (reg & 7) << 3 | 4, 1);
            body_.put(random_.below(4) << 6 | (index & 7) << 3 | (base & 7), 1);
            body_.put(displacement(), no_base || mod == 2 ? 4 : mod);
            return true;
        }
        return false;
    }

    bool modrm() {
        bool reg_general = false, rm_general = false;
        unsigned reg = 8;
        for (const Operand& op : row_.operands) {
            if (op.kind == OperandKind::G) reg_general = true;
            if (op.kind == OperandKind::E || op.kind == OperandKind::R) rm_general = true;
            if (op.kind == OperandKind::S) {
                do reg = random_.below(6);
                while (row_.op == Op::MOV_SREG_RM && reg == 1);
            }
            if (op.kind == OperandKind::C) {
                static constexpr u8 kControl[] = {0, 2, 3, 4, 8};
                reg = kControl[random_.below(code_size_ == 8 ? 5 : 4)];
                if (reg == 8) rex_ |= 4;
                reg &= 7;
            }
            if (op.kind == OperandKind::D) reg = random_.below(8);
        }
        if (row_.reg >= 0) reg = static_cast<unsigned>(row_.reg);
        if (reg == 8) reg = pick_register(4, reg_general);
        bool memory = row_.mod == ModConstraint::memory;
        if (row_.mod == ModConstraint::either) {
            if (o_.memory_form && o_.register_form)
                memory = coin();
            else
                memory = o_.memory_form;
        }
        if (memory ? !o_.memory_form : !o_.register_form) return false;
        if (!memory) {
            const unsigned rm = row_.rm >= 0 ? static_cast<unsigned>(row_.rm) : pick_register(1, rm_general);
            const unsigned mod = row_.mod == ModConstraint::ignored ? random_.below(4) : 3;
            body_.put(mod << 6 | reg << 3 | rm, 1);
            return true;
        }
        if (o_.lock && row_.has(row_attr::lock) && random_.chance(4)) prefixes_.push_back(0xF0);
        return asize_ == 2 ? memory16(reg) : memory32(reg);
    }

    bool in(u32 mask, unsigned r) const { return mask >> r & 1; }
    u64 displacement() {
        const u64 any = random_.next();
        return o_.displacement_bits >= 64 ? any : sign_extend(any, o_.displacement_bits);
    }
    u64 absolute() { return o_.address ? *o_.address : random_.next(); }

    bool memory16(unsigned reg) {
        static constexpr u8 kBase[8] = {rbx, rbx, rbp, rbp, rsi, rdi, rbp, rbx};
        static constexpr i8 kIndex[8] = {rsi, rdi, rsi, rdi, -1, -1, -1, -1};
        for (unsigned tries = 0; tries < 64; ++tries) {
            const unsigned mod = random_.below(3), rm = random_.below(8);
            if (mod == 0 && rm == 6) {
                if (!o_.absolute) continue;
                body_.put(reg << 3 | 6, 1);
                body_.put(absolute(), 2);
                return true;
            }
            if (!in(o_.base_registers, kBase[rm])) continue;
            if (kIndex[rm] >= 0 && !in(o_.index_registers, static_cast<unsigned>(kIndex[rm]))) continue;
            body_.put(mod << 6 | reg << 3 | rm, 1);
            body_.put(displacement(), mod);
            return true;
        }
        return false;
    }

    bool memory32(unsigned reg) {
        for (unsigned tries = 0; tries < 256; ++tries) {
            const unsigned mod = random_.below(3), rm = random_.below(8);
            const u8 rex = static_cast<u8>(code_size_ == 8 ? random_.below(4) : 0);  // X and B
            const unsigned disp_size = mod == 1 ? 1 : mod == 2 ? 4 : 0;
            const u8 kept = rex_ & 12;
            if (rm == 4) {
                const unsigned sib = random_.below(256);
                const unsigned index = (sib >> 3 & 7) | (rex & 2u) << 2, base = (sib & 7) | (rex & 1u) << 3;
                const bool no_base = (sib & 7) == 5 && mod == 0;
                if (no_base ? !o_.absolute : !in(o_.base_registers, base)) continue;
                if (index != 4 && !in(o_.index_registers, index)) continue;
                rex_ = kept | rex;
                body_.put(mod << 6 | reg << 3 | 4, 1);
                body_.put(sib, 1);
                body_.put(no_base ? absolute() : displacement(), no_base ? 4 : disp_size);
                return true;
            }
            if (rm == 5 && mod == 0) {
                if (code_size_ == 8 ? !o_.rip_relative : !o_.absolute) continue;
                rex_ = kept | (o_.redundant ? rex : u8{0});
                body_.put(reg << 3 | 5, 1);
                body_.put(code_size_ == 8 ? displacement() : absolute(), 4);
                return true;
            }
            if (!in(o_.base_registers, rm | (rex & 1u) << 3)) continue;
            rex_ = kept | static_cast<u8>(o_.redundant ? rex : rex & 1);
            body_.put(mod << 6 | reg << 3 | rm, 1);
            body_.put(displacement(), disp_size);
            return true;
        }
        return false;
    }

    void immediate(const Operand& op) {
        const unsigned z = osize_ == 2 ? 2 : 4;
        // Small and edge values now and then: shift counts, bit offsets and comparisons care.
        u64 value = random_.next();
        if (random_.chance(4)) {
            static constexpr u64 kEdges[] = {0,          1,  ~u64{0}, 0x80, 0x7F, 0x8000,
                                             0x80000000, 31, 32,      63,   64,   8};
            value = kEdges[random_.below(static_cast<u32>(std::size(kEdges)))];
        }
        switch (op.kind) {
            case OperandKind::I:
                switch (op.size) {
                    case OperandSize::w:
                        body_.put(value, 2);
                        break;
                    case OperandSize::z:
                        body_.put(value, z);
                        break;
                    case OperandSize::v:
                        body_.put(value, osize_);
                        break;
                    default:
                        body_.put(value, 1);
                        break;
                }
                break;
            case OperandKind::L:
                body_.put(value, 1);
                break;
            case OperandKind::J:
                body_.put(value, op.size == OperandSize::b ? 1 : z);
                break;
            case OperandKind::A:
                body_.put(value, osize_ == 2 ? 4 : 6);
                break;
            case OperandKind::O:
                body_.put(o_.address ? *o_.address : value, asize_);
                break;
            default:
                break;
        }
    }

    const InsnRow& row_;
    const u8 code_size_;
    Random& random_;
    const EncodeOptions& o_;
    std::vector<u8> prefixes_;
    Bytes body_;
    u8 rex_ = 0;
    bool rex_needed_ = false;
    bool has66_ = false;
    u8 asize_ = 0;
    u8 osize_ = 0;
    u8 opcode_ = 0;
    unsigned vvvv_ = 0;
};

}  // namespace

bool exists_in(const InsnRow& row, u8 code_size) {
    if (code_size == 8) return !row.has(row_attr::no64);
    return !row.has(row_attr::only64) && (row.rex_w != 1 || row.vex);
}

Encoding encode_random(const InsnRow& row, u8 code_size, Random& random, const EncodeOptions& options) {
    for (unsigned tries = 0; tries < 20; ++tries) {
        if (const Encoding e = Encoder(row, code_size, random, options).run()) return e;
    }
    return {};
}

}  // namespace mynah::test
