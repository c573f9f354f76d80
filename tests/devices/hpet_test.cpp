// IA-PC HPET specification behaviour.
#include "devices/hpet.h"

#include <gtest/gtest.h>

#include <map>

#include "board.h"

namespace mynah::test {
namespace {

class HpetTest : public testing::Test {
  protected:
    u64 get(u64 offset) { return hpet_.read(0, offset, 8); }
    void set(u64 offset, u64 value) { hpet_.write(0, offset, value, 8); }
    static u64 timer(unsigned n) { return 0x100 + 0x20 * n; }
    struct Watched {
        bool level = false;
        unsigned rises = 0;
    };
    static void drive(Watched& w, bool level) {
        w.rises += level && !w.level;
        w.level = level;
    }

    Board board_;
    std::map<unsigned, Watched> pins_, legacy_;
    int replaced_ = -1;
    Hpet hpet_{board_.queue,
               {.io_apic = [this](unsigned pin, bool level) { drive(pins_[pin], level); },
                .legacy = [this](unsigned irq, bool level) { drive(legacy_[irq], level); },
                .legacy_changed = [this](bool on) { replaced_ = on; }}};
};

TEST_F(HpetTest, CapabilitiesAndCounter) {
    EXPECT_EQ(get(0), (u64{10'000'000} << 32 | 0x8086A201));
    EXPECT_EQ(get(0xF0), 0u);
    board_.run(1000);
    EXPECT_EQ(get(0xF0), 0u);
    set(0xF0, 0x100000000);
    set(0x10, 1);
    board_.run(1000);
    EXPECT_EQ(get(0xF0), 0x100000000u + 100);
    EXPECT_EQ(hpet_.read(0, 0xF4, 4), 1u);
    set(0xF0, 5);  // only while halted
    EXPECT_EQ(get(0xF0), 0x100000000u + 100);
    set(0x10, 0);
    board_.run(1000);
    EXPECT_EQ(get(0xF0), 0x100000000u + 100);
}

TEST_F(HpetTest, OneShotEdge) {
    set(timer(2), 0x04 | 16 << 9);  // enabled, edge, input 16
    set(timer(2) + 8, 200);
    set(0x10, 1);
    board_.run(1999);
    EXPECT_EQ(pins_[16].rises, 0u);
    board_.run(1);
    EXPECT_EQ(pins_[16].rises, 1u);
    EXPECT_EQ(get(0x20), 0u);
    board_.run(1'000'000);
    EXPECT_EQ(pins_[16].rises, 1u);
    set(timer(2) + 8, get(0xF0) + 10);
    board_.run(100);
    EXPECT_EQ(pins_[16].rises, 2u);
}

TEST_F(HpetTest, LevelUntilAcknowledged) {
    set(timer(1), 0x06 | 20 << 9);
    set(timer(1) + 8, 10);
    set(0x10, 1);
    board_.run(100);
    EXPECT_TRUE(pins_[20].level);
    EXPECT_EQ(get(0x20), 2u);
    set(0x20, 1);
    EXPECT_TRUE(pins_[20].level);
    set(0x20, 2);
    EXPECT_FALSE(pins_[20].level);
    EXPECT_EQ(get(0x20), 0u);
}

TEST_F(HpetTest, PeriodicWithLegacyReplacement) {
    // As Linux sets it up: 32 bits, the first write sets the comparator, the second the period.
    set(0x10, 0);
    set(timer(0), 0x04 | 0x08 | 0x40 | 0x100);
    hpet_.write(0, timer(0) + 8, 1000, 4);
    hpet_.write(0, timer(0) + 8, 400, 4);
    set(0x10, 3);
    EXPECT_EQ(replaced_, 1);
    EXPECT_TRUE(hpet_.legacy_replacement());
    board_.run(9'990);
    EXPECT_EQ(legacy_[0].rises, 0u);
    board_.run(10);
    EXPECT_EQ(legacy_[0].rises, 1u);
    EXPECT_EQ(get(timer(0) + 8), 1400u);
    board_.run(4000 * 10);
    EXPECT_EQ(legacy_[0].rises, 11u);
    set(0x10, 1);
    EXPECT_EQ(replaced_, 0);
}

TEST_F(HpetTest, ThirtyTwoBitOneShotMatchesAfterTheWrap) {
    set(0xF0, 0xFFFFFFF0);
    set(timer(0), 0x104 | 2 << 9);
    set(timer(0) + 8, 0x10);
    set(0x10, 1);
    board_.run(0x1F * 10);
    EXPECT_EQ(pins_[2].rises, 0u);
    board_.run(10);
    EXPECT_EQ(pins_[2].rises, 1u);
}

TEST_F(HpetTest, LateEventsAreNotRepeated) {
    set(timer(0), 0x0C | 0x40 | 2 << 9);
    set(timer(0) + 8, 100);
    set(0x10, 1);
    board_.time.advance(board_.queue, 1'000'000, 0);  // in one jump
    EXPECT_EQ(pins_[2].rises, 1u);
    EXPECT_EQ(get(timer(0) + 8), 100'100u);
}

// Against a host's clock the next match of a short period may be over by the time that it is looked for.
TEST_F(HpetTest, APeriodOfOneCountGoesOnWhileTimePasses) {
    set(timer(0), 0x4C | 2 << 9);  // enabled, periodic, edge, input 2, value to be set
    set(timer(0) + 8, 1);
    set(0x10, 1);
    board_.time.creep(100);
    for (unsigned i = 1; i <= 20; ++i) {
        board_.time.now();
        board_.queue.run_due();
        ASSERT_EQ(pins_[2].rises, i);
    }
}

}  // namespace
}  // namespace mynah::test
