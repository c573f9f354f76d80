// The controller and its disk.
#include "base/bits.h"
#include "devices/ide_bench.h"

namespace mynah::test {
namespace {

TEST(Ide, DecodesOnlyWhatIsEnabled) {
    IdeBench b;
    EXPECT_EQ(b.config_read(1, 1, 0x40), 0x80008000u) << "OVMF counts on it";
    EXPECT_EQ(b.in8(0x1F7), 0x50);
    b.config_write(1, 1, 0x40, 0x0000, 2);
    EXPECT_EQ(b.in8(0x1F7), 0xFF);
    EXPECT_NE(b.in8(0x177), 0xFF);
    b.config_write(1, 1, 0x04, 4, 2);
    EXPECT_EQ(b.in8(0x177), 0xFF);
}

TEST(Ide, SignaturesAndAbsentDevices) {
    IdeBench b;
    b.out8(0x3F6, 4);
    EXPECT_EQ(b.in8(0x3F6), 0x80);
    b.out8(0x3F6, 0);
    b.wait(0x1F0);
    EXPECT_EQ(b.in8(0x1F7), 0x50);
    EXPECT_EQ(b.in8(0x1F1), 1);
    EXPECT_EQ(b.in8(0x1F2), 1);
    EXPECT_EQ(b.in8(0x1F3), 1);
    EXPECT_EQ(b.in8(0x1F4), 0);
    EXPECT_EQ(b.in8(0x1F5), 0);
    b.out8(0x376, 4);
    b.out8(0x376, 0);
    b.wait(0x170);
    EXPECT_EQ(b.in8(0x177), 0x00);
    EXPECT_EQ(b.in8(0x174), 0x14);
    EXPECT_EQ(b.in8(0x175), 0xEB);
    b.out8(0x176, 0xB0);
    EXPECT_EQ(b.in8(0x174), 0) << "no signature of a device that is not there";
    // Device 1 is absent: status 0, commands go nowhere.
    b.out8(0x1F6, 0xF0);
    EXPECT_EQ(b.in8(0x1F7), 0);
    b.out8(0x1F7, 0xEC);
    b.run(1'000'000);
    EXPECT_EQ(b.in8(0x1F7), 0);
    EXPECT_EQ(b.in8(0x1F6), 0xF0);
    // The diagnostic reports for both.
    b.out8(0x1F7, 0x90);
    b.wait(0x1F0);
    EXPECT_EQ(b.in8(0x1F1), 1);
    EXPECT_EQ(b.in8(0x1F6) & 0x10, 0);
}

TEST(Ide, IdentifiesDisk) {
    IdeBench b;
    b.out8(0x1F6, 0xE0);
    const std::vector<u16> w = b.identify(0x1F0, 0xEC);
    EXPECT_EQ(w[1], 19u);
    EXPECT_EQ(w[3], 16u);
    EXPECT_EQ(w[6], 63u);
    EXPECT_EQ(w[60] | w[61] << 16, 20000);
    EXPECT_EQ(w[100], 20000u);
    EXPECT_EQ(w[27], 'M' << 8 | 'Y');
    EXPECT_EQ(w[57] | w[58] << 16, 19 * 16 * 63);
    u8 sum = 0;
    for (const u16 word : w) sum = static_cast<u8>(sum + word + (word >> 8));
    EXPECT_EQ(sum, 0);
    EXPECT_EQ(b.in8(0x1F7), 0x50);
    // ATAPI commands are refused.
    b.out8(0x1F7, 0xA1);
    EXPECT_EQ(b.wait(0x1F0) & 1, 1);
    EXPECT_EQ(b.in8(0x1F1), 4);
}

TEST(Ide, ReadsByPio) {
    IdeBench b;
    b.lba28(0x1F0, 100, 3);
    b.out8(0x1F7, 0x20);
    EXPECT_TRUE(b.in8(0x3F6) & 0x80);
    std::vector<u8> all;
    for (int sector = 0; sector < 3; ++sector) {
        EXPECT_EQ(b.wait(0x1F0), 0x58);
        EXPECT_TRUE(b.irq14);
        EXPECT_EQ(b.in8(0x1F7), 0x58);
        EXPECT_FALSE(b.irq14) << "reading the status acknowledges";
        const std::vector<u8> data = b.read_pio(0x1F0, 512);
        all.insert(all.end(), data.begin(), data.end());
    }
    EXPECT_EQ(b.wait(0x1F0), 0x50);
    EXPECT_FALSE(b.irq14) << "no interrupt after the last sector of a read";
    EXPECT_EQ(all, b.expected(100, 3));
    EXPECT_EQ(b.in8(0x1F2), 0);
    EXPECT_EQ(b.edges14, 3);
}

TEST(Ide, AddressesByCylinderHeadSector) {
    IdeBench b;
    b.out8(0x1F6, 0xA0 | 5);
    b.out8(0x1F2, 1);
    b.out8(0x1F3, 7);
    b.out8(0x1F4, 2);
    b.out8(0x1F5, 0);
    b.out8(0x1F7, 0x21);
    b.wait(0x1F0);
    EXPECT_EQ(b.read_pio(0x1F0, 512), b.expected((2 * 16 + 5) * 63 + 6, 1));
    // Another translation.
    b.out8(0x1F6, 0xA0 | 7);
    b.out8(0x1F2, 32);
    b.out8(0x1F7, 0x91);
    b.wait(0x1F0);
    b.out8(0x1F6, 0xA0 | 7);
    b.out8(0x1F2, 1);
    b.out8(0x1F3, 32);
    b.out8(0x1F4, 1);
    b.out8(0x1F7, 0x20);
    b.wait(0x1F0);
    EXPECT_EQ(b.read_pio(0x1F0, 512), b.expected((1 * 8 + 7) * 32 + 31, 1));
    // Sector 33 is not there.
    b.out8(0x1F3, 33);
    b.out8(0x1F2, 1);
    b.out8(0x1F7, 0x20);
    EXPECT_EQ(b.wait(0x1F0) & 1, 1);
    EXPECT_EQ(b.in8(0x1F1), 0x10);
}

TEST(Ide, WritesByPioAndMultiple) {
    IdeBench b;
    b.out8(0x1F6, 0xE0);
    b.out8(0x1F2, 4);
    b.out8(0x1F7, 0xC6);
    EXPECT_EQ(b.wait(0x1F0), 0x50);
    b.lba28(0x1F0, 200, 6);
    b.out8(0x1F7, 0xC5);
    EXPECT_EQ(b.wait(0x1F0), 0x58);
    std::vector<u8> data(6 * 512);
    for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<u8>(i * 3);
    size_t at = 0;
    for (const size_t block : {size_t{2048}, size_t{1024}}) {
        EXPECT_EQ(b.wait(0x1F0), 0x58);
        for (size_t end = at + block; at < end; at += 4) b.out32(0x1F0, load_le<u32>(&data[at]));
        EXPECT_TRUE(b.in8(0x3F6) & 0x80);
    }
    EXPECT_EQ(b.wait(0x1F0), 0x50);
    EXPECT_TRUE(b.irq14);
    EXPECT_TRUE(std::equal(data.begin(), data.end(), b.medium.data.begin() + 200 * 512));
    b.out8(0x1F7, 0xE7);
    b.wait(0x1F0);
    EXPECT_EQ(b.medium.flushes, 1);
}

TEST(Ide, TransfersByDma) {
    IdeBench b;
    b.table({{0x20000, 512}, {0x30000, 1024}, {0x28002, 2560}});
    b.out32(0xC004, 0x1000);
    b.out8(0xC002, 0x66);
    b.lba28(0x1F0, 1000, 8);
    b.out8(0x1F7, 0xC8);
    b.out8(0xC000, 0x09);
    EXPECT_EQ(b.in8(0xC002), 0x61);
    b.run(100'000);
    EXPECT_TRUE(b.irq14);
    EXPECT_EQ(b.in8(0xC002), 0x64) << "exactly used up: inactive, with an interrupt";
    const std::vector<u8> data = b.expected(1000, 8);
    EXPECT_EQ(b.ram(0x20000, 512), std::vector<u8>(data.begin(), data.begin() + 512));
    EXPECT_EQ(b.ram(0x30000, 1024), std::vector<u8>(data.begin() + 512, data.begin() + 1536));
    EXPECT_EQ(b.ram(0x28002, 2560), std::vector<u8>(data.begin() + 1536, data.end()));
    b.out8(0xC000, 0);
    b.out8(0xC002, 0x64);
    EXPECT_EQ(b.in8(0xC002), 0x60);
    EXPECT_EQ(b.in8(0x1F7), 0x50);
    // And back, with 48-bit addresses, the engine started late; descriptor of 64 KiB.
    b.table({{0x40000, 0x10000}});
    b.memory->write(0x40000, 0x1234567890ABCDEF, 8);
    b.lba48(0x1F0, 300, 128);
    b.out8(0x1F7, 0x35);
    b.run(100'000);
    EXPECT_FALSE(b.irq14);
    b.out8(0xC000, 0x01);
    EXPECT_TRUE(b.irq14);
    EXPECT_EQ(load_le<u64>(&b.medium.data[300 * 512]), 0x1234567890ABCDEFu);
}

// A command is done when the host's file is, not before.
TEST(Ide, WaitsForABusyMedium) {
    IdeBench b;
    const auto finishes = [&b] {
        b.run(50'000'000);
        EXPECT_EQ(b.in8(0x3F6) & 0x80, 0x80);
        EXPECT_FALSE(b.irq14);
        b.medium.is_busy = false;
        b.run(1'000'000);
        EXPECT_TRUE(b.irq14);
        return b.in8(0x1F7);
    };
    b.medium.is_busy = true;
    b.lba28(0x1F0, 0, 0);
    b.out8(0x1F7, 0xE7);
    EXPECT_EQ(b.medium.flushes_begun, 1);
    b.run(1'000'000);
    EXPECT_EQ(b.medium.flushes, 0);
    EXPECT_EQ(finishes() & 0xC9, 0x40);
    EXPECT_EQ(b.medium.flushes, 1);
    // Reads and writes by DMA.
    b.table({{0x40000, 1024}});
    b.out32(0xC004, 0x1000);
    for (const u8 command : {u8{0xC8}, u8{0xCA}}) {
        b.medium.is_busy = true;
        b.lba28(0x1F0, 8, 2);
        b.out8(0x1F7, command);
        b.out8(0xC000, command == 0xC8 ? 0x09 : 0x01);
        EXPECT_EQ(finishes() & 0xC9, 0x40);
        b.out8(0xC000, 0);
        b.out8(0xC002, 0x64);
    }
    // A write that fails late still fails.
    b.medium.settles = false;
    b.medium.is_busy = true;
    b.lba28(0x1F0, 8, 2);
    b.out8(0x1F7, 0xCA);
    b.out8(0xC000, 0x01);
    EXPECT_EQ(finishes() & 0xC9, 0x41);
    EXPECT_EQ(b.in8(0x1F1), 4);
}

TEST(Ide, Trim) {
    IdeBench b;
    b.out8(0x1F6, 0xE0);
    EXPECT_EQ(b.identify(0x1F0, 0xEC)[169], 0);
    const auto trim = [&b](u16 blocks, u8 features) {
        b.lba48(0x1F0, 0, blocks);
        b.out8(0x1F1, features);
        b.out8(0x1F7, 0x06);
        b.out8(0xC000, 0x01);
        const u8 status = b.wait(0x1F0);
        (void)b.in8(0x1F7);
        b.out8(0xC000, 0);
        b.out8(0xC002, 0x64);
        return status & 0x89;
    };
    b.out32(0xC004, 0x1000);
    b.table({{0x40000, 512}});
    b.memory->write(0x40000, u64{2} << 48 | 100, 8);
    b.memory->write(0x40008, u64{1} << 48 | 19999, 8);
    EXPECT_EQ(trim(1, 1), 1) << "not offered";
    b.medium.discards = true;
    EXPECT_EQ(b.identify(0x1F0, 0xEC)[169], 1);
    EXPECT_EQ(trim(1, 0), 1);
    EXPECT_EQ(trim(0, 1), 1);
    EXPECT_EQ(trim(9, 1), 1);
    EXPECT_EQ(b.medium.data, b.expected(0, 20000));
    EXPECT_EQ(trim(1, 1), 0);
    EXPECT_EQ(b.medium.data[100 * 512 - 1], MemoryDisk::pattern(100 * 512 - 1));
    EXPECT_EQ(b.medium.data[100 * 512 + 7], 0);
    EXPECT_EQ(b.medium.data[102 * 512 - 1], 0);
    EXPECT_EQ(b.medium.data[102 * 512 + 7], MemoryDisk::pattern(102 * 512 + 7));
    EXPECT_EQ(b.medium.data.back(), 0);
    b.memory->write(0x40008, u64{2} << 48 | 19999, 8);
    EXPECT_EQ(trim(1, 1), 1) << "beyond the end";
}

TEST(Ide, DmaTableTooShortOrTooLong) {
    IdeBench b;
    b.table({{0x20000, 512}});
    b.out32(0xC004, 0x1000);
    b.lba28(0x1F0, 0, 2);
    b.out8(0x1F7, 0xC8);
    b.out8(0xC000, 0x09);
    b.run(100'000);
    EXPECT_FALSE(b.irq14);
    EXPECT_EQ(b.in8(0xC002) & 7, 0);
    b.out8(0xC000, 0);
    b.out8(0x3F6, 4);
    b.out8(0x3F6, 0);
    EXPECT_EQ(b.wait(0x1F0), 0x50);
    b.table({{0x20000, 4096}});
    b.lba28(0x1F0, 0, 2);
    b.out8(0x1F7, 0xC8);
    b.out8(0xC000, 0x09);
    b.run(100'000);
    EXPECT_TRUE(b.irq14);
    EXPECT_EQ(b.in8(0xC002) & 7, 5) << "still active, with an interrupt";
}

TEST(Ide, Lba48AndNativeMax) {
    IdeBench b;
    b.lba48(0x1F0, 19990, 10);
    b.out8(0x1F7, 0x24);
    std::vector<u8> all;
    for (int i = 0; i < 10; ++i) {
        b.wait(0x1F0);
        const std::vector<u8> data = b.read_pio(0x1F0, 512);
        all.insert(all.end(), data.begin(), data.end());
    }
    EXPECT_EQ(all, b.expected(19990, 10));
    b.out8(0x1F6, 0xE0);
    b.out8(0x1F7, 0x27);
    b.wait(0x1F0);
    EXPECT_EQ(b.in8(0x1F3) | b.in8(0x1F4) << 8, 19999);
    b.out8(0x3F6, 0x80);
    EXPECT_EQ(b.in8(0x1F3), 0);
}

TEST(Ide, ErrorsAreReported) {
    IdeBench b;
    b.lba28(0x1F0, 19999, 2);
    b.out8(0x1F7, 0x20);
    EXPECT_EQ(b.wait(0x1F0), 0x51);
    EXPECT_EQ(b.in8(0x1F1), 0x10);
    b.medium.failing = true;
    b.lba28(0x1F0, 5, 1);
    b.out8(0x1F7, 0x20);
    EXPECT_EQ(b.wait(0x1F0), 0x51);
    EXPECT_EQ(b.in8(0x1F1), 0x40);
    EXPECT_EQ(b.in8(0x1F3), 5);
    EXPECT_TRUE(b.irq14);
    b.lba28(0x1F0, 5, 1);
    b.out8(0x1F7, 0x30);
    for (int i = 0; i < 256; ++i) b.out16(0x1F0, 0);
    EXPECT_EQ(b.wait(0x1F0), 0x51);
    EXPECT_EQ(b.in8(0x1F1), 0x04);
    IdeBench r(20000, true);
    r.lba28(0x1F0, 5, 1);
    r.out8(0x1F7, 0x30);
    EXPECT_EQ(r.wait(0x1F0), 0x51);
}

TEST(Ide, InterruptEnableAndSelection) {
    IdeBench b;
    b.out8(0x3F6, 2);
    b.out8(0x1F6, 0xE0);
    b.out8(0x1F7, 0xE5);
    b.wait(0x1F0);
    EXPECT_FALSE(b.irq14);
    b.out8(0x3F6, 0);
    EXPECT_TRUE(b.irq14);
    b.out8(0x1F6, 0xF0);
    EXPECT_FALSE(b.irq14) << "only the selected device drives the line";
    b.out8(0x1F6, 0xE0);
    EXPECT_TRUE(b.irq14);
    EXPECT_EQ(b.in8(0x1F2), 0xFF);
}

TEST(Ide, ResumesFromSnapshotInMidTransfer) {
    IdeBench b;
    b.lba28(0x1F0, 100, 2);
    b.out8(0x1F7, 0x20);
    b.wait(0x1F0);
    (void)b.read_pio(0x1F0, 100);
    const std::vector<u8> saved = save(b.ide);
    IdeBench c;
    ASSERT_EQ(load(c.ide, saved), "");
    EXPECT_EQ(save(c.ide), saved);
    std::vector<u8> rest = c.read_pio(0x1F0, 412);
    c.run(c.time.now() + 1'000'000);
    const std::vector<u8> more = c.read_pio(0x1F0, 512);
    rest.insert(rest.end(), more.begin(), more.end());
    const std::vector<u8> want = b.expected(100, 2);
    EXPECT_EQ(rest, std::vector<u8>(want.begin() + 100, want.end()));
}

// Whatever one byte of a snapshot says: sizes and addresses that it brings are checked.
TEST(Ide, NoByteOfASnapshotLeadsAstray) {
    IdeBench b(300);
    b.lba28(0x1F0, 298, 2);
    b.out8(0x1F7, 0x30);  // a write that waits for its data
    const std::vector<u8> saved = save(b.disk);
    const auto load_disk = [&](const std::vector<u8>& state) {
        Archive ar(Archive::Mode::load, state);
        b.disk.visit(ar);
    };
    for (size_t at = 0; at < saved.size(); ++at) {
        for (const u8 value : {0xFF, 0x80, 0x11, 0x01}) {
            std::vector<u8> damaged = saved;
            damaged[at] = value;
            load_disk(damaged);
            for (unsigned i = 0; i < 600; ++i) b.out16(0x1F0, i);
            b.run(1'000'000);
            load_disk(damaged);
            b.out8(0x3F6, 4);
            b.out8(0x3F6, 0);
            b.run(1'000'000);
            b.lba28(0x1F0, 0, 255);
            b.out8(0x1F7, 0xC5);  // WRITE MULTIPLE
            b.run(1'000'000);
        }
    }
    EXPECT_EQ(b.medium.data.size(), 300u * 512);
}

TEST(Ide, RandomAccessesNeverCrash) {
    IdeBench b;
    u64 state = 1;
    const auto next = [&state] {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return static_cast<u32>(state >> 33);
    };
    for (int i = 0; i < 300'000; ++i) {
        constexpr u16 ports[] = {0x1F0, 0x1F1,  0x1F2,  0x1F3,  0x1F4,  0x1F5, 0x1F6, 0x1F7,
                                 0x3F6, 0x170,  0x171,  0x172,  0x174,  0x175, 0x176, 0x177,
                                 0x376, 0xC000, 0xC002, 0xC004, 0xC008, 0xC00C};
        const u16 port = ports[next() % std::size(ports)];
        const unsigned width = 1u << next() % 3;
        if (next() % 3 == 0) {
            (void)b.io.read(port, width);
        } else {
            const u32 value = next() % 4 == 0 ? next() : (next() % 2 == 0 ? 0xA0 : next() & 0xFF);
            b.io.write(port, value & 0x00FFFFFF, width);
        }
        if (next() % 5 == 0) b.run(next() % 50'000);
        if (next() % 5000 == 0) {
            const std::vector<u8> saved = save(b.ide);
            EXPECT_EQ(load(b.ide, saved), "");
            EXPECT_EQ(save(b.ide), saved);
        }
    }
}

}  // namespace
}  // namespace mynah::test
