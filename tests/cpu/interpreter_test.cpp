// The run loop's promises: budgets, self-modifying code, page ends, faults on fetches, events at exact
// boundaries.
#include <gtest/gtest.h>

#include "cpu/harness.h"

namespace mynah {
namespace {

using test::Box;

// 32-bit flat code at 10000h; an IDT at 8000h whose gates lead to HLTs at 9000h + 16 * vector.
class Interpreter : public ::testing::Test {
  protected:
    static constexpr u64 kCode = 0x10000, kIdt = 0x8000, kGdt = 0x7000, kHandlers = 0x9000;

    Interpreter() {
        box.flat();
        CpuState& s = box.state();
        for (u64 v = 0; v < 64; ++v) {
            const u64 h = kHandlers + 16 * v;
            box.memory->write(kIdt + 8 * v, (h & 0xFFFF) | 8u << 16 | u64{0x8E00} << 32 | (h >> 16) << 48, 8);
            box.memory->write(h, 0xF4, 1);
        }
        box.memory->write(kGdt + 8, 0x00CF9B000000FFFF, 8);
        box.memory->write(kGdt + 16, 0x00CF93000000FFFF, 8);
        s.gdtr = {.base = kGdt, .limit = 0xFF};
        s.idtr = {.base = kIdt, .limit = 0x7FF};
        s.gpr[rsp] = 0x80000;
        s.msr.apic_base = 0;  // INTR goes straight to the core
        start(kCode);
    }
    void start(u64 rip) {
        box.state().rip = rip;
        box.state().activity = Activity::running;
        box.cpu->state_changed();
    }
    u32 reg(Gpr n) { return static_cast<u32>(box.state().gpr[n]); }
    // Which handler's HLT it stopped behind.
    int vector() { return static_cast<int>((box.state().rip - 1 - kHandlers) / 16); }
    void map_pages() {
        // Identity for the first 4 MiB but page 20h, which tests map as they like.
        constexpr u64 kDirectory = 0x100000, kTable = 0x101000;
        box.memory->write(kDirectory, kTable | 7, 4);
        for (u64 p = 0; p < 1024; ++p) box.memory->write(kTable + 4 * p, p << 12 | 7, 4);
        table = kTable;
        box.state().cr3 = kDirectory;
        box.state().cr0 |= cr0::pg;
        box.cpu->state_changed();
    }

    Box box;
    u64 table = 0;
};

TEST_F(Interpreter, RunsExactlyTheBudget) {
    // l: inc eax; inc ebx; inc ecx; jmp l
    box.write(kCode, {0x40, 0x43, 0x41, 0xEB, 0xFB});
    for (u64 n = 1; n < 40; ++n) {
        const u64 before = box.cpu->instructions();
        EXPECT_EQ(box.cpu->run(n), Exit::budget);
        EXPECT_EQ(box.cpu->instructions() - before, n);
    }
    const u64 total = 39 * 40 / 2;
    EXPECT_EQ(reg(rax), total / 4 + (total % 4 > 0));
    EXPECT_EQ(reg(rcx), total / 4 + (total % 4 > 2));
    box.cpu->run(1'000'003);
    EXPECT_EQ(box.cpu->instructions(), total + 1'000'003);
}

TEST_F(Interpreter, EndsInTheSlackWhereThatIsCheaper) {
    // l: inc eax; inc ebx; inc ecx; jmp l
    box.write(kCode, {0x40, 0x43, 0x41, 0xEB, 0xFB});
    for (unsigned n = 0; n < 20; ++n) {
        const u64 before = box.cpu->instructions();
        EXPECT_EQ(box.cpu->run(20'001, 512), Exit::budget);
        const u64 ran = box.cpu->instructions() - before;
        EXPECT_LE(ran, 20'001u);
        EXPECT_GE(ran, 20'001u - 512);
        EXPECT_EQ(box.state().rip, kCode);
    }
    EXPECT_EQ(reg(rax), box.cpu->instructions() / 4);
}

TEST_F(Interpreter, EachRepeatIsAnInstruction) {
    // rep stosb; hlt
    box.write(kCode, {0xF3, 0xAA, 0xF4});
    box.state().gpr[rcx] = 1000;
    box.state().gpr[rdi] = 0x20FF0;
    box.state().gpr[rax] = 0x77;
    EXPECT_EQ(box.cpu->run(10), Exit::budget);
    EXPECT_EQ(reg(rcx), 990u);
    EXPECT_EQ(reg(rdi), 0x20FFAu);
    EXPECT_EQ(box.state().rip, kCode);
    EXPECT_EQ(box.cpu->run(990), Exit::budget);
    EXPECT_EQ(reg(rcx), 0u);
    EXPECT_EQ(box.state().rip, kCode + 2);
    EXPECT_EQ(box.cpu->instructions(), 1000u);
    EXPECT_EQ(box.cpu->run(5), Exit::halted);
    EXPECT_EQ(box.cpu->instructions(), 1001u);
    EXPECT_EQ(box.read(0x20FF0 + 999, 1), 0x77u);
    EXPECT_EQ(box.read(0x20FF0 + 1000, 1), 0u);
}

TEST_F(Interpreter, RepeatStopsAtAFaultWithWhatWasDone) {
    map_pages();
    box.memory->write(table + 4 * 0x21, 0, 4);
    box.write(kCode, {0xF3, 0xA4, 0xF4});  // rep movsb
    box.state().gpr[rcx] = 0x100;
    box.state().gpr[rsi] = 0x30000;
    box.state().gpr[rdi] = 0x20FF0;
    start(kCode);
    EXPECT_EQ(box.cpu->run(1000), Exit::halted);
    EXPECT_EQ(vector(), 14);
    EXPECT_EQ(box.state().cr2, 0x21000u);
    EXPECT_EQ(reg(rcx), 0xF0u);
    EXPECT_EQ(reg(rdi), 0x21000u);
    EXPECT_EQ(box.cpu->instructions(), 0x10u + 1);
}

TEST_F(Interpreter, NextInstructionIsTheOneJustWritten) {
    // mov byte [next], 43h (inc ebx); next: inc eax (40h); hlt
    box.write(kCode, {0xC6, 0x05, 0x07, 0x00, 0x01, 0x00, 0x43, 0x40, 0xF4});
    EXPECT_EQ(box.cpu->run(100), Exit::halted);
    EXPECT_EQ(reg(rax), 0u);
    EXPECT_EQ(reg(rbx), 1u);
    EXPECT_EQ(box.cpu->instructions(), 3u);
}

TEST_F(Interpreter, LoopRewritesItself) {
    // l: add eax, 1 (imm8 at +2); inc byte [l+2]; dec ecx; jnz l; hlt
    box.write(kCode, {0x83, 0xC0, 0x01, 0xFE, 0x05, 0x02, 0x00, 0x01, 0x00, 0x49, 0x75, 0xF4, 0xF4});
    box.state().gpr[rcx] = 100;
    EXPECT_EQ(box.cpu->run(10000), Exit::halted);
    EXPECT_EQ(reg(rax), 100u * 101 / 2);
    EXPECT_EQ(box.cpu->instructions(), 401u);
}

TEST_F(Interpreter, DataBesideCodeLeavesItAlone) {
    // l: inc dword [10800h]; dec ecx; jnz l; hlt: a page with code is written, no code is hit.
    box.write(kCode, {0xFF, 0x05, 0x00, 0x08, 0x01, 0x00, 0x49, 0x75, 0xF7, 0xF4});
    box.state().gpr[rcx] = 1000;
    EXPECT_EQ(box.cpu->run(100000), Exit::halted);
    EXPECT_EQ(box.read(0x10800, 4), 1000u);
}

TEST_F(Interpreter, DmaReplacesCode) {
    box.write(kCode, {0x40, 0xEB, 0xFD});  // l: inc eax; jmp l
    box.cpu->run(1000);
    EXPECT_EQ(reg(rax), 500u);
    box.write(kCode, {0x43});
    box.cpu->run(1000);
    EXPECT_EQ(reg(rax), 500u);
    EXPECT_EQ(reg(rbx), 500u);
}

TEST_F(Interpreter, WriteThroughAnotherMappingReplacesCode) {
    map_pages();
    box.memory->write(table + 4 * 0x20, kCode | 7, 4);  // 20000h is the code's frame, too
    // mov byte [20007h], 43h; inc eax; hlt
    box.write(kCode, {0xC6, 0x05, 0x07, 0x00, 0x02, 0x00, 0x43, 0x40, 0xF4});
    start(kCode);
    EXPECT_EQ(box.cpu->run(100), Exit::halted);
    EXPECT_EQ(reg(rbx), 1u);
    EXPECT_EQ(reg(rax), 0u);
}

TEST_F(Interpreter, InstructionAcrossPages) {
    // mov eax, 12345678h over the end of the page, in a loop of three.
    const u64 at = 0x11000 - 2;
    box.write(at, {0xB8, 0x78, 0x56, 0x34, 0x12, 0x49, 0x75, 0xF8, 0xF4});
    box.state().gpr[rcx] = 50;
    start(at);
    EXPECT_EQ(box.cpu->run(1000), Exit::halted);
    EXPECT_EQ(reg(rax), 0x12345678u);
    EXPECT_EQ(box.cpu->instructions(), 151u);
    // Rewritten in its second half.
    box.write(0x11000, {0xFF});
    box.state().gpr[rcx] = 1;
    start(at);
    EXPECT_EQ(box.cpu->run(1000), Exit::halted);
    EXPECT_EQ(reg(rax), 0x1234FF78u);
}

TEST_F(Interpreter, FetchFaultsOnlyWhenTheBytesAreNeeded) {
    map_pages();
    box.memory->write(table + 4 * 0x11, 0, 4);
    // inc eax; jmp back to HLT, ending with the page: the next page is not touched.
    box.write(0x10FFC, {0xF4, 0x40, 0xEB, 0xFC});
    start(0x10FFD);
    EXPECT_EQ(box.cpu->run(100), Exit::halted);
    EXPECT_EQ(box.state().rip, 0x10FFDu);
    // mov eax, imm32 that leaves the page.
    box.write(0x10FFD, {0x43, 0xB8, 0x78});
    start(0x10FFD);
    EXPECT_EQ(box.cpu->run(100), Exit::halted);
    EXPECT_EQ(vector(), 14);
    EXPECT_EQ(box.state().cr2, 0x11000u);
    EXPECT_EQ(reg(rbx), 1u);
    EXPECT_EQ(box.read(reg(rsp) + 4, 4), 0x10FFEu);
}

TEST_F(Interpreter, DecodingAheadSetsNoAccessedBit) {
    map_pages();
    // jmp over the page's end, from the page before
    box.write(0x10FF0, {0xEB, 0x0A});
    for (u64 a = 0x10FF2; a < 0x10FFC; ++a) box.write(a, {0x90});
    box.write(0x10FFC, {0xF4, 0x90, 0x90, 0x90});
    start(0x10FF0);
    EXPECT_EQ(box.cpu->run(100), Exit::halted);
    EXPECT_EQ(box.read(table + 4 * 0x11, 4) & 0x20, 0u);
    EXPECT_EQ(box.read(table + 4 * 0x10, 4) & 0x20, 0x20u);
}

TEST_F(Interpreter, CodeRemappedBehindARunningBlock) {
    map_pages();
    // 20000h -> 20000h; code there stores a PTE that moves its own page to 30000h and goes on there.
    box.memory->write(table + 4 * 0x20, 0x20007, 4);
    box.write(0x20000, {0xC7, 0x05, 0x80, 0x10, 0x10, 0x00, 0x07, 0x00, 0x03, 0x00, 0x40, 0xF4});
    box.write(0x30000, {0xC7, 0x05, 0x80, 0x10, 0x10, 0x00, 0x07, 0x00, 0x03, 0x00, 0x43, 0xF4});
    start(0x20000);
    EXPECT_EQ(box.cpu->run(100), Exit::halted);
    EXPECT_EQ(reg(rax), 0u);
    EXPECT_EQ(reg(rbx), 1u);
}

TEST_F(Interpreter, CodeSegmentLimit) {
    box.state().seg(Seg::cs).limit = kCode + 1;
    box.write(kCode, {0x40, 0x43, 0x41});
    start(kCode);
    box.cpu->run(2);
    EXPECT_EQ(reg(rbx), 1u);
    EXPECT_EQ(box.cpu->run(10), Exit::halted);
    EXPECT_EQ(vector(), 13);
    EXPECT_EQ(reg(rcx), 0u);
}

TEST_F(Interpreter, SingleStepTrapsBehindEachInstruction) {
    box.write(kCode, {0x40, 0x40, 0x40});
    box.state().write_eflags(eflags::tf);
    start(kCode);
    EXPECT_EQ(box.cpu->run(10), Exit::halted);
    EXPECT_EQ(vector(), 1);
    EXPECT_EQ(reg(rax), 1u);
    EXPECT_EQ(box.state().dr[6] & 0x4000, 0x4000u);
    EXPECT_EQ(box.read(reg(rsp), 4), kCode + 1);
    EXPECT_EQ(box.cpu->instructions(), 2u);  // INC and the handler's HLT
}

TEST_F(Interpreter, StiHoldsInterruptsForOneInstruction) {
    box.write(kCode, {0xFB, 0x40, 0x40, 0xF4});
    box.cpu->set_intr(true);
    box.host.vector = 0x21;
    EXPECT_EQ(box.cpu->run(100), Exit::halted);
    EXPECT_EQ(vector(), 0x21);
    EXPECT_EQ(reg(rax), 1u);
    EXPECT_EQ(box.read(reg(rsp), 4), kCode + 2);
}

TEST_F(Interpreter, StiBeforeHltWakesBehindIt) {
    box.write(kCode, {0xFB, 0xF4, 0x40, 0xF4});
    box.host.vector = 0x21;
    EXPECT_EQ(box.cpu->run(100), Exit::halted);
    EXPECT_EQ(box.state().rip, kCode + 2);
    EXPECT_FALSE(box.cpu->wakeable());
    box.cpu->set_intr(true);
    EXPECT_TRUE(box.cpu->wakeable());
    EXPECT_EQ(box.cpu->run(100), Exit::halted);
    EXPECT_EQ(vector(), 0x21);
    EXPECT_EQ(box.read(reg(rsp), 4), kCode + 2);
}

// SDM vol. 2B MWAIT.
TEST_F(Interpreter, MwaitSleepsOnlyBehindMonitor) {
    // sti; monitor; mwait; inc edx; mwait; hlt
    box.write(kCode, {0xFB, 0x0F, 0x01, 0xC8, 0x0F, 0x01, 0xC9, 0x42, 0x0F, 0x01, 0xC9, 0xF4});
    box.state().gpr[rax] = 0x20000;
    EXPECT_EQ(box.cpu->run(10), Exit::halted);
    EXPECT_EQ(box.state().rip, kCode + 7);
    box.cpu->set_intr(true);
    EXPECT_EQ(box.cpu->run(1), Exit::halted);
    EXPECT_EQ(vector(), 0x20);
    box.cpu->set_intr(false);
    // Not armed any more: straight to the HLT.
    start(kCode + 7);
    EXPECT_EQ(box.cpu->run(10), Exit::halted);
    EXPECT_EQ(box.state().rip, kCode + 12);
    // An interrupt between MONITOR and MWAIT disarms.
    start(kCode + 1);
    EXPECT_EQ(box.cpu->run(1), Exit::budget);
    box.state().eflags |= eflags::intr;
    box.cpu->set_intr(true);
    EXPECT_EQ(box.cpu->run(1), Exit::halted);
    EXPECT_EQ(vector(), 0x20);
    box.cpu->set_intr(false);
    start(kCode + 4);
    EXPECT_EQ(box.cpu->run(10), Exit::halted);
    EXPECT_EQ(box.state().rip, kCode + 12);
}

TEST_F(Interpreter, MwaitEndsAtAMaskedInterruptIfAsked) {
    // monitor; inc ecx; mwait; hlt
    box.write(kCode, {0x0F, 0x01, 0xC8, 0x41, 0x0F, 0x01, 0xC9, 0xF4});
    EXPECT_EQ(box.cpu->run(10), Exit::halted);
    EXPECT_EQ(box.state().rip, kCode + 7);
    EXPECT_FALSE(box.cpu->wakeable());
    box.cpu->set_intr(true);
    EXPECT_TRUE(box.cpu->wakeable());
    EXPECT_EQ(box.cpu->run(10), Exit::halted);
    EXPECT_EQ(box.state().rip, kCode + 8) << "behind the HLT, and no handler ran";
    EXPECT_FALSE(box.cpu->wakeable());
}

TEST_F(Interpreter, InterruptInsideARepeat) {
    box.write(kCode, {0xF3, 0xAA, 0xF4});
    box.state().gpr[rcx] = 100;
    box.state().gpr[rdi] = 0x20000;
    box.state().write_eflags(eflags::intr);
    start(kCode);
    box.cpu->run(30);
    box.cpu->set_intr(true);
    box.host.vector = 0x22;
    EXPECT_EQ(box.cpu->run(100), Exit::halted);
    EXPECT_EQ(vector(), 0x22);
    EXPECT_EQ(reg(rcx), 70u);
    EXPECT_EQ(box.read(reg(rsp), 4), kCode);
    EXPECT_EQ(box.cpu->instructions(), 31u);
}

TEST_F(Interpreter, CodeBreakpointFaultsBeforeAndResumes) {
    box.write(kCode, {0x40, 0x43, 0xF4});
    box.state().dr[0] = kCode + 1;
    box.state().dr[7] = 0x401 | 1;
    start(kCode);
    EXPECT_EQ(box.cpu->run(100), Exit::halted);
    EXPECT_EQ(vector(), 1);
    EXPECT_EQ(reg(rax), 1u);
    EXPECT_EQ(reg(rbx), 0u);
    EXPECT_EQ(box.state().dr[6] & 15, 1u);
    const u32 image = static_cast<u32>(box.read(reg(rsp) + 8, 4));
    EXPECT_FALSE(image & eflags::rf);  // the one fault that leaves RF alone
    // As a debugger's IRET would: RF lets the instruction pass.
    box.state().write_eflags(image | eflags::rf);
    start(kCode + 1);
    EXPECT_EQ(box.cpu->run(100), Exit::halted);
    EXPECT_EQ(reg(rbx), 1u);
    EXPECT_EQ(box.state().rip, kCode + 3);
}

TEST_F(Interpreter, DataBreakpointTrapsBehind) {
    box.write(kCode, {0xA3, 0x04, 0x00, 0x02, 0x00, 0x40, 0xF4});  // mov [20004h], eax; inc eax
    box.state().dr[1] = 0x20004;
    box.state().dr[7] = 0x400 | 1 << 2 | 0xD << 20;  // DR1: writes of 4 bytes
    start(kCode);
    EXPECT_EQ(box.cpu->run(100), Exit::halted);
    EXPECT_EQ(vector(), 1);
    EXPECT_EQ(box.state().dr[6] & 15, 2u);
    EXPECT_EQ(reg(rax), 0u);
    EXPECT_EQ(box.read(reg(rsp), 4), kCode + 5);
}

TEST_F(Interpreter, SnapshotGoesOnTheSame) {
    box.write(kCode, {0x40, 0x01, 0xC3, 0x69, 0xC3, 0x05, 0x00, 0x00, 0x00, 0xEB, 0xF4});
    box.cpu->run(1001);
    Archive saved;
    box.cpu->visit(saved);
    box.cpu->run(5000);
    const auto registers = box.state().gpr;
    const u64 count = box.cpu->instructions();
    Archive load(Archive::Mode::load, saved.data());
    box.cpu->visit(load);
    EXPECT_TRUE(load.ok()) << load.error();
    box.cpu->run(5000);
    EXPECT_EQ(box.state().gpr, registers);
    EXPECT_EQ(box.cpu->instructions(), count);
}

// Registers whose reads have a value that counts them.
class Counter final : public MmioHandler {
  public:
    u64 read(u64, unsigned) override { return ++reads; }
    void write(u64, u64, unsigned) override {}
    u64 reads = 0;
};

TEST_F(Interpreter, CodeInRomAndMmio) {
    std::vector<u8> rom(0x1000, 0x90);
    rom[0xFFE] = 0xEB;  // jmp to 300000h + 2 + ...
    rom[0xFFF] = 0x00;
    box.memory->map_rom(0x2000000, rom, "rom");
    start(0x2000000);
    EXPECT_EQ(box.cpu->run(100), Exit::budget);
    EXPECT_EQ(box.state().rip, 0x2000064u);

    class Code final : public MmioHandler {
      public:
        u64 read(u64 offset, unsigned) override { return offset == 2 ? 0xF4 : 0x40; }
        void write(u64, u64, unsigned) override {}
    } code;
    box.memory->map_mmio(0x3000000, 0x1000, code, "code");
    start(0x3000000);
    EXPECT_EQ(box.cpu->run(100), Exit::halted);
    EXPECT_EQ(reg(rax), 2u);
}

TEST_F(Interpreter, DeviceAccessSeesTheExactCount) {
    class Clock final : public MmioHandler {
      public:
        explicit Clock(Cpu& c) : cpu(c) {}
        u64 read(u64, unsigned) override { return cpu.instructions(); }
        void write(u64, u64, unsigned) override {}
        Cpu& cpu;
    } clock(*box.cpu);
    box.memory->map_mmio(0x3000000, 0x1000, clock, "clock");
    // nop; nop; mov eax,[3000000h]; nop; mov ebx,[3000000h]; hlt
    box.write(kCode, {0x90, 0x90, 0xA1, 0, 0, 0, 3, 0x90, 0x8B, 0x1D, 0, 0, 0, 3, 0xF4});
    EXPECT_EQ(box.cpu->run(100), Exit::halted);
    EXPECT_EQ(reg(rax), 2u);
    EXPECT_EQ(reg(rbx), 4u);
}

TEST_F(Interpreter, ManyBlocksStayBounded) {
    // 40 passes over code that is rewritten each time.
    for (unsigned pass = 0; pass < 40; ++pass) {
        for (u64 a = 0x200000; a < 0x280000; a += 4)
            box.memory->write(a, 0x00EB9090, 4);  // nop; nop; jmp next
        box.memory->write(0x280000, 0xF4, 1);
        start(0x200000);
        ASSERT_EQ(box.cpu->run(10'000'000), Exit::halted);
    }
}

}  // namespace
}  // namespace mynah
