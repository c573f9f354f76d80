// x87 behaviour around the arithmetic: availability, pending exceptions, FERR#, environments, MMX view.
#include <gtest/gtest.h>

#include "base/bits.h"
#include "cpu/cpu_state.h"
#include "cpu/harness.h"
#include "cpu/x87/environment.h"
#include "cpu/x87/mmx.h"

namespace mynah {
namespace {

constexpr u64 kCode = 0x10000, kData = 0x20000, kHandlers = 0x30000, kIdt = 0x40000;

// 32-bit flat code with an IDT whose handlers are at kHandlers + 16 * vector.
class X87 : public testing::Test {
  public:
    X87() {
        box.flat(4);
        for (u64 v = 0; v < 32; ++v) {
            const u64 handler = kHandlers + 16 * v;
            box.memory->write(kIdt + 8 * v, (handler & 0xFFFF) | 8u << 16, 4);
            box.memory->write(kIdt + 8 * v + 4, 0x8E00 | (handler & 0xFFFF0000), 4);
            box.memory->write(kHandlers + 16 * v, 0xF4, 1);
        }
        // A GDT with the selectors that flat() uses.
        box.memory->write(0x50008, 0x00CF9B000000FFFF, 8);
        box.memory->write(0x50010, 0x00CF93000000FFFF, 8);
        CpuState& s = box.state();
        s.gdtr = {0x50000, 0xFF};
        s.idtr = {kIdt, 0xFF};
        s.gpr[rsp] = 0x60000;
        s.cr0 |= cr0::ne;
        box.cpu->state_changed();
    }

    // Runs `n` instructions of `code`; the vector that was delivered, or -1.
    int run(std::initializer_list<u8> code, u64 n) {
        box.write(kCode, code);
        box.state().rip = kCode;
        box.state().activity = Activity::running;  // the handlers halt
        box.cpu->run(n);
        const u64 rip = box.state().rip;
        return rip >= kHandlers && rip < kIdt ? static_cast<int>((rip - kHandlers) / 16) : -1;
    }
    X87State& x() { return box.state().x87; }

    test::Box box;
};

TEST_F(X87, UnmaskedExceptionComesWithTheNextWaitingInstruction) {
    // FNINIT; FLDCW (all unmasked); FLDZ; FLD1; FDIVRP (1/0); FNSTSW AX; NOP; FWAIT
    box.memory->write(kData, 0x340, 2);
    EXPECT_EQ(
        run({0xDB, 0xE3, 0xD9, 0x2D, 0, 0, 2, 0, 0xD9, 0xEE, 0xD9, 0xE8, 0xDE, 0xF1, 0xDF, 0xE0, 0x90, 0x9B},
            7),
        -1);
    EXPECT_EQ(box.state().gpr[rax] & 0x80FF, 0x8084u);
    EXPECT_EQ(x().top(), 6u);  // nothing popped
    box.cpu->run(2);
    EXPECT_EQ(box.state().rip - kHandlers, 16u * 16 + 1);  // #MF, and its HLT
    EXPECT_EQ(box.read(box.state().gpr[rsp], 4), kCode + 17);
}

TEST_F(X87, NotAvailable) {
    box.state().cr0 |= cr0::ts;
    box.cpu->state_changed();
    EXPECT_EQ(run({0xD9, 0xE8}, 1), 7);
    EXPECT_EQ(run({0xDB, 0xE3}, 1), 7);
    EXPECT_EQ(run({0x9B}, 1), -1);  // MP is clear
    box.state().cr0 |= cr0::mp;
    EXPECT_EQ(run({0x9B}, 1), 7);
    box.state().cr0 = (box.state().cr0 & ~(cr0::ts | cr0::mp)) | cr0::em;
    EXPECT_EQ(run({0xD9, 0xE8}, 1), 7);
    EXPECT_EQ(run({0x9B}, 1), -1);
}

TEST_F(X87, EnvironmentRoundTrip) {
    // FNINIT; FLDPI; FLDZ; FNSTENV [data]; FNINIT; FLDENV [data]; FNSTENV [data + 40h]
    EXPECT_EQ(run({0xDB, 0xE3, 0xD9, 0xEB, 0xD9, 0xEE, 0xD9, 0x35, 0,    0,    2, 0, 0xDB,
                   0xE3, 0xD9, 0x25, 0,    0,    2,    0,    0xD9, 0x35, 0x40, 0, 2, 0},
                  7),
              -1);
    EXPECT_EQ(box.read(kData, 4), 0xFFFF037Fu);
    EXPECT_EQ(box.read(kData + 4, 4), 0xFFFF3000u);
    EXPECT_EQ(box.read(kData + 8, 4), 0xFFFF1FFFu);  // ST(0) zero, ST(1) valid
    EXPECT_EQ(box.read(kData + 12, 4), kCode + 4);   // FIP: FLDZ
    EXPECT_EQ(box.read(kData + 16, 4), 0x01EE0008u);
    EXPECT_EQ(box.read(kData + 24, 2), 0u);
    for (unsigned n = 0; n < 28; n += 4)
        EXPECT_EQ(box.read(kData + n, 4), box.read(kData + 0x40 + n, 4)) << n;
}

TEST_F(X87, SixteenBitSaveInRealMode) {
    CpuState& s = box.state();
    s.cr0 &= ~u64{cr0::pe};
    for (unsigned n = 0; n < 6; ++n)
        s.segs[n] = {.selector = 0x1000, .attributes = 0x93, .limit = 0xFFFF, .base = 0x10000};
    box.cpu->state_changed();
    // FNINIT; FLD1; FADD dword [0100h]; FNSAVE [0200h]
    box.memory->write(0x10100, 0x3F800000, 4);
    box.write(0x10000, {0xDB, 0xE3, 0xD9, 0xE8, 0xD8, 0x06, 0x00, 0x01, 0xDD, 0x36, 0x00, 0x02});
    s.rip = 0;
    box.cpu->run(4);
    const u64 a = 0x10200;
    EXPECT_EQ(box.read(a, 2), 0x037Fu);
    EXPECT_EQ(box.read(a + 2, 2), 0x3800u);
    EXPECT_EQ(box.read(a + 4, 2), 0x3FFFu);
    EXPECT_EQ(box.read(a + 6, 2), 0x0004u);          // linear 10004h
    EXPECT_EQ(box.read(a + 8, 2), 0x1000u | 0x006);  // bits 16-19, opcode D8 06
    EXPECT_EQ(box.read(a + 14, 8), 0x8000000000000000u);
    EXPECT_EQ(box.read(a + 22, 2), 0x4000u);
    EXPECT_EQ(s.x87.control, 0x37F);
    EXPECT_EQ(s.x87.valid, 0);
}

TEST_F(X87, MmxView) {
    x().set_top(3);
    mmx_enter(x());
    mmx_write(x(), 2, 0x1122334455667788);
    EXPECT_EQ(x().top(), 0u);
    EXPECT_EQ(x().valid, 0xFF);
    EXPECT_EQ(x().regs[2], (fpu::F80{0x1122334455667788, 0xFFFF}));
    EXPECT_EQ(mmx_read(x(), 2), 0x1122334455667788u);
    mmx_leave(x());
    EXPECT_EQ(x().valid, 0);
}

TEST_F(X87, FaultLeavesEverything) {
    // FSTP to a page beyond RAM is a plain write; beyond the segment limit it faults.
    EXPECT_EQ(run({0xDB, 0xE3, 0xD9, 0xE8}, 2), -1);
    box.state().seg(Seg::ds).limit = 0xFFF;
    box.cpu->state_changed();
    const X87State before = x();
    EXPECT_EQ(run({0xDD, 0x1D, 0, 0, 2, 0}, 1), 13);
    EXPECT_EQ(x().status, before.status);
    EXPECT_EQ(x().valid, before.valid);
    EXPECT_EQ(x().fip, before.fip);
}

class FerrHost final : public CpuHost {
  public:
    u32 port_read(u16, unsigned) override { return 0; }
    void port_write(u16, u32, unsigned) override {}
    u8 interrupt_acknowledge() override { return 0x75; }
    Nanoseconds now() override { return 0; }
    void arm_apic_timer(Nanoseconds) override {}
    void cancel_apic_timer() override {}
    void broadcast_eoi(u8) override {}
    void set_ferr(bool asserted) override {
        ferr = asserted;
        if (cpu != nullptr) cpu->set_intr(asserted);
    }
    bool ignne() override { return ignore; }
    u64 random() override { return 0; }

    Cpu* cpu = nullptr;
    bool ferr = false, ignore = false;
};

// CR0.NE = 0 (SDM vol. 1 8.7): FERR# makes IRQ13, taken before the next waiting instruction.
TEST(X87Ferr, InterruptInsteadOfFault) {
    FerrHost host;
    Log log;
    auto memory = std::move(*PhysicalMap::create(1 * MiB));
    auto cpu = std::move(*Cpu::create("486", *memory, host, log));
    host.cpu = cpu.get();
    CpuState& s = cpu->state();
    for (unsigned n = 0; n < 6; ++n)
        s.segs[n] = {.selector = 0, .attributes = 0x93, .limit = 0xFFFF, .base = 0};
    s.idtr = {0, 0x3FF};
    s.cr0 &= ~u64{cr0::ne | cr0::ts | cr0::em};
    s.gpr[rsp] = 0x8000;
    s.rip = 0x1000;
    s.eflags |= eflags::intr;
    cpu->state_changed();
    memory->write(4 * 0x75, 0x2000, 4);
    memory->write(0x3000, 0x340, 2);
    // FNINIT; FLDCW [3000h]; CLI; FLDZ; FLD1; FDIVRP; FNSTSW AX; STI; NOP; FLD1
    const u8 code[] = {0xDB, 0xE3, 0xD9, 0x2E, 0,    0x30, 0xFA, 0xD9, 0xEE, 0xD9,
                       0xE8, 0xDE, 0xF1, 0xDF, 0xE0, 0xFB, 0x90, 0xD9, 0xE8};
    memory->write(0x1000, code);
    const u8 handler[] = {0xDB, 0xE2, 0xCF};  // FNCLEX; IRET
    memory->write(0x2000, handler);
    cpu->run(7);
    EXPECT_TRUE(host.ferr);
    EXPECT_EQ(s.gpr[rax] & 0x80FF, 0x8084u);
    cpu->run(3);  // STI, NOP, FNCLEX of the handler
    EXPECT_EQ(s.rip, 0x2002u);
    EXPECT_FALSE(host.ferr);
    cpu->run(2);
    EXPECT_EQ(s.rip, 0x1013u);
    EXPECT_EQ(s.x87.top(), 5u);
}

}  // namespace
}  // namespace mynah
