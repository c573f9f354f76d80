// Control registers, MSRs, CPUID and port permissions.
#include "cpu/system_bench.h"

namespace mynah {
namespace {

using namespace mynah::test;

struct Control : SystemTest {
    CpuState& s = core.state;
};

TEST_F(Control, Cr0AndLongModeActivation) {
    EXPECT_TRUE(faults(write_cr0(core, cr0::pg), Vector::gp, 0)) << "PG without PE";
    EXPECT_TRUE(faults(write_cr0(core, cr0::pe | cr0::nw), Vector::gp, 0)) << "NW without CD";
    EXPECT_TRUE(write_msr(core, 0xC0000080, efer::lme));
    EXPECT_TRUE(faults(write_cr0(core, cr0::pe | cr0::pg), Vector::gp, 0)) << "LME without PAE";
    EXPECT_TRUE(write_cr4(core, cr4::pae));
    EXPECT_TRUE(write_cr0(core, cr0::pe | cr0::pg));
    EXPECT_TRUE(s.efer & efer::lma);
    EXPECT_TRUE(core.mode.long_mode);
    EXPECT_TRUE(faults(write_msr(core, 0xC0000080, 0), Vector::gp, 0)) << "LME under paging";
    EXPECT_TRUE(faults(write_cr4(core, 0), Vector::gp, 0)) << "PAE in long mode";
    EXPECT_TRUE(write_cr0(core, cr0::pe));
    EXPECT_FALSE(s.efer & efer::lma);
}

TEST_F(Control, Cr3AndCr4Reserved) {
    EXPECT_TRUE(faults(write_cr4(core, u64{1} << 22), Vector::gp, 0));
    EXPECT_TRUE(faults(write_cr4(core, cr4::pcide), Vector::gp, 0)) << "PCIDE outside long mode";
    memory->write(0xE00000, 0x1E7, 8);  // reserved bits in a PDPTE
    s.cr4 = cr4::pae;
    s.cr0 |= cr0::pg;
    EXPECT_TRUE(faults(write_cr3(core, 0xE00000), Vector::gp, 0));
    long_mode(0);
    EXPECT_TRUE(faults(write_cr3(core, u64{1} << 40), Vector::gp, 0));
    EXPECT_TRUE(write_cr4(core, s.cr4 | cr4::pcide));
    EXPECT_TRUE(write_cr3(core, s.cr3 | u64{1} << 63 | 5));
    EXPECT_EQ(s.cr3 >> 63, 0u);
    EXPECT_TRUE(faults(write_cr0(core, cr0::pe), Vector::gp, 0)) << "PG off in 64-bit code";
}

TEST_F(Control, TimeStampCounter) {
    u64 v = 0;
    host.time = 5000;
    ASSERT_TRUE(write_msr(core, 0x10, 100));
    host.time = 5050;
    ASSERT_TRUE(read_msr(core, 0x10, v));
    EXPECT_EQ(v, 150u);
    ASSERT_TRUE(read_msr(core, 0x3B, v));
    EXPECT_EQ(static_cast<i64>(v), -4900);
    ASSERT_TRUE(write_msr(core, 0x3B, 0));
    EXPECT_EQ(read_tsc(core), 5050u);
}

TEST_F(Control, MsrChecks) {
    u64 v = 0;
    EXPECT_TRUE(faults(read_msr(core, 0x12345678, v), Vector::gp, 0)) << "unknown";
    EXPECT_TRUE(faults(write_msr(core, 0x277, 2), Vector::gp, 0)) << "a memory type that PAT lacks";
    EXPECT_TRUE(faults(write_msr(core, 0x200, u64{1} << 40), Vector::gp, 0));
    EXPECT_TRUE(write_msr(core, 0x201, 0xFFC0000800));
    EXPECT_TRUE(read_msr(core, 0x201, v));
    EXPECT_EQ(v, 0xFFC0000800u);
    EXPECT_TRUE(faults(write_msr(core, 0xC0000082, u64{1} << 47), Vector::gp, 0)) << "LSTAR";
    EXPECT_TRUE(faults(write_msr(core, 0xFE, 0), Vector::gp, 0)) << "read-only";
    EXPECT_TRUE(read_msr(core, 0xFE, v));
    EXPECT_EQ(v, 0x508u);
    EXPECT_TRUE(read_msr(core, 0x10A, v));
    EXPECT_TRUE(v & 1) << "RDCL_NO";
}

TEST_F(Control, CpuidFollowsState) {
    EXPECT_EQ(cpuid(core, 0, 0).ebx, 0x756E6547u);
    EXPECT_FALSE(cpuid(core, 1, 0).ecx >> 27 & 1);
    s.cr4 |= cr4::osxsave;
    EXPECT_TRUE(cpuid(core, 1, 0).ecx >> 27 & 1);
    EXPECT_FALSE(cpuid(core, 0x80000001, 0).edx >> 11 & 1) << "SYSCALL shows in 64-bit code only";
    long_mode(0);
    EXPECT_TRUE(cpuid(core, 0x80000001, 0).edx >> 11 & 1);
    EXPECT_TRUE(cpuid(core, 1, 0).edx >> 9 & 1);
    ASSERT_TRUE(write_msr(core, 0x1B, 0xFEE00100));
    EXPECT_FALSE(cpuid(core, 1, 0).edx >> 9 & 1) << "the APIC bit follows its enable";
    const CpuidResult clock = cpuid(core, 0x15, 0);
    EXPECT_EQ(u64{clock.ecx} * clock.ebx / clock.eax, kTscHz);
    EXPECT_EQ(cpuid(core, 0x99, 0).eax, cpuid(core, 0x16, 0).eax) << "beyond the last leaf";
}

TEST(CpuModels, AreConsistent) {
    for (const CpuModel& m : cpu_models()) {
        SCOPED_TRACE(std::string(m.name));
        EXPECT_EQ(find_cpu_model(m.name), &m);
        EXPECT_LE(m.physical_bits, PhysicalMap::kPhysicalBits);
        EXPECT_TRUE(!m.has(Feature::lm) || m.max_extended_leaf >= 0x80000008);
        EXPECT_TRUE(!m.has(Feature::lm) || m.has(Feature::pae));
        EXPECT_LE(m.brand.size(), 47u);
    }
    EXPECT_EQ(find_cpu_model("no such"), nullptr);
}

TEST_F(Control, IoPermissionBitmap) {
    s.seg(Seg::tr).limit = 0x68 + 0x80;
    memory->write(kTssBase + 0x68 + 0x70 / 8, 0x02, 1);
    run_at(0);
    EXPECT_TRUE(check_io_permission(core, 0x71, 1)) << "CPL 0";
    run_at(3);
    EXPECT_TRUE(check_io_permission(core, 0x70, 1));
    EXPECT_TRUE(faults(check_io_permission(core, 0x71, 1), Vector::gp, 0));
    EXPECT_TRUE(faults(check_io_permission(core, 0x70, 2), Vector::gp, 0)) << "any of its ports";
    EXPECT_TRUE(faults(check_io_permission(core, 0x6F, 4), Vector::gp, 0)) << "across a byte";
    EXPECT_TRUE(faults(check_io_permission(core, 0x400, 1), Vector::gp, 0)) << "behind the limit";
    s.eflags |= eflags::iopl;
    EXPECT_TRUE(check_io_permission(core, 0x71, 1)) << "IOPL 3";
}

TEST_F(Control, PortBreakpoints) {
    s.dr[0] = 0x71;
    s.dr[7] = 0x400 | 1 | 2 << 16;
    EXPECT_TRUE(check_io_permission(core, 0x71, 1));
    EXPECT_EQ(s.pending_debug, 0u) << "only with CR4.DE";
    s.cr4 |= cr4::de;
    EXPECT_TRUE(check_io_permission(core, 0x72, 1));
    EXPECT_EQ(s.pending_debug, 0u);
    EXPECT_TRUE(check_io_permission(core, 0x70, 2));
    EXPECT_EQ(s.pending_debug, 1u);
}

TEST_F(Control, FlagsImage) {
    run_at(3);
    set_flags_from_image(core, ~0u, 4);
    EXPECT_FALSE(s.eflags & (eflags::intr | eflags::iopl | eflags::vm | eflags::rf | eflags::vif));
    EXPECT_TRUE(s.eflags & eflags::tf);
    run_at(0);
    set_flags_from_image(core, ~0u, 2);
    EXPECT_EQ(s.eflags & 0xFFFF0000, 0u);
    EXPECT_EQ(s.eflags & (eflags::intr | eflags::iopl), eflags::intr | eflags::iopl);
}

}  // namespace
}  // namespace mynah
