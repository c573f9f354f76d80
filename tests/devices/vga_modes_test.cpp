// One drawn pattern for each kind of mode, pixel by pixel.
#include "base/bits.h"
#include "devices/vga_bench.h"

namespace mynah::test {
namespace {

TEST(VgaModes, FortyColumns) {
    VgaBench b;
    b.set(kMode01);
    b.indexed(0x3D4, 0x0A, 0x20);
    b.load_glyph('A', {0x80, 0x01});
    b.memory->write(0xB8000 + 2 * (40 + 1), 'A' | 0x1E << 8, 2);
    const Frame f = b.vga.render();
    ASSERT_EQ(f.width, 360u);
    ASSERT_EQ(f.height, 400u);
    EXPECT_EQ(b.pixel(f, 9, 16), b.dac(0x3E));
    EXPECT_EQ(b.pixel(f, 10, 16), b.dac(0x01));
    EXPECT_EQ(b.pixel(f, 16, 17), b.dac(0x3E));
}

TEST(VgaModes, MonochromeUnderlinesOneAttribute) {
    VgaBench b;
    b.set(kMode07);
    b.indexed(0x3B4, 0x0A, 0x20);
    b.memory->write(0xB0000, ' ' | 0x01 << 8, 2);
    b.memory->write(0xB0002, ' ' | 0x09 << 8, 2);
    b.memory->write(0xB0004, ' ' | 0x07 << 8, 2);
    b.memory->write(0xB0006, ' ' | 0x71 << 8, 2);
    const Frame f = b.vga.render();
    ASSERT_EQ(f.width, 720u);
    EXPECT_EQ(b.pixel(f, 0, 13), b.dac(0x08));
    EXPECT_EQ(b.pixel(f, 8, 13), b.dac(0x08)) << "the ninth dot too";
    EXPECT_EQ(b.pixel(f, 0, 12), b.dac(0x00));
    EXPECT_EQ(b.pixel(f, 9, 13), b.dac(0x18));
    EXPECT_EQ(b.pixel(f, 18, 13), b.dac(0x00));
    EXPECT_EQ(b.pixel(f, 27, 13), b.dac(0x08)) << "another background: none";
}

TEST(VgaModes, TwoFonts) {
    VgaBench b;
    b.mode3();
    b.indexed(0x3D4, 0x0A, 0x20);
    b.load_glyph('A', {0x80});
    // The second font lies at 4000h of plane 2.
    b.indexed(0x3C4, 2, 4);
    b.indexed(0x3C4, 4, 7);
    b.indexed(0x3CE, 5, 0);
    b.indexed(0x3CE, 6, 4);
    b.memory->write(0xA4000 + 'A' * 32, 0x40, 1);
    b.indexed(0x3C4, 2, 3);
    b.indexed(0x3C4, 4, 2);
    b.indexed(0x3CE, 5, 0x10);
    b.indexed(0x3CE, 6, 0x0E);
    b.put(0, 0, 'A', 0x0F);
    b.put(0, 1, 'A', 0x07);
    b.indexed(0x3C4, 3, 0x04);  // attribute bit 3: font 1, without it font 0
    const Frame f = b.vga.render();
    EXPECT_EQ(b.pixel(f, 0, 0), 0x000000u);
    EXPECT_EQ(b.pixel(f, 1, 0), 0xFFFFFFu);
    EXPECT_EQ(b.pixel(f, 9, 0), 0xAAAAAAu);
    EXPECT_EQ(b.pixel(f, 10, 0), 0x000000u);
}

TEST(VgaModes, SmoothScrollOfText) {
    VgaBench b;
    b.mode3();
    b.indexed(0x3D4, 0x0A, 0x20);
    std::array<u8, 16> glyph{};
    glyph[5] = 0x80;
    b.load_glyph('A', glyph);
    b.put(0, 1, 'A', 0x0F);
    b.put(1, 1, 'A', 0x0F);
    b.indexed(0x3D4, 8, 3);  // preset row scan
    Frame f = b.vga.render();
    EXPECT_EQ(b.pixel(f, 9, 2), 0xFFFFFFu);
    EXPECT_EQ(b.pixel(f, 9, 13 + 5), 0xFFFFFFu);
    // Byte panning moves by whole characters.
    b.indexed(0x3D4, 8, 0x20);
    f = b.vga.render();
    EXPECT_EQ(b.pixel(f, 0, 5), 0xFFFFFFu);
}

TEST(VgaModes, CgaFourColours) {
    VgaBench b;
    b.set(kMode04);
    b.memory->write(0xB8000, 0x1B, 1);            // line 0: colours 0 1 2 3
    b.memory->write(0xB8001, 0xE4, 1);            // then 3 2 1 0
    b.memory->write(0xBA000, 0xFF, 1);            // line 1
    b.memory->write(0xB8000 + 80 + 79, 0x02, 1);  // line 2, the last pixels
    const Frame f = b.vga.render();
    ASSERT_EQ(f.width, 320u);
    ASSERT_EQ(f.height, 200u);
    constexpr unsigned palette[] = {0x00, 0x13, 0x15, 0x17};
    for (u32 x = 0; x < 8; ++x) EXPECT_EQ(b.pixel(f, x, 0), b.dac(palette[x < 4 ? x : 7 - x])) << x;
    for (u32 x = 0; x < 4; ++x) EXPECT_EQ(b.pixel(f, x, 1), b.dac(0x17)) << x;
    EXPECT_EQ(b.pixel(f, 4, 1), b.dac(0));
    EXPECT_EQ(b.pixel(f, 319, 2), b.dac(0x15));
    EXPECT_EQ(b.pixel(f, 318, 2), b.dac(0));
    EXPECT_EQ(b.memory->read(0xB8001, 1), 0xE4u);
}

TEST(VgaModes, CgaTwoColours) {
    VgaBench b;
    b.set(kMode06);
    b.memory->write(0xB8000 + 3, 0x81, 1);
    b.memory->write(0xBA000 + 80 * 99 + 79, 0x01, 1);  // line 199, the last pixel
    const Frame f = b.vga.render();
    ASSERT_EQ(f.width, 640u);
    ASSERT_EQ(f.height, 200u);
    EXPECT_EQ(b.pixel(f, 24, 0), b.dac(0x17));
    EXPECT_EQ(b.pixel(f, 25, 0), b.dac(0));
    EXPECT_EQ(b.pixel(f, 31, 0), b.dac(0x17));
    EXPECT_EQ(b.pixel(f, 639, 199), b.dac(0x17));
    EXPECT_EQ(b.pixel(f, 639, 198), b.dac(0));
}

TEST(VgaModes, SixteenColours) {
    struct Case {
        const VgaMode& mode;
        u32 width, height;
    };
    for (const Case& c : {Case{kMode0D, 320, 200}, Case{kMode10, 640, 350}, Case{kMode12, 640, 480}}) {
        VgaBench b;
        b.set(c.mode);
        // Write mode 2 draws one pixel of each colour along the last line.
        b.indexed(0x3CE, 5, 2);
        for (u32 x = 0; x < 16; ++x) {
            b.indexed(0x3CE, 8, static_cast<u8>(0x80 >> (x & 7)));
            const u64 at = 0xA0000 + (c.height - 1) * c.width / 8 + x / 8;
            (void)b.memory->read(at, 1);
            b.memory->write(at, x, 1);
        }
        const Frame f = b.vga.render();
        ASSERT_EQ(f.width, c.width);
        ASSERT_EQ(f.height, c.height);
        for (u32 x = 0; x < 16; ++x)
            EXPECT_EQ(b.pixel(f, x, c.height - 1), b.dac(c.mode.attribute[x])) << c.height << " " << x;
        // A plane that is off does not count; the palette's upper bits come from the colour select.
        b.attribute(0x12 | 0x20, 0x07);
        EXPECT_EQ(b.pixel(b.vga.render(), 15, c.height - 1), b.dac(c.mode.attribute[7]));
        b.attribute(0x10 | 0x20, 0x81);
        b.attribute(0x14 | 0x20, 0x0E);
        EXPECT_EQ(b.pixel(b.vga.render(), 7, c.height - 1), b.dac(0xE0 | (c.mode.attribute[7] & 0xF)));
        b.out8(0x3C6, 0x0F);
        EXPECT_EQ(b.pixel(b.vga.render(), 7, c.height - 1), b.dac(c.mode.attribute[7] & 0xF));
    }
}

TEST(VgaModes, PanningAndSplitScreen) {
    VgaBench b;
    b.set(kMode0D);
    b.memory->write(0xA0000, 0x80, 1);                // the split screen's first pixel
    b.memory->write(0xA0000 + 0x2000 + 41, 0x10, 1);  // page 2: line 1, pixel 11
    b.indexed(0x3D4, 0x0C, 0x20);
    b.attribute(0x13 | 0x20, 3);
    b.indexed(0x3D4, 0x18, 99);  // scan lines, two a pixel
    b.indexed(0x3D4, 0x07, 0x0F);
    b.indexed(0x3D4, 0x09, 0x80);
    Frame f = b.vga.render();
    EXPECT_EQ(b.pixel(f, 8, 1), b.dac(0x17)) << "page 2, three pixels to the left";
    EXPECT_EQ(b.pixel(f, 0, 49), b.dac(0));
    EXPECT_EQ(b.pixel(f, 0, 50), b.dac(0)) << "panned as well";
    // Panning for the upper part only.
    b.attribute(0x10 | 0x20, 0x21);
    f = b.vga.render();
    EXPECT_EQ(b.pixel(f, 8, 1), b.dac(0x17));
    EXPECT_EQ(b.pixel(f, 0, 50), b.dac(0x17));
    // Byte panning, too.
    b.indexed(0x3D4, 8, 0x20);
    f = b.vga.render();
    EXPECT_EQ(b.pixel(f, 0, 1), b.dac(0x17));
    EXPECT_EQ(b.pixel(f, 0, 50), b.dac(0x17));
}

TEST(VgaModes, Linear256Colours) {
    VgaBench b;
    b.set(kMode13);
    for (u32 i = 0; i < 256; ++i) b.memory->write(0xA0000 + 320 * 199 + i, i, 1);
    Frame f = b.vga.render();
    ASSERT_EQ(f.width, 320u);
    ASSERT_EQ(f.height, 200u);
    for (u32 i = 0; i < 256; ++i) EXPECT_EQ(b.pixel(f, i, 199), b.dac(i)) << i;
    b.out8(0x3C6, 0x55);
    EXPECT_EQ(b.pixel(b.vga.render(), 255, 199), b.dac(0x55));
    b.out8(0x3C6, 0xFF);
    // A pixel is two dots wide to the panning.
    b.attribute(0x13 | 0x20, 4);
    EXPECT_EQ(b.pixel(b.vga.render(), 0, 199), b.dac(2));
}

TEST(VgaModes, ModeX) {
    VgaBench b;
    b.set(kModeX);
    // Pixel x is in plane x & 3.
    for (u32 x = 0; x < 256; ++x) {
        b.indexed(0x3C4, 2, static_cast<u8>(1 << (x & 3)));
        b.memory->write(0xA0000 + 80 * 239 + x / 4, x, 1);
    }
    Frame f = b.vga.render();
    ASSERT_EQ(f.width, 320u);
    ASSERT_EQ(f.height, 240u);
    for (u32 x = 0; x < 256; ++x) EXPECT_EQ(b.pixel(f, x, 239), b.dac(x)) << x;
    // All planes at once, and the other page.
    b.indexed(0x3C4, 2, 0x0F);
    b.memory->write(0xA0000 + 19200, 0x21, 1);
    b.indexed(0x3D4, 0x0C, 0x4B);
    b.indexed(0x3D4, 0x0D, 0x00);
    f = b.vga.render();
    for (u32 x = 0; x < 4; ++x) EXPECT_EQ(b.pixel(f, x, 0), b.dac(0x21));
    EXPECT_EQ(b.pixel(f, 4, 0), b.dac(0));
    // Read map select.
    b.indexed(0x3CE, 4, 3);
    EXPECT_EQ(b.memory->read(0xA0000 + 80 * 239, 1), 3u);
}

TEST(VgaModes, PairsOfLines) {
    VgaBench b;
    b.set(kMode0D);
    b.indexed(0x3D4, 0x17, 0xE7);  // vertical counts are pairs
    EXPECT_EQ(b.vga.render().height, 400u);
}

TEST(VgaModes, DarkWhenTurnedOff) {
    VgaBench b;
    b.set(kMode12);
    b.memory->write(0xA0000, 0xFF, 1);
    EXPECT_EQ(b.pixel(b.vga.render(), 0, 0), b.dac(0x3F));
    b.indexed(0x3C4, 1, 0x21);
    Frame f = b.vga.render();
    EXPECT_EQ(f.width, 640u);
    EXPECT_EQ(b.pixel(f, 0, 0), 0u);
    b.indexed(0x3C4, 1, 0x01);
    (void)b.in8(0x3DA);
    b.out8(0x3C0, 0);
    EXPECT_EQ(b.pixel(b.vga.render(), 0, 0), 0u);
    // The same switch blanks the linear modes.
    b.dispi(1, 320);
    b.dispi(2, 200);
    b.dispi(3, 32);
    b.dispi(4, 0xC1);
    f = b.vga.render();
    EXPECT_EQ(f.width, 320u);
    EXPECT_EQ(b.pixel(f, 0, 0), 0u);
    b.show();
    EXPECT_NE(b.pixel(b.vga.render(), 0, 0), 0u);
}

TEST(VgaModes, TheMonitorDescribesItself) {
    VgaBench b;
    b.config_write(2, 0, 0x18, 0xFEBF0000);
    b.config_write(2, 0, 0x04, 3, 2);
    std::array<u8, 128> edid{};
    for (unsigned i = 0; i < 128; ++i) edid[i] = static_cast<u8>(b.memory->read(0xFEBF0000 + i, 1));
    EXPECT_EQ(load_le<u64>(edid.data()), 0x00FFFFFFFFFFFF00u);
    unsigned sum = 0;
    for (const u8 v : edid) sum += v;
    EXPECT_EQ(sum & 0xFF, 0u);
    EXPECT_EQ(edid[56] | edid[58] >> 4 << 8, 1024);
    EXPECT_EQ(edid[59] | edid[61] >> 4 << 8, 768);
    EXPECT_EQ(b.memory->read(0xFEBF0080, 8), 0u) << "no extension";
}

TEST(VgaModes, RandomRegistersStayWithinTheMemory) {
    VgaBench b;
    u64 state = 11;
    const auto next = [&state] {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return static_cast<u32>(state >> 33);
    };
    for (u32 i = 0; i < 256 * 1024; i += 4) b.memory->write(0xA0000 + (i & 0x1FFFC), next(), 4);
    b.config_write(2, 0, 0x10, 0xFD000000);
    b.config_write(2, 0, 0x04, 3, 2);
    Frame kept;
    for (int round = 0; round < 300; ++round) {
        for (u8 i = 0; i < 5; ++i) b.indexed(0x3C4, i, static_cast<u8>(next() | (i == 0 ? 3 : 0)));
        b.out8(0x3C2, next() | 3);
        b.indexed(0x3D4, 0x11, 0);
        for (u8 i = 0; i < 25; ++i) b.indexed(0x3D4, i, static_cast<u8>(next()));
        for (u8 i = 0; i < 9; ++i) b.indexed(0x3CE, i, static_cast<u8>(next()));
        for (u8 i = 0; i < 21; ++i) b.attribute(i, static_cast<u8>(next()));
        b.show();
        // Every third round a dispi mode of any size.
        b.dispi(4, 0);
        if (round % 3 == 0) {
            constexpr u16 depths[] = {4, 8, 15, 16, 24, 32, 7, 0};
            b.dispi(1, static_cast<u16>(next() % 3000));
            b.dispi(2, static_cast<u16>(next() % 2000));
            b.dispi(3, depths[next() % 8]);
            b.dispi(4, 0xC1);
            b.dispi(6, static_cast<u16>(next()));
            b.dispi(8, static_cast<u16>(next()));
            b.dispi(9, static_cast<u16>(next()));
        }
        b.memory->write(0xFD000000 + next() % (1 * MiB - 4), next(), 4);
        const Frame f = b.vga.render();
        ASSERT_EQ(f.rgb.size(), size_t{3} * f.width * f.height);
        (void)b.vga.update(kept);
        ASSERT_TRUE(kept.rgb == f.rgb) << "an update is the same as drawing anew, round " << round;
        (void)b.vga.text_cells();
    }
}

}  // namespace
}  // namespace mynah::test
