#include "frontend/examine.h"

#include <Zydis/Zydis.h>
#include <fmt/format.h>

#include <array>
#include <cctype>

namespace mynah {

namespace {

constexpr unsigned kMaxCount = 65536;

// Bytes as the CPU would see them; nothing when any of them can't be translated. Memory-mapped registers and
// video memory are read as by a device access.
bool read_guest(Machine& machine, u64 address, bool physical, std::span<u8> out) {
    for (u8& byte : out) {
        u64 pa = address;
        if (!physical) {
            const auto found = machine.cpu().mmu().peek(address);
            if (!found) return false;
            pa = *found;
        }
        byte = static_cast<u8>(machine.memory().read(pa, 1u));
        ++address;
    }
    return true;
}

std::string show_value(const ExamineFormat& f, u64 v) {
    const unsigned digits = f.size * 2;
    switch (f.format) {
        case 'd':
            return fmt::format("{:>{}}", static_cast<i64>(sign_extend(v, 8 * f.size)), digits + 2);
        case 'u':
            return fmt::format("{:>{}}", v, digits + 2);
        case 'o':
            return fmt::format("{:#o}", v);
        case 'c': {
            const char c = static_cast<char>(v);
            return std::isprint(static_cast<unsigned char>(c)) != 0 ? fmt::format("'{}'", c)
                                                                    : fmt::format("'\\x{:02x}'", v & 0xFF);
        }
        default:
            return fmt::format("0x{:0{}x}", v, digits);
    }
}

// The line for the first instruction in `code`, and its length.
std::string disassemble_line(std::span<const u8> code, u64 address, unsigned bits, unsigned& length) {
    ZydisDecoder decoder;
    ZydisDecoderInit(&decoder,
                     bits == 64   ? ZYDIS_MACHINE_MODE_LONG_64
                     : bits == 32 ? ZYDIS_MACHINE_MODE_LONG_COMPAT_32
                                  : ZYDIS_MACHINE_MODE_LONG_COMPAT_16,
                     bits == 64   ? ZYDIS_STACK_WIDTH_64
                     : bits == 32 ? ZYDIS_STACK_WIDTH_32
                                  : ZYDIS_STACK_WIDTH_16);
    ZydisDecodedInstruction insn;
    std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
    std::array<char, 128> text{"(bad)"};
    length = 1;
    if (ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code.data(), code.size(), &insn, operands.data()))) {
        ZydisFormatter formatter;
        ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
        ZydisFormatterFormatInstruction(&formatter, &insn, operands.data(), insn.operand_count_visible,
                                        text.data(), text.size(), address, nullptr);
        length = insn.length;
    }
    std::string bytes;
    for (const u8 b : code.first(length)) bytes += fmt::format("{:02x} ", b);
    return fmt::format("0x{:08x}:  {:<24} {}", address, bytes, text.data());
}

std::string disassemble(Machine& machine, unsigned count, u64 address, bool physical) {
    const CpuState& s = machine.cpu().state();
    const SegmentRegister& cs = s.seg(Seg::cs);
    const bool long64 = (s.efer & efer::lma) != 0 && cs.long_code();
    const bool bits32 = (s.cr0 & cr0::pe) != 0 && (s.eflags & eflags::vm) == 0 && cs.big();
    const unsigned bits = long64 ? 64 : bits32 ? 32 : 16;
    std::string out;
    for (unsigned n = 0; n < count; ++n) {
        std::array<u8, ZYDIS_MAX_INSTRUCTION_LENGTH> code{};
        unsigned have = 0;
        while (have < code.size() && read_guest(machine, address + have, physical, {&code[have], 1})) ++have;
        if (have == 0) return out + fmt::format("0x{:x}: cannot be read\n", address);
        unsigned length = 0;
        out += disassemble_line(std::span(code).first(have), address, bits, length) + "\n";
        address += length;
    }
    return out;
}

}  // namespace

std::string disassemble_instruction(std::span<const u8> code, u64 address, unsigned bits) {
    unsigned length = 0;
    return code.empty() ? std::string() : disassemble_line(code, address, bits, length);
}

Result<ExamineFormat> ExamineFormat::parse(std::string_view text) {
    ExamineFormat f;
    size_t i = 0;
    unsigned count = 0;
    while (i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])) != 0 && count <= kMaxCount) {
        count = count * 10 + static_cast<unsigned>(text[i++] - '0');
    }
    if (i > 0) f.count = count;
    if (f.count == 0 || f.count > kMaxCount) return Error{fmt::format("count must be 1 to {}", kMaxCount)};
    for (; i < text.size(); ++i) {
        switch (text[i]) {
            case 'x':
            case 'd':
            case 'u':
            case 'o':
            case 'c':
            case 'i':
                f.format = text[i];
                break;
            case 'b':
                f.size = 1;
                break;
            case 'h':
                f.size = 2;
                break;
            case 'w':
                f.size = 4;
                break;
            case 'g':
                f.size = 8;
                break;
            default:
                return Error{fmt::format("'{}' in the format is none of x d u o c i b h w g", text[i])};
        }
    }
    if (f.format == 'c') f.size = 1;
    return f;
}

std::string examine_memory(Machine& machine, ExamineFormat format, u64 address, bool physical) {
    if (format.format == 'i') return disassemble(machine, format.count, address, physical);
    const unsigned per_line = format.format == 'c' ? 8 : 16 / format.size;
    std::string out;
    for (unsigned n = 0; n < format.count; ++n, address += format.size) {
        std::array<u8, 8> raw{};
        if (!read_guest(machine, address, physical, {raw.data(), format.size})) {
            return out +
                   fmt::format("{}Cannot access memory at 0x{:x}\n", n % per_line != 0 ? "\n" : "", address);
        }
        if (n % per_line == 0) out += fmt::format("{}{:016x}:", n != 0 ? "\n" : "", address);
        out += " " + show_value(format, load_le<u64>(raw.data()));
    }
    return out + "\n";
}

std::optional<u64> register_value(const CpuState& s, std::string_view name) {
    static constexpr std::array<std::string_view, 8> kLegacy{"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    static constexpr std::array<std::string_view, 6> kSegments{"es", "cs", "ss", "ds", "fs", "gs"};
    if (name == "rip" || name == "eip" || name == "pc") return s.rip;
    if (name == "eflags" || name == "rflags") return s.read_eflags();
    if (name == "cr0") return s.cr0;
    if (name == "cr2") return s.cr2;
    if (name == "cr3") return s.cr3;
    if (name == "cr4") return s.cr4;
    for (size_t i = 0; i < kLegacy.size(); ++i) {
        if (name.size() == 3 && name.substr(1) == kLegacy[i]) {
            if (name[0] == 'r') return s.gpr[i];
            if (name[0] == 'e') return static_cast<u32>(s.gpr[i]);
        }
        if (name == kLegacy[i]) return static_cast<u16>(s.gpr[i]);
    }
    for (unsigned i = 8; i < 16; ++i) {
        if (name == fmt::format("r{}", i)) return s.gpr[i];
    }
    for (size_t i = 0; i < kSegments.size(); ++i) {
        if (name == kSegments[i]) return s.segs[i].selector;
        if (name == fmt::format("{}.base", kSegments[i])) return s.segs[i].base;
    }
    return std::nullopt;
}

}  // namespace mynah
