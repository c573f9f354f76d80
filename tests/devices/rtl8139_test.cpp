#include "devices/net/rtl8139.h"

#include <gtest/gtest.h>

#include "network_bench.h"

namespace mynah::test {
namespace {

constexpr u16 kPort = 0xC000;
constexpr u64 kRing = 0x10000, kTx = 0x200000;

struct Rtl8139Test : NetworkBench<Rtl8139> {
    Rtl8139Test() : NetworkBench(std::span<const u8>()) {
        pci.add(nic, 3, 0);
        nic.reset();
        config_write(3, 0, 0x10, kPort);
        config_write(3, 0, 0x14, 0xFEB00000);
        config_write(3, 0, 4, 7, 2);
        out32(kPort + 0x30, kRing);
        out32(kPort + 0x44, 0x0A);  // broadcast and own, 8 KiB, no wrap
        out8(kPort + 0x37, 0x0C);
    }
};

TEST_F(Rtl8139Test, IsTheCPlusWithItsAddress) {
    EXPECT_EQ(nic.config_read(0, 4), 0x813910ECu);
    EXPECT_EQ(nic.config_read(8, 1), 0x20u);
    EXPECT_EQ(in32(kPort + 0x40) & 0x7CC00000, 0x74800000u);
    for (u16 i = 0; i < 6; ++i) EXPECT_EQ(in8(kPort + i), kMac[i]);
    EXPECT_EQ(memory->read(0xFEB00000, 4u), in32(kPort));
    EXPECT_EQ(memory->read(0xFEB00100, 4u), 0xFFFFFFFFu);
}

TEST_F(Rtl8139Test, SendsItsFourBuffers) {
    out16(kPort + 0x3C, 4);
    for (u16 i = 0; i < 4; ++i) {
        memory->write(kTx + 4096 * i, frame_to(kMac, 60 + i));
        EXPECT_EQ(in32(kPort + 0x10 + 4 * i), 0x2000u);
        out32(kPort + 0x20 + 4 * i, static_cast<u32>(kTx + 4096 * i));
        out32(kPort + 0x10 + 4 * i, 60 + i);
    }
    run(100'000);
    ASSERT_EQ(network.sent.size(), 4u);
    for (u16 i = 0; i < 4; ++i) {
        EXPECT_EQ(network.sent[i], frame_to(kMac, 60 + i));
        EXPECT_EQ(in32(kPort + 0x10 + 4 * i), 0xA000u + 60 + i);
    }
    EXPECT_EQ(in16(kPort + 0x60), 0xF00Fu);
    EXPECT_EQ(line(), 1u);
    out16(kPort + 0x3E, 4);
    EXPECT_EQ(line(), 0u);
}

TEST_F(Rtl8139Test, RingHasHeadersAndWraps) {
    EXPECT_EQ(in8(kPort + 0x37), 0x0Du) << "empty";
    u32 at = 0;
    for (unsigned n = 0; n < 40; ++n) {
        const auto frame = frame_to(kMac, 1000 + n);
        put(frame);
        EXPECT_EQ(in8(kPort + 0x37), 0x0Cu);
        EXPECT_EQ(memory->read(kRing + at, 2u), 0x4001u);  // good, for this station
        EXPECT_EQ(memory->read(kRing + at + 2, 2u), frame.size() + 4);
        const size_t first = std::min<size_t>(frame.size(), 8192 - at - 4);
        auto got = bytes(kRing + at + 4, first);
        const auto rest = bytes(kRing, frame.size() - first);
        got.insert(got.end(), rest.begin(), rest.end());
        EXPECT_EQ(got, frame) << n;
        at = (at + static_cast<u32>(frame.size()) + 8 + 3) / 4 * 4 % 8192;
        EXPECT_EQ(in16(kPort + 0x3A), at);
        out16(kPort + 0x38, at - 16);
    }
    EXPECT_TRUE(in16(kPort + 0x3E) & 1);
}

TEST_F(Rtl8139Test, FullRingKeepsFramesWaiting) {
    for (unsigned n = 0; n < 8; ++n) put(frame_to(kMac, 1500));
    EXPECT_TRUE(in16(kPort + 0x3E) & 0x10);
    EXPECT_EQ(in16(kPort + 0x3A), 5 * 1508u);
    const u32 end = in16(kPort + 0x3A);
    out16(kPort + 0x38, end - 16);
    run(100'000);
    EXPECT_NE(in16(kPort + 0x3A), end);
    EXPECT_TRUE(network.waiting.empty());
}

TEST_F(Rtl8139Test, SelectsByAddress) {
    const net::MacAddress other{0x52, 0x54, 0, 9, 9, 9}, group{0x01, 0x00, 0x5E, 0, 0, 1};
    const auto taken = [&](const net::MacAddress& to) {
        const u16 before = in16(kPort + 0x3A);
        put(frame_to(to, 60));
        const u16 now = in16(kPort + 0x3A);
        out16(kPort + 0x38, now - 16u);
        return now != before;
    };
    EXPECT_FALSE(taken(other));
    EXPECT_FALSE(taken(group));
    out32(kPort + 0x44, 0x0E);
    EXPECT_FALSE(taken(group));
    const unsigned hash = net::multicast_hash(group);
    out32(kPort + 8 + hash / 32 * 4, 1u << (hash & 31));
    EXPECT_TRUE(taken(group));
    out32(kPort + 0x44, 0x0F);
    EXPECT_TRUE(taken(other));
}

struct CPlusTest : Rtl8139Test {
    static constexpr u64 kTxRing = 0x30000, kRxRing = 0x31000, kRx = 0x100000;
    CPlusTest() {
        out16(kPort + 0xE0, 0x23);  // send, receive, checksums
        out32(kPort + 0x20, static_cast<u32>(kTxRing));
        out32(kPort + 0xE4, static_cast<u32>(kRxRing));
        for (u64 i = 0; i < 4; ++i) {
            memory->write(kRxRing + 16 * i + 8, kRx + 4096 * i, 8);
            memory->write(kRxRing + 16 * i, 0x80000000u + 1600 + (i == 3 ? 0x40000000u : 0), 4u);
        }
    }
};

TEST_F(CPlusTest, SendsAndCutsLargePackets) {
    std::vector<u8> big = tcp_frame(3000);
    net::store_be16(&big[24], 0);
    net::store_be16(&big[50], 0);
    memory->write(kTx, big);
    memory->write(kTxRing, 0xA0000000u | 1u << 27 | 1400u << 16 | 1000, 4u);
    memory->write(kTxRing + 8, kTx, 8);
    memory->write(kTxRing + 16, 0xD0000000u | 2054, 4u);
    memory->write(kTxRing + 24, kTx + 1000, 8);
    out8(kPort + 0xD9, 0x40);
    run(100'000);
    ASSERT_EQ(network.sent.size(), 3u);
    for (const auto& f : network.sent) EXPECT_TRUE(checksums_good(f));
    EXPECT_EQ(memory->read(kTxRing, 4u) >> 31, 0u);
    EXPECT_EQ(in16(kPort + 0x3E), 0x84u);
}

TEST_F(CPlusTest, ReceivesIntoDescriptors) {
    auto frame = tcp_frame(100);
    put(frame);
    EXPECT_EQ(bytes(kRx, frame.size()), frame);
    EXPECT_EQ(memory->read(kRxRing, 4u), 0x32010000u + frame.size() + 4);
    frame[100] ^= 1;
    put(frame);
    EXPECT_TRUE(memory->read(kRxRing + 16, 4u) & 1u << 13);
    put(frame);
    put(frame);
    EXPECT_TRUE(memory->read(kRxRing + 48, 4u) & 1u << 30) << "end of the ring stays";
    put(frame);  // all are the guest's
    EXPECT_TRUE(in16(kPort + 0x3E) & 0x10);
    memory->write(kRxRing, 0x80000000u + 1600, 4u);
    run(1'000'000);
    EXPECT_EQ(memory->read(kRxRing, 4u) >> 31, 0u) << "found without being told";
    put(frame);
    run(100'000'000);
    EXPECT_EQ(queue.next_deadline(), EventQueue::kNever) << "in the end it gives up";
}

TEST_F(CPlusTest, RingsThatNeverEndAreBounded) {
    for (u64 i = 0; i < 256; ++i) memory->write(kTxRing + 16 * i, 0xB0000000u | 60, 4u);
    out8(kPort + 0xD9, 0x40);
    run(100'000);
    EXPECT_LE(network.sent.size(), 64u);
}

TEST_F(Rtl8139Test, EepromHoldsTheAddress) {
    const auto clock = [&](unsigned data) {
        out8(kPort + 0x50, 0x88 | data << 1);
        out8(kPort + 0x50, 0x8C | data << 1);
        const unsigned out = in8(kPort + 0x50) & 1;
        out8(kPort + 0x50, 0x88 | data << 1);
        return out;
    };
    out8(kPort + 0x50, 0x80);
    for (const unsigned b : {1, 1, 0, 0, 0, 0, 1, 1, 1}) clock(b);
    unsigned word = 0;
    for (unsigned i = 0; i < 16; ++i) word = word << 1 | clock(0);
    EXPECT_EQ(word, 0x5452u);
}

TEST_F(Rtl8139Test, TimerCountsThePciClock) {
    out16(kPort + 0x3C, 0x4000);
    out32(kPort + 0x54, 33'000);  // a millisecond
    out32(kPort + 0x48, 0);
    run(990'000);
    EXPECT_EQ(line(), 0u);
    run(20'000);
    EXPECT_EQ(line(), 1u);
    EXPECT_NEAR(in32(kPort + 0x48), 33.0 * 1010, 40);
}

TEST_F(Rtl8139Test, ResetKeepsAddressAndFilter) {
    out32(kPort + 8, 0x12345678);
    out16(kPort + 0x3C, 0xFFFF);
    out8(kPort + 0x37, 0x10);
    EXPECT_EQ(in8(kPort + 0x37) & 0x1C, 0);
    EXPECT_EQ(in32(kPort + 8), 0x12345678u);
    EXPECT_EQ(in16(kPort + 0x3C), 0);
    EXPECT_EQ(in8(kPort), kMac[0]);
}

}  // namespace
}  // namespace mynah::test
