// insn_table.inc read at compile time: a spelling mistake in a row does not compile. For cpu/'s own .cpp
// files.
#pragma once

#include <cstdlib>

#include "cpu/flags.h"
#include "cpu/insn_table.h"

namespace mynah {
namespace table_parser {

// Reached only by a row that is spelled wrong, which makes the table no constant.
[[noreturn]] inline void bad_row() {
    std::abort();
}

struct Words {
    std::string_view rest;
    constexpr std::string_view next() {
        while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
        const auto end = rest.find(' ');
        const std::string_view word = rest.substr(0, end);
        rest.remove_prefix(word.size());
        return word;
    }
};

constexpr unsigned hex_digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
    bad_row();
}

constexpr u32 parse_flag_letters(std::string_view letters) {
    u32 f = 0;
    for (const char c : letters) {
        switch (c) {
            case 'o':
                f |= eflags::of;
                break;
            case 's':
                f |= eflags::sf;
                break;
            case 'z':
                f |= eflags::zf;
                break;
            case 'a':
                f |= eflags::af;
                break;
            case 'p':
                f |= eflags::pf;
                break;
            case 'c':
                f |= eflags::cf;
                break;
            case 'd':
                f |= eflags::df;
                break;
            case 'i':
                f |= eflags::intr;
                break;
            case 'E':
                f |= eflags::tf | eflags::iopl | eflags::nt | eflags::rf | eflags::vm | eflags::ac;
                f |= eflags::vif | eflags::vip | eflags::id;
                break;
            case '?':
                f |= eflags::arithmetic & ~eflags::af;
                break;
            default:
                bad_row();
        }
    }
    return f;
}

// VEX.L.pp.map.W, the map alone being necessary.
constexpr void parse_vex(InsnRow& row, std::string_view word) {
    row.vex = true;
    row.prefix = MandatoryPrefix::none;
    bool map = false;
    while (!word.empty()) {
        const auto end = word.find('.');
        const std::string_view part = word.substr(0, end);
        word.remove_prefix(end == word.npos ? word.size() : end + 1);
        if (part == "128" || part == "LZ") {
            row.vex_l = 0;
        } else if (part == "256") {
            row.vex_l = 1;
        } else if (part == "LIG") {
            row.lig = true;
        } else if (part == "66") {
            row.prefix = MandatoryPrefix::x66;
        } else if (part == "F3") {
            row.prefix = MandatoryPrefix::f3;
        } else if (part == "F2") {
            row.prefix = MandatoryPrefix::f2;
        } else if (part == "W0" || part == "W1") {
            row.rex_w = static_cast<i8>(part[1] - '0');
        } else if (part.starts_with("0F")) {
            map = true;
            row.map = part == "0F" ? OpcodeMap::x0f : part == "0F38" ? OpcodeMap::x0f38 : OpcodeMap::x0f3a;
        } else if (part != "VEX" && part != "WIG") {
            bad_row();
        }
    }
    if (!map) bad_row();
}

constexpr void parse_encoding(InsnRow& row, std::string_view text) {
    Words words{text};
    unsigned bytes = 0;
    if (text.starts_with("VEX.")) {
        parse_vex(row, words.next());
        bytes = 1;
    }
    for (std::string_view w = words.next(); !w.empty(); w = words.next()) {
        if (w == "NP") {
            row.prefix = MandatoryPrefix::none;
        } else if (w == "mem") {
            row.mod = ModConstraint::memory;
        } else if (w == "reg") {
            row.mod = ModConstraint::reg;
        } else if (w == "any") {
            row.mod = ModConstraint::ignored;
        } else if (w == "W0" || w == "W1") {
            row.rex_w = static_cast<i8>(w[1] - '0');
        } else if (w.starts_with("rm=")) {
            row.rm = static_cast<i8>(w[3] - '0');
        } else if (w[0] == '/') {
            row.modrm = true;
            if (w[1] != 'r') row.reg = static_cast<i8>(w[1] - '0');
        } else {
            const u8 byte = static_cast<u8>(hex_digit(w[0]) << 4 | hex_digit(w[1]));
            if (w.size() == 4 && w[2] == '+') row.opcode_count = w[3] == 'r' ? 8 : 16;
            if (row.vex) {
                row.opcode = byte;
                bytes = 2;
            } else if (bytes == 0 && byte == 0x66) {
                row.prefix = MandatoryPrefix::x66;
            } else if (bytes == 0 && byte == 0xF3) {
                row.prefix = MandatoryPrefix::f3;
            } else if (bytes == 0 && byte == 0xF2) {
                row.prefix = MandatoryPrefix::f2;
            } else if (bytes == 0 && byte == 0x0F) {
                row.map = OpcodeMap::x0f;
                bytes = 1;
            } else if (bytes == 1 && row.map == OpcodeMap::x0f && byte == 0x38) {
                row.map = OpcodeMap::x0f38;
            } else if (bytes == 1 && row.map == OpcodeMap::x0f && byte == 0x3A) {
                row.map = OpcodeMap::x0f3a;
            } else {
                row.opcode = byte;
                bytes = 2;
            }
        }
    }
    if (bytes != 2) bad_row();
}

constexpr OperandSize parse_size(std::string_view s) {
    constexpr struct {
        std::string_view name;
        OperandSize size;
    } kSizes[] = {{"", OperandSize::none}, {"none", OperandSize::none}, {"b", OperandSize::b},
                  {"bs", OperandSize::bs}, {"w", OperandSize::w},       {"d", OperandSize::d},
                  {"q", OperandSize::q},   {"t", OperandSize::t},       {"x", OperandSize::x},
                  {"xh", OperandSize::xh}, {"xq", OperandSize::xq},     {"xe", OperandSize::xe},
                  {"dq", OperandSize::dq}, {"qq", OperandSize::qq},     {"v", OperandSize::v},
                  {"z", OperandSize::z},   {"y", OperandSize::y},       {"m", OperandSize::m},
                  {"p", OperandSize::p},   {"a", OperandSize::a},       {"s", OperandSize::s},
                  {"vw", OperandSize::vw}, {"zw", OperandSize::zw},     {"dw", OperandSize::dw},
                  {"db", OperandSize::db}, {"env", OperandSize::env},   {"save", OperandSize::save},
                  {"fx", OperandSize::fx}, {"xs", OperandSize::xs}};
    for (const auto& e : kSizes) {
        if (e.name == s) return e.size;
    }
    bad_row();
}

constexpr bool parse_fixed(Operand& o, std::string_view w) {
    constexpr struct {
        std::string_view name;
        Operand operand;
    } kFixed[] = {{"AL", {OperandKind::gpr, OperandSize::b, false, false, rax}},
                  {"CL", {OperandKind::gpr, OperandSize::b, false, false, rcx}},
                  {"AX", {OperandKind::gpr, OperandSize::w, false, false, rax}},
                  {"DX", {OperandKind::gpr, OperandSize::w, false, false, rdx}},
                  {"eAX", {OperandKind::gpr, OperandSize::z, false, false, rax}},
                  {"rAX", {OperandKind::gpr, OperandSize::v, false, false, rax}},
                  {"ES", {OperandKind::sreg, OperandSize::w, false, false, 0}},
                  {"CS", {OperandKind::sreg, OperandSize::w, false, false, 1}},
                  {"SS", {OperandKind::sreg, OperandSize::w, false, false, 2}},
                  {"DS", {OperandKind::sreg, OperandSize::w, false, false, 3}},
                  {"FS", {OperandKind::sreg, OperandSize::w, false, false, 4}},
                  {"GS", {OperandKind::sreg, OperandSize::w, false, false, 5}},
                  {"ST0", {OperandKind::st0, OperandSize::t, false, false, 0}},
                  {"ST1", {OperandKind::st1, OperandSize::t, false, false, 1}},
                  {"STi", {OperandKind::sti, OperandSize::t, false, false, 0}},
                  {"XMM0", {OperandKind::xmm0, OperandSize::x, false, false, 0}},
                  {"1", {OperandKind::one, OperandSize::b, false, false, 1}}};
    for (const auto& f : kFixed) {
        if (f.name == w) {
            o = f.operand;
            return true;
        }
    }
    return false;
}

constexpr OperandKind parse_kind(char c) {
    constexpr std::string_view kLetters = "EGIJMOASCDRZXYVWUPQNHBL";
    const auto at = kLetters.find(c);
    if (at == kLetters.npos) bad_row();
    return static_cast<OperandKind>(at + 1);
}

constexpr void parse_operands(InsnRow& row, std::string_view text) {
    Words words{text};
    unsigned n = 0;
    for (std::string_view w = words.next(); !w.empty(); w = words.next()) {
        bool read = true, write = false;
        if (w.back() == '+' || w.back() == '!') {
            write = true;
            read = w.back() == '+';
            w.remove_suffix(1);
        }
        Operand o;
        if (!parse_fixed(o, w)) {
            o.kind = parse_kind(w[0]);
            o.size = parse_size(w.substr(1));
        }
        o.read = read;
        o.write = write;
        row.operands[n++] = o;
    }
}

constexpr void parse_flags(InsnRow& row, std::string_view text) {
    Words words{text};
    for (std::string_view w = words.next(); !w.empty(); w = words.next()) {
        const u32 f = parse_flag_letters(w.substr(2));
        if (w[0] == 'r') row.flags_read = f;
        if (w[0] == 'w') row.flags_written = f;
        if (w[0] == 'u') row.flags_undefined = f;
    }
}

constexpr Feature parse_feature(std::string_view s) {
    using enum Feature;
    constexpr struct {
        std::string_view name;
        Feature feature;
    } kFeatures[] = {{"i486", i486},
                     {"cpuid", cpuid},
                     {"fpu", fpu},
                     {"tsc", tsc},
                     {"rdpmc", rdpmc},
                     {"msr", msr},
                     {"cx8", cx8},
                     {"cmov", cmov},
                     {"fcmov", fcmov},
                     {"fcomi", fcomi},
                     {"mmx", mmx},
                     {"fxsr", fxsr},
                     {"sep", sep},
                     {"sse", sse},
                     {"sse_mmx", sse_mmx},
                     {"sse2", sse2},
                     {"sse3", sse3},
                     {"clflush", clflush},
                     {"monitor", monitor},
                     {"ssse3", ssse3},
                     {"sse4_1", sse4_1},
                     {"sse4_2", sse4_2},
                     {"popcnt", popcnt},
                     {"cx16", cx16},
                     {"aes", aes},
                     {"aes_avx", aes_avx},
                     {"pclmulqdq", pclmulqdq},
                     {"pclmulqdq_avx", pclmulqdq_avx},
                     {"movbe", movbe},
                     {"rdrand", rdrand},
                     {"rdseed", rdseed},
                     {"fsgsbase", fsgsbase},
                     {"invpcid", invpcid},
                     {"smap", smap},
                     {"xsave", xsave},
                     {"xsaveopt", xsaveopt},
                     {"xsavec", xsavec},
                     {"clflushopt", clflushopt},
                     {"lm", lm},
                     {"syscall", syscall},
                     {"syscall_legacy", syscall_legacy},
                     {"rdtscp", rdtscp},
                     {"lzcnt", lzcnt},
                     {"bmi1", bmi1},
                     {"bmi2", bmi2},
                     {"avx", avx},
                     {"avx2", avx2},
                     {"f16c", f16c},
                     {"fma", fma},
                     {"prefetchw", prefetchw},
                     {"hint_nop", hint_nop}};
    for (const auto& f : kFeatures) {
        if (f.name == s) return f.feature;
    }
    bad_row();
}

constexpr OsizeRule parse_osize(std::string_view s) {
    using enum OsizeRule;
    constexpr struct {
        std::string_view name;
        OsizeRule rule;
    } kRules[] = {{"b", b}, {"w", w},     {"v", v},     {"z", z},      {"y", y},
                  {"m", m}, {"d64", d64}, {"f64", f64}, {"lgdt", lgdt}};
    for (const auto& r : kRules) {
        if (r.name == s) return r.rule;
    }
    bad_row();
}

// The operand size follows from the first operand that has an integer size.
constexpr OsizeRule default_osize(const InsnRow& row) {
    for (const Operand& o : row.operands) {
        using enum OperandKind;
        switch (o.kind) {
            case E:
            case G:
            case I:
            case M:
            case O:
            case B:
            case Z:
            case X:
            case Y:
            case gpr:
                break;
            default:
                continue;
        }
        switch (o.size) {
            case OperandSize::b:
                return OsizeRule::b;
            case OperandSize::w:
                return OsizeRule::w;
            case OperandSize::z:
                return OsizeRule::z;
            case OperandSize::y:
                return OsizeRule::y;
            case OperandSize::v:
            case OperandSize::p:
            case OperandSize::a:
                return OsizeRule::v;
            default:
                return OsizeRule::y;
        }
    }
    return OsizeRule::y;
}

constexpr void parse_attributes(InsnRow& row, std::string_view text) {
    constexpr struct {
        std::string_view name;
        u32 bit;
    } kAttributes[] = {
        {"lock", row_attr::lock},        {"rep", row_attr::rep},           {"repz", row_attr::repz},
        {"ends", row_attr::ends_block},  {"fault", row_attr::fault},       {"only64", row_attr::only64},
        {"no64", row_attr::no64},        {"prot", row_attr::prot},         {"cpl0", row_attr::cpl0},
        {"iopl", row_attr::iopl},        {"align", row_attr::align},       {"bitstring", row_attr::bitstring},
        {"byasize", row_attr::by_asize}, {"nofault", row_attr::no_access}, {"lahf_lm64", row_attr::lahf_lm},
        {"vsib", row_attr::vsib},        {"vsibh", row_attr::vsibh},       {"wig32", row_attr::wig32}};
    Words words{text};
    for (std::string_view w = words.next(); !w.empty(); w = words.next()) {
        if (w.starts_with("f=")) {
            row.feature = parse_feature(w.substr(2));
        } else if (w.starts_with("os=")) {
            row.osize = parse_osize(w.substr(3));
        } else if (w == "d64" || w == "f64") {
            row.osize = parse_osize(w);
        } else if (w == "stack") {
            row.memory = MemoryClass::stack;
            row.attributes |= row_attr::fault;
        } else if (w == "string") {
            row.memory = MemoryClass::string;
            row.attributes |= row_attr::fault;
        } else {
            bool found = false;
            for (const auto& a : kAttributes) {
                if (a.name == w) {
                    row.attributes |= a.bit;
                    found = true;
                }
            }
            if (!found) bad_row();
        }
    }
}

consteval InsnRow make_row(std::string_view encoding, std::string_view mnemonic, Op op,
                           std::string_view operands, std::string_view flags, std::string_view attributes) {
    InsnRow row;
    row.encoding = encoding;
    row.mnemonic = mnemonic;
    row.op = op;
    parse_encoding(row, encoding);
    parse_operands(row, operands);
    parse_flags(row, flags);
    row.osize = default_osize(row);
    parse_attributes(row, attributes);
    for (const Operand& o : row.operands) {
        using enum OperandKind;
        if (o.write) {
            row.writes.rm |= o.kind == E || o.kind == R;
            row.writes.reg |= o.kind == G || o.kind == Z;
            row.writes.vvvv |= o.kind == B;
            if (o.kind == gpr) row.writes.fixed |= static_cast<u16>(1u << o.fixed);
        }
        if (o.kind == O) row.memory = MemoryClass::moffs;
        const bool modrm_memory = o.kind == E || o.kind == M || o.kind == W || o.kind == Q;
        if (o.kind == M && o.size == OperandSize::none) row.attributes |= row_attr::no_access;
        if (o.kind == O || (modrm_memory && row.mod != ModConstraint::reg && !row.has(row_attr::no_access))) {
            row.attributes |= row_attr::fault;
            if (row.memory == MemoryClass::none) row.memory = MemoryClass::operand;
        }
    }
    return row;
}

}  // namespace table_parser

inline constexpr InsnRow kRows[] = {
#define MYNAH_ROW(encoding, mnemonic, op, operands, flags, attributes) \
    table_parser::make_row(encoding, mnemonic, Op::op, operands, flags, attributes),
#include "cpu/insn_table.inc"
#undef MYNAH_ROW
};

}  // namespace mynah
