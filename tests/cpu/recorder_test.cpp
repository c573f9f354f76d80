// The instruction table's columns against what the semantics text does, as the recorder sees it: operands
// read and written, their sizes, flags, class of memory, whether a fault is possible and comes before any
// change.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cpu/decoder.h"
#include "cpu/interp/select.h"
#include "cpu/system/cpu_model.h"
#include "support/encode.h"

namespace mynah::test {
namespace {

struct Implicit {
    std::array<PlaceUse, 16> registers{};
    bool stack_pointer = false;
    bool frame_pointer = false;
};

// Registers that an instruction uses besides its operands (SDM vol. 2, the instructions' own pages).
Implicit implicit_registers(Op op) {
    Implicit x;
    switch (op) {
        case Op::CBW:
            x.registers[rax] = {.read = true, .written = true};
            break;
        case Op::CWD:
            x.registers[rax] = {.read = true};
            x.registers[rdx] = {.written = true};
            break;
        case Op::LEAVE:
            x.registers[rbp] = {.written = true};
            x.stack_pointer = x.frame_pointer = true;
            break;
        case Op::PUSH:
        case Op::POP:
            x.stack_pointer = true;
            break;
        default:
            break;
    }
    return x;
}

// LOCK is for read-modify-write of memory (SDM vol. 2A, LOCK); shifts never take it.
bool lockable(Op op) {
    return op <= Op::SHRD ? !(op >= Op::ROL && op <= Op::SHRD) : op == Op::XCHG || op >= Op::BT;
}

class Checker {
  public:
    Checker(const Insn& i, const Recorder& r, u8 code_size)
        : i_(i), row_(row_of(i)), r_(r), code_size_(code_size) {}

    std::string run() {
        operands();
        flags();
        memory();
        return problem_;
    }

  private:
    void expect(bool ok, std::string_view what) {
        if (!ok && problem_.empty()) problem_ = what;
    }

    void operands() {
        PlaceUse reg, rm, immediate, memory;
        Implicit implicit = implicit_registers(row_.op);
        auto& fixed = implicit.registers;
        for (const Operand& o : row_.operands) {
            PlaceUse* place = nullptr;
            switch (o.kind) {
                case OperandKind::G:
                case OperandKind::Z:
                    place = &reg;
                    break;
                case OperandKind::E:
                    place = i_.memory() ? &memory : &rm;
                    break;
                case OperandKind::M:
                case OperandKind::O:
                    place = &memory;
                    break;
                case OperandKind::I:
                case OperandKind::one:
                    place = &immediate;
                    break;
                case OperandKind::gpr:
                    place = &fixed[o.fixed];
                    break;
                case OperandKind::none:
                    continue;
                default:
                    expect(false, "an operand that the text does not know");
                    continue;
            }
            place->read |= o.read;
            place->written |= o.write;
            place->bytes = operand_bytes(i_, o, code_size_);
        }
        if (row_.has(row_attr::no_access)) {
            expect(!r_.memory.read && !r_.memory.written, "memory is accessed against `no access`");
            memory = {};
        }
        // What hints name, in the table for the disassembly's sake, is not read.
        if (row_.op == Op::NOP || row_.op == Op::PREFETCH) reg = rm = memory = {};
        auto same = [&](const PlaceUse& table, const PlaceUse& text, const char* name, bool size) {
            expect(table.read == text.read,
                   fmt::format("{}: {}", name, text.read ? "is read" : "is not read"));
            expect(table.written == text.written,
                   fmt::format("{}: {}", name, text.written ? "is written" : "is not written"));
            if (size && text.bytes != 0 && table.bytes != 0)
                expect(table.bytes == text.bytes, fmt::format("{}: {} bytes in the table, {} in the text",
                                                              name, table.bytes, text.bytes));
        };
        same(reg, r_.reg_field, "reg", true);
        same(rm, r_.rm_field, "r/m", true);
        same(memory, r_.memory, "memory", true);
        same(immediate, r_.immediate, "immediate", false);
        for (unsigned n = 0; n < 16; ++n) same(fixed[n], r_.fixed[n], "fixed register", true);
        expect(r_.stack_pointer == implicit.stack_pointer, "the stack pointer's use");
        expect(r_.frame_pointer_read == implicit.frame_pointer, "the frame pointer's use");
    }

    void flags() {
        u32 read = row_.flags_read;
        if (row_.op == Op::CMOVCC || row_.op == Op::SETCC) {
            expect((condition_flags(i_.cond) & ~read) == 0, "a condition's flags are missing");
            read = condition_flags(i_.cond);
        }
        expect(r_.flags_read == read, fmt::format("flags read {:x}, table {:x}", r_.flags_read, read));
        expect((row_.flags_written & ~r_.flags_written) == 0,
               fmt::format("flags written {:x}, table {:x}", r_.flags_written, row_.flags_written));
        expect((r_.flags_written & ~(row_.flags_written | row_.flags_undefined)) == 0,
               fmt::format("flags written {:x}, table {:x} and undefined {:x}", r_.flags_written,
                           row_.flags_written, row_.flags_undefined));
        expect((row_.flags_written & row_.flags_undefined) == 0, "flags defined and undefined at once");
    }

    void memory() {
        const bool operand = r_.memory.read || r_.memory.written;
        MemoryClass c = MemoryClass::none;
        if (operand) c = r_.absolute ? MemoryClass::moffs : MemoryClass::operand;
        if (r_.stack.read || r_.stack.written) c = MemoryClass::stack;
        // The register form of a row that may have memory.
        const bool register_form = c == MemoryClass::none && row_.memory == MemoryClass::operand &&
                                   row_.mod == ModConstraint::either && !i_.memory();
        expect(row_.memory == c || register_form, "class of memory");
        expect(!r_.may_fault || row_.has(row_attr::fault), "may fault, and the table says no");
        expect(r_.may_fault || register_form || !row_.has(row_attr::fault),
               "can't fault, and the table says it may");
        expect(!r_.late_fault, "something changes before the last possible fault");
        if (i_.memory() && !row_.has(row_attr::no_access))
            expect(row_.has(row_attr::lock) == (r_.for_update && lockable(row_.op)), "LOCK");
        if (r_.stack.bytes != 0) expect(r_.stack.bytes == i_.osize, "size of the stack access");
    }

    const Insn& i_;
    const InsnRow& row_;
    const Recorder& r_;
    u8 code_size_;
    std::string problem_;
};

TEST(Recorder, TableColumns) {
    unsigned rows = 0, failed = 0;
    for (const InsnRow& row : insn_table()) {
        Random random(static_cast<u64>(&row - insn_table().data()));
        bool described = false, failing = false;
        for (const u8 code_size : {u8{2}, u8{4}, u8{8}}) {
            if (!exists_in(row, code_size)) continue;
            const DecodeMode mode{.code_size = code_size,
                                  .descriptors = true,
                                  .features = find_cpu_model("max")->features.gating()};
            for (unsigned n = 0; n < 60 && !failing; ++n) {
                const Encoding e = encode_random(row, code_size, random);
                Insn i;
                if (!e || decode(e.span(), mode, i) != DecodeStatus::ok || &row_of(i) != &row) continue;
                const Steps steps = semantic_steps(i, {.stack_size = code_size, .in_page = false});
                if (!steps) continue;
                ASSERT_NE(steps.record, nullptr) << row.mnemonic;
                described = true;
                Recorder r;
                EXPECT_TRUE(steps.record(r, i));
                const std::string problem = Checker(i, r, code_size).run();
                if (problem.empty()) continue;
                failing = true;
                ADD_FAILURE() << fmt::format("{} ({}, {} bit): {}", row.mnemonic, row.encoding, code_size * 8,
                                             problem);
            }
        }
        rows += described;
        failed += failing;
    }
    fmt::print("{} rows described by the text, {} with wrong columns\n", rows, failed);
    EXPECT_GE(rows, 180u);
}

// What the recorder itself must see in a few instructions known by heart.
TEST(Recorder, KnownInstructions) {
    auto record = [](std::initializer_list<u8> bytes, u8 code_size) {
        const DecodeMode mode{.code_size = code_size,
                              .descriptors = true,
                              .features = find_cpu_model("max")->features.gating()};
        Insn i;
        EXPECT_EQ(decode(std::span(bytes.begin(), bytes.size()), mode, i), DecodeStatus::ok);
        Recorder r;
        EXPECT_TRUE(semantic_steps(i, {.stack_size = code_size, .in_page = false}).record(r, i));
        return r;
    };
    const Recorder adc = record({0x11, 0x08}, 4);  // adc [eax], ecx
    EXPECT_TRUE(adc.memory.read && adc.memory.written && adc.for_update && adc.may_fault);
    EXPECT_TRUE(adc.reg_field.read && !adc.reg_field.written);
    EXPECT_EQ(adc.flags_read, eflags::cf);
    EXPECT_EQ(adc.flags_written, eflags::arithmetic);
    const Recorder lea = record({0x48, 0x8D, 0x04, 0x88}, 8);  // lea rax, [rax + rcx * 4]
    EXPECT_TRUE(lea.address_only && lea.reg_field.written && !lea.may_fault && !lea.memory.read);
    const Recorder jump_free = record({0x0F, 0x9C, 0xC0}, 8);  // setl al
    EXPECT_EQ(jump_free.flags_read, eflags::sf | eflags::of);
    const Recorder inc = record({0x40}, 4);  // inc eax
    EXPECT_EQ(inc.flags_written, eflags::arithmetic & ~eflags::cf);
    EXPECT_FALSE(inc.may_fault);
    const Recorder leave = record({0xC9}, 4);
    EXPECT_TRUE(leave.stack.read && leave.stack_pointer && leave.fixed[rbp].written && !leave.late_fault);
}

}  // namespace
}  // namespace mynah::test
