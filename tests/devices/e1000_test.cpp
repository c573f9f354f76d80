#include "devices/net/e1000.h"

#include <gtest/gtest.h>

#include "network_bench.h"

namespace mynah::test {
namespace {

enum : u32 {
    CTRL = 0,
    STATUS = 8,
    EECD = 0x10,
    EERD = 0x14,
    MDIC = 0x20,
    ICR = 0xC0,
    ITR = 0xC4,
    ICS = 0xC8,
    IMS = 0xD0,
    IMC = 0xD8,
    RCTL = 0x100,
    TCTL = 0x400,
    RX = 0x2800,  // base low and high, length, head (10h), tail (18h)
    TX = 0x3800,
    GPTC = 0x4080,
    RXCSUM = 0x5000,
    MTA = 0x5200,
};
constexpr u64 kRxRing = 0x10000, kTxRing = 0x20000, kRxBuffers = 0x100000, kTxBuffers = 0x200000;
constexpr u32 kRegisters = 0xFEB00000;

struct E1000Test : NetworkBench<E1000> {
    u32 tail = 0;

    E1000Test() : NetworkBench(std::span<const u8>()) {
        pci.add(nic, 3, 0);
        nic.reset();
        config_write(3, 0, 0x10, kRegisters);
        config_write(3, 0, 0x14, 0xC000);
        config_write(3, 0, 4, 7, 2);
        run(10'000'000);  // the link comes up
        (void)get(ICR);
        for (const auto& [base, ring] : {std::pair<u32, u64>{RX, kRxRing}, {TX, kTxRing}}) {
            set(base, static_cast<u32>(ring));
            set(base + 8, 128);  // eight descriptors
        }
        for (u64 i = 0; i < 8; ++i) memory->write(kRxRing + 16 * i, kRxBuffers + 4096 * i, 8);
        set(TCTL, 2);
    }
    u32 get(u32 offset) { return static_cast<u32>(memory->read(kRegisters + offset, 4u)); }
    void set(u32 offset, u32 value) { memory->write(kRegisters + offset, value, 4u); }
    void listen(u32 more = 0x8000) {
        set(RCTL, 2 | more);
        set(RX + 0x18, 7);
    }
    // Puts a descriptor into the ring; its data is at kTxBuffers.
    void descriptor(u64 address, u32 low, u32 high) {
        const u64 at = kTxRing + 16 * tail;
        memory->write(at, address, 8);
        memory->write(at + 8, low, 4u);
        memory->write(at + 12, high, 4u);
        tail = (tail + 1) % 8;
    }
    void go() {
        set(TX + 0x18, tail);
        run(100'000);
    }
};

TEST_F(E1000Test, SendsAndReportsAndInterrupts) {
    const auto frame = frame_to(kMac, 100);
    memory->write(kTxBuffers, frame);
    set(IMS, 1);
    descriptor(kTxBuffers, 100 | 0x0B000000, 0);
    EXPECT_TRUE(network.sent.empty());
    go();
    ASSERT_EQ(network.sent.size(), 1u);
    EXPECT_EQ(network.sent[0], frame);
    EXPECT_EQ(memory->read(kTxRing + 12, 1u), 1u);  // DD
    EXPECT_EQ(get(TX + 0x10), 1u);
    EXPECT_EQ(line(), 1u);
    EXPECT_EQ(get(ICR), 3u);
    EXPECT_EQ(line(), 0u);
    EXPECT_EQ(get(GPTC), 1u);
    EXPECT_EQ(get(GPTC), 0u) << "read to clear";
}

TEST_F(E1000Test, GathersOnePacketFromSeveralDescriptors) {
    const auto frame = frame_to(kMac, 300);
    memory->write(kTxBuffers, frame);
    descriptor(kTxBuffers, 100, 0);
    descriptor(kTxBuffers + 100, 50, 0);
    go();
    EXPECT_TRUE(network.sent.empty());
    descriptor(kTxBuffers + 150, 150 | 0x03000000, 0);
    go();
    ASSERT_EQ(network.sent.size(), 1u);
    EXPECT_EQ(network.sent[0], frame);
}

TEST_F(E1000Test, CutsLargePacketsWithChecksums) {
    std::vector<u8> big = tcp_frame(3000);
    // What a driver leaves: no IP checksum, the pseudo header's sum without the length.
    net::store_be16(&big[24], 0);
    net::store_be16(&big[50], net::ones_sum(std::span(big).subspan(26, 8), 6));
    memory->write(kTxBuffers, big);
    // Context: IP 14..33, its checksum at 24; TCP from 34, its checksum at 50; TSE, IPv4, TCP; MSS 1400.
    const u64 context = 14 | 24 << 8 | 33 << 16 | u64{34} << 32 | u64{50} << 40;
    descriptor(context, 3000 | 0x27000000, 54 << 8 | 1400u << 16);
    descriptor(kTxBuffers, 3054 | 0x00100000 | 0x2F000000, 3 << 8);
    go();
    ASSERT_EQ(network.sent.size(), 3u);
    std::vector<u8> payload;
    for (const auto& f : network.sent) {
        EXPECT_TRUE(checksums_good(f));
        payload.insert(payload.end(), f.begin() + 54, f.end());
    }
    EXPECT_TRUE(std::equal(payload.begin(), payload.end(), big.begin() + 54, big.end()));
}

TEST_F(E1000Test, ReceivesWithChecksumsLooked) {
    set(RXCSUM, 0x300);
    listen();
    auto frame = tcp_frame(64);
    put(frame);
    EXPECT_EQ(bytes(kRxBuffers, frame.size()), frame);
    EXPECT_EQ(memory->read(kRxRing + 8, 2u), frame.size() + 4) << "with the FCS";
    EXPECT_EQ(memory->read(kRxRing + 12, 1u), 0x63u);
    EXPECT_EQ(memory->read(kRxRing + 13, 1u), 0u);
    EXPECT_EQ(memory->read(kRxBuffers + frame.size(), 4u), net::frame_check(frame));
    frame[60] ^= 1;
    put(frame);
    EXPECT_EQ(memory->read(kRxRing + 16 + 13, 1u), 0x20u) << "TCP error";
    EXPECT_EQ(get(RX + 0x10), 2u);
    EXPECT_TRUE(get(ICR) & 0x80);
}

TEST_F(E1000Test, Filters) {
    listen(0);
    const net::MacAddress all{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, other{0x52, 0x54, 0, 1, 2, 3},
        group{0x01, 0x00, 0x5E, 0x00, 0x00, 0x01};
    const auto taken = [&](const net::MacAddress& to) {
        const u32 before = get(RX + 0x10);
        put(frame_to(to, 60));
        return get(RX + 0x10) != before;
    };
    EXPECT_TRUE(taken(kMac));
    EXPECT_FALSE(taken(all));
    EXPECT_FALSE(taken(other));
    EXPECT_FALSE(taken(group));
    const u32 hash = 0x0100u >> 4 & 0xFFF;  // RCTL.MO 0: bits 47..36
    set(MTA + 4 * (hash >> 5), 1u << (hash & 31));
    EXPECT_TRUE(taken(group));
    set(MTA + 4 * (hash >> 5), 0);
    set(RCTL, 2 | 0x10);
    EXPECT_TRUE(taken(group));
    set(RCTL, 2 | 8);
    EXPECT_TRUE(taken(other));
    set(RX + 0x18, 2);
    set(RCTL, 2 | 0x8000);
    EXPECT_TRUE(taken(all));
}

TEST_F(E1000Test, FramesWaitForRoomAndAreLostWhenNobodyListens) {
    set(RCTL, 2);
    set(RX + 0x18, 1);
    for (unsigned i = 0; i < 3; ++i) put(frame_to(kMac, 60));
    EXPECT_EQ(get(RX + 0x10), 1u);
    EXPECT_EQ(network.waiting.size(), 2u);
    set(RX + 0x18, 7);
    run(100'000);
    EXPECT_EQ(get(RX + 0x10), 3u);
    set(RCTL, 0);
    put(frame_to(kMac, 60));
    EXPECT_TRUE(network.waiting.empty());
    EXPECT_EQ(get(RX + 0x10), 3u);
}

TEST_F(E1000Test, LongFramesTakeSeveralBuffers) {
    listen(0x00030000);  // 256 bytes each
    put(frame_to(kMac, 600));
    EXPECT_EQ(get(RX + 0x10), 3u);
    EXPECT_EQ(memory->read(kRxRing + 12, 1u), 1u);
    EXPECT_EQ(memory->read(kRxRing + 32 + 12, 1u) & 3, 3u);
    EXPECT_EQ(memory->read(kRxRing + 32 + 8, 2u), 604u - 512);
}

TEST_F(E1000Test, InterruptsComeNoFasterThanAllowed) {
    set(ITR, 1000);  // 256 us
    set(IMS, 4);
    set(ICS, 4);
    EXPECT_EQ(line(), 1u);
    (void)get(ICR);
    EXPECT_EQ(line(), 0u);
    set(ICS, 4);
    EXPECT_EQ(line(), 0u);
    run(255'000);
    EXPECT_EQ(line(), 0u);
    run(2'000);
    EXPECT_EQ(line(), 1u);
    set(IMC, 4);
    EXPECT_EQ(line(), 0u);
}

TEST_F(E1000Test, EepromBothWays) {
    u16 sum = 0;
    for (u32 i = 0; i < 64; ++i) {
        set(EERD, i << 8 | 1);
        EXPECT_TRUE(get(EERD) & 0x10);
        sum = static_cast<u16>(sum + (get(EERD) >> 16));
    }
    EXPECT_EQ(sum, 0xBABA);
    // Word 1 by its pins: start, 10b, address, sixteen bits out.
    const auto clock = [&](u32 data) {
        set(EECD, 0x42 | data << 2);
        set(EECD, 0x43 | data << 2);
        const u32 out = get(EECD) >> 3 & 1;
        set(EECD, 0x42 | data << 2);
        return out;
    };
    set(EECD, 0x40);
    EXPECT_TRUE(get(EECD) & 0x80);
    for (const u32 b : {1, 1, 0, 0, 0, 0, 0, 0, 1}) clock(b);
    u32 word = 0;
    for (unsigned i = 0; i < 16; ++i) word = word << 1 | clock(0);
    EXPECT_EQ(word, 0x1200u);  // bytes 2 and 3 of the address
}

TEST_F(E1000Test, PhyAndLink) {
    const auto phy = [&](u32 index) {
        set(MDIC, 2u << 26 | 1u << 21 | index << 16);
        EXPECT_TRUE(get(MDIC) & 1u << 28);
        return get(MDIC) & 0xFFFF;
    };
    EXPECT_EQ(phy(2), 0x0141u);
    EXPECT_EQ(phy(3), 0x0C20u);
    EXPECT_TRUE(phy(1) & 4);
    EXPECT_EQ(get(STATUS) & 0xC3, 0x83u);
    set(MDIC, 1u << 26 | 1u << 21 | 0x8000);
    EXPECT_FALSE(get(STATUS) & 2);
    run(2'000'000);
    EXPECT_TRUE(get(STATUS) & 2);
    EXPECT_TRUE(get(ICR) & 4);
}

TEST_F(E1000Test, PortsReachTheRegisters) {
    out32(0xC000, STATUS);
    EXPECT_EQ(in32(0xC004), get(STATUS));
    out32(0xC000, IMS);
    out32(0xC004, 0x10);
    EXPECT_EQ(get(IMS), 0x10u);
    out32(0xC000, 0xFFFFFFFC);
    EXPECT_EQ(in32(0xC004), 0u);
}

TEST_F(E1000Test, DescriptorsThatPointAtTheAdapterDoNoHarm) {
    // Buffers in its own registers, and status written back over the tail and the reset bit.
    listen();
    memory->write(kRxRing, u64{kRegisters}, 8);
    put(frame_to(kMac, 1500));
    set(TX, kRegisters + TX + 0x18 - 12 - 16 * 3);
    set(TX + 0x18, 5);
    run(1'000'000);
    descriptor(kTxBuffers, 0xFFFF | 0x0B000000, 0);
    set(TX, static_cast<u32>(kTxRing));
    go();
    set(TX + 8, 0x80000);
    set(TX + 0x18, 0x7FFF);
    run(100'000'000);
    nic.reset();
}

TEST_F(E1000Test, WithoutBusMasteryNothingMoves) {
    config_write(3, 0, 4, 3, 2);
    listen();
    put(frame_to(kMac, 60));
    EXPECT_EQ(memory->read(kRxBuffers, 4u), 0u);
}

}  // namespace
}  // namespace mynah::test
