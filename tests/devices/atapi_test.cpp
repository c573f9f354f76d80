// The CD-ROM drive, by packets.
#include "devices/ide_bench.h"

namespace mynah::test {
namespace {

TEST(Atapi, IdentifyAndSignature) {
    IdeBench b;
    b.out8(0x176, 0xA0);
    b.out8(0x177, 0xEC);
    EXPECT_EQ(b.wait(0x170) & 1, 1);
    EXPECT_EQ(b.in8(0x174), 0x14);
    EXPECT_EQ(b.in8(0x175), 0xEB);
    const std::vector<u16> w = b.identify(0x170, 0xA1);
    EXPECT_EQ(w[0], 0x85C0u);
    EXPECT_TRUE(b.irq15);
}

TEST(Atapi, AttentionThenReady) {
    IdeBench b;
    b.packet({0});
    EXPECT_TRUE(b.failed());
    EXPECT_EQ(b.in8(0x171) >> 4, 6);
    EXPECT_EQ(b.sense(), (std::array<u8, 3>{6, 0x29, 0}));
    b.packet({0});
    EXPECT_FALSE(b.failed());
    EXPECT_EQ(b.sense(), (std::array<u8, 3>{0, 0, 0}));
    b.packet({0xF7});
    EXPECT_TRUE(b.failed());
    EXPECT_EQ(b.sense(), (std::array<u8, 3>{5, 0x20, 0}));
}

TEST(Atapi, ReadsSectorsByPio) {
    IdeBench b;
    b.clear_attention();
    for (const u16 limit : {0xFFFE, 2048, 512, 1000, 33}) {
        const std::vector<u8> data = b.packet({0x28, 0, 0, 0, 0, 7, 0, 0, 3, 0}, limit);
        EXPECT_EQ(data, b.expected(28, 12)) << limit;
        EXPECT_FALSE(b.failed());
    }
    EXPECT_EQ(b.packet({0xA8, 0, 0, 0, 0, 99, 0, 0, 0, 1}).size(), 2048u);
    b.packet({0x28, 0, 0, 0, 0, 99, 0, 0, 2, 0});
    EXPECT_TRUE(b.failed());
    EXPECT_EQ(b.sense(), (std::array<u8, 3>{5, 0x21, 0}));
    b.cd_medium.failing = true;
    b.packet({0x28, 0, 0, 0, 0, 9, 0, 0, 2, 0});
    EXPECT_TRUE(b.failed());
    EXPECT_EQ(b.sense(), (std::array<u8, 3>{3, 0x11, 0}));
}

TEST(Atapi, ReadsSectorsByDma) {
    IdeBench b;
    b.clear_attention();
    b.table({{0x20000, 0x8000}});
    b.out32(0xC00C, 0x1000);
    b.out8(0x171, 1);
    b.out8(0x177, 0xA0);
    b.wait(0x170);
    const u8 cdb[12] = {0x28, 0, 0, 0, 0, 2, 0, 0, 16, 0, 0, 0};
    for (int i = 0; i < 12; i += 2) b.out16(0x170, cdb[i] | cdb[i + 1] << 8);
    b.out8(0xC008, 9);
    b.run(100'000);
    EXPECT_TRUE(b.irq15);
    EXPECT_EQ(b.in8(0xC00A) & 7, 4);
    EXPECT_EQ(b.in8(0x177), 0x50);
    EXPECT_EQ(b.ram(0x20000, 0x8000), b.expected(8, 64));
}

TEST(Atapi, RawReads) {
    IdeBench b;
    b.clear_attention();
    const std::vector<u8> raw = b.packet({0xBE, 0, 0, 0, 0, 1, 0, 0, 2, 0xF8, 0});
    ASSERT_EQ(raw.size(), 2u * 2352);
    EXPECT_EQ(raw[1], 0xFF);
    EXPECT_EQ(raw[2352 + 12], 0x00);
    EXPECT_EQ(raw[2352 + 13], 0x02);
    EXPECT_EQ(raw[2352 + 14], 0x02);
    EXPECT_EQ(raw[2352 + 15], 1);
    EXPECT_EQ(raw[2352 + 16], MemoryDisk::pattern(2 * 2048));
    EXPECT_EQ(b.packet({0xB9, 0, 0, 0, 2, 0, 0, 2, 1, 0x10, 0}), b.expected(0, 4));
}

TEST(Atapi, Information) {
    IdeBench b;
    const std::vector<u8> inquiry = b.packet({0x12, 0, 0, 0, 36});
    ASSERT_EQ(inquiry.size(), 36u);
    EXPECT_EQ(inquiry[0], 5);
    EXPECT_EQ(inquiry[1], 0x80);
    b.clear_attention();
    EXPECT_EQ(b.packet({0x12, 0, 0, 0, 5}).size(), 5u) << "truncated to the allocation length";
    EXPECT_EQ(b.packet({0x25}), (std::vector<u8>{0, 0, 0, 99, 0, 0, 8, 0}));
    const std::vector<u8> toc = b.packet({0x43, 0, 0, 0, 0, 0, 0, 0, 100});
    EXPECT_EQ(toc, (std::vector<u8>{0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xAA, 0, 0, 0, 0, 100}));
    const std::vector<u8> msf = b.packet({0x43, 2, 0, 0, 0, 0, 0xAA, 0, 100});
    EXPECT_EQ(msf, (std::vector<u8>{0, 10, 1, 1, 0, 0x14, 0xAA, 0, 0, 0, 3, 25}));
    const std::vector<u8> page = b.packet({0x5A, 0, 0x2A, 0, 0, 0, 0, 0, 128});
    ASSERT_EQ(page.size(), 28u);
    EXPECT_EQ(page[8], 0x2A);
    EXPECT_EQ(page[1], 26);
    const std::vector<u8> config = b.packet({0x46, 0, 0, 0, 0, 0, 0, 1, 0});
    ASSERT_GE(config.size(), 8u);
    EXPECT_EQ(config[7], 8);
    EXPECT_EQ(config[3], config.size() - 4);
    EXPECT_EQ(b.packet({0x46, 2, 0, 3, 0, 0, 0, 1, 0}).size(), 16u);
    EXPECT_EQ(b.packet({0x51, 0, 0, 0, 0, 0, 0, 0, 34}).size(), 34u);
}

TEST(Atapi, MediaChange) {
    IdeBench b;
    b.clear_attention();
    const std::vector<u8> event_packet{0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8};
    EXPECT_EQ(b.packet(event_packet), (std::vector<u8>{0, 6, 4, 0x10, 0, 2, 0, 0}));
    // Locked: the button only says so.
    b.packet({0x1E, 0, 0, 0, 1});
    EXPECT_FALSE(b.cd.press_eject());
    EXPECT_EQ(b.packet(event_packet)[4], 1);
    b.packet({0x1B, 0, 0, 0, 2});
    EXPECT_TRUE(b.failed());
    EXPECT_EQ(b.sense(), (std::array<u8, 3>{5, 0x53, 2}));
    b.packet({0x1E, 0, 0, 0, 0});
    b.packet({0x1B, 0, 0, 0, 2});
    EXPECT_FALSE(b.failed());
    EXPECT_EQ(b.packet(event_packet), (std::vector<u8>{0, 6, 4, 0x10, 3, 1, 0, 0}));
    b.packet({0});
    EXPECT_EQ(b.sense(), (std::array<u8, 3>{2, 0x3A, 2}));
    MemoryDisk other(5000 * 2048, true);
    b.cd.set_medium(&other);
    EXPECT_EQ(b.packet(event_packet)[4], 2);
    b.packet({0});
    EXPECT_EQ(b.sense(), (std::array<u8, 3>{6, 0x28, 0}));
    b.packet({0});
    EXPECT_FALSE(b.failed());
    EXPECT_EQ(b.packet({0x25})[2], 0x13);
    b.cd.set_medium(nullptr);
    b.packet({0x28, 0, 0, 0, 0, 0, 0, 0, 1});
    EXPECT_EQ(b.sense(), (std::array<u8, 3>{2, 0x3A, 1}));
}

// A medium that goes, or is exchanged for another, while it is read.
TEST(Atapi, NothingIsReadOfTheWrongMedium) {
    for (const bool exchanged : {false, true}) {
        IdeBench b;
        b.clear_attention();
        MemoryDisk other(5000 * 2048, true);
        // READ (10) of two sectors, each a block of its own.
        const std::vector<u8> read{0x28, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0};
        b.out8(0x176, 0xA0);
        b.out8(0x171, 0);
        b.out8(0x174, 0);
        b.out8(0x175, 2048 >> 8);
        b.out8(0x177, 0xA0);
        b.wait(0x170);
        for (size_t i = 0; i < 12; i += 2) b.out16(0x170, read[i] | read[i + 1] << 8);
        EXPECT_TRUE(b.wait(0x170) & 0x08);
        b.read_pio(0x170, 2048);
        b.cd.set_medium(exchanged ? &other : nullptr);
        EXPECT_EQ(b.wait(0x170) & 0x09, 0x01);
        const std::array<u8, 3> sense = b.sense();
        EXPECT_EQ(sense[0], exchanged ? 3 : 2);
        EXPECT_EQ(sense[1], exchanged ? 0x11 : 0x3A);
        if (!exchanged) continue;
        b.packet({0});
        EXPECT_EQ(b.sense(), (std::array<u8, 3>{6, 0x28, 0}));
        EXPECT_EQ(b.packet({0x28, 0, 0, 0, 0, 0, 0, 0, 1}).size(), 2048u);
    }
}

}  // namespace
}  // namespace mynah::test
