// PC16550D data sheet behaviour.
#include "devices/uart.h"

#include <gtest/gtest.h>

#include "board.h"

namespace mynah::test {
namespace {

constexpr Nanoseconds kByte = 86'806;  // 10 bits at 115,200

class UartTest : public testing::Test {
  protected:
    UartTest() { out(uart_, 0, 4, 0x08); }  // OUT2 opens the interrupt gate
    void set_speed(u16 divisor = 1) {
        out(uart_, 0, 3, 0x83);
        out(uart_, 0, 0, static_cast<u8>(divisor));
        out(uart_, 0, 1, static_cast<u8>(divisor >> 8));
        out(uart_, 0, 3, 0x03);
    }
    void type(std::string_view text) {
        for (char c : text) backend_.input.push_back(static_cast<u8>(c));
        uart_.input_ready();
    }
    u8 iir() { return in(uart_, 0, 2); }
    u8 lsr() { return in(uart_, 0, 5); }

    Board board_;
    Pin irq_;
    MemoryChar backend_;
    Uart uart_{"uart0", board_.queue, &backend_, irq_.line()};
};

TEST_F(UartTest, SendsAndIsReadyAgain) {
    set_speed();
    for (char c : std::string("hello")) {
        EXPECT_EQ(lsr() & 0x60, 0x60);
        out(uart_, 0, 0, static_cast<u8>(c));
    }
    EXPECT_EQ(backend_.sent, "hello");
}

TEST_F(UartTest, TransmitterEmptyInterrupt) {
    out(uart_, 0, 1, 0x02);
    EXPECT_TRUE(irq_.level);  // enabling it while empty requests
    EXPECT_EQ(iir(), 0x02);   // reading it acknowledges
    EXPECT_FALSE(irq_.level);
    EXPECT_EQ(iir(), 0x01);
    const unsigned before = irq_.rises;
    out(uart_, 0, 0, 'x');
    EXPECT_EQ(irq_.rises, before + 1);
    out(uart_, 0, 0, 'y');  // falls and rises: a new edge for the 8259A
    EXPECT_EQ(irq_.rises, before + 2);
    out(uart_, 0, 1, 0x00);
    EXPECT_FALSE(irq_.level);
    out(uart_, 0, 1, 0x02);
    EXPECT_TRUE(irq_.level);
}

TEST_F(UartTest, ReceivesAtTheSpeedOfTheDivisor) {
    set_speed(2);
    type("ab");
    board_.run(kByte * 2 - 1000);
    EXPECT_EQ(lsr() & 1, 0);
    board_.run(2000);
    EXPECT_EQ(lsr() & 1, 1);
    EXPECT_EQ(in(uart_, 0, 0), 'a');
    EXPECT_EQ(lsr() & 1, 0);
    board_.run(kByte * 2);
    EXPECT_EQ(in(uart_, 0, 0), 'b');
}

TEST_F(UartTest, WithoutFifoOneByteWaitsAndNoneIsLost) {
    set_speed();
    type("abc");
    board_.run(10 * kByte);
    EXPECT_EQ(lsr(), 0x61);  // no overrun: the backend holds the rest
    std::string got;
    for (int i = 0; i < 3; ++i) {
        got += static_cast<char>(in(uart_, 0, 0));
        board_.run(2 * kByte);
    }
    EXPECT_EQ(got, "abc");
}

TEST_F(UartTest, FifoDetectionAndTrigger) {
    set_speed();
    EXPECT_EQ(iir() & 0xC0, 0x00);
    out(uart_, 0, 2, 0x87);  // on, cleared, trigger at 8
    EXPECT_EQ(iir() & 0xC0, 0xC0);
    out(uart_, 0, 1, 0x01);
    type("0123456");
    board_.run(7 * kByte + 1000);
    EXPECT_FALSE(irq_.level);  // seven, and no four character times of silence yet
    type("7");
    board_.run(kByte + 1000);
    EXPECT_TRUE(irq_.level);
    EXPECT_EQ(iir(), 0xC4);
    EXPECT_EQ(in(uart_, 0, 0), '0');
    EXPECT_FALSE(irq_.level);
    board_.run(4 * kByte + 1000);  // character timeout
    EXPECT_TRUE(irq_.level);
    EXPECT_EQ(iir(), 0xCC);
    EXPECT_EQ(in(uart_, 0, 0), '1');
    EXPECT_EQ(iir(), 0xC1);
}

TEST_F(UartTest, PriorityOfInterrupts) {
    set_speed();
    out(uart_, 0, 1, 0x0F);
    out(uart_, 0, 4, 0x18);  // loopback, DCD asserted by OUT2
    out(uart_, 0, 0, 'a');
    out(uart_, 0, 0, 'b');  // overrun
    EXPECT_EQ(iir(), 0x06);
    EXPECT_EQ(lsr() & 0x03, 0x03);
    EXPECT_EQ(iir(), 0x04);
    EXPECT_EQ(in(uart_, 0, 0), 'b');
    EXPECT_EQ(iir(), 0x02);
    EXPECT_EQ(iir(), 0x00);
    EXPECT_EQ(in(uart_, 0, 6) & 0x0F, 0x03);  // CTS and DSR went: loopback cut them off
    EXPECT_EQ(iir(), 0x01);
    EXPECT_FALSE(irq_.level);  // OUT2 is not driven in loopback
}

TEST_F(UartTest, ABreakIsOneZeroCharacterWithItsErrorAtTheTopOfTheFifo) {
    set_speed();
    out(uart_, 0, 2, 0x01);
    out(uart_, 0, 1, 0x04);
    type("a");
    board_.run(2 * kByte);
    uart_.receive_break();
    EXPECT_EQ(lsr(), 0x60 | 0x80 | 0x01);  // somewhere in the FIFO, not yet the next
    EXPECT_FALSE(irq_.level);
    EXPECT_EQ(in(uart_, 0, 0), 'a');
    EXPECT_TRUE(irq_.level);
    EXPECT_EQ(iir() & 0x0F, 0x06);
    EXPECT_EQ(lsr(), 0x60 | 0x80 | 0x10 | 0x01);
    EXPECT_FALSE(irq_.level);
    EXPECT_EQ(in(uart_, 0, 0), 0);
    EXPECT_EQ(lsr(), 0x60);
}

TEST_F(UartTest, LoopbackOfModemLines) {
    set_speed();
    EXPECT_EQ(in(uart_, 0, 6), 0xB0);
    out(uart_, 0, 4, 0x1A);
    EXPECT_EQ(in(uart_, 0, 6) & 0xF0, 0x90);
    out(uart_, 0, 4, 0x15);
    EXPECT_EQ(in(uart_, 0, 6) & 0xF0, 0x60);
    out(uart_, 0, 4, 0x10);
    EXPECT_EQ(in(uart_, 0, 6), 0x06);  // DSR changed, RI ended
    EXPECT_EQ(in(uart_, 0, 6), 0x00);
    out(uart_, 0, 0, 'q');
    EXPECT_EQ(in(uart_, 0, 0), 'q');
    EXPECT_EQ(backend_.sent, "");
}

TEST_F(UartTest, RegistersBehindDlab) {
    set_speed(0x1234);
    EXPECT_EQ(in(uart_, 0, 1), 0);
    out(uart_, 0, 3, 0x83);
    EXPECT_EQ(in(uart_, 0, 0), 0x34);
    EXPECT_EQ(in(uart_, 0, 1), 0x12);
    out(uart_, 0, 7, 0xA5);
    EXPECT_EQ(in(uart_, 0, 7), 0xA5);
}

TEST_F(UartTest, NothingConnected) {
    Uart bare("uart1", board_.queue, nullptr, IrqLine());
    EXPECT_EQ(in(bare, 0, 6), 0);
    out(bare, 0, 0, 'x');
    EXPECT_EQ(in(bare, 0, 5), 0x60);
}

// A snapshot taken with a byte on its way, loaded where nothing is connected.
TEST_F(UartTest, LoadsWithoutABackend) {
    set_speed();
    type("x");
    Archive saved;
    uart_.visit(saved);
    Uart bare("uart0", board_.queue, nullptr, IrqLine());
    Archive loader(Archive::Mode::load, saved.data());
    bare.visit(loader);
    ASSERT_TRUE(loader.ok()) << loader.error();
    board_.run(2 * kByte);
    EXPECT_EQ(in(bare, 0, 5) & 1, 0);
}

}  // namespace
}  // namespace mynah::test
