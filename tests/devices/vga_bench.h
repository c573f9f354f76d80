// The standard VGA on a bench: ports, window and PCI, and the modes that firmware would set.
#pragma once

#include <gtest/gtest.h>

#include "devices/bench.h"
#include "devices/vga_modes.h"
#include "devices/vga_std.h"

namespace mynah::test {

struct VgaBench : Bench {
    StdVga vga{queue, {}, 1 * MiB};
    DeviceMmio window{vga, StdVga::window};

    VgaBench() {
        EXPECT_TRUE(io.map(0x3B0, vga, StdVga::ports, 12).ok());
        EXPECT_TRUE(io.map(0x3C0, vga, StdVga::ports, 32, 16).ok());
        EXPECT_TRUE(io.map(0x1CE, vga, StdVga::dispi).ok());
        memory->map_mmio(0xA0000, 0x20000, window, "vga");
        pci.add(vga, 2, 0);
        vga.reset();
    }
    // As firmware leaves it: the palette belongs to the screen.
    void show() {
        (void)in8(0x3DA);
        out8(0x3C0, 0x20);
    }

    void indexed(u16 port, u8 index, u8 value) { out16(port, index | value << 8); }
    void attribute(u8 index, u8 value) {
        (void)in8(0x3DA);
        out8(0x3C0, index);
        out8(0x3C0, value);
    }
    // The registers that firmware programs for mode 3 (IBM's BIOS parameter table: 80x25, 9x16 cells).
    void mode3() {
        out8(0x3C2, 0x67);
        constexpr u8 sequencer[] = {0x03, 0x00, 0x03, 0x00, 0x02};
        for (u8 i = 0; i < 5; ++i) indexed(0x3C4, i, sequencer[i]);
        constexpr u8 crtc[] = {0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0x00,
                               0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF};
        indexed(0x3D4, 0x11, 0);
        for (u8 i = 0; i < 25; ++i) indexed(0x3D4, i, crtc[i]);
        constexpr u8 graphics[] = {0, 0, 0, 0, 0, 0x10, 0x0E, 0x00, 0xFF};
        for (u8 i = 0; i < 9; ++i) indexed(0x3CE, i, graphics[i]);
        constexpr u8 palette[] = {0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F};
        for (u8 i = 0; i < 16; ++i) attribute(i, palette[i]);
        attribute(0x10, 0x0C);
        attribute(0x11, 0);
        attribute(0x12, 0x0F);
        attribute(0x13, 0x08);
        attribute(0x14, 0);
        (void)in8(0x3DA);
        out8(0x3C0, 0x20);
        out8(0x3C6, 0xFF);
        for (unsigned i = 0; i < 64; ++i) {
            const auto level = [i](unsigned strong, unsigned weak) {
                return ((i >> strong & 1) * 42) + ((i >> weak & 1) * 21);
            };
            out8(0x3C8, i);
            out8(0x3C9, level(2, 5));
            out8(0x3C9, level(1, 4));
            out8(0x3C9, level(0, 3));
        }
    }
    void set(const VgaMode& mode) {
        out8(0x3C2, mode.misc);
        indexed(0x3C4, 0, 3);
        for (u8 i = 0; i < 4; ++i) indexed(0x3C4, i + 1, mode.sequencer[i]);
        const u16 crtc = mode.misc & 1 ? 0x3D4 : 0x3B4;
        indexed(crtc, 0x11, 0);
        for (u8 i = 0; i < 25; ++i) indexed(crtc, i, mode.crtc[i]);
        for (u8 i = 0; i < 9; ++i) indexed(0x3CE, i, mode.graphics[i]);
        (void)in8(crtc + 6);
        for (u8 i = 0; i < 21; ++i) {
            out8(0x3C0, i);
            out8(0x3C0, mode.attribute[i]);
        }
        out8(0x3C0, 0x20);
        out8(0x3C6, 0xFF);
        // DAC entry n is (n, 2n, 63 - n) of 63: every one is told from every other.
        out8(0x3C8, 0);
        for (unsigned i = 0; i < 256; ++i) {
            out8(0x3C9, i & 63);
            out8(0x3C9, 2 * i & 63);
            out8(0x3C9, 63 - (i >> 2));
        }
    }
    // What set() made of a DAC entry.
    static u32 dac(unsigned i) {
        const auto wide = [](unsigned v) { return v << 2 | v >> 4; };
        return wide(i & 63) << 16 | wide(2 * i & 63) << 8 | wide(63 - (i >> 2));
    }
    // Loads a glyph as software does: plane 2, sequential addresses, at A0000h.
    void load_glyph(u8 character, std::array<u8, 16> rows) {
        indexed(0x3C4, 2, 4);
        indexed(0x3C4, 4, 7);
        indexed(0x3CE, 4, 2);
        indexed(0x3CE, 5, 0);
        indexed(0x3CE, 6, 4);
        for (u32 i = 0; i < 16; ++i) {
            memory->write(0xA0000 + character * 32u + i, rows[i], 1);
            EXPECT_EQ(memory->read(0xA0000 + character * 32u + i, 1), rows[i]);
        }
        indexed(0x3C4, 2, 3);
        indexed(0x3C4, 4, 2);
        indexed(0x3CE, 4, 0);
        indexed(0x3CE, 5, 0x10);
        indexed(0x3CE, 6, 0x0E);
    }
    void put(unsigned row, unsigned column, u8 character, u8 attribute) {
        memory->write(0xB8000 + 2 * (row * 80 + column), character | attribute << 8, 2);
    }
    static u32 pixel(const Frame& f, u32 x, u32 y) {
        const u8* p = &f.rgb[3 * (y * f.width + x)];
        return u32{p[0]} << 16 | u32{p[1]} << 8 | p[2];
    }
    void dispi(u16 index, u16 value) {
        out16(0x1CE, index);
        out16(0x1CF, value);
    }
    u16 dispi(u16 index) {
        out16(0x1CE, index);
        return in16(0x1CF);
    }
};

}  // namespace mynah::test
