// MC146818A data sheet behaviour.
#include "devices/rtc.h"

#include <gtest/gtest.h>

#include "board.h"

namespace mynah::test {
namespace {

constexpr Nanoseconds kSecond = 1'000'000'000;
constexpr i64 kStart = 1709251195;  // 2024-02-29 23:59:55 UTC, a Thursday

class RtcTest : public testing::Test {
  protected:
    u8 get(u8 reg) {
        out(rtc_, Rtc::standard, 0, reg);
        return in(rtc_, Rtc::standard, 1);
    }
    void put(u8 reg, u8 value) {
        out(rtc_, Rtc::standard, 0, reg);
        out(rtc_, Rtc::standard, 1, value);
    }

    Board board_;
    Pin irq_, nmi_mask_;
    Rtc rtc_{board_.queue, kStart, irq_.line(), nmi_mask_.line()};
};

TEST_F(RtcTest, ShowsItsStartAndRollsOver) {
    const u8 start[][2] = {{0, 0x55}, {2, 0x59}, {4, 0x23}, {6, 5},
                           {7, 0x29}, {8, 0x02}, {9, 0x24}, {0x32, 0x20}};
    for (const auto& [reg, value] : start) EXPECT_EQ(get(reg), value) << int{reg};
    EXPECT_EQ(get(0x0D), 0x80);
    board_.run(5 * kSecond);
    const u8 next[][2] = {{0, 0}, {2, 0}, {4, 0}, {6, 6}, {7, 1}, {8, 3}, {9, 0x24}};
    for (const auto& [reg, value] : next) EXPECT_EQ(get(reg), value) << int{reg};
}

TEST_F(RtcTest, CenturyAndTwelveHourBinary) {
    put(0x0B, 0x84);  // SET, binary, 12 hours
    const u8 time[][2] = {{0, 59}, {2, 59}, {4, 11 | 0x80}, {6, 7}, {7, 31}, {8, 12}, {9, 99}, {0x32, 0x19}};
    for (const auto& [reg, value] : time) put(reg, value);
    board_.run(3 * kSecond);
    EXPECT_EQ(get(0), 59);  // SET holds the clock
    put(0x0B, 0x04);
    board_.run(kSecond);
    const u8 next[][2] = {{0, 0}, {2, 0}, {4, 12}, {6, 1}, {7, 1}, {8, 1}, {9, 0}, {0x32, 0x20}};
    for (const auto& [reg, value] : next) EXPECT_EQ(get(reg), value) << int{reg};
}

TEST_F(RtcTest, UpdateInProgressComesBeforeTheUpdate) {
    EXPECT_EQ(get(0x0A), 0x26);
    board_.run(kSecond - 2'300'000);
    EXPECT_EQ(get(0x0A), 0x26);
    board_.run(200'000);
    EXPECT_EQ(get(0x0A), 0xA6);
    EXPECT_EQ(get(0), 0x55);
    board_.run(2'100'000);
    EXPECT_EQ(get(0x0A), 0x26);
    EXPECT_EQ(get(0), 0x56);
}

TEST_F(RtcTest, UpdateEndedAndAlarm) {
    put(0x0B, 0x12);  // UIE
    board_.run(kSecond);
    EXPECT_TRUE(irq_.level);
    EXPECT_EQ(get(0x0C) & 0xB0, 0x90);
    EXPECT_FALSE(irq_.level);
    EXPECT_EQ(get(0x0C) & 0xF0, 0);

    put(0x01, 0x58);
    put(0x03, 0xC0);  // any minute
    put(0x05, 0xFF);  // any hour
    put(0x0B, 0x22);  // AIE
    board_.run(kSecond);
    EXPECT_FALSE(irq_.level);
    EXPECT_EQ(get(0x0C) & 0xB0, 0x10);
    board_.run(kSecond);
    EXPECT_TRUE(irq_.level);
    EXPECT_EQ(get(0x0C) & 0xB0, 0xB0);
}

TEST_F(RtcTest, PeriodicInterrupt) {
    put(0x0A, 0x2D);  // 8 Hz
    get(0x0C);
    put(0x0B, 0x42);
    unsigned seen = 0;
    for (unsigned i = 0; i < 80; ++i) {
        board_.run(kSecond / 80);
        if (irq_.level) {
            ++seen;
            EXPECT_EQ(get(0x0C) & 0xC0, 0xC0);
        }
    }
    EXPECT_EQ(seen, 8u);
}

TEST_F(RtcTest, PeriodicFlagIsSetWithoutInterrupt) {
    put(0x0A, 0x26);
    get(0x0C);
    EXPECT_EQ(get(0x0C) & 0x40, 0);
    board_.run(kSecond / 1000);
    EXPECT_EQ(get(0x0C) & 0xC0, 0x40);
    EXPECT_EQ(irq_.rises, 0u);
}

TEST_F(RtcTest, DividerResetDelaysTheNextUpdate) {
    put(0x0A, 0x76);
    board_.run(10 * kSecond);
    EXPECT_EQ(get(0), 0x55);
    put(0x0A, 0x26);
    board_.run(kSecond / 2 - 1);
    EXPECT_EQ(get(0), 0x55);
    board_.run(2);
    EXPECT_EQ(get(0), 0x56);
}

TEST_F(RtcTest, ResetKeepsTimeAndRam) {
    put(0x20, 0x5A);
    put(0x0B, 0x72);
    board_.run(kSecond);
    rtc_.reset();
    EXPECT_FALSE(irq_.level);
    EXPECT_EQ(get(0x20), 0x5A);
    EXPECT_EQ(get(0x0B), 0x02);
    EXPECT_EQ(get(0), 0x56);
}

TEST_F(RtcTest, NmiMaskAndSecondBank) {
    out(rtc_, Rtc::standard, 0, 0x8F);
    EXPECT_TRUE(nmi_mask_.level);
    out(rtc_, Rtc::standard, 0, 0x0F);
    EXPECT_FALSE(nmi_mask_.level);
    out(rtc_, Rtc::extended, 0, 0x05);
    out(rtc_, Rtc::extended, 1, 0x77);
    EXPECT_EQ(rtc_.get(0x85), 0x77);
    EXPECT_EQ(in(rtc_, Rtc::extended, 1), 0x77);
}

}  // namespace
}  // namespace mynah::test
