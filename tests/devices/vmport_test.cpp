// VMware's port and its mouse, as a driver talks to them.
#include "devices/vmport.h"

#include <gtest/gtest.h>

#include "board.h"
#include "devices/i8042.h"

namespace mynah::test {
namespace {

class VmPortTest : public testing::Test {
  protected:
    VmPortTest()
        : port_(mouse_, 64 * MiB,
                {.get = [this] { return r_; }, .set = [this](const VmPortRegisters& r) { r_ = r; }}) {
        port_.reset();
        for (const u8 byte : {0xF4}) mouse_.receive(byte);
        while (mouse_.pending()) mouse_.take();
    }
    // IN EAX, DX
    u32 call(u32 command, u32 ebx = 0) {
        r_ = {0x564D5868, ebx, command, 0x5658, 5, 6};
        return r_.eax = static_cast<u32>(port_.read(VmPort::port, 0, 4));
    }
    void enable(u32 how) {
        call(41, 0x45414552);
        EXPECT_EQ(call(40), 1u);
        EXPECT_EQ(call(39, 1), 0x3442554Au);
        call(41, how);
    }
    size_t packet() {
        size_t bytes = 0;
        for (; mouse_.pending(); ++bytes) mouse_.take();
        return bytes;
    }

    VmPortRegisters r_;
    Ps2Mouse mouse_;
    VmPort port_;
};

TEST_F(VmPortTest, SaysWhoItIs) {
    EXPECT_EQ(call(10), 6u);
    EXPECT_EQ(r_.ebx, 0x564D5868u);
    EXPECT_EQ(r_.esi, 5u);
    EXPECT_EQ(call(0xABCD000A), 6u);  // the high half is for others
    EXPECT_EQ(call(20), 64 * MiB);
    EXPECT_EQ(call(99), 0xFFFFFFFFu);
    r_ = {1, 2, 10, 0x5658, 5, 6};
    EXPECT_EQ(port_.read(VmPort::port, 0, 4), 0xFFFFFFFFu);
    EXPECT_EQ(r_.ebx, 2u);
    EXPECT_EQ(port_.read(VmPort::port, 0, 2) & 0xFFFF, 0xFFFFu);
}

TEST_F(VmPortTest, GivesPositions) {
    EXPECT_EQ(call(40), 0xFFFF0000u);
    port_.position(1, 2, 0, 0);
    EXPECT_FALSE(mouse_.pending());  // nobody asked
    enable(0x53424152);
    EXPECT_TRUE(port_.absolute());
    port_.position(0x1234, 0xFFFF, Ps2Mouse::left | Ps2Mouse::middle, -1);
    // The driver is interrupted by a packet that says nothing.
    EXPECT_EQ(packet(), 3u);
    EXPECT_EQ(call(40), 4u);
    EXPECT_EQ(call(39, 4), 0x28u);
    EXPECT_EQ(r_.ebx, 0x1234u);
    EXPECT_EQ(r_.ecx, 0xFFFFu);
    EXPECT_EQ(r_.edx, 0xFFFFFFFFu);
    EXPECT_EQ(r_.esi, 5u);
    EXPECT_EQ(call(40), 0u);
}

TEST_F(VmPortTest, GivesMovements) {
    enable(0x4C455252);
    EXPECT_TRUE(port_.enabled());
    EXPECT_FALSE(port_.absolute());
    port_.move(-3, 4, Ps2Mouse::right, 0);
    EXPECT_EQ(call(39, 4), 0x10010u);
    EXPECT_EQ(r_.ebx, static_cast<u32>(-3));
    EXPECT_EQ(r_.ecx, static_cast<u32>(-4));
}

TEST_F(VmPortTest, WrongReadsAndDisableEndIt) {
    for (const u32 count : {0u, 5u, 7u, 0xFFFFFFFFu}) {
        enable(0x53424152);
        port_.position(1, 2, 0, 0);
        call(39, count);
        EXPECT_FALSE(port_.enabled()) << count;
        EXPECT_EQ(call(40), 0xFFFF0000u);
    }
    enable(0x53424152);
    call(41, 0xF5);
    EXPECT_FALSE(port_.enabled());
    call(41, 0x53424152);  // not without asking for the version
    EXPECT_FALSE(port_.enabled());
}

TEST_F(VmPortTest, AGuestThatDoesNotReadGetsNoMore) {
    enable(0x53424152);
    for (int i = 0; i < 10'000; ++i) port_.position(1, 2, 0, 0);
    EXPECT_EQ(call(40), 1024u);
}

}  // namespace
}  // namespace mynah::test
