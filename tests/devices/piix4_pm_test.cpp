// PIIX4 power management, as firmware and ACPI guests drive it.
#include "devices/piix4_pm.h"

#include <gtest/gtest.h>

#include "board.h"

namespace mynah::test {
namespace {

class PmTest : public testing::Test {
  protected:
    PmTest() {
        pci_.add(pm_, 1, 3);
        pm_.reset();
        pm_.config_write(0x40, 0x601, 4);
        pm_.config_write(0x80, 1, 1);
    }
    u16 get16(u16 at) { return static_cast<u16>(io_.read(static_cast<u16>(0x600 + at), 2)); }
    void put16(u16 at, u16 value) { io_.write(static_cast<u16>(0x600 + at), value, 2); }
    u32 timer() { return io_.read(0x608, 4); }

    Board board_;
    Log log_;
    std::unique_ptr<PhysicalMap> memory_ = std::move(PhysicalMap::create(1 * MiB)).value();
    IoBus io_{log_};
    PciBus pci_{io_, *memory_, log_};
    Pin sci_;
    unsigned off_ = 0;
    Piix4Pm pm_{board_.queue, sci_.line(), [this] { ++off_; }};
};

TEST_F(PmTest, ConfigurationAndMapping) {
    EXPECT_EQ(pm_.config_read(0, 4), 0x71138086u);
    EXPECT_EQ(pm_.config_read(0x5B, 1), 0x02u);  // SeaBIOS: no SMM to set up
    EXPECT_EQ(pm_.config_read(0x40, 4), 0x601u);
    EXPECT_EQ(get16(4), 0u);
    pm_.config_write(0x40, 0xB001, 4);
    EXPECT_EQ(get16(4), 0xFFFFu);
    EXPECT_EQ(io_.read(0xB004, 2), 0u);
    pm_.config_write(0x80, 0, 1);
    EXPECT_EQ(io_.read(0xB004, 2), 0xFFFFu);
}

TEST_F(PmTest, TimerNeverStepsBackWhileTimePasses) {
    board_.time.creep(1'000'000'000 / 3'579'545 + 1);
    u32 last = timer();
    for (unsigned i = 0; i < 2000; ++i) {
        const u32 next = timer();
        ASSERT_GT(next, last);
        ASSERT_LT(next - last, 100u);
        last = next;
    }
}

TEST_F(PmTest, TimerCountsAndOverflows) {
    const u32 before = timer();
    board_.run(1'000'000'000);
    EXPECT_EQ((timer() - before) & 0xFFFFFF, 3'579'545u);
    EXPECT_LE(timer(), 0xFFFFFFu);
    board_.run(3'000'000'000);  // bit 23 changes every 2.34 s
    EXPECT_EQ(get16(0) & 1, 1);
    put16(0, 1);
    EXPECT_EQ(get16(0) & 1, 0);
    EXPECT_EQ(sci_.rises, 0u);
    put16(4, 1);
    put16(2, 1);
    board_.run(2'400'000'000);
    EXPECT_TRUE(sci_.level);
    put16(0, 1);
    EXPECT_FALSE(sci_.level);
}

TEST_F(PmTest, PowerButtonRaisesSci) {
    io_.write(0x602, 0x0100, 2);
    pm_.press_power_button();
    EXPECT_FALSE(sci_.level);  // SCI_EN is off
    pm_.write(Piix4Pm::apm, 0, 0xF1, 1);
    EXPECT_EQ(get16(4) & 1, 1);
    EXPECT_TRUE(sci_.level);
    put16(0, 0x0100);
    EXPECT_FALSE(sci_.level);
    pm_.write(Piix4Pm::apm, 0, 0xF0, 1);
    EXPECT_EQ(get16(4) & 1, 0);
    EXPECT_EQ(pm_.read(Piix4Pm::apm, 0, 1), 0xF0u);
}

TEST_F(PmTest, SoftOffBySleepEnable) {
    put16(4, 0x0001);
    put16(4, 0x2001 | 5 << 10);  // another type
    EXPECT_EQ(off_, 0u);
    put16(4, 0x2001);
    EXPECT_EQ(off_, 1u);
    EXPECT_EQ(get16(4), 0x0001u);  // SLP_EN reads as 0
}

TEST_F(PmTest, GeneralPurposeEvents) {
    put16(4, 1);
    pm_.write(Piix4Pm::gpe, 2, 0x0004, 2);
    pm_.raise_gpe(2);
    EXPECT_TRUE(sci_.level);
    EXPECT_EQ(pm_.read(Piix4Pm::gpe, 0, 4), 0x00040004u);
    pm_.write(Piix4Pm::gpe, 0, 0x04, 1);
    EXPECT_FALSE(sci_.level);
}

TEST_F(PmTest, EmptySmbusAnswersWithAnError) {
    pm_.config_write(0x90, 0x701, 4);
    pm_.config_write(0xD2, 1, 1);
    io_.write(0x704, 0xA1, 1);
    io_.write(0x702, 0x48, 1);
    EXPECT_EQ(io_.read(0x700, 1), 0x06u);
    io_.write(0x700, 0x06, 1);
    EXPECT_EQ(io_.read(0x700, 1), 0x00u);
}

}  // namespace
}  // namespace mynah::test
