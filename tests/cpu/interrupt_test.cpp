// Delivery of exceptions and interrupts, IRET and task switches (SDM vol. 3A ch. 6 and 8, vol. 3B ch. 20).
#include "cpu/system_bench.h"

namespace mynah {
namespace {

using namespace mynah::test;

struct Interrupts : SystemTest {
    CpuState& s = core.state;
};

TEST_F(Interrupts, SameLevel) {
    idt(0x30, kCode0, 0x8000, 0x8E);
    s.eflags |= eflags::intr | eflags::tf;
    ASSERT_TRUE(deliver_interrupt(core, 0x30, InterruptKind::external));
    EXPECT_EQ(s.rip, 0x8000u);
    EXPECT_EQ(s.gpr[rsp], kStack0 - 12);
    EXPECT_EQ(at(kStack0 - 12), 0x7000u);
    EXPECT_EQ(at(kStack0 - 8), kCode0);
    EXPECT_EQ(at(kStack0 - 4), eflags::intr | eflags::tf | eflags::fixed);
    EXPECT_EQ(s.eflags & (eflags::intr | eflags::tf), 0u);
    ASSERT_TRUE(interrupt_return(core, 4));
    EXPECT_EQ(core.next_rip, 0x7000u);
    EXPECT_EQ(s.gpr[rsp], kStack0);
    EXPECT_TRUE(s.eflags & eflags::intr);
}

TEST_F(Interrupts, FaultWithErrorCodeToInnerLevel) {
    idt(13, kCode0, 0x8000, 0x8F);  // trap gate
    run_at(3);
    s.eflags |= eflags::intr;
    ASSERT_TRUE(deliver_fault(core, {.vector = Vector::gp, .has_error_code = true, .error_code = 0x1234}));
    EXPECT_EQ(core.cpl(), 0u);
    EXPECT_EQ(s.gpr[rsp], kStack0 - 24);
    EXPECT_EQ(at(kStack0 - 24), 0x1234u);
    EXPECT_EQ(at(kStack0 - 20), 0x7000u);
    EXPECT_EQ(at(kStack0 - 12) & eflags::rf, eflags::rf);
    EXPECT_EQ(at(kStack0 - 8), kStack3);
    EXPECT_EQ(at(kStack0 - 4), kData3);
    EXPECT_TRUE(s.eflags & eflags::intr) << "a trap gate keeps IF";
    s.gpr[rsp] += 4;
    ASSERT_TRUE(interrupt_return(core, 4));
    EXPECT_EQ(core.cpl(), 3u);
    EXPECT_EQ(s.gpr[rsp], kStack3);
    EXPECT_TRUE(s.eflags & eflags::rf);
}

TEST_F(Interrupts, SoftwareInterruptChecksTheGate) {
    idt(0x40, kCode0, 0x8000, 0x8E);
    run_at(3);
    EXPECT_TRUE(faults(software_interrupt(core, 0x40, InterruptKind::software), Vector::gp, 0x40 * 8 + 2));
    idt(0x40, kCode0, 0x8000, 0x6E);
    EXPECT_TRUE(faults(software_interrupt(core, 0x40, InterruptKind::software), Vector::np, 0x40 * 8 + 2));
    idt(0x40, kCode0, 0x8000, 0xEE);
    ASSERT_TRUE(software_interrupt(core, 0x40, InterruptKind::software));
    EXPECT_EQ(at(kStack0 - 20), 0x7002u) << "behind the instruction";
    s.idtr.limit = 0x1FF;
    EXPECT_TRUE(faults(software_interrupt(core, 0x40, InterruptKind::software), Vector::gp, 0x40 * 8 + 2));
}

TEST_F(Interrupts, SixteenBitGate) {
    idt(0x30, kCode16, 0x8000, 0x86);
    ASSERT_TRUE(deliver_interrupt(core, 0x30, InterruptKind::external));
    EXPECT_EQ(s.gpr[rsp], kStack0 - 6);
    EXPECT_EQ(core.mode.code_size, 2);
    ASSERT_TRUE(interrupt_return(core, 2));
    EXPECT_EQ(core.mode.code_size, 4);
}

TEST_F(Interrupts, DoubleAndTripleFault) {
    idt(13, kCode0, 0x8000, 0x0E);  // not present
    idt(8, kCode0, 0x9000, 0x8E);
    ASSERT_TRUE(deliver_fault(core, {.vector = Vector::gp, .has_error_code = true, .error_code = 4}));
    EXPECT_EQ(s.rip, 0x9000u);
    EXPECT_EQ(at(kStack0 - 16), 0u) << "error code";
    run_at(0);
    idt(8, kCode0, 0x9000, 0x0E);
    EXPECT_FALSE(deliver_fault(core, {.vector = Vector::gp, .has_error_code = true, .error_code = 4}));
    EXPECT_EQ(s.activity, Activity::shutdown);
}

TEST_F(Interrupts, BenignThenFaultIsNoDoubleFault) {
    idt(3, kCode0, 0x8000, 0x0E);
    idt(11, kCode0, 0x8800, 0x8E);
    ASSERT_TRUE(deliver_interrupt(core, 3, InterruptKind::external));
    EXPECT_EQ(s.rip, 0x8800u);
    EXPECT_EQ(at(kStack0 - 16), 3u * 8 + 3) << "IDT and EXT";
}

TEST_F(Interrupts, PageFaultSetsCr2) {
    idt(14, kCode0, 0x8000, 0x8E);
    ASSERT_TRUE(deliver_fault(
        core, {.vector = Vector::pf, .has_error_code = true, .error_code = 2, .address = 0x123456}));
    EXPECT_EQ(s.cr2, 0x123456u);
}

TEST_F(Interrupts, RealMode) {
    real_mode();
    s.idtr = {0, 0x3FF};
    memory->write(0x30 * 4, 0x02000123, 4);
    s.eflags |= eflags::ac;
    ASSERT_TRUE(deliver_interrupt(core, 0x30, InterruptKind::external));
    EXPECT_EQ(selector(Seg::cs), 0x200);
    EXPECT_EQ(s.rip, 0x123u);
    EXPECT_EQ(at(0x3FF8, 2), 0x700u);
    EXPECT_EQ(at(0x3FFA, 2), 0x200u);
    EXPECT_FALSE(s.eflags & (eflags::intr | eflags::ac));
    ASSERT_TRUE(interrupt_return(core, 2));
    EXPECT_EQ(core.next_rip, 0x700u);
    EXPECT_TRUE(s.eflags & eflags::intr);
}

TEST_F(Interrupts, Virtual8086InAndOut) {
    idt(0x30, kCode0, 0x8000, 0x8E);
    v8086(3);
    const auto segments = s.segs;
    ASSERT_TRUE(deliver_interrupt(core, 0x30, InterruptKind::external));
    EXPECT_EQ(core.cpl(), 0u);
    EXPECT_FALSE(core.mode.v8086);
    ASSERT_EQ(s.gpr[rsp], kStack0 - 36);
    EXPECT_EQ(at(kStack0 - 4), segments[5].selector);
    EXPECT_EQ(at(kStack0 - 16), segments[0].selector);
    EXPECT_EQ(at(kStack0 - 20), segments[2].selector);
    EXPECT_EQ(at(kStack0 - 36), 0x700u);
    EXPECT_TRUE(at(kStack0 - 28) & eflags::vm);
    EXPECT_FALSE(s.seg(Seg::gs).present());
    ASSERT_TRUE(interrupt_return(core, 4));
    EXPECT_TRUE(core.mode.v8086);
    for (unsigned i = 0; i < 6; ++i) EXPECT_EQ(s.segs[i].base, segments[i].base);
    EXPECT_EQ(s.gpr[rsp], 0xFFEu);

    v8086(0);
    EXPECT_TRUE(faults(software_interrupt(core, 0x30, InterruptKind::software), Vector::gp, 0));
    EXPECT_TRUE(faults(interrupt_return(core, 2), Vector::gp, 0));
    idt(0x30, kConforming, 0x8000, 0x8E);
    EXPECT_TRUE(
        faults(software_interrupt(core, 0x30, InterruptKind::exception_instruction), Vector::gp, 0x182))
        << "INT3 checks the gate, not IOPL";
}

TEST_F(Interrupts, VmeRedirects) {
    s.cr4 |= cr4::vme;
    s.seg(Seg::tr).limit = 0xFF;
    memory->write(kTssBase + 102, 136, 2);  // redirection bitmap at 104: all zero
    memory->write(0x21 * 4, 0x03000040, 4);
    v8086(0);
    s.eflags |= eflags::vif;
    ASSERT_TRUE(software_interrupt(core, 0x21, InterruptKind::software));
    EXPECT_TRUE(core.mode.v8086);
    EXPECT_EQ(selector(Seg::cs), 0x300);
    EXPECT_EQ(core.next_rip, 0x40u);
    EXPECT_FALSE(s.eflags & eflags::vif);
    EXPECT_TRUE(s.eflags & eflags::intr);
    EXPECT_EQ(at(0x3FFC, 2) & (eflags::intr | eflags::iopl), eflags::intr | eflags::iopl);
    ASSERT_TRUE(interrupt_return(core, 2));
    EXPECT_TRUE(s.eflags & eflags::vif);
    EXPECT_EQ(s.eflags & eflags::iopl, 0u);
    memory->write(kTssBase + 104 + 4, 2, 1);  // vector 21h goes to the monitor
    EXPECT_TRUE(faults(software_interrupt(core, 0x21, InterruptKind::software), Vector::gp, 0));
}

TEST_F(Interrupts, LongModeAlignsAndUsesIst) {
    long_mode(3);
    memory->write(kTssBase + 4, kStack0 - 4, 8);
    memory->write(kTssBase + 36, 0xC008, 8);
    idt64(0x30, kCode64, 0xFFFF800000001000, 0x8E);
    EXPECT_TRUE(deliver_interrupt(core, 0x30, InterruptKind::external));
    EXPECT_EQ(s.rip, 0xFFFF800000001000u);
    EXPECT_EQ(s.gpr[rsp], kStack0 - 16 - 40);
    EXPECT_EQ(at(kStack0 - 16 - 8, 8), kData3);
    EXPECT_EQ(selector(Seg::ss), 0);
    EXPECT_EQ(core.cpl(), 0u);
    ASSERT_TRUE(interrupt_return(core, 8));
    EXPECT_EQ(core.cpl(), 3u);
    EXPECT_EQ(s.gpr[rsp], kStack3);

    idt64(13, kCode64, 0x8000, 0x8E, 1);
    long_mode(0);
    ASSERT_TRUE(deliver_fault(core, {.vector = Vector::gp, .has_error_code = true, .error_code = 7}));
    EXPECT_EQ(s.gpr[rsp], 0xC000u - 48);
    EXPECT_EQ(at(0xC000 - 48, 8), 7u);
    EXPECT_EQ(selector(Seg::ss), kData0) << "SS stays when the level does";
    idt64(0x31, kCode0, 0x8000, 0x8E);
    EXPECT_TRUE(faults(software_interrupt(core, 0x31, InterruptKind::privileged), Vector::gp, kCode0 | 1));
}

TEST_F(Interrupts, LongModeIretToNullSs) {
    long_mode(0);
    const u64 frame[] = {0x1000, kCode64, 2, 0xD000, 0};
    for (unsigned i = 0; i < 5; ++i) memory->write(kStack0 + 8 * i, frame[i], 8);
    ASSERT_TRUE(interrupt_return(core, 8));
    EXPECT_EQ(s.gpr[rsp], 0xD000u);
    long_mode(0);
    memory->write(kStack0, u64{1} << 47, 8);
    EXPECT_TRUE(faults(interrupt_return(core, 8), Vector::gp, 0)) << "not canonical";
    s.eflags |= eflags::nt;
    EXPECT_TRUE(faults(interrupt_return(core, 8), Vector::gp, 0)) << "NT in long mode";
}

// --- tasks ---

struct Tasks : Interrupts {
    void other_task(u32 eip) {
        const auto put = [&](u32 offset, u32 v) { memory->write(kOtherBase + offset, v, 4); };
        put(0x20, eip);
        put(0x24, 2);
        for (u32 i = 0; i < 8; ++i) put(0x28 + 4 * i, 0x1000 + i);
        put(0x38, 0xB000);
        put(0x48, kData3);
        put(0x4C, kCode3);
        put(0x50, kData3);
        put(0x54, kData3);
    }
};

TEST_F(Tasks, CallAndReturn) {
    other_task(0x6000);
    s.gpr[rax] = 0xAAAA;
    s.dr[7] |= 0x155;
    ASSERT_TRUE(far_call(core, kOther, 0, 4));
    EXPECT_EQ(core.next_rip, 0x6000u);
    EXPECT_EQ(core.cpl(), 3u);
    EXPECT_EQ(s.gpr[rax], 0x1000u);
    EXPECT_EQ(s.gpr[rsp], 0xB000u);
    EXPECT_EQ(selector(Seg::tr), kOther);
    EXPECT_TRUE(s.eflags & eflags::nt);
    EXPECT_TRUE(s.cr0 & cr0::ts);
    EXPECT_EQ(s.dr[7] & 0x155, 0u);
    EXPECT_EQ(at(kOtherBase, 2), kTss) << "back link";
    EXPECT_EQ(at(kGdt + kOther + 5, 1), 0x8Bu) << "busy";
    EXPECT_EQ(at(kTssBase + 0x20), 0x7002u);
    EXPECT_EQ(at(kTssBase + 0x28), 0xAAAAu);
    EXPECT_EQ(at(kTssBase + 0x4C, 2), kCode0);
    core.next_rip = 0x6001;
    ASSERT_TRUE(interrupt_return(core, 4));
    EXPECT_EQ(core.next_rip, 0x7002u);
    EXPECT_EQ(core.cpl(), 0u);
    EXPECT_EQ(s.gpr[rax], 0xAAAAu);
    EXPECT_EQ(at(kGdt + kOther + 5, 1), 0x89u) << "available again";
    EXPECT_EQ(at(kOtherBase + 0x20), 0x6001u);
    EXPECT_FALSE(at(kOtherBase + 0x24) & eflags::nt);
    EXPECT_FALSE(s.eflags & eflags::nt);
}

TEST_F(Tasks, JumpIsNotNested) {
    other_task(0x6000);
    memory->write(kOtherBase + 0x64, 1, 2);
    ASSERT_TRUE(far_jump(core, kOther, 0));
    EXPECT_FALSE(s.eflags & eflags::nt);
    EXPECT_EQ(at(kGdt + kTss + 5, 1), 0x89u);
    EXPECT_TRUE(s.pending_debug & 1 << 15) << "T bit";
    EXPECT_TRUE(faults(far_jump(core, kOther, 0), Vector::gp, kOther)) << "DPL, then busy";
}

TEST_F(Tasks, TaskGateWithErrorCode) {
    other_task(0x6000);
    idt(10, kOther, 0, 0x85);
    ASSERT_TRUE(deliver_fault(core, {.vector = Vector::ts, .has_error_code = true, .error_code = 0x77}));
    EXPECT_EQ(s.rip, 0x6000u);
    EXPECT_EQ(s.gpr[rsp], 0xB000u - 4);
    EXPECT_EQ(at(0xB000 - 4), 0x77u);
    EXPECT_EQ(at(kTssBase + 0x20), 0x7000u) << "the faulting instruction";
}

TEST_F(Tasks, FaultsBehindThePointOfNoReturn) {
    other_task(0x6000);
    memory->write(kOtherBase + 0x54, kData0, 4);  // DS of an inner level
    EXPECT_TRUE(faults(far_jump(core, kOther, 0), Vector::ts, kData0));
    EXPECT_EQ(core.rip, 0x6000u);
    EXPECT_EQ(selector(Seg::tr), kOther);
    EXPECT_EQ(core.cpl(), 3u);
}

TEST_F(Tasks, FaultsBeforeItChangeNothing) {
    other_task(0x6000);
    descriptor(kOther, kOtherBase, 0x66, 0x89, 0);
    const auto before = s.gpr;
    EXPECT_TRUE(faults(far_call(core, kOther, 0, 4), Vector::ts, kOther)) << "limit";
    descriptor(kOther, kOtherBase, 0x67, 0x09, 0);
    EXPECT_TRUE(faults(far_call(core, kOther, 0, 4), Vector::np, kOther));
    EXPECT_EQ(s.gpr, before);
    EXPECT_EQ(selector(Seg::tr), kTss);
    EXPECT_EQ(at(kTssBase + 0x20), 0u);
    s.eflags |= eflags::nt;
    memory->write(kTssBase, kOther, 2);
    EXPECT_TRUE(faults(interrupt_return(core, 4), Vector::ts, kOther)) << "not busy";
}

TEST_F(Tasks, Tss286) {
    descriptor(kOther, kOtherBase, 0x2B, 0x81, 0);
    const auto put = [&](u32 offset, u16 v) { memory->write(kOtherBase + offset, v, 2); };
    put(0x0E, 0x6000);
    put(0x10, 2);
    put(0x12, 0x1234);
    put(0x1A, 0xB000);
    put(0x22, kData0);
    put(0x24, kCode16);
    put(0x26, kData0);
    put(0x28, kData0);
    ASSERT_TRUE(far_call(core, kOther, 0, 4));
    EXPECT_EQ(core.next_rip, 0x6000u);
    EXPECT_EQ(s.gpr[rax] & 0xFFFF, 0x1234u);
    EXPECT_EQ(core.mode.code_size, 2);
    ASSERT_TRUE(interrupt_return(core, 2));
    EXPECT_EQ(core.next_rip, 0x7002u);
    EXPECT_EQ(at(kOtherBase + 0x0E, 2), 0x6000u);
}

}  // namespace
}  // namespace mynah
