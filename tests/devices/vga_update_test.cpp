// What is drawn again when what has changed, and that nothing is when nothing has.
#include "devices/vga_bench.h"

namespace mynah::test {
namespace {

constexpr u64 kLinear = 0xFD000000;

struct UpdateBench : VgaBench {
    Frame frame;

    UpdateBench() {
        mode3();
        indexed(0x3D4, 0x0A, 0x20);
        config_write(2, 0, 0x10, kLinear);
        config_write(2, 0, 0x04, 3, 2);
    }
    void linear_mode(u16 width, u16 height, u16 depth) {
        dispi(4, 0);
        dispi(1, width);
        dispi(2, height);
        dispi(3, depth);
        dispi(4, 0x41);
    }
    bool update() { return vga.update(frame); }
    void expect_rows(u32 first, u32 end) {
        EXPECT_TRUE(update());
        EXPECT_EQ(frame.first_row, first);
        EXPECT_EQ(frame.end_row, end);
        EXPECT_TRUE(frame.rgb == vga.render().rgb);
        EXPECT_FALSE(update());
    }
};

TEST(VgaUpdate, AnIdleScreenIsNotDrawn) {
    UpdateBench b;
    b.expect_rows(0, 400);
    for (int i = 0; i < 100; ++i) {
        b.run(16'000'000);
        EXPECT_FALSE(b.update());
    }
}

TEST(VgaUpdate, TextByTheRow) {
    UpdateBench b;
    b.load_glyph('A', {0xFF, 0, 0xFF});
    (void)b.update();
    b.put(2, 5, 'A', 7);
    b.expect_rows(32, 35);
    b.put(2, 5, 'A', 7);
    EXPECT_FALSE(b.update()) << "the same again";
    b.put(2, 5, 'A', 2);
    b.expect_rows(32, 35);
    // Colours are the DAC's.
    b.out8(0x3C8, 2);
    for (unsigned v : {1, 2, 3}) b.out8(0x3C9, v);
    b.expect_rows(32, 35);
    b.load_glyph('A', {0xFF, 0, 0, 0xFF});
    b.expect_rows(34, 36);
    b.indexed(0x3D4, 0x0D, 80);  // scrolled
    b.expect_rows(16, 36);
}

TEST(VgaUpdate, OnlyWhatBlinksIsDrawnAgain) {
    UpdateBench b;
    b.indexed(0x3D4, 0x0A, 0x0D);
    b.indexed(0x3D4, 0x0F, 80);
    b.put(1, 0, ' ', 7);
    (void)b.update();
    int drawn = 0;
    for (int i = 0; i < 128; ++i) {  // refreshes
        b.run(14'268'000);
        if (!b.update()) continue;
        ++drawn;
        EXPECT_EQ(b.frame.first_row, 16u + 13);
        EXPECT_EQ(b.frame.end_row, 16u + 15);
    }
    EXPECT_NEAR(drawn, 16, 1);  // twice in 16 refreshes
}

TEST(VgaUpdate, LinearModesByTheLine) {
    UpdateBench b;
    b.linear_mode(640, 200, 32);
    b.expect_rows(0, 200);
    b.memory->write(kLinear + 2560 * 17 + 40, 0x00FFFFFF, 4);
    b.expect_rows(17, 18);
    b.memory->write(kLinear + 2560 * 17 + 40, 0x00FFFFFF, 4);
    EXPECT_FALSE(b.update()) << "the same again";
    b.memory->write(kLinear + 2560 * 17 + 40, 0x00FF00FF, 4);
    b.memory->write(kLinear + 2560 * 190, 0x00FF00FF, 4);
    b.expect_rows(17, 191);
    // Behind what is shown.
    b.memory->write(kLinear + 2560 * 200, 0x00FF00FF, 4);
    EXPECT_FALSE(b.update());
    // Flipped there, and it is still heard of.
    b.dispi(9, 100);
    EXPECT_TRUE(b.update());
    EXPECT_EQ(b.pixel(b.frame, 0, 100), 0xFF00FFu);
    b.memory->write(kLinear + 2560 * 100, 0x000000FF, 4);
    b.expect_rows(0, 1);
}

TEST(VgaUpdate, BanksAndPalette) {
    UpdateBench b;
    b.linear_mode(640, 400, 8);
    (void)b.update();
    b.dispi(5, 1);
    b.memory->write(0xA0000, 0x3F, 1);
    b.expect_rows(102, 103);  // 65,536 / 640
    b.out8(0x3C8, 0x3F);
    for (int i = 0; i < 3; ++i) b.out8(0x3C9, 5);
    b.expect_rows(102, 103);
}

TEST(VgaUpdate, TheMemoryMayMove) {
    UpdateBench b;
    b.linear_mode(640, 200, 32);
    (void)b.update();
    b.config_write(2, 0, 0x10, 0xFE000000);
    EXPECT_FALSE(b.update());
    b.memory->write(0xFE000000, 0xFF, 4);
    b.expect_rows(0, 1);
    // There and back between two looks.
    b.config_write(2, 0, 0x10, kLinear);
    b.memory->write(kLinear, 0xFF00, 4);
    b.config_write(2, 0, 0x10, 0xFE000000);
    b.expect_rows(0, 1);
    b.config_write(2, 0, 0x04, 0, 2);
    EXPECT_FALSE(b.update());
}

TEST(VgaUpdate, EachViewerGetsWhatIsNewToIt) {
    UpdateBench b;
    b.linear_mode(640, 200, 32);
    Frame other;
    EXPECT_TRUE(b.update());
    EXPECT_TRUE(b.vga.update(other));
    b.memory->write(kLinear, 0xFF, 4);
    EXPECT_TRUE(b.update());
    b.memory->write(kLinear + 2560 * 50, 0xFF, 4);
    EXPECT_TRUE(b.update());
    EXPECT_EQ(b.frame.first_row, 50u);
    EXPECT_TRUE(b.vga.update(other));
    EXPECT_EQ(other.first_row, 0u);
    EXPECT_EQ(other.end_row, 51u);
    EXPECT_TRUE(other.rgb == b.frame.rgb);
    EXPECT_FALSE(b.vga.update(other));
    // Another size is all new.
    b.linear_mode(320, 100, 32);
    EXPECT_TRUE(b.vga.update(other));
    EXPECT_EQ(other.width, 320u);
    EXPECT_EQ(other.end_row, 100u);
}

TEST(VgaUpdate, ALoadedStateIsShown) {
    UpdateBench b;
    b.linear_mode(640, 200, 32);
    (void)b.update();
    const std::vector<u8> before = save(b.vga);
    b.memory->write(kLinear, 0xFF, 4);
    (void)b.update();
    ASSERT_EQ(load(b.vga, before), "");
    b.expect_rows(0, 1);
    b.vga.reset();
    EXPECT_TRUE(b.update());
    EXPECT_EQ(b.frame.height, 400u);
}

}  // namespace
}  // namespace mynah::test
