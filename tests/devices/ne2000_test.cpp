#include "devices/net/ne2000.h"

#include <gtest/gtest.h>

#include "network_bench.h"

namespace mynah::test {
namespace {

constexpr u16 kPort = 0x300;
constexpr u8 kStart = 0x46, kStop = 0x80;

struct Ne2000Test : NetworkBench<Ne2000Isa> {
    bool irq = false;

    Ne2000Test() : NetworkBench(IrqLine([this](bool on) { irq = on; })) {
        EXPECT_TRUE(io.map(kPort, nic, 0).ok());
        nic.reset();
        out8(kPort, 0x21);
        out8(kPort + 0xE, 0x49);
        out8(kPort + 0xC, 0x04);
        out8(kPort + 0xD, 0x00);
        out8(kPort + 1, kStart);
        out8(kPort + 2, kStop);
        out8(kPort + 3, kStart);
        out8(kPort + 0xF, 0x3F);
        out8(kPort, 0x61);
        for (u16 i = 0; i < 6; ++i) out8(kPort + 1 + i, kMac[i]);
        out8(kPort + 7, kStart + 1);
        out8(kPort, 0x22);
        out8(kPort + 7, 0xFF);
    }
    void remote(u16 address, size_t size, u8 command) {
        out8(kPort + 8, address);
        out8(kPort + 9, address >> 8);
        out8(kPort + 0xA, static_cast<u32>(size));
        out8(kPort + 0xB, static_cast<u32>(size >> 8));
        out8(kPort, command);
    }
    std::vector<u8> read(u16 address, size_t size) {
        remote(address, size, 0x0A);
        std::vector<u8> out(size);
        for (size_t i = 0; i + 1 < size; i += 2) store_le(&out[i], in16(kPort + 0x10));
        return out;
    }
    void write(u16 address, std::span<const u8> data) {
        remote(address, data.size(), 0x12);
        for (size_t i = 0; i + 1 < data.size(); i += 2) out16(kPort + 0x10, load_le<u16>(&data[i]));
    }
    u8 current() {
        out8(kPort, 0x62);
        const u8 page = in8(kPort + 7);
        out8(kPort, 0x22);
        return page;
    }
};

TEST_F(Ne2000Test, PromHasTheAddressTwiceAndItsSignature) {
    const auto prom = read(0, 32);
    for (size_t i = 0; i < 6; ++i) {
        EXPECT_EQ(prom[2 * i], kMac[i]);
        EXPECT_EQ(prom[2 * i + 1], kMac[i]);
    }
    EXPECT_EQ(prom[28], 0x57);
    EXPECT_EQ(prom[30], 0x57);
    EXPECT_TRUE(in8(kPort + 7) & 0x40) << "remote DMA is done";
    EXPECT_EQ(in16(kPort + 0x10), 0xFFFF);
}

TEST_F(Ne2000Test, ResetPort) {
    (void)in8(kPort + 0x1F);
    EXPECT_EQ(in8(kPort + 7), 0x80);
    EXPECT_EQ(in8(kPort), 0x21);
}

TEST_F(Ne2000Test, SendsFromItsMemory) {
    const auto frame = frame_to(kMac, 100);
    write(0x4000, frame);
    EXPECT_EQ(read(0x4000, 100), frame);
    out8(kPort + 7, 0xFF);
    out8(kPort + 4, 0x40);
    out8(kPort + 5, 100);
    out8(kPort + 6, 0);
    out8(kPort, 0x26);
    EXPECT_EQ(in8(kPort) & 4, 4);
    EXPECT_TRUE(network.sent.empty());
    run(100'000);
    ASSERT_EQ(network.sent.size(), 1u);
    EXPECT_EQ(network.sent[0], frame);
    EXPECT_EQ(in8(kPort) & 4, 0);
    EXPECT_EQ(in8(kPort + 7), 2);
    EXPECT_EQ(in8(kPort + 4), 1);
    EXPECT_TRUE(irq);
    out8(kPort + 7, 2);
    EXPECT_FALSE(irq);
}

TEST_F(Ne2000Test, RingGoesRound) {
    u8 next = kStart + 1;
    for (unsigned n = 0; n < 40; ++n) {
        const auto frame = frame_to(kMac, 1000 + 2 * n);
        put(frame);
        const auto header = read(static_cast<u16>(next << 8), 4);
        EXPECT_EQ(header[0], 1);
        EXPECT_EQ(load_le<u16>(&header[2]), frame.size() + 4);
        // Remote reads wrap by themselves.
        const auto all = read(static_cast<u16>(next << 8), frame.size() + 4);
        EXPECT_TRUE(std::equal(frame.begin(), frame.end(), all.begin() + 4)) << n;
        next = header[1];
        EXPECT_EQ(current(), next);
        EXPECT_TRUE(next >= kStart && next < kStop);
        // As Linux does: one behind, which may lie before the ring.
        out8(kPort + 3, next - 1u);
    }
}

TEST_F(Ne2000Test, FullRingKeepsFramesWaitingAndSaysSo) {
    for (unsigned n = 0; n < 12; ++n) put(frame_to(kMac, 1500));
    const size_t left = network.waiting.size();
    EXPECT_GT(left, 0u);
    out8(kPort + 7, 0xFF);
    run(400'000);
    EXPECT_EQ(in8(kPort + 7) & 1, 1) << "a driver that cleared the cause too early gets it again";
    out8(kPort + 3, current() - 1u);
    run(100'000);
    EXPECT_LT(network.waiting.size(), left);
}

TEST_F(Ne2000Test, PageSwitchesDoNotStopIt) {
    out8(kPort, 0x40);
    out8(kPort, 0x00);
    put(frame_to(kMac, 60));
    EXPECT_NE(current(), kStart + 1);
    out8(kPort, 0x21);
    const u8 before = current();
    out8(kPort, 0x21);
    put(frame_to(kMac, 60));
    EXPECT_TRUE(network.waiting.empty()) << "lost";
    EXPECT_EQ(current(), before);
}

TEST_F(Ne2000Test, SelectsByAddress) {
    const net::MacAddress all{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, other{0x52, 0x54, 0, 9, 9, 9},
        group{0x01, 0x00, 0x5E, 0, 0, 1};
    const auto taken = [&](const net::MacAddress& to) {
        const u8 before = current();
        put(frame_to(to, 60));
        return current() != before;
    };
    EXPECT_TRUE(taken(kMac));
    EXPECT_TRUE(taken(all));
    EXPECT_FALSE(taken(other));
    EXPECT_FALSE(taken(group));
    out8(kPort + 0xC, 0x08);
    EXPECT_FALSE(taken(all));
    const unsigned hash = net::multicast_hash(group);
    out8(kPort, 0x62);
    out8(static_cast<u16>(kPort + 8 + hash / 8), 1u << (hash & 7));
    out8(kPort, 0x22);
    EXPECT_TRUE(taken(group));
    out8(kPort + 0xC, 0x10);
    EXPECT_TRUE(taken(other));
}

TEST_F(Ne2000Test, RingsThatMakeNoSenseTakeNothing) {
    for (const u8 stop : {u8{0}, kStart, u8{kStart + 1}, u8{0xFF}}) {
        out8(kPort + 2, stop);
        put(frame_to(kMac, 1500));
        run(100'000'000);
    }
    EXPECT_EQ(queue.next_deadline(), EventQueue::kNever);
}

TEST_F(Ne2000Test, OnPciItIsAnRtl8029) {
    Ne2000Pci on_pci{"nic1", queue, &network, kMac, {}};
    pci.add(on_pci, 4, 0);
    on_pci.reset();
    EXPECT_EQ(on_pci.config_read(0, 4), 0x802910ECu);
    EXPECT_EQ(on_pci.read(0, 0xA, 1), 'P');
    EXPECT_EQ(on_pci.read(0, 0xB, 1), 'C');
    EXPECT_EQ(on_pci.read(0, 0x40, 2), 0xFFFFu);
}

}  // namespace
}  // namespace mynah::test
