// KVM's paravirtual clock as a guest reads it.
#include "cpu/system/kvm_clock.h"

#include "cpu/system_bench.h"

namespace mynah {
namespace {

using namespace mynah::test;

constexpr u32 kSystemTime = 0x4B564D01, kWallClock = 0x4B564D00, kOldSystemTime = 0x12, kOldWallClock = 0x11;

struct KvmClock : SystemTest {
    static constexpr u64 kPlace = 0x6000;
    KvmClock() : SystemTest("qemu64,kvm=on") {}

    // As the interface says that a guest has to.
    u64 guest_time(u64 at = kPlace) {
        EXPECT_EQ(memory->read(at, 4) & 1, 0u);
        EXPECT_NE(memory->read(at, 4), 0u);
        const u64 since = read_tsc(core) - memory->read(at + 8, 8);
        const auto shift = static_cast<int8_t>(memory->read(at + 28, 1));
        const u128 scaled =
            static_cast<u128>(shift < 0 ? since >> -shift : since << shift) * memory->read(at + 24, 4);
        return memory->read(at + 16, 8) + static_cast<u64>(scaled >> 32);
    }
};

TEST_F(KvmClock, IsFoundByItsName) {
    const CpuidResult name = cpuid(core, 0x40000000, 0);
    EXPECT_EQ(name.eax, 0x40000001u);
    EXPECT_EQ(name.ebx, 0x4B4D564Bu);
    EXPECT_EQ(name.ecx, 0x564B4D56u);
    EXPECT_EQ(name.edx, 0x4Du);
    EXPECT_EQ(cpuid(core, 0x40000001, 0).eax, 0x01000009u);
    EXPECT_EQ(cpuid(core, 0x40000002, 0).eax, 0u);
    EXPECT_TRUE(cpuid(core, 1, 0).ecx >> 31);
}

TEST_F(KvmClock, TellsTheTimeWhateverTheCounterShows) {
    for (const u32 msr : {kSystemTime, kOldSystemTime}) {
        host.time += 5000;
        ASSERT_TRUE(write_msr(core, msr, kPlace | 1));
        EXPECT_EQ(memory->read(kPlace + 29, 1), 1u) << "stable";
        EXPECT_EQ(guest_time(), host.time);
        host.time += 123'456'789'123;
        EXPECT_EQ(guest_time(), host.time);
        const u64 version = memory->read(kPlace, 4);
        write_tsc(core, 7);
        EXPECT_NE(memory->read(kPlace, 4), version);
        EXPECT_EQ(guest_time(), host.time);
        write_tsc(core, ~u64{0} - 10);
        host.time += 1000;
        EXPECT_EQ(guest_time(), host.time) << "over the counter's end";
        u64 place = 0;
        ASSERT_TRUE(read_msr(core, msr, place));
        EXPECT_EQ(place, kPlace | 1);
    }
    // Switched off, it is the guest's memory again.
    ASSERT_TRUE(write_msr(core, kSystemTime, kPlace));
    memory->write(kPlace, 0x1234, 4);
    write_tsc(core, 0);
    EXPECT_EQ(memory->read(kPlace, 4), 0x1234u);
}

TEST_F(KvmClock, IsTrueAfterASnapshotAndGoneAfterAReset) {
    ASSERT_TRUE(write_msr(core, kSystemTime, kPlace | 1));
    write_tsc(core, 1'000'000);
    Archive saved;
    core.state.visit(saved);
    write_tsc(core, 99);
    Archive load(Archive::Mode::load, saved.data());
    core.state.visit(load);
    ASSERT_TRUE(load.ok()) << load.error();
    write_tsc(core, 50);
    EXPECT_EQ(guest_time(), host.time) << "its place came with the snapshot";
    core.state = CpuState{};
    memory->write(kPlace, 0x1234, 4);
    write_tsc(core, 0);
    EXPECT_EQ(memory->read(kPlace, 4), 0x1234u);
}

TEST_F(KvmClock, WritesToMemoryAlone) {
    struct Registers final : MmioHandler {
        u64 read(u64, unsigned) override { return 0; }
        void write(u64, u64, unsigned) override { ++writes; }
        int writes = 0;
    } registers;
    memory->map_mmio(0xFEB00000, 0x1000, registers, "registers");
    for (const u64 place :
         {u64{0xFEB00000}, u64{0xFEAFFFF0}, 16 * MiB - 16, u64{1} << 39, ~u64{0}, u64{1} << 63})
        for (const u32 msr : {kSystemTime, kWallClock}) EXPECT_TRUE(write_msr(core, msr, place | 1));
    EXPECT_EQ(registers.writes, 0);
    // Over the end of a page of memory it may lie.
    EXPECT_TRUE(write_msr(core, kSystemTime, 0x6FF0 | 1));
    EXPECT_EQ(guest_time(0x6FF0), host.time);
}

TEST_F(KvmClock, KnowsWhenTimeBegan) {
    for (const u32 msr : {kWallClock, kOldWallClock}) {
        memory->write(kPlace, 0, 8);
        ASSERT_TRUE(write_msr(core, msr, kPlace));
        EXPECT_EQ(memory->read(kPlace, 4), 2u);
        EXPECT_EQ(memory->read(kPlace + 4, 4), TimerHost::kWallClock);
        EXPECT_EQ(memory->read(kPlace + 8, 4), 0u);
    }
}

struct NoKvmClock : SystemTest {};

TEST_F(NoKvmClock, IsNotThereUnlessAskedFor) {
    EXPECT_EQ(cpuid(core, 0x40000000, 0).ebx, 0x616E794Du);
    EXPECT_TRUE(faults(write_msr(core, kSystemTime, 0x6001), Vector::gp, 0));
    EXPECT_TRUE(faults(write_msr(core, kOldWallClock, 0x6000), Vector::gp, 0));
    EXPECT_EQ(memory->read(0x6000, 8), 0u);
    EXPECT_FALSE(choose_cpu("486,kvm=on").ok());
    EXPECT_FALSE(choose_cpu("max,kvm=maybe").ok());
    EXPECT_FALSE(choose_cpu("max,").ok());
    EXPECT_FALSE(choose_cpu("max,kvm=on,kvm=off")->has(Feature::kvm_clock));
}

}  // namespace
}  // namespace mynah
