// 8237A data sheet behaviour, with a PC's page registers.
#include "devices/isa_dma.h"

#include <gtest/gtest.h>

#include <vector>

#include "board.h"

namespace mynah::test {
namespace {

class IsaDmaTest : public testing::Test {
  protected:
    // Channel 2, as for a floppy.
    void program(u8 mode, u32 address, u16 count) {
        out(dma_, IsaDma::low_controller, 0xA, 0x06);
        out(dma_, IsaDma::low_controller, 0xC, 0);
        out(dma_, IsaDma::low_controller, 0xB, mode | 2);
        out(dma_, IsaDma::low_controller, 4, static_cast<u8>(address));
        out(dma_, IsaDma::low_controller, 4, static_cast<u8>(address >> 8));
        out(dma_, IsaDma::pages, 1, static_cast<u8>(address >> 16));
        out(dma_, IsaDma::low_controller, 5, static_cast<u8>(count));
        out(dma_, IsaDma::low_controller, 5, static_cast<u8>(count >> 8));
        out(dma_, IsaDma::low_controller, 0xA, 0x02);
    }
    std::vector<u8> memory(u64 at, size_t n) {
        std::vector<u8> bytes(n);
        memory_->read(at, bytes);
        return bytes;
    }

    std::unique_ptr<PhysicalMap> memory_ = std::move(PhysicalMap::create(2 * MiB)).value();
    IsaDma dma_{*memory_};
};

TEST_F(IsaDmaTest, WritesMemoryUpToTheTerminalCount) {
    EXPECT_FALSE(dma_.channel(2).ready());
    program(0x44, 0x12345, 3);
    EXPECT_TRUE(dma_.channel(2).ready());
    const std::vector<u8> data = {1, 2, 3, 4, 5, 6};
    auto moved = dma_.channel(2).write(std::span(data).first(2));
    EXPECT_EQ(moved.bytes, 2u);
    EXPECT_FALSE(moved.terminal_count);
    moved = dma_.channel(2).write(std::span(data).subspan(2));
    EXPECT_EQ(moved.bytes, 2u);
    EXPECT_TRUE(moved.terminal_count);
    EXPECT_EQ(memory(0x12345, 5), (std::vector<u8>{1, 2, 3, 4, 0}));
    EXPECT_FALSE(dma_.channel(2).ready());  // masked at the end
    EXPECT_EQ(in(dma_, IsaDma::low_controller, 8), 0x04);
    EXPECT_EQ(in(dma_, IsaDma::low_controller, 8), 0x00);
    // Current address and count.
    out(dma_, IsaDma::low_controller, 0xC, 0);
    EXPECT_EQ(in(dma_, IsaDma::low_controller, 4), 0x49);
    EXPECT_EQ(in(dma_, IsaDma::low_controller, 4), 0x23);
    EXPECT_EQ(in(dma_, IsaDma::low_controller, 5), 0xFF);
}

TEST_F(IsaDmaTest, ReadsMemoryAndWrapsWithinThePage) {
    memory_->write(0x1FFFE, std::vector<u8>{7, 8});
    memory_->write(0x10000, std::vector<u8>{9});
    program(0x48, 0x1FFFE, 2);
    std::vector<u8> data(3);
    EXPECT_EQ(dma_.channel(2).read(data).bytes, 3u);
    EXPECT_EQ(data, (std::vector<u8>{7, 8, 9}));
}

TEST_F(IsaDmaTest, AutoInitialiseAndDecrement) {
    program(0x44 | 0x10 | 0x20, 0x1000, 1);
    const std::vector<u8> data = {1, 2, 3, 4};
    EXPECT_EQ(dma_.channel(2).write(data).bytes, 2u);
    EXPECT_TRUE(dma_.channel(2).ready());
    EXPECT_EQ(memory(0xFFF, 2), (std::vector<u8>{2, 1}));
    EXPECT_EQ(dma_.channel(2).write(std::span(data).subspan(2)).bytes, 2u);
    EXPECT_EQ(memory(0xFFF, 2), (std::vector<u8>{4, 3}));
}

TEST_F(IsaDmaTest, VerifyAndWrongDirection) {
    program(0x40, 0x2000, 1);
    const std::vector<u8> data = {1, 2};
    const auto moved = dma_.channel(2).write(data);
    EXPECT_TRUE(moved.terminal_count);
    EXPECT_EQ(memory(0x2000, 2), (std::vector<u8>{0, 0}));
    program(0x48, 0x2000, 1);
    EXPECT_EQ(dma_.channel(2).write(data).bytes, 0u);
    EXPECT_EQ(dma_.channel(2).direction(), DmaChannel::Direction::from_memory);
}

TEST_F(IsaDmaTest, WordsOnTheSecondController) {
    out(dma_, IsaDma::high_controller, 0x1A, 0);
    out(dma_, IsaDma::high_controller, 0x16, 0x45);  // channel 5, to memory
    out(dma_, IsaDma::high_controller, 0x04, 0x10);
    out(dma_, IsaDma::high_controller, 0x04, 0x80);
    out(dma_, IsaDma::high_controller, 0x06, 0x01);
    out(dma_, IsaDma::high_controller, 0x06, 0x00);
    out(dma_, IsaDma::pages, 0xB, 0x03);  // bit 0 is not used
    out(dma_, IsaDma::high_controller, 0x14, 0x01);
    const std::vector<u8> data = {1, 2, 3, 4, 5};
    const auto moved = dma_.channel(5).write(data);
    EXPECT_EQ(moved.bytes, 4u);
    EXPECT_TRUE(moved.terminal_count);
    EXPECT_EQ(memory(0x20000 + 0x8010 * 2, 4), (std::vector<u8>{1, 2, 3, 4}));
}

TEST_F(IsaDmaTest, TellsWhenATransferBecomesPossible) {
    unsigned calls = 0;
    dma_.channel(2).on_ready([&] { ++calls; });
    dma_.channel(2).set_request(true);
    EXPECT_EQ(in(dma_, IsaDma::low_controller, 8), 0x40);
    program(0x44, 0x1000, 10);
    EXPECT_EQ(calls, 1u);
    out(dma_, IsaDma::low_controller, 8, 0x04);  // controller off
    EXPECT_FALSE(dma_.channel(2).ready());
    out(dma_, IsaDma::low_controller, 8, 0x00);
    EXPECT_EQ(calls, 2u);
}

}  // namespace
}  // namespace mynah::test
