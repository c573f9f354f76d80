// 8254 data sheet behaviour: each mode's waveform, and how counts are read.
#include "devices/pit.h"

#include <gtest/gtest.h>

#include "board.h"
#include "devices/system_control.h"

namespace mynah::test {
namespace {

class PitTest : public testing::Test {
  protected:
    // To the moment at which exactly `n` more CLK pulses have passed.
    void ticks(u64 n) {
        const u64 target = pit_.ticks() + n;
        const u64 at = static_cast<u64>((u128{target} * 1'000'000'000 + Pit::kHz - 1) / Pit::kHz);
        board_.run(at - board_.time.now());
    }
    void program(unsigned counter, unsigned mode, u16 count, bool bcd = false) {
        out(pit_, 0, 3, static_cast<u8>(counter << 6 | 0x30 | mode << 1 | int{bcd}));
        out(pit_, 0, counter, static_cast<u8>(count));
        out(pit_, 0, counter, static_cast<u8>(count >> 8));
    }
    u16 count(unsigned counter) {
        out(pit_, 0, 3, static_cast<u8>(counter << 6));
        const u8 low = in(pit_, 0, counter);
        return static_cast<u16>(low | in(pit_, 0, counter) << 8);
    }
    u8 status(unsigned counter) {
        out(pit_, 0, 3, static_cast<u8>(0xE0 | 2 << counter));
        return in(pit_, 0, counter);
    }

    Board board_;
    Pin irq_;
    Pit pit_{board_.queue, irq_.line()};
};

TEST_F(PitTest, Mode0RisesOnceAfterTheCount) {
    program(0, 0, 100);
    EXPECT_FALSE(irq_.level);
    ticks(1);
    EXPECT_EQ(count(0), 100);
    ticks(60);
    EXPECT_EQ(count(0), 40);
    ticks(39);
    EXPECT_FALSE(irq_.level);
    ticks(1);
    EXPECT_TRUE(irq_.level);
    EXPECT_EQ(count(0), 0);
    ticks(1);
    EXPECT_EQ(count(0), 0xFFFF);
    EXPECT_EQ(board_.queue.next_deadline(), EventQueue::kNever);  // nothing more to come
    program(0, 0, 100);
    EXPECT_FALSE(irq_.level);
}

TEST_F(PitTest, Mode0FirstByteStopsCounting) {
    program(0, 0, 100);
    ticks(50);
    out(pit_, 0, 0, 10);
    ticks(100);
    EXPECT_FALSE(irq_.level);
    out(pit_, 0, 0, 0);
    ticks(11);
    EXPECT_TRUE(irq_.level);
}

TEST_F(PitTest, Mode2IsPeriodic) {
    program(0, 2, 1000);
    const unsigned before = irq_.rises;
    ticks(1);
    for (unsigned i = 1; i <= 5; ++i) {
        ticks(999);
        EXPECT_EQ(count(0), 1);
        EXPECT_EQ(status(0) >> 7, 0);  // OUT is low for one pulse
        EXPECT_EQ(irq_.rises, before + i - 1);
        ticks(1);
        EXPECT_EQ(irq_.rises, before + i);
        EXPECT_EQ(count(0), 1000);
    }
}

TEST_F(PitTest, Mode2TakesANewCountAtTheEndOfThePeriod) {
    program(0, 2, 1000);
    ticks(1 + 400);
    out(pit_, 0, 0, 0x2C);  // 300
    out(pit_, 0, 0, 0x01);
    EXPECT_EQ(status(0) & 0x40, 0x40);  // null count: not loaded yet
    EXPECT_EQ(count(0), 600);
    const unsigned before = irq_.rises;
    ticks(600);
    EXPECT_EQ(irq_.rises, before + 1);
    EXPECT_EQ(count(0), 300);
    EXPECT_EQ(status(0) & 0x40, 0);
    ticks(300);
    EXPECT_EQ(irq_.rises, before + 2);
}

TEST_F(PitTest, Mode3IsASquareWave) {
    program(0, 3, 10);
    ticks(1);
    const unsigned before = irq_.rises;
    EXPECT_TRUE(irq_.level);
    EXPECT_EQ(count(0), 10);
    ticks(1);
    EXPECT_EQ(count(0), 8);  // by two
    ticks(3);
    EXPECT_TRUE(irq_.level);
    ticks(1);
    EXPECT_FALSE(irq_.level);
    EXPECT_EQ(count(0), 10);
    ticks(5);
    EXPECT_TRUE(irq_.level);
    EXPECT_EQ(irq_.rises, before + 1);
}

TEST_F(PitTest, Mode3OddCountIsHighOnePulseLonger) {
    program(0, 3, 5);
    ticks(1);
    const u8 high[] = {4, 2, 0}, low[] = {4, 2};
    for (const u8 expected : high) {
        EXPECT_TRUE(irq_.level);
        EXPECT_EQ(count(0), expected);
        ticks(1);
    }
    for (const u8 expected : low) {
        EXPECT_FALSE(irq_.level);
        EXPECT_EQ(count(0), expected);
        ticks(1);
    }
    EXPECT_TRUE(irq_.level);
}

TEST_F(PitTest, Mode4StrobesForOnePulse) {
    program(0, 4, 50);
    EXPECT_TRUE(irq_.level);
    ticks(50);
    EXPECT_TRUE(irq_.level);
    ticks(1);
    EXPECT_FALSE(irq_.level);
    ticks(1);
    EXPECT_TRUE(irq_.level);
    EXPECT_EQ(board_.queue.next_deadline(), EventQueue::kNever);
}

TEST_F(PitTest, Modes1And5WaitForTheGate) {
    program(2, 1, 20);
    EXPECT_TRUE(pit_.out(2));
    ticks(100);
    EXPECT_TRUE(pit_.out(2));
    pit_.set_gate(2, true);
    ticks(1);
    EXPECT_FALSE(pit_.out(2));
    ticks(10);
    pit_.set_gate(2, false);
    pit_.set_gate(2, true);  // retriggers
    ticks(20);
    EXPECT_FALSE(pit_.out(2));
    ticks(1);
    EXPECT_TRUE(pit_.out(2));

    program(2, 5, 20);
    pit_.set_gate(2, false);
    pit_.set_gate(2, true);
    ticks(20);
    EXPECT_TRUE(pit_.out(2));
    ticks(1);
    EXPECT_FALSE(pit_.out(2));
    ticks(1);
    EXPECT_TRUE(pit_.out(2));
}

TEST_F(PitTest, GateStopsCounting) {
    program(2, 0, 100);
    ticks(50);
    EXPECT_EQ(count(2), 100);  // the gate of counter 2 is low at first
    pit_.set_gate(2, true);
    ticks(30);
    EXPECT_EQ(count(2), 70);
    pit_.set_gate(2, false);
    ticks(1000);
    EXPECT_EQ(count(2), 70);
    pit_.set_gate(2, true);
    ticks(70);
    EXPECT_TRUE(pit_.out(2));

    program(2, 2, 100);
    ticks(50);
    pit_.set_gate(2, false);
    EXPECT_TRUE(pit_.out(2));
    pit_.set_gate(2, true);  // starts anew
    ticks(1);
    EXPECT_EQ(count(2), 100);
}

TEST_F(PitTest, BcdCountsDecimally) {
    pit_.set_gate(2, true);
    program(2, 0, 0x1234, true);
    ticks(1);
    EXPECT_EQ(count(2), 0x1234);
    ticks(235);
    EXPECT_EQ(count(2), 0x0999);
    program(2, 2, 0x0000, true);  // ten thousand
    ticks(1 + 1);
    EXPECT_EQ(count(2), 0x9999);
}

TEST_F(PitTest, LatchesHoldUntilRead) {
    program(0, 2, 10000);
    ticks(1 + 100);
    out(pit_, 0, 3, 0xC2);  // read-back: count and status of counter 0
    ticks(500);
    out(pit_, 0, 3, 0xC2);            // a second one is ignored
    EXPECT_EQ(in(pit_, 0, 0), 0xB4);  // status first: OUT, both bytes, mode 2
    const u8 low = in(pit_, 0, 0);
    EXPECT_EQ(low | in(pit_, 0, 0) << 8, 9900);
    const u8 live = in(pit_, 0, 0);
    EXPECT_EQ(live | in(pit_, 0, 0) << 8, 9400);
}

TEST_F(PitTest, SingleByteAccess) {
    out(pit_, 0, 3, 0x14);  // counter 0, low byte only, mode 2
    out(pit_, 0, 0, 200);
    ticks(1 + 50);
    EXPECT_EQ(in(pit_, 0, 0), 150);
    out(pit_, 0, 3, 0x24);  // high byte only
    out(pit_, 0, 0, 0x02);
    ticks(1);
    EXPECT_EQ(in(pit_, 0, 0), 0x02);
}

TEST_F(PitTest, SystemControlPortB) {
    Pin a20_pin;
    A20Gate a20(a20_pin.line());
    unsigned inits = 0;
    SystemControl control(pit_, a20, [&] { ++inits; });
    control.reset();
    program(2, 0, 10);
    out(control, SystemControl::port_b, 0, 0x01);
    EXPECT_TRUE(pit_.gate(2));
    EXPECT_EQ(in(control, SystemControl::port_b, 0) & 0x2F, 0x01);
    ticks(11);
    EXPECT_EQ(in(control, SystemControl::port_b, 0) & 0x2F, 0x21);  // OUT2
    const u8 before = in(control, SystemControl::port_b, 0);
    ticks(18);
    EXPECT_EQ((in(control, SystemControl::port_b, 0) ^ before) & 0x10, 0x10);  // refresh toggles
    out(control, SystemControl::port_b, 0, 0xFF);
    EXPECT_EQ(in(control, SystemControl::port_b, 0) & 0xCF, 0x0F);

    out(control, SystemControl::port_a, 0, 0x00);
    EXPECT_FALSE(a20.enabled());
    out(control, SystemControl::port_a, 0, 0x02);
    EXPECT_TRUE(a20_pin.level);
    EXPECT_EQ(in(control, SystemControl::port_a, 0), 0x02);
    out(control, SystemControl::port_a, 0, 0x03);
    out(control, SystemControl::port_a, 0, 0x03);
    EXPECT_EQ(inits, 1u);
}

}  // namespace
}  // namespace mynah::test
