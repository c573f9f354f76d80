// Every encoding, decoded by Zydis: all registers, all forms of address, all sizes of displacements.
#include "jit/x64/encoder.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "jit/disassembler.h"

namespace mynah::x64 {
namespace {

using test::Decoded;
using test::Disassembler;

constexpr i32 kDisplacements[] = {0,    1,    -1,         127,         128,
                                  -128, -129, 0x12345678, -0x12345678, std::numeric_limits<i32>::min()};

Reg reg(unsigned n) {
    return static_cast<Reg>(n);
}

ZydisRegister wide(unsigned n) {
    return static_cast<ZydisRegister>(ZYDIS_REGISTER_RAX + static_cast<int>(n));
}
ZydisRegister narrow(unsigned n) {
    return static_cast<ZydisRegister>(ZYDIS_REGISTER_EAX + static_cast<int>(n));
}
ZydisRegister word(unsigned n) {
    return static_cast<ZydisRegister>(ZYDIS_REGISTER_AX + static_cast<int>(n));
}
// SPL to DIL, never AH to BH.
ZydisRegister byte(unsigned n) {
    return static_cast<ZydisRegister>(n < 4 ? ZYDIS_REGISTER_AL + static_cast<int>(n)
                                            : ZYDIS_REGISTER_SPL + static_cast<int>(n) - 4);
}
ZydisRegister sized(unsigned n, unsigned size) {
    return size == 1 ? byte(n) : size == 2 ? word(n) : size == 4 ? narrow(n) : wide(n);
}

class EncoderTest : public testing::Test {
  protected:
    EncoderTest() : buffer_(4096) { start(); }

    void start() { e_.start(buffer_.data(), buffer_.data() + buffer_.size()); }
    // What was written since start(): one instruction.
    Decoded decoded() {
        const std::span<const u8> code(buffer_.data(), e_.offset());
        Decoded d = disassembler_(code);
        EXPECT_TRUE(d.ok);
        EXPECT_EQ(d.insn.length, code.size());
        start();
        return d;
    }
    static void expect_register(const ZydisDecodedOperand& o, ZydisRegister r, const Decoded& d) {
        EXPECT_EQ(o.type, ZYDIS_OPERAND_TYPE_REGISTER) << d.text;
        EXPECT_EQ(o.reg.value, r) << d.text;
    }
    static void expect_memory(const ZydisDecodedOperand& o, const Mem& m, const Decoded& d) {
        EXPECT_EQ(o.type, ZYDIS_OPERAND_TYPE_MEMORY) << d.text;
        EXPECT_EQ(o.mem.base, m.base == kNoReg ? ZYDIS_REGISTER_NONE : wide(m.base)) << d.text;
        EXPECT_EQ(o.mem.index, m.index == kNoReg ? ZYDIS_REGISTER_NONE : wide(m.index)) << d.text;
        if (m.index != kNoReg) {
            EXPECT_EQ(o.mem.scale, 1 << m.scale) << d.text;
        }
        EXPECT_EQ(o.mem.disp.value, m.disp) << d.text;
        const bool stack = m.base == RSP || m.base == RBP;
        EXPECT_EQ(o.mem.segment, m.state ? ZYDIS_REGISTER_GS
                                 : stack ? ZYDIS_REGISTER_SS
                                         : ZYDIS_REGISTER_DS)
            << d.text;
    }

    // All that a memory operand can be.
    template <class F>
    static void each_memory(F f) {
        for (unsigned base = 0; base <= 16; ++base) {
            for (unsigned index = 0; index <= 16; ++index) {
                if (index == RSP) continue;
                for (u8 scale = 0; scale < (index == 16 ? 1 : 4); ++scale) {
                    for (const i32 disp : kDisplacements) {
                        f(Mem{.base = base == 16 ? kNoReg : reg(base),
                              .index = index == 16 ? kNoReg : reg(index),
                              .scale = scale,
                              .disp = disp});
                    }
                }
            }
        }
        for (const i32 disp : kDisplacements) f(in_state(disp));
    }

    std::vector<u8> buffer_;
    Encoder e_;
    Disassembler disassembler_;
};

TEST_F(EncoderTest, RegisterPairs) {
    for (const unsigned size : {1u, 2u, 4u, 8u}) {
        for (unsigned a = 0; a < 16; ++a) {
            for (unsigned b = 0; b < 16; ++b) {
                e_.rr(x64::sized(0x00, size), a, b);  // ADD r/m, r
                const Decoded d = decoded();
                EXPECT_EQ(d.insn.mnemonic, ZYDIS_MNEMONIC_ADD);
                expect_register(d.operands[0], sized(b, size), d);
                expect_register(d.operands[1], sized(a, size), d);
            }
        }
    }
}

TEST_F(EncoderTest, Memory) {
    unsigned n = 0;
    each_memory([&](const Mem& m) {
        const unsigned r = n++ % 16;
        for (const bool w : {false, true}) {
            e_.load(reg(r), m, w);
            const Decoded d = decoded();
            EXPECT_EQ(d.insn.mnemonic, ZYDIS_MNEMONIC_MOV);
            expect_register(d.operands[0], w ? wide(r) : narrow(r), d);
            expect_memory(d.operands[1], m, d);
        }
    });
}

TEST_F(EncoderTest, EveryRegisterWithMemory) {
    for (unsigned r = 0; r < 16; ++r) {
        for (const unsigned size : {1u, 2u, 4u, 8u}) {
            const Mem m = at(R13, 5);
            e_.rm(x64::sized(0x88, size), r, m);
            const Decoded d = decoded();
            expect_memory(d.operands[0], m, d);
            expect_register(d.operands[1], sized(r, size), d);
            EXPECT_EQ(d.operands[0].size, 8 * size);
        }
    }
}

TEST_F(EncoderTest, MapsPrefixesAndLock) {
    e_.rm({.byte = 0xC1, .wide = true, .map = 1, .lock = true}, R9, at(R12));
    Decoded d = decoded();
    EXPECT_EQ(d.text, "lock xadd [r12], r9");
    e_.rr({.byte = 0xF0, .map = 2, .prefix = 0xF2, .byte_rm = true}, RAX, RSI);
    EXPECT_EQ(decoded().text, "crc32 eax, sil");
    e_.rr({.byte = 0x6E, .wide = true, .map = 1, .prefix = 0x66}, 9, R10);
    EXPECT_EQ(decoded().text, "movq xmm9, r10");
    e_.rm({.byte = 0xB8, .map = 1, .prefix = 0xF3}, R8, at(RBP));
    EXPECT_EQ(decoded().text, "popcnt r8d, [rbp]");
    e_.rr({.byte = 0xB6, .map = 1, .byte_rm = true}, RCX, RDI);
    EXPECT_EQ(decoded().text, "movzx ecx, dil");
}

TEST_F(EncoderTest, VexRegisters) {
    for (const bool l256 : {false, true}) {
        const int first = l256 ? ZYDIS_REGISTER_YMM0 : ZYDIS_REGISTER_XMM0;
        for (unsigned a = 0; a < 16; ++a) {
            for (unsigned b = 0; b < 16; ++b) {
                const unsigned c = (a * 7 + b * 3) % 16;
                e_.vex_rr({.byte = 0xFE, .map = 1, .prefix = 0x66}, a, b, c, l256);  // VPADDD
                const Decoded d = decoded();
                EXPECT_EQ(d.insn.mnemonic, ZYDIS_MNEMONIC_VPADDD);
                const unsigned expected[] = {a, b, c};
                for (unsigned n = 0; n < 3; ++n)
                    expect_register(d.operands[n],
                                    static_cast<ZydisRegister>(first + static_cast<int>(expected[n])), d);
            }
        }
    }
}

TEST_F(EncoderTest, VexMemory) {
    unsigned n = 0;
    each_memory([&](const Mem& m) {
        const unsigned a = n % 16, b = n / 16 % 16;
        ++n;
        e_.vex_rm({.byte = 0xFE, .map = 1, .prefix = 0x66}, a, b, m, true);
        Decoded d = decoded();
        expect_register(d.operands[0], static_cast<ZydisRegister>(ZYDIS_REGISTER_YMM0 + static_cast<int>(a)),
                        d);
        expect_register(d.operands[1], static_cast<ZydisRegister>(ZYDIS_REGISTER_YMM0 + static_cast<int>(b)),
                        d);
        expect_memory(d.operands[2], m, d);
        // Maps 2 and W: ANDN.
        e_.vex_rm({.byte = 0xF2, .wide = true, .map = 2}, a, b, m);
        d = decoded();
        EXPECT_EQ(d.insn.mnemonic, ZYDIS_MNEMONIC_ANDN);
        expect_register(d.operands[0], wide(a), d);
        expect_register(d.operands[1], wide(b), d);
        expect_memory(d.operands[2], m, d);
    });
}

TEST_F(EncoderTest, Rorx) {
    for (unsigned a = 0; a < 16; ++a) {
        for (unsigned b = 0; b < 16; ++b) {
            e_.rorx(reg(a), reg(b), 13, (a & 1) != 0);
            const Decoded d = decoded();
            EXPECT_EQ(d.insn.mnemonic, ZYDIS_MNEMONIC_RORX);
            expect_register(d.operands[0], a & 1 ? wide(a) : narrow(a), d);
            expect_register(d.operands[1], a & 1 ? wide(b) : narrow(b), d);
            EXPECT_EQ(d.operands[2].imm.value.u, 13u);
        }
    }
}

TEST_F(EncoderTest, MoveImmediate) {
    constexpr u64 kValues[] = {
        0,           1,       0x7FFFFFFF,         0x80000000,         0xFFFFFFFF,
        0x100000000, ~u64{0}, 0xFFFFFFFF80000000, 0xFFFFFFFF7FFFFFFF, 0x123456789ABCDEF0};
    for (unsigned r = 0; r < 16; ++r) {
        for (const u64 v : kValues) {
            e_.move_imm(reg(r), v);
            const Decoded d = decoded();
            EXPECT_EQ(d.insn.mnemonic, ZYDIS_MNEMONIC_MOV);
            const bool is_wide = d.operands[0].size == 64;
            expect_register(d.operands[0], is_wide ? wide(r) : narrow(r), d);
            EXPECT_EQ(is_wide ? d.operands[1].imm.value.u : static_cast<u32>(d.operands[1].imm.value.u), v)
                << d.text;
        }
    }
}

TEST_F(EncoderTest, AluImmediate) {
    constexpr ZydisMnemonic kNames[] = {ZYDIS_MNEMONIC_ADD, ZYDIS_MNEMONIC_OR,  ZYDIS_MNEMONIC_ADC,
                                        ZYDIS_MNEMONIC_SBB, ZYDIS_MNEMONIC_AND, ZYDIS_MNEMONIC_SUB,
                                        ZYDIS_MNEMONIC_XOR, ZYDIS_MNEMONIC_CMP};
    for (unsigned op = 0; op < 8; ++op) {
        for (unsigned r = 0; r < 16; ++r) {
            for (const i32 v : kDisplacements) {
                e_.alu_imm(op, reg(r), v);
                Decoded d = decoded();
                EXPECT_EQ(d.insn.mnemonic, kNames[op]);
                expect_register(d.operands[0], wide(r), d);
                EXPECT_EQ(d.operands[1].imm.value.s, v) << d.text;
                e_.alu_imm(op, at(reg(r), v), v, false);
                d = decoded();
                EXPECT_EQ(d.insn.mnemonic, kNames[op]);
                expect_memory(d.operands[0], at(reg(r), v), d);
                EXPECT_EQ(static_cast<i32>(d.operands[1].imm.value.s), v) << d.text;
            }
            e_.alu(op, reg(r), reg(15 - r), false);
            const Decoded d = decoded();
            EXPECT_EQ(d.insn.mnemonic, kNames[op]);
            expect_register(d.operands[0], narrow(r), d);
            expect_register(d.operands[1], narrow(15 - r), d);
        }
    }
}

TEST_F(EncoderTest, StackAndIndirectBranches) {
    for (unsigned r = 0; r < 16; ++r) {
        const struct {
            void (*emit)(Encoder&, Reg);
            ZydisMnemonic mnemonic;
        } forms[] = {
            {[](Encoder& e, Reg x) { e.push(x); }, ZYDIS_MNEMONIC_PUSH},
            {[](Encoder& e, Reg x) { e.pop(x); }, ZYDIS_MNEMONIC_POP},
            {[](Encoder& e, Reg x) { e.jmp_reg(x); }, ZYDIS_MNEMONIC_JMP},
            {[](Encoder& e, Reg x) { e.call_reg(x); }, ZYDIS_MNEMONIC_CALL},
        };
        for (const auto& f : forms) {
            f.emit(e_, reg(r));
            const Decoded d = decoded();
            EXPECT_EQ(d.insn.mnemonic, f.mnemonic);
            expect_register(d.operands[0], wide(r), d);
        }
        const Mem m = at(reg(r), 8);
        e_.push_mem(m);
        Decoded d = decoded();
        EXPECT_EQ(d.insn.mnemonic, ZYDIS_MNEMONIC_PUSH);
        EXPECT_EQ(d.operands[0].size, 64);
        expect_memory(d.operands[0], m, d);
        e_.call_mem(m);
        d = decoded();
        EXPECT_EQ(d.insn.mnemonic, ZYDIS_MNEMONIC_CALL);
        expect_memory(d.operands[0], m, d);
    }
}

TEST_F(EncoderTest, JumpsToLabels) {
    const Label back = e_.label(), forward = e_.label();
    e_.bind(back);
    struct Jump {
        u32 at;
        ZydisMnemonic mnemonic;
        Label to;
    };
    std::vector<Jump> jumps;
    for (const Label to : {back, forward}) {
        jumps.push_back({e_.offset(), ZYDIS_MNEMONIC_JMP, to});
        e_.jmp(to);
        jumps.push_back({e_.offset(), ZYDIS_MNEMONIC_CALL, to});
        e_.call(to);
        constexpr ZydisMnemonic kConditions[] = {
            ZYDIS_MNEMONIC_JO, ZYDIS_MNEMONIC_JNO, ZYDIS_MNEMONIC_JB,  ZYDIS_MNEMONIC_JNB,
            ZYDIS_MNEMONIC_JZ, ZYDIS_MNEMONIC_JNZ, ZYDIS_MNEMONIC_JBE, ZYDIS_MNEMONIC_JNBE,
            ZYDIS_MNEMONIC_JS, ZYDIS_MNEMONIC_JNS, ZYDIS_MNEMONIC_JP,  ZYDIS_MNEMONIC_JNP,
            ZYDIS_MNEMONIC_JL, ZYDIS_MNEMONIC_JNL, ZYDIS_MNEMONIC_JLE, ZYDIS_MNEMONIC_JNLE};
        for (unsigned c = 0; c < 16; ++c) {
            jumps.push_back({e_.offset(), kConditions[c], to});
            e_.jcc(c, to);
        }
        for (const Reg r : {RCX, R9}) {
            jumps.push_back({e_.offset(), ZYDIS_MNEMONIC_LEA, to});
            e_.lea_label(r, to);
        }
    }
    e_.byte(0x90);
    EXPECT_FALSE(e_.bound(forward));
    e_.bind(forward);
    e_.resolve();
    for (const Jump& j : jumps) {
        const Decoded d = disassembler_({buffer_.data() + j.at, 15}, j.at);
        EXPECT_EQ(d.insn.mnemonic, j.mnemonic);
        ZyanU64 address = 0;
        EXPECT_TRUE(ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(
            &d.insn, &d.operands[j.mnemonic == ZYDIS_MNEMONIC_LEA], j.at, &address)));
        EXPECT_EQ(address, e_.offset_of(j.to)) << d.text;
    }
}

TEST_F(EncoderTest, JumpsToAddresses) {
    const u8* const base = buffer_.data();
    e_.jmp_to(base, base + 0x800);
    Decoded d = decoded();
    EXPECT_EQ(d.insn.mnemonic, ZYDIS_MNEMONIC_JMP);
    EXPECT_EQ(d.operands[0].imm.value.s, 0x800 - 5);
    e_.call_to(base + 0x800, base);
    d = decoded();
    EXPECT_EQ(d.insn.mnemonic, ZYDIS_MNEMONIC_CALL);
    EXPECT_EQ(d.operands[0].imm.value.s, -0x800 - 5);
}

// No room: nothing is written behind the end, and it is known.
TEST_F(EncoderTest, Full) {
    std::vector<u8> memory(256, 0xCC);
    e_.start(memory.data(), memory.data() + 128);
    for (unsigned n = 0; n < 100; ++n) e_.alu_imm(0, in_state(0x1234), 0x12345678, true);
    EXPECT_TRUE(e_.full());
    for (size_t n = 128; n < memory.size(); ++n) EXPECT_EQ(memory[n], 0xCC);
    e_.start(memory.data(), memory.data() + 128);
    e_.ret();
    EXPECT_FALSE(e_.full());
}

}  // namespace
}  // namespace mynah::x64
