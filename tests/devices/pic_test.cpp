// 8259A data sheet behaviour, on a PC's pair.
#include "devices/pic.h"

#include <gtest/gtest.h>

#include "board.h"

namespace mynah::test {
namespace {

class PicTest : public testing::Test {
  protected:
    void init(u8 icw4 = 0x01) {
        for (const BankId chip : {Pic::master, Pic::slave}) {
            out(pic_, chip, 0, 0x11);
            out(pic_, chip, 1, chip == Pic::master ? 0x20 : 0x28);
            out(pic_, chip, 1, chip == Pic::master ? 0x04 : 0x02);
            out(pic_, chip, 1, icw4);
            out(pic_, chip, 1, 0x00);
        }
    }
    void eoi(BankId chip = Pic::master) { out(pic_, chip, 0, 0x20); }
    u8 isr(BankId chip = Pic::master) {
        out(pic_, chip, 0, 0x0B);
        return in(pic_, chip, 0);
    }
    u8 irr(BankId chip = Pic::master) {
        out(pic_, chip, 0, 0x0A);
        return in(pic_, chip, 0);
    }

    Pin intr_;
    Pic pic_{intr_.line()};
};

TEST_F(PicTest, DeliversByPriorityAndHoldsBackLowerOnes) {
    init();
    pic_.set_irq(4, true);
    EXPECT_TRUE(intr_.level);
    pic_.set_irq(1, true);
    EXPECT_EQ(pic_.acknowledge(), 0x21);
    EXPECT_FALSE(intr_.level);  // IRQ4 waits for the end of IRQ1
    pic_.set_irq(0, true);
    EXPECT_EQ(pic_.acknowledge(), 0x20);  // but IRQ0 nests
    EXPECT_EQ(isr(), 0x03);
    eoi();
    EXPECT_EQ(isr(), 0x02);
    eoi();
    EXPECT_EQ(pic_.acknowledge(), 0x24);
}

TEST_F(PicTest, SlaveGoesThroughTheCascade) {
    init();
    pic_.set_irq(12, true);
    EXPECT_EQ(irr(), 0x04);
    EXPECT_EQ(irr(Pic::slave), 0x10);
    EXPECT_EQ(pic_.acknowledge(), 0x2C);
    EXPECT_EQ(isr(), 0x04);
    EXPECT_EQ(isr(Pic::slave), 0x10);
    // A better input of the slave waits for the master's EOI.
    pic_.set_irq(8, true);
    EXPECT_FALSE(intr_.level);
    eoi(Pic::slave);
    eoi();
    EXPECT_EQ(pic_.acknowledge(), 0x28);
}

TEST_F(PicTest, SpecialFullyNestedModeLetsTheSlaveNest) {
    init(0x11);
    pic_.set_irq(12, true);
    EXPECT_EQ(pic_.acknowledge(), 0x2C);
    pic_.set_irq(9, true);
    EXPECT_TRUE(intr_.level);
    EXPECT_EQ(pic_.acknowledge(), 0x29);
}

TEST_F(PicTest, EdgeNeedsANewRiseLevelDoesNot) {
    init();
    pic_.set_irq(3, true);
    EXPECT_EQ(pic_.acknowledge(), 0x23);
    eoi();
    EXPECT_FALSE(intr_.level);
    pic_.set_irq(3, false);
    pic_.set_irq(3, true);
    EXPECT_TRUE(intr_.level);
    EXPECT_EQ(pic_.acknowledge(), 0x23);
    eoi();

    out(pic_, Pic::elcr, 0, 0xFF);
    EXPECT_EQ(in(pic_, Pic::elcr, 0), 0xF8);
    out(pic_, Pic::elcr, 1, 0xFF);
    EXPECT_EQ(in(pic_, Pic::elcr, 1), 0xDE);
    pic_.set_irq(5, true);
    EXPECT_EQ(pic_.acknowledge(), 0x23);  // IRQ3 is level-triggered now and still high
    eoi();
    pic_.set_irq(3, false);
    EXPECT_EQ(pic_.acknowledge(), 0x25);
    eoi();
    EXPECT_TRUE(intr_.level);
    pic_.set_irq(5, false);
    EXPECT_FALSE(intr_.level);
}

TEST_F(PicTest, WithdrawnRequestIsSpurious) {
    init();
    pic_.set_irq(4, true);
    pic_.set_irq(4, false);
    EXPECT_FALSE(intr_.level);
    EXPECT_EQ(pic_.acknowledge(), 0x27);
    EXPECT_EQ(isr(), 0x00);  // which is how a handler tells
    eoi();
}

TEST_F(PicTest, MaskHoldsARequestBack) {
    init();
    out(pic_, Pic::master, 1, 0x02);
    EXPECT_EQ(in(pic_, Pic::master, 1), 0x02);
    pic_.set_irq(1, true);
    EXPECT_FALSE(intr_.level);
    EXPECT_EQ(irr(), 0x02);
    out(pic_, Pic::master, 1, 0x00);
    EXPECT_EQ(pic_.acknowledge(), 0x21);
}

TEST_F(PicTest, AutomaticEoi) {
    init(0x03);
    pic_.set_irq(1, true);
    EXPECT_EQ(pic_.acknowledge(), 0x21);
    EXPECT_EQ(isr(), 0x00);
    pic_.set_irq(14, true);
    pic_.set_irq(15, true);
    EXPECT_EQ(pic_.acknowledge(), 0x2E);
    EXPECT_EQ(pic_.acknowledge(), 0x2F);
}

TEST_F(PicTest, Rotation) {
    init();
    pic_.set_irq(4, true);
    EXPECT_EQ(pic_.acknowledge(), 0x24);
    out(pic_, Pic::master, 0, 0xA0);  // rotate on non-specific EOI: 4 becomes the lowest
    pic_.set_irq(4, false);
    pic_.set_irq(4, true);
    pic_.set_irq(6, true);
    EXPECT_EQ(pic_.acknowledge(), 0x26);
    out(pic_, Pic::master, 0, 0x66);  // specific EOI
    EXPECT_EQ(isr(), 0x00);
    out(pic_, Pic::master, 0, 0xC3);  // set priority: 3 the lowest, so 4 the highest
    EXPECT_EQ(pic_.acknowledge(), 0x24);
}

TEST_F(PicTest, SpecialMaskMode) {
    init();
    pic_.set_irq(1, true);
    EXPECT_EQ(pic_.acknowledge(), 0x21);
    pic_.set_irq(5, true);
    EXPECT_FALSE(intr_.level);
    out(pic_, Pic::master, 1, 0x02);
    out(pic_, Pic::master, 0, 0x68);
    EXPECT_EQ(pic_.acknowledge(), 0x25);
    eoi();  // does not reach the masked level in service
    EXPECT_EQ(isr(), 0x02);
}

TEST_F(PicTest, PollTakesTheRequest) {
    init();
    pic_.set_irq(6, true);
    out(pic_, Pic::master, 0, 0x0C);
    EXPECT_EQ(in(pic_, Pic::master, 0), 0x86);
    EXPECT_EQ(isr(), 0x40);
    eoi();
    out(pic_, Pic::master, 0, 0x0C);
    EXPECT_EQ(in(pic_, Pic::master, 0), 0x00);
}

TEST_F(PicTest, InitialisationForgetsEdgesAndMask) {
    init();
    out(pic_, Pic::master, 1, 0xFF);
    pic_.set_irq(1, true);
    init();
    EXPECT_EQ(in(pic_, Pic::master, 1), 0x00);
    EXPECT_FALSE(intr_.level);  // the line has to rise again
}

}  // namespace
}  // namespace mynah::test
