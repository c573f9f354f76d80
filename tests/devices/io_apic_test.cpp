// 82093AA data sheet behaviour.
#include "devices/io_apic.h"

#include <gtest/gtest.h>

#include <vector>

namespace mynah::test {
namespace {

class IoApicTest : public testing::Test, protected ApicBus {
  protected:
    void deliver(const Message& m) override { messages_.push_back(m); }
    void set(u8 reg, u32 value) {
        io_apic_.write(0, 0x00, reg, 4);
        io_apic_.write(0, 0x10, value, 4);
    }
    u32 get(u8 reg) {
        io_apic_.write(0, 0x00, reg, 4);
        return static_cast<u32>(io_apic_.read(0, 0x10, 4));
    }
    void entry(unsigned pin, u32 low, u32 high = 0) {
        set(static_cast<u8>(0x11 + 2 * pin), high);
        set(static_cast<u8>(0x10 + 2 * pin), low);
    }
    static constexpr u32 kMasked = 0x10000, kLevel = 0x8000, kRemoteIrr = 0x4000;

    std::vector<Message> messages_;
    IoApic io_apic_{*this};
};

TEST_F(IoApicTest, Registers) {
    EXPECT_EQ(get(1), 0x00170011u);
    set(0, 0x0F000000);
    EXPECT_EQ(get(0), 0x0F000000u);
    EXPECT_EQ(get(2), 0x0F000000u);
    EXPECT_EQ(get(0x10), kMasked);
    set(0x10, 0xFFFFFFFF);
    EXPECT_EQ(get(0x10), 0x0001AFFFu);  // delivery status and remote IRR are read-only
    set(0x11, 0xFFFFFFFF);
    EXPECT_EQ(get(0x11), 0xFF000000u);
    EXPECT_EQ(get(0x40), 0u);
}

TEST_F(IoApicTest, EdgeDeliversOncePerRise) {
    entry(4, 0x0931, 0x03000000);  // lowest priority, logical
    io_apic_.set_pin(4, true);
    io_apic_.set_pin(4, true);
    ASSERT_EQ(messages_.size(), 1u);
    EXPECT_EQ(messages_[0].vector, 0x31);
    EXPECT_EQ(messages_[0].destination, 3);
    EXPECT_TRUE(messages_[0].logical);
    EXPECT_EQ(messages_[0].delivery, Delivery::lowest_priority);
    EXPECT_FALSE(messages_[0].level);
    io_apic_.set_pin(4, false);
    io_apic_.set_pin(4, true);
    EXPECT_EQ(messages_.size(), 2u);
}

TEST_F(IoApicTest, MaskedEdgeIsLost) {
    entry(4, kMasked | 0x31);
    io_apic_.set_pin(4, true);
    entry(4, 0x31);
    EXPECT_TRUE(messages_.empty());
}

TEST_F(IoApicTest, LevelWaitsForEoiAndRepeats) {
    entry(9, kLevel | 0x40);
    io_apic_.set_pin(9, true);
    ASSERT_EQ(messages_.size(), 1u);
    EXPECT_TRUE(messages_[0].level);
    EXPECT_EQ(get(0x22), kLevel | kRemoteIrr | 0x40u);
    io_apic_.set_pin(9, false);
    io_apic_.set_pin(9, true);
    EXPECT_EQ(messages_.size(), 1u);
    io_apic_.end_of_interrupt(0x41);  // another's
    EXPECT_EQ(messages_.size(), 1u);
    io_apic_.end_of_interrupt(0x40);
    EXPECT_EQ(messages_.size(), 2u);  // still asserted
    io_apic_.set_pin(9, false);
    io_apic_.end_of_interrupt(0x40);
    EXPECT_EQ(messages_.size(), 2u);
    EXPECT_EQ(get(0x22), kLevel | 0x40u);
}

TEST_F(IoApicTest, MaskedLevelWaits) {
    entry(9, kMasked | kLevel | 0x40);
    io_apic_.set_pin(9, true);
    EXPECT_TRUE(messages_.empty());
    entry(9, kLevel | 0x40);
    EXPECT_EQ(messages_.size(), 1u);
}

TEST_F(IoApicTest, SwitchingToEdgeClearsRemoteIrr) {
    entry(9, kLevel | 0x40);
    io_apic_.set_pin(9, true);
    set(0x22, kMasked | 0x40);
    set(0x22, kMasked | kLevel | 0x40);
    EXPECT_EQ(get(0x22), kMasked | kLevel | 0x40u);
}

}  // namespace
}  // namespace mynah::test
