// The local APIC (SDM vol. 3A ch. 11).
#include "cpu/system_bench.h"

namespace mynah {
namespace {

using namespace mynah::test;

struct Apic : SystemTest {
    Apic() {
        core.state.msr.apic_base = 0xFEE00900;
        apic.base_changed();
        put(0xF0, 0x1FF);
    }
    u32 get(u32 offset) { return static_cast<u32>(memory->read(0xFEE00000 + offset, 4u)); }
    void put(u32 offset, u32 value) { memory->write(0xFEE00000 + offset, value, 4u); }
};

TEST_F(Apic, PrioritiesAndEoi) {
    apic.receive(DeliveryMode::fixed, 0x41, false);
    apic.receive(DeliveryMode::fixed, 0x55, true);
    EXPECT_TRUE(apic.pending());
    EXPECT_EQ(apic.acknowledge(), 0x55);
    EXPECT_FALSE(apic.pending()) << "a lower class waits";
    EXPECT_EQ(get(0xA0), 0x50u) << "PPR";
    EXPECT_EQ(get(0x120), 1u << 21) << "ISR";
    put(0xB0, 0);
    EXPECT_EQ(host.eois, std::vector<u8>{0x55});
    EXPECT_TRUE(apic.pending());
    put(0x80, 0x40);
    EXPECT_FALSE(apic.pending()) << "TPR";
    put(0x80, 0x30);
    EXPECT_EQ(apic.acknowledge(), 0x41);
    put(0xB0, 0);
    EXPECT_EQ(host.eois.size(), 1u) << "no broadcast for an edge";
    EXPECT_EQ(apic.acknowledge(), 0xFF) << "spurious";
}

TEST_F(Apic, SoftwareDisable) {
    put(0x320, 0x20040);
    put(0xF0, 0xFF);
    EXPECT_TRUE(get(0x320) & 0x10000) << "masks the LVT";
    apic.receive(DeliveryMode::fixed, 0x41, false);
    EXPECT_FALSE(apic.pending());
}

TEST_F(Apic, ExtIntFollowsLint0) {
    EXPECT_FALSE(apic.accepts_ext_int());
    put(0x350, 0x700);
    EXPECT_TRUE(apic.accepts_ext_int());
    ASSERT_TRUE(apic.write_base(0xFEE00100));
    EXPECT_TRUE(apic.accepts_ext_int()) << "disabled: the pin is INTR";
    EXPECT_EQ(get(0xF0), 0xFFFFFFFFu) << "the page is gone";
    ASSERT_TRUE(apic.write_base(0xFEE00900));
    EXPECT_EQ(get(0xF0), 0xFFu) << "reset by disabling";
}

TEST_F(Apic, Timer) {
    put(0x3E0, 0xB);  // divide by 1
    put(0x320, 0x40);
    put(0x380, 100);
    EXPECT_EQ(host.deadline, host.time + 100 * kCrystalNanoseconds);
    host.time += 40 * kCrystalNanoseconds;
    EXPECT_EQ(get(0x390), 60u);
    host.time += 60 * kCrystalNanoseconds;
    apic.timer_expired();
    EXPECT_EQ(apic.acknowledge(), 0x40);
    EXPECT_EQ(get(0x390), 0u);
    put(0xB0, 0);

    put(0x320, 0x20040);  // periodic
    put(0x380, 100);
    host.time += 250 * kCrystalNanoseconds;
    apic.timer_expired();
    EXPECT_EQ(host.deadline, host.time + 50 * kCrystalNanoseconds) << "keeps its phase";
    EXPECT_EQ(get(0x390), 50u);

    put(0x320, 0x40040);  // TSC deadline
    apic.write_tsc_deadline(5000, 4000);
    EXPECT_EQ(host.deadline, host.time + 1000);
    EXPECT_EQ(apic.tsc_deadline(), 5000u);
    apic.timer_expired();
    EXPECT_EQ(apic.tsc_deadline(), 0u);
}

TEST_F(Apic, X2Apic) {
    u64 v = 0;
    EXPECT_FALSE(apic.read_x2apic(0x802, v)) << "not in xAPIC mode";
    EXPECT_FALSE(apic.write_base(0xFEE00400)) << "EXTD without EN";
    ASSERT_TRUE(apic.write_base(0xFEE00D00));
    EXPECT_FALSE(apic.write_base(0xFEE00900)) << "not back to xAPIC";
    EXPECT_TRUE(apic.read_x2apic(0x802, v));
    EXPECT_EQ(v, 0u);
    EXPECT_TRUE(apic.read_x2apic(0x80D, v));
    EXPECT_EQ(v, 1u);
    EXPECT_TRUE(apic.write_x2apic(0x80F, 0x1FF));
    EXPECT_TRUE(apic.write_x2apic(0x83F, 0x66)) << "self IPI";
    EXPECT_EQ(apic.acknowledge(), 0x66);
    EXPECT_FALSE(apic.write_x2apic(0x80B, 1)) << "EOI takes zero only";
    EXPECT_TRUE(apic.write_x2apic(0x80B, 0));
    EXPECT_FALSE(apic.write_x2apic(0x802, 0));
    EXPECT_EQ(get(0x20), 0xFFFFFFFFu) << "no page in x2APIC mode";
    EXPECT_TRUE(apic.write_x2apic(0x830, 0x44000)) << "vector below 16: an error, no fault";
}

TEST_F(Apic, SelfIpiAndDestinations) {
    put(0x310, 0);
    put(0x300, 0x4070);
    EXPECT_EQ(apic.acknowledge(), 0x70) << "physical destination 0 is this one";
    put(0x310, 5u << 24);
    put(0x300, 0x4071);
    EXPECT_FALSE(apic.pending()) << "nobody there";
    put(0x300, 0x44072);
    put(0xB0, 0);
    EXPECT_EQ(apic.acknowledge(), 0x72);
    put(0xD0, 0x04000000);
    EXPECT_TRUE(apic.matches(0x0C, true));
    EXPECT_FALSE(apic.matches(0x08, true));
    put(0xE0, 0x0FFFFFFF);
    put(0xD0, 0x12000000);
    EXPECT_TRUE(apic.matches(0x12, true)) << "cluster model";
    EXPECT_FALSE(apic.matches(0x22, true));
}

TEST_F(Apic, SnapshotRoundTrip) {
    apic.receive(DeliveryMode::fixed, 0x41, true);
    put(0x3E0, 3);
    put(0x380, 1000);
    Archive saved;
    apic.visit(saved);
    apic.reset();
    Archive load(Archive::Mode::load, saved.data());
    apic.visit(load);
    ASSERT_TRUE(load.ok()) << load.error();
    Archive again;
    apic.visit(again);
    EXPECT_EQ(saved.data(), again.data());
    EXPECT_EQ(apic.acknowledge(), 0x41);
}

TEST_F(Apic, NoByteOfASnapshotMakesThePeriodNothing) {
    put(0x320, 0x20040);  // periodic
    put(0x380, 1);
    Archive saved;
    apic.visit(saved);
    for (size_t at = 0; at < saved.data().size(); ++at) {
        std::vector<u8> damaged = saved.data();
        damaged[at] = 0;
        Archive loader(Archive::Mode::load, damaged);
        apic.visit(loader);
        apic.timer_expired();
        get(0x390);
    }
}

}  // namespace
}  // namespace mynah
