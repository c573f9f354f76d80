// A PIIX's IDE controller with a disk and a CD-ROM drive, worked as a driver does: select, wait, command,
// wait for DRQ or the interrupt.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "devices/ata_disk.h"
#include "devices/atapi_cdrom.h"
#include "devices/bench.h"
#include "devices/ide_controller.h"

namespace mynah::test {

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

}  // namespace mynah::test
