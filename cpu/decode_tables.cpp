#include "cpu/decode_tables.h"

#include <array>

#include "cpu/insn_table_rows.h"

namespace mynah::decode_tables {
namespace {

constexpr unsigned kRowCount = std::size(kRows);
static_assert(kRowCount <= kMaxRows && kMaxSlots < kByRm);

constexpr bool in_code64(const InsnRow& r) {
    return !r.has(row_attr::no64);
}
constexpr bool in_code32(const InsnRow& r) {
    return !r.has(row_attr::only64);
}

constexpr Immediate immediate_of(const InsnRow& row) {
    Immediate result = Immediate::none;
    for (const Operand& o : row.operands) {
        if (o.kind == OperandKind::J) result = o.size == OperandSize::b ? Immediate::jb : Immediate::jz;
        if (o.kind == OperandKind::A) result = Immediate::ap;
        if (o.kind == OperandKind::O) result = Immediate::moffs;
        if (o.kind == OperandKind::L) result = Immediate::ib;
        if (o.kind == OperandKind::one) result = Immediate::one;
        if (o.kind != OperandKind::I) continue;
        switch (o.size) {
            case OperandSize::none:
            case OperandSize::b:
                result = result == Immediate::iw ? Immediate::iw_ib : Immediate::ib;
                break;
            case OperandSize::bs:
                result = Immediate::ibs;
                break;
            case OperandSize::w:
                result = Immediate::iw;
                break;
            case OperandSize::z:
                result = Immediate::iz;
                break;
            case OperandSize::v:
                result = Immediate::iv;
                break;
            default:
                table_parser::bad_row();
        }
    }
    return result;
}

constexpr Entry make_entry(const InsnRow& row) {
    using enum OperandKind;
    Entry e;
    e.op = row.op;
    e.osize = row.osize;
    e.immediate = immediate_of(row);
    e.feature = row.feature;
    if (row.lig) e.vex |= vex_attr::ignore_l;
    if (row.has(row_attr::vsib) || row.has(row_attr::vsibh)) e.vex |= vex_attr::vsib;
    unsigned a = 0;
    if (row.modrm) a |= entry_attr::modrm;
    if (row.mod == ModConstraint::ignored) a |= entry_attr::mod_ignored;
    if (row.has(row_attr::lock)) a |= entry_attr::lock;
    if (row.has(row_attr::ends_block)) a |= entry_attr::ends_block;
    if (row.has(row_attr::prot)) a |= entry_attr::prot;
    if (row.has(row_attr::lahf_lm)) a |= entry_attr::lahf_lm;
    if (row.vex) a |= entry_attr::prot;
    if (row.op == Op::NOP && row.map == OpcodeMap::one_byte) a |= entry_attr::b_xchg;
    if (row.prefix == MandatoryPrefix::f2 || row.prefix == MandatoryPrefix::f3) a |= entry_attr::mandatory;
    if (row.rex_w == 0 && !row.vex) a |= entry_attr::w_pair;
    for (const Operand& o : row.operands) {
        const bool byte = o.size == OperandSize::b;
        switch (o.kind) {
            case G:
                a |= byte ? entry_attr::byte_reg : 0;
                break;
            case E:
                a |= byte ? entry_attr::byte_rm : 0;
                break;
            case Z:
                a |= entry_attr::opcode_reg | (byte ? entry_attr::byte_reg | entry_attr::byte_rm : 0);
                break;
            case gpr:
                a |= row.op == Op::XCHG ? entry_attr::rm_is_rax : 0;
                break;
            case S:
                a |= entry_attr::narrow_reg | entry_attr::check_reg;
                break;
            case C:
            case D:
                a |= entry_attr::check_reg;
                break;
            case H:
            case B:
                e.vex |= vex_attr::vvvv;
                break;
            case L:
                e.vex |= vex_attr::register4;
                break;
            case P:
                a |= entry_attr::narrow_reg;
                break;
            case Q:
            case N:
            case st0:
            case sti:
                a |= entry_attr::narrow_rm;
                break;
            default:
                break;
        }
    }
    e.attributes = static_cast<u16>(a);
    return e;
}

// How much of prefix, mod and reg is needed to tell an opcode's rows apart.
constexpr NodeKind kind_of(bool prefix, bool reg) {
    return prefix ? (reg ? NodeKind::full : NodeKind::prefix) : reg ? NodeKind::reg : NodeKind::row;
}

constexpr void put(Tables& t, u16& slot, unsigned row) {
    const InsnRow& r = kRows[row];
    if (r.rm < 0) {
        slot = static_cast<u16>(row);
        return;
    }
    if (slot == kInvalid || !(slot & kByRm)) {
        for (unsigned i = 0; i < 8; ++i) t.slots[t.slots_used + i] = slot;
        slot = static_cast<u16>(t.slots_used | kByRm);
        t.slots_used += 8;
    }
    t.slots[(slot & ~kByRm) + static_cast<unsigned>(r.rm)] = static_cast<u16>(row);
}

constexpr bool is_plain(const InsnRow& r, const Entry& e) {
    constexpr unsigned kConditions = entry_attr::prot | entry_attr::check_reg | entry_attr::lahf_lm |
                                     entry_attr::w_pair | entry_attr::b_xchg;
    return r.map <= OpcodeMap::x0f && r.rm < 0 && r.feature == Feature::always &&
           !(e.attributes & kConditions);
}

constexpr void fill_opcode(Tables& t, Node& node, const unsigned* rows, unsigned count) {
    bool by_prefix = false, by_reg = false;
    node.plain = true;
    for (unsigned i = 0; i < count; ++i) {
        const InsnRow& r = kRows[rows[i]];
        const bool prefixed = r.prefix != MandatoryPrefix::any && r.prefix != MandatoryPrefix::none;
        if (!prefixed && !is_plain(r, t.entries[rows[i]])) node.plain = false;
        if (r.prefix != MandatoryPrefix::any) by_prefix = true;
        if (r.reg >= 0 || r.rm >= 0 || r.mod == ModConstraint::memory || r.mod == ModConstraint::reg)
            by_reg = true;
    }
    node.kind = kind_of(by_prefix, by_reg);
    if (node.kind == NodeKind::row) {
        node.base = static_cast<u16>(rows[count - 1]);
        return;
    }
    const unsigned prefixes = by_prefix ? 4 : 1, regs = by_reg ? 16 : 1;
    node.base = static_cast<u16>(t.slots_used);
    t.slots_used += prefixes * regs;
    for (unsigned i = node.base; i < t.slots_used; ++i) t.slots[i] = kInvalid;
    for (unsigned i = 0; i < count; ++i) {
        const InsnRow& r = kRows[rows[i]];
        for (unsigned p = 0; p < prefixes; ++p) {
            if (r.prefix != MandatoryPrefix::any && static_cast<unsigned>(r.prefix) != p) continue;
            for (unsigned m = 0; m < regs; ++m) {
                if (r.mod == ModConstraint::memory && m >= 8) continue;
                if (r.mod == ModConstraint::reg && m < 8) continue;
                if (r.reg >= 0 && static_cast<unsigned>(r.reg) != (m & 7)) continue;
                put(t, t.slots[node.base + p * regs + m], rows[i]);
            }
        }
    }
}

constexpr void fill_operand_sizes(Tables& t) {
    for (unsigned mode = 0; mode < 3; ++mode) {
        for (unsigned prefixes = 0; prefixes < 4; ++prefixes) {
            const bool w = prefixes & 1, p66 = prefixes & 2;
            const u8 plain = mode == 0 ? (p66 ? 4 : 2) : (p66 ? 2 : 4);
            const u8 v = w ? 8 : plain;
            const u8 d64 = mode != 2 ? plain : w ? 8 : p66 ? 2 : 8;
            const u8 f64 = mode != 2 ? plain : 8;
            const u8 sizes[9] = {1,
                                 2,
                                 v,
                                 static_cast<u8>(v == 8 ? 4 : v),
                                 static_cast<u8>(w ? 8 : 4),
                                 static_cast<u8>(mode == 2 ? 8 : 4),
                                 d64,
                                 f64,
                                 f64};
            for (unsigned rule = 0; rule < 9; ++rule) t.operand_sizes[mode][prefixes][rule] = sizes[rule];
        }
    }
}

struct RowList {
    unsigned rows[128];
    unsigned count = 0;
};

constexpr u16 find_row(OpcodeMap map, u8 opcode, Op op) {
    for (unsigned i = 0; i < kRowCount; ++i) {
        const InsnRow& r = kRows[i];
        if (!r.vex && r.map == map && r.opcode == opcode && r.op == op) return static_cast<u16>(i);
    }
    table_parser::bad_row();
}

// Is the row met under this VEX.W << 1 | VEX.L?
constexpr bool has_vex_form(const InsnRow& r, bool code64, unsigned form) {
    const int w = static_cast<int>(form >> 1), l = static_cast<int>(form & 1);
    if (r.rex_w >= 0 && r.rex_w != w && (code64 || !r.has(row_attr::wig32))) return false;
    return r.vex_l < 0 || r.vex_l == l;
}

constexpr Tables build() {
    Tables t{};
    for (auto& code : t.nodes) {
        for (auto& map : code) {
            for (Node& node : map) node = {};
        }
    }
    for (auto& code : t.vex_nodes) {
        for (auto& map : code) {
            for (auto& form : map) {
                for (Node& node : form) node = {};
            }
        }
    }
    // Rows of each opcode, in table order: first[], next[] are linked lists. The maps with VEX come last.
    constexpr unsigned kMaps = kOpcodeMaps + kVexMaps;
    unsigned first[kMaps][256] = {}, last[kMaps][256] = {};
    unsigned next[kRowCount * 16 + 1] = {}, row_at[kRowCount * 16 + 1] = {};
    unsigned items = 0;
    for (unsigned row = 0; row < kRowCount; ++row) {
        const InsnRow& r = kRows[row];
        t.entries[row] = make_entry(r);
        if (r.rex_w == 1 && !r.vex) {
            // Stands behind its W0 twin and is reached through it.
            const InsnRow& twin = kRows[row - 1];
            if (twin.rex_w != 0 || twin.opcode != r.opcode || twin.map != r.map) table_parser::bad_row();
            continue;
        }
        for (unsigned i = 0; i < r.opcode_count; ++i) {
            const unsigned opcode = r.opcode + i;
            const unsigned map = static_cast<unsigned>(r.map) + (r.vex ? kOpcodeMaps - 1 : 0);
            row_at[++items] = row;
            if (first[map][opcode] == 0)
                first[map][opcode] = items;
            else
                next[last[map][opcode]] = items;
            last[map][opcode] = items;
        }
    }
    for (unsigned map = 0; map < kMaps; ++map) {
        const unsigned forms = map < kOpcodeMaps ? 1 : 4;
        for (unsigned opcode = 0; opcode < 256; ++opcode) {
            if (!first[map][opcode]) continue;
            for (unsigned n = 0; n < 2 * forms; ++n) {
                const unsigned code64 = n & 1, form = n >> 1;
                RowList list{};
                for (unsigned i = first[map][opcode]; i; i = next[i]) {
                    const InsnRow& r = kRows[row_at[i]];
                    if (!(code64 ? in_code64(r) : in_code32(r))) continue;
                    if (r.vex && !has_vex_form(r, code64, form)) continue;
                    list.rows[list.count++] = row_at[i];
                }
                if (!list.count) continue;
                Node& node = map < kOpcodeMaps ? t.nodes[code64][map][opcode]
                                               : t.vex_nodes[code64][map - kOpcodeMaps][form][opcode];
                fill_opcode(t, node, list.rows, list.count);
            }
        }
    }
    if (t.slots_used > kMaxSlots) table_parser::bad_row();
    fill_operand_sizes(t);
    t.row_bsf = find_row(OpcodeMap::x0f, 0xBC, Op::BSF);
    t.row_bsr = find_row(OpcodeMap::x0f, 0xBD, Op::BSR);
    t.row_xchg = find_row(OpcodeMap::one_byte, 0x90, Op::XCHG);
    return t;
}

}  // namespace

constinit const Tables tables = build();

}  // namespace mynah::decode_tables

namespace mynah {

std::span<const InsnRow> insn_table() {
    return kRows;
}

}  // namespace mynah
