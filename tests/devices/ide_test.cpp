// Drives the registers as a driver would: select, wait, command, wait for DRQ or the interrupt.
#include "devices/ide_controller.h"

#include <gtest/gtest.h>

#include "base/bits.h"
#include "devices/ata_disk.h"
#include "devices/atapi_cdrom.h"
#include "devices/bench.h"

namespace mynah::test {
namespace {

struct IdeBench : Bench {
    bool irq14 = false, irq15 = false;
    int edges14 = 0;
    MemoryDisk medium;
    MemoryDisk cd_medium;
    AtaDisk disk;
    AtapiCdrom cd;
    PiixIde ide;

    explicit IdeBench(u64 sectors = 20000, bool read_only = false)
        : medium(sectors * 512, read_only),
          cd_medium(100 * 2048, true),
          disk(queue, medium, "SERIAL1"),
          cd(queue, &cd_medium, "SERIAL2"),
          ide(log, IrqLine([this](bool level) {
                  edges14 += level && !irq14;
                  irq14 = level;
              }),
              IrqLine([this](bool level) { irq15 = level; })) {
        ide.channel(0).attach(0, disk);
        ide.channel(1).attach(0, cd);
        pci.add(ide, 1, 1);
        ide.reset();
        config_write(1, 1, 0x20, 0xC000);
        config_write(1, 1, 0x04, 5, 2);
    }

    u8 wait(u16 base) {
        for (int i = 0; i < 1000 && (in8(base + 0x206) & 0x80); ++i) run(1000);
        return in8(base + 0x206);
    }
    void lba28(u16 base, u32 lba, u8 count, u8 device = 0xE0) {
        out8(base + 6, device | (lba >> 24 & 0xF));
        out8(base + 2, count);
        out8(base + 3, lba);
        out8(base + 4, lba >> 8);
        out8(base + 5, lba >> 16);
    }
    void lba48(u16 base, u64 lba, u16 count) {
        out8(base + 6, 0xE0);
        out8(base + 2, count >> 8);
        out8(base + 3, static_cast<u32>(lba >> 24));
        out8(base + 4, static_cast<u32>(lba >> 32));
        out8(base + 5, static_cast<u32>(lba >> 40));
        out8(base + 2, count);
        out8(base + 3, static_cast<u32>(lba));
        out8(base + 4, static_cast<u32>(lba >> 8));
        out8(base + 5, static_cast<u32>(lba >> 16));
    }
    std::vector<u8> read_pio(u16 base, size_t bytes) {
        std::vector<u8> out;
        while (out.size() < bytes) {
            const u16 v = in16(base);
            out.push_back(static_cast<u8>(v));
            out.push_back(static_cast<u8>(v >> 8));
        }
        return out;
    }
    std::vector<u16> identify(u16 base, u8 command) {
        out8(base + 7, command);
        wait(base);
        const std::vector<u8> bytes = read_pio(base, 512);
        std::vector<u16> words(256);
        std::memcpy(words.data(), bytes.data(), 512);
        return words;
    }
    std::vector<u8> expected(u64 lba, u64 count) {
        std::vector<u8> out(count * 512);
        for (u64 i = 0; i < out.size(); ++i) out[i] = MemoryDisk::pattern(lba * 512 + i);
        return out;
    }
    // One descriptor table at 1000h: pairs of address and bytes.
    void table(std::vector<std::pair<u32, u32>> entries) {
        u32 at = 0x1000;
        for (size_t i = 0; i < entries.size(); ++i, at += 8) {
            memory->write(at, entries[i].first, 4);
            memory->write(at + 4, (entries[i].second & 0xFFFF) | (i + 1 == entries.size() ? 0x80000000u : 0),
                          4);
        }
    }
    std::vector<u8> ram(u64 at, u64 n) {
        std::vector<u8> out(n);
        memory->read(at, out);
        return out;
    }

    // Sends a packet; the data, if any, is read by PIO until the status phase.
    std::vector<u8> packet(std::vector<u8> bytes, u16 limit = 0xFFFE) {
        bytes.resize(12);
        out8(0x176, 0xA0);
        out8(0x171, 0);
        out8(0x174, limit);
        out8(0x175, limit >> 8);
        out8(0x177, 0xA0);
        EXPECT_EQ(wait(0x170) & 0x88, 0x08);
        EXPECT_EQ(in8(0x172) & 3, 1);
        for (size_t i = 0; i < 12; i += 2) out16(0x170, bytes[i] | bytes[i + 1] << 8);
        std::vector<u8> out;
        while (wait(0x170) & 0x08) {
            EXPECT_EQ(in8(0x172) & 3, 2);
            const size_t n = in8(0x174) | in8(0x175) << 8;
            EXPECT_LE(n, limit);
            std::vector<u8> block = read_pio(0x170, n);
            block.resize(n);
            out.insert(out.end(), block.begin(), block.end());
        }
        EXPECT_EQ(in8(0x172) & 3, 3);
        return out;
    }
    bool failed() { return in8(0x177) & 1; }
    std::array<u8, 3> sense() {
        const std::vector<u8> s = packet({3, 0, 0, 0, 18});
        EXPECT_EQ(s.size(), 18u);
        return {s[2], s[12], s[13]};
    }
    void clear_attention() {
        for (int i = 0; i < 4; ++i) packet({0});
        (void)in8(0x177);
    }
};

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
