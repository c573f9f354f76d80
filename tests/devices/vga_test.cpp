#include <gtest/gtest.h>

#include "devices/vga_bench.h"

namespace mynah::test {
namespace {

TEST(Vga, PresenceByAttributeFlipFlop) {
    VgaBench b;
    (void)b.in8(0x3DA);
    b.out8(0x3C0, 0x05);
    b.out8(0x3C0, 0x2A);
    (void)b.in8(0x3DA);
    b.out8(0x3C0, 0x05);
    EXPECT_EQ(b.in8(0x3C0), 0x05);
    EXPECT_EQ(b.in8(0x3C1), 0x2A);
    // Reading the status made the next write an index again.
    (void)b.in8(0x3DA);
    b.out8(0x3C0, 0x06);
    EXPECT_EQ(b.in8(0x3C0), 0x06);
}

TEST(Vga, RegistersReadBack) {
    VgaBench b;
    b.mode3();
    EXPECT_EQ(b.in8(0x3CC), 0x67);
    b.out8(0x3D4, 0x13);
    EXPECT_EQ(b.in8(0x3D5), 0x28);
    EXPECT_EQ(b.in8(0x3B5), 0xFF) << "the monochrome addresses are off";
    // CR11 bit 7 protects 0-7 but for the line compare bit.
    b.indexed(0x3D4, 0x00, 0x11);
    b.indexed(0x3D4, 0x07, 0x00);
    b.out8(0x3D4, 0);
    EXPECT_EQ(b.in8(0x3D5), 0x5F);
    b.out8(0x3D4, 7);
    EXPECT_EQ(b.in8(0x3D5), 0x0F);
    b.out8(0x3C7, 1);
    EXPECT_EQ(b.in8(0x3C9), 0);
    EXPECT_EQ(b.in8(0x3C9), 0);
    EXPECT_EQ(b.in8(0x3C9), 42);
    EXPECT_EQ(b.in8(0x3C9), 0);
    EXPECT_EQ(b.in8(0x3C9), 42);
    // Monochrome addressing.
    b.out8(0x3C2, 0x66);
    b.out8(0x3B4, 0x13);
    EXPECT_EQ(b.in8(0x3B5), 0x28);
    EXPECT_EQ(b.in8(0x3D5), 0xFF);
}

TEST(Vga, RetraceFollowsVirtualTime) {
    VgaBench b;
    b.mode3();
    int retrace = 0, display = 0, edges = 0;
    bool before = false;
    for (int i = 0; i < 10000; ++i) {  // 100 ms in steps of 10 us
        const u8 status = b.in8(0x3DA);
        const bool now = (status & 8) != 0;
        edges += now && !before;
        before = now;
        retrace += now;
        display += !(status & 1);
        b.run(10'000);
    }
    EXPECT_NEAR(edges, 7, 1);  // 70 Hz
    EXPECT_GT(retrace, 20);
    EXPECT_LT(retrace, 200);
    EXPECT_GT(display, 6000);
}

TEST(Vga, TextCells) {
    VgaBench b;
    b.mode3();
    const std::string text = "Hello";
    for (u8 i = 0; i < 5; ++i) b.put(24, 3u + i, static_cast<u8>(text[i]), 0x1E);
    b.put(0, 79, 0xDB, 7);
    b.indexed(0x3D4, 0x0E, 0x07);
    b.indexed(0x3D4, 0x0F, 0xCF);
    const TextScreen s = b.vga.text_cells();
    ASSERT_EQ(s.columns, 80u);
    ASSERT_EQ(s.rows, 25u);
    EXPECT_EQ(s.lines()[24], "   Hello");
    EXPECT_EQ(s.lines()[0], std::string(79, ' ') + "█");
    EXPECT_EQ(s.lines()[1], "");
    EXPECT_EQ(s.attributes[24 * 80 + 3], 0x1E);
    EXPECT_EQ(s.cursor, 0x7CF);
    // Scrolled by the start address.
    b.indexed(0x3D4, 0x0D, 80);
    EXPECT_EQ(b.vga.text_cells().lines()[23], "   Hello");
    // Hidden.
    b.indexed(0x3D4, 0x0A, 0x20);
    EXPECT_EQ(b.vga.text_cells().cursor, -1);
}

TEST(Vga, TextPictureUsesFontAndPalette) {
    VgaBench b;
    b.mode3();
    b.indexed(0x3D4, 0x0A, 0x20);  // no cursor
    std::array<u8, 16> glyph{};
    glyph[0] = 0x81;
    glyph[15] = 0xFF;
    b.load_glyph('A', glyph);
    b.load_glyph(0xC4, glyph);
    b.put(1, 2, 'A', 0x1E);  // yellow on blue
    b.put(1, 3, 0xC4, 0x0F);
    const Frame f = b.vga.render();
    ASSERT_EQ(f.width, 720u);
    ASSERT_EQ(f.height, 400u);
    EXPECT_EQ(b.pixel(f, 18, 16), 0xFFFF55u);
    EXPECT_EQ(b.pixel(f, 19, 16), 0x0000AAu);
    EXPECT_EQ(b.pixel(f, 25, 16), 0xFFFF55u);
    EXPECT_EQ(b.pixel(f, 26, 16), 0x0000AAu) << "the ninth column is background";
    EXPECT_EQ(b.pixel(f, 35, 16), 0xFFFFFFu) << "but not of line graphics";
    EXPECT_EQ(b.pixel(f, 18, 31), 0xFFFF55u);
    EXPECT_EQ(b.pixel(f, 18, 32), 0x000000u);
    // Panned by one dot; then 8-dot cells.
    b.attribute(0x13 | 0x20, 0);
    EXPECT_EQ(b.pixel(b.vga.render(), 17, 16), 0xFFFF55u);
    b.indexed(0x3C4, 1, 1);
    b.attribute(0x13 | 0x20, 0);
    const Frame narrow = b.vga.render();
    EXPECT_EQ(narrow.width, 640u);
    EXPECT_EQ(b.pixel(narrow, 16, 16), 0xFFFF55u);
}

TEST(Vga, CursorAndBlinking) {
    VgaBench b;
    b.mode3();
    b.indexed(0x3D4, 0x0E, 0);
    b.indexed(0x3D4, 0x0F, 1);
    b.put(0, 1, ' ', 0x07);
    int lit = 0;
    for (int frame = 0; frame < 64; ++frame) {
        lit += b.pixel(b.vga.render(), 9, 13) != 0;
        b.run(14'268'000);
    }
    EXPECT_NEAR(lit, 32, 8);
    EXPECT_EQ(b.pixel(b.vga.render(), 9, 12), 0u) << "lines 13 and 14 only";
    std::array<u8, 16> solid;
    solid.fill(0xFF);
    b.load_glyph('B', solid);
    b.put(2, 0, 'B', 0x87);
    int shown = 0;
    for (int frame = 0; frame < 64; ++frame) {
        shown += b.pixel(b.vga.render(), 0, 32) != 0;
        b.run(14'268'000);
    }
    EXPECT_NEAR(shown, 32, 8);
    b.attribute(0x10 | 0x20, 0x04);  // no blinking: bright background instead
    b.put(2, 0, ' ', 0x80);
    EXPECT_EQ(b.pixel(b.vga.render(), 0, 32), 0x555555u);
}

TEST(Vga, SplitScreen) {
    VgaBench b;
    b.mode3();
    b.indexed(0x3D4, 0x0A, 0x20);
    std::array<u8, 16> solid;
    solid.fill(0xFF);
    b.load_glyph('B', solid);
    b.put(0, 0, 'B', 0x0C);
    b.indexed(0x3D4, 0x0C, 0x08);  // start at 800h: an empty page
    b.indexed(0x3D4, 0x18, 199);
    b.indexed(0x3D4, 0x07, 0x0F);
    b.indexed(0x3D4, 0x09, 0x0F);
    const Frame f = b.vga.render();
    EXPECT_EQ(b.pixel(f, 0, 199), 0u);
    EXPECT_EQ(b.pixel(f, 0, 200), 0xFF5555u);
}

TEST(Vga, PlanarWriteModes) {
    VgaBench b;
    b.mode3();
    b.indexed(0x3CE, 6, 5);
    b.indexed(0x3C4, 4, 6);
    b.indexed(0x3CE, 5, 0);
    b.indexed(0x3C4, 2, 0x0F);
    const auto planes = [&](u32 at) {
        u32 v = 0;
        for (u8 p = 0; p < 4; ++p) {
            b.indexed(0x3CE, 4, p);
            v |= static_cast<u32>(b.memory->read(0xA0000 + at, 1)) << (8 * p);
        }
        return v;
    };
    b.memory->write(0xA0000, 0x12, 1);
    EXPECT_EQ(planes(0), 0x12121212u);
    b.indexed(0x3C4, 2, 0x05);  // map mask
    b.memory->write(0xA0001, 0xFF, 1);
    EXPECT_EQ(planes(1), 0x00FF00FFu);
    b.indexed(0x3C4, 2, 0x0F);
    // Set/reset on planes 0 and 1, rotation by 4.
    b.indexed(0x3CE, 0, 0x01);
    b.indexed(0x3CE, 1, 0x03);
    b.indexed(0x3CE, 3, 0x04);
    b.memory->write(0xA0002, 0xA5, 1);
    EXPECT_EQ(planes(2), 0x5A5A00FFu);
    // Bit mask keeps the latches, XOR function.
    b.indexed(0x3CE, 1, 0);
    b.indexed(0x3CE, 3, 0x18);
    b.indexed(0x3CE, 8, 0x0F);
    (void)b.memory->read(0xA0002, 1);
    b.memory->write(0xA0002, 0xFF, 1);
    EXPECT_EQ(planes(2), 0x55550FF0u);
    // Write mode 1 copies the latches.
    b.indexed(0x3CE, 5, 1);
    (void)b.memory->read(0xA0002, 1);
    b.memory->write(0xA0003, 0x00, 1);
    EXPECT_EQ(planes(3), 0x55550FF0u);
    // Write mode 2: a colour.
    b.indexed(0x3CE, 3, 0);
    b.indexed(0x3CE, 8, 0xFF);
    b.indexed(0x3CE, 5, 2);
    b.memory->write(0xA0004, 0x0A, 1);
    EXPECT_EQ(planes(4), 0xFF00FF00u);
    // Write mode 3: set/reset through data as mask.
    b.indexed(0x3CE, 5, 3);
    b.indexed(0x3CE, 0, 0x0F);
    (void)b.memory->read(0xA0004, 1);
    b.memory->write(0xA0004, 0x03, 1);
    EXPECT_EQ(planes(4), 0xFF03FF03u);
    // Read mode 1: pixels of colour 10.
    b.indexed(0x3CE, 5, 8);
    b.indexed(0x3CE, 2, 0x0A);
    b.indexed(0x3CE, 7, 0x0F);
    EXPECT_EQ(b.memory->read(0xA0004, 1), 0xFCu);
}

TEST(Vga, Mode13h) {
    VgaBench b;
    b.mode3();
    b.out8(0x3C2, 0x63);
    b.indexed(0x3C4, 1, 1);
    b.indexed(0x3C4, 2, 0x0F);
    b.indexed(0x3C4, 4, 0x0E);
    b.indexed(0x3D4, 9, 0x41);
    b.indexed(0x3D4, 0x14, 0x40);
    b.indexed(0x3D4, 0x17, 0xA3);
    b.indexed(0x3CE, 5, 0x40);
    b.indexed(0x3CE, 6, 0x05);
    b.attribute(0x13 | 0x20, 0);
    b.memory->write(0xA0000 + 320 * 10 + 5, 0x3C, 1);
    const Frame f = b.vga.render();
    ASSERT_EQ(f.width, 320u);
    ASSERT_EQ(f.height, 200u);
    EXPECT_EQ(b.pixel(f, 5, 10), 0xFF5555u);
    EXPECT_EQ(b.pixel(f, 4, 10), 0u);
    EXPECT_EQ(b.memory->read(0xA0000 + 320 * 10 + 5, 1), 0x3Cu);
    EXPECT_EQ(b.vga.text_cells().columns, 0u);
}

TEST(Vbe, ModesAndLimits) {
    VgaBench b;
    b.show();
    EXPECT_EQ(b.dispi(0), 0xB0C5);
    b.dispi(0, 0xB0C4);
    EXPECT_EQ(b.dispi(0), 0xB0C4);
    b.dispi(0, 0xB0D0);
    EXPECT_EQ(b.dispi(0), 0xB0C4);
    EXPECT_EQ(b.dispi(10), 16);
    b.dispi(4, 2);
    EXPECT_EQ(b.dispi(3), 32);
    b.dispi(4, 0);
    b.dispi(1, 640);
    b.dispi(2, 480);
    b.dispi(3, 16);
    b.config_write(2, 0, 0x10, 0xFD000000);
    b.config_write(2, 0, 0x04, 3, 2);
    b.memory->write(0xFD000000, 0x1234, 2);
    b.dispi(4, 0x41);
    EXPECT_EQ(b.memory->read(0xFD000000, 2), 0u) << "cleared";
    EXPECT_EQ(b.dispi(6), 640);
    EXPECT_EQ(b.dispi(7), MiB / 1280);
    b.memory->write(0xFD000000 + 1280 * 3 + 2 * 4, 0xF81F, 2);
    Frame f = b.vga.render();
    EXPECT_EQ(f.width, 640u);
    EXPECT_EQ(f.height, 480u);
    EXPECT_EQ(b.pixel(f, 4, 3), 0xFF00FFu);
    // Panning and a wider virtual screen.
    b.dispi(6, 800);
    b.dispi(8, 100);
    b.dispi(9, 2);
    b.memory->write(0xFD000000 + 1600 * 2 + 2 * 100, 0x07E0, 2);
    EXPECT_EQ(b.pixel(b.vga.render(), 0, 0), 0x00FF00u);
    b.dispi(8, 5000);
    EXPECT_EQ(b.dispi(8), 160);
    // What does not fit is cut.
    b.dispi(2, 5000);
    EXPECT_EQ(b.dispi(2), MiB / 1600);
    f = b.vga.render();
    EXPECT_EQ(f.height, MiB / 1600);
}

TEST(Vbe, AllDepths) {
    VgaBench b;
    b.mode3();
    b.config_write(2, 0, 0x10, 0xFD000000);
    b.config_write(2, 0, 0x04, 3, 2);
    struct Case {
        u16 depth;
        u32 value, rgb;
    };
    for (const Case& c : {Case{8, 0x3C, 0xFF5555}, Case{15, 0x7C00, 0xFF0000}, Case{16, 0x07E0, 0x00FF00},
                          Case{24, 0x123456, 0x123456}, Case{32, 0x00ABCDEF, 0xABCDEF}}) {
        b.dispi(4, 0);
        b.dispi(1, 320);
        b.dispi(2, 200);
        b.dispi(3, c.depth);
        b.dispi(4, 0x41);
        const unsigned bytes = (c.depth + 1u) / 8;
        for (unsigned i = 0; i < bytes; ++i) {
            b.memory->write(0xFD000000 + (320 * 7 + 9) * bytes + i, c.value >> (8 * i) & 0xFF, 1);
        }
        EXPECT_EQ(b.pixel(b.vga.render(), 9, 7), c.rgb) << c.depth;
    }
    // 4 bits: planes.
    b.dispi(4, 0);
    b.dispi(3, 4);
    b.dispi(4, 0x01);
    b.indexed(0x3CE, 6, 5);
    b.indexed(0x3C4, 4, 6);
    b.indexed(0x3CE, 5, 0);
    b.indexed(0x3C4, 2, 0x04);
    b.memory->write(0xA0000 + 40, 0x80, 1);
    EXPECT_EQ(b.pixel(b.vga.render(), 0, 1), 0xAA0000u);
}

TEST(Vbe, BankedWindowAndMmioRegisters) {
    VgaBench b;
    b.config_write(2, 0, 0x10, 0xFD000000);
    b.config_write(2, 0, 0x18, 0xFEBF0000);
    b.config_write(2, 0, 0x04, 3, 2);
    b.memory->write(0xFEBF0500 + 2, 800, 2);
    b.memory->write(0xFEBF0500 + 4, 600, 2);
    b.memory->write(0xFEBF0500 + 6, 8, 2);
    b.memory->write(0xFEBF0500 + 8, 0x41, 2);
    EXPECT_EQ(b.memory->read(0xFEBF0502, 2), 800u);
    EXPECT_EQ(b.dispi(2), 600);
    b.dispi(5, 3);
    b.memory->write(0xA0010, 0xDEADBEEF, 4);
    EXPECT_EQ(b.memory->read(0xFD030010, 4), 0xDEADBEEFu);
    EXPECT_EQ(b.memory->read(0xA0010, 4), 0xDEADBEEFu);
    // The VGA's own registers, from 3C0h.
    b.memory->write(0xFEBF0400 + 0x08, 5, 1);
    EXPECT_EQ(b.in8(0x3C8), 5);
    EXPECT_EQ(b.memory->read(0xFEBF0600, 4), 8u);
}

TEST(Vga, StateReturns) {
    VgaBench b;
    b.mode3();
    b.put(3, 3, 'x', 7);
    b.dispi(1, 640);
    const std::vector<u8> saved = save(b.vga);
    VgaBench c;
    ASSERT_EQ(load(c.vga, saved), "");
    EXPECT_EQ(save(c.vga), saved);
    EXPECT_EQ(c.vga.text_cells().lines()[3], "   x");
}

TEST(Vga, RandomAccessesNeverCrash) {
    VgaBench b;
    u64 state = 7;
    const auto next = [&state] {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return static_cast<u32>(state >> 33);
    };
    for (int i = 0; i < 200'000; ++i) {
        switch (next() % 4) {
            case 0:
                b.io.write(static_cast<u16>(0x3B0 + next() % 0x30), next(), 1u << next() % 2);
                break;
            case 1:
                b.dispi(static_cast<u16>(next() % 12), static_cast<u16>(next() >> next() % 16));
                break;
            case 2:
                b.memory->write(0xA0000 + next() % 0x20000, next(), 1u << next() % 3);
                break;
            default:
                (void)b.memory->read(0xA0000 + next() % 0x20000, 1);
                (void)b.io.read(static_cast<u16>(0x3B0 + next() % 0x30), 1);
        }
        if (next() % 1000 == 0) {
            b.dispi(1, static_cast<u16>(next() % 1024));
            const Frame f = b.vga.render();
            EXPECT_EQ(f.rgb.size(), size_t{3} * f.width * f.height);
            (void)b.vga.text_cells().lines();
        }
    }
}

}  // namespace
}  // namespace mynah::test
