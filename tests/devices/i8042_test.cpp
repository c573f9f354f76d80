// Keyboard controller, keyboard and mouse by the PS/2 technical reference.
#include "devices/i8042.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "board.h"

namespace mynah::test {
namespace {

using Bytes = std::vector<u8>;

class I8042Test : public testing::Test {
  protected:
    void command(u8 value) { out(kbc_, I8042::command, 0, value); }
    void data(u8 value) { out(kbc_, I8042::data, 0, value); }
    u8 status() { return in(kbc_, I8042::command, 0); }
    u8 read() { return in(kbc_, I8042::data, 0); }
    void command_byte(u8 value) {
        command(0x60);
        data(value);
    }
    // All bytes that come, with time to come.
    Bytes drain() {
        Bytes bytes;
        for (int quiet = 0; quiet < 3;) {
            if (status() & 1) {
                bytes.push_back(read());
                quiet = 0;
            } else {
                board_.run(200'000);
                ++quiet;
            }
        }
        return bytes;
    }
    Bytes press(std::string_view name) {
        kbc_.keyboard().key(name, true);
        Bytes bytes = drain();
        kbc_.keyboard().key(name, false);
        bytes.push_back(0);  // between make and break
        for (u8 b : drain()) bytes.push_back(b);
        return bytes;
    }
    Bytes keyboard(Bytes sent) {
        for (u8 b : sent) data(b);
        return drain();
    }
    Bytes mouse(Bytes sent) {
        for (u8 b : sent) {
            command(0xD4);
            data(b);
        }
        return drain();
    }

    Board board_;
    Pin irq1_, irq12_, a20_pin_;
    A20Gate a20_{a20_pin_.line()};
    unsigned resets_ = 0;
    I8042 kbc_{board_.queue, a20_, irq1_.line(), irq12_.line(), [this] { ++resets_; }};
};

TEST_F(I8042Test, ControllerCommandsAnswerAtOnce) {
    command(0xAA);
    EXPECT_EQ(status() & 0x05, 0x05);
    EXPECT_EQ(read(), 0x55);
    EXPECT_EQ(status() & 0x01, 0x00);
    for (const auto& [cmd, answer] : {std::pair<u8, u8>{0xAB, 0}, {0xA9, 0}, {0xC0, 0x80}}) {
        command(cmd);
        EXPECT_EQ(read(), answer);
    }
    command_byte(0x74);
    command(0x20);
    EXPECT_EQ(read(), 0x74);
    command(0xA7);
    command(0x20);
    EXPECT_EQ(read() & 0x20, 0x20);
    command(0xA8);
    command(0x20);
    EXPECT_EQ(read() & 0x20, 0x00);
}

TEST_F(I8042Test, OutputPort) {
    command(0xD1);
    data(0xDD);
    EXPECT_FALSE(a20_.enabled());
    command(0xD0);
    EXPECT_EQ(read() & 3, 1);
    command(0xDF);
    EXPECT_TRUE(a20_.enabled());
    command(0xFF);
    EXPECT_EQ(resets_, 0u);
    command(0xFE);
    EXPECT_EQ(resets_, 1u);
    command(0xD1);
    data(0x02);
    EXPECT_EQ(resets_, 2u);
}

TEST_F(I8042Test, LoopsBackToBothPorts) {
    command_byte(0x03);
    command(0xD3);
    data(0xA5);
    EXPECT_EQ(status() & 0x21, 0x21);
    EXPECT_TRUE(irq12_.level);
    EXPECT_EQ(read(), 0xA5);
    EXPECT_FALSE(irq12_.level);
    command(0xD2);
    data(0x5A);
    EXPECT_EQ(status() & 0x21, 0x01);
    EXPECT_TRUE(irq1_.level);
    EXPECT_EQ(read(), 0x5A);
}

TEST_F(I8042Test, ScanCodeSets) {
    command_byte(0x01);
    EXPECT_EQ(press("a"), (Bytes{0x1C, 0, 0xF0, 0x1C}));
    EXPECT_EQ(press("right"), (Bytes{0xE0, 0x74, 0, 0xE0, 0xF0, 0x74}));
    EXPECT_EQ(press("print"), (Bytes{0xE0, 0x12, 0xE0, 0x7C, 0, 0xE0, 0xF0, 0x7C, 0xE0, 0xF0, 0x12}));
    EXPECT_EQ(press("pause"), (Bytes{0xE1, 0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77, 0}));
    EXPECT_EQ(keyboard({0xF0, 0x01}), (Bytes{0xFA, 0xFA}));
    EXPECT_EQ(press("a"), (Bytes{0x1E, 0, 0x9E}));
    EXPECT_EQ(press("pause"), (Bytes{0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5, 0}));
    EXPECT_EQ(keyboard({0xF0, 0x03}), (Bytes{0xFA, 0xFA}));
    EXPECT_EQ(press("a"), (Bytes{0x1C, 0}));
    EXPECT_EQ(press("ctrl"), (Bytes{0x11, 0, 0xF0, 0x11}));
    EXPECT_EQ(keyboard({0xF8}), (Bytes{0xFA}));
    EXPECT_EQ(press("right"), (Bytes{0x6A, 0, 0xF0, 0x6A}));
    EXPECT_EQ(keyboard({0xF0, 0x00}), (Bytes{0xFA, 0xFA, 0x03}));
}

TEST_F(I8042Test, TranslationGivesSet1) {
    command_byte(0x41);
    for (const Key& key : keys()) {
        if (key.set1 == 0xE046 || key.set1 == 0xE037 || key.name == "sysrq") continue;
        const u8 code = static_cast<u8>(key.set1);
        Bytes expected = {code, 0, static_cast<u8>(code | 0x80)};
        if (key.set1 > 0xFF) expected = {0xE0, code, 0, 0xE0, static_cast<u8>(code | 0x80)};
        EXPECT_EQ(press(key.name), expected) << key.name;
    }
    EXPECT_EQ(press("pause"), (Bytes{0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5, 0}));
    EXPECT_EQ(press("print"), (Bytes{0xE0, 0x2A, 0xE0, 0x37, 0, 0xE0, 0xB7, 0xE0, 0xAA}));
    EXPECT_EQ(press("sysrq"), (Bytes{0x54, 0, 0xD4}));
    EXPECT_EQ(keyboard({0xF2}), (Bytes{0xFA, 0xAB, 0x41}));
}

TEST_F(I8042Test, KeyNamesAreUnique) {
    std::set<std::string_view> names;
    for (const Key& key : keys()) EXPECT_TRUE(names.insert(key.name).second) << key.name;
    EXPECT_EQ(find_key("ret")->set1, 0x1C);
    EXPECT_EQ(find_key("no such key"), nullptr);
}

TEST_F(I8042Test, KeyboardCommands) {
    EXPECT_EQ(keyboard({0xFF}), (Bytes{0xFA, 0xAA}));
    EXPECT_EQ(keyboard({0xEE}), (Bytes{0xEE}));
    EXPECT_EQ(keyboard({0xED, 0x07}), (Bytes{0xFA, 0xFA}));
    EXPECT_EQ(kbc_.keyboard().leds(), 7);
    EXPECT_EQ(keyboard({0xF3, 0x20}), (Bytes{0xFA, 0xFA}));
    EXPECT_EQ(keyboard({0xFE}), (Bytes{0xFA}));
    EXPECT_EQ(keyboard({0x01}), (Bytes{0xFE}));
    EXPECT_EQ(keyboard({0xF5}), (Bytes{0xFA}));
    EXPECT_EQ(press("a"), (Bytes{0}));
    EXPECT_EQ(keyboard({0xF4}), (Bytes{0xFA}));
    EXPECT_EQ(press("a").size(), 4u);
}

TEST_F(I8042Test, InterruptsAndDisabling) {
    command_byte(0x41);
    kbc_.keyboard().key("a", true);
    board_.run(1'000'000);
    EXPECT_TRUE(irq1_.level);
    kbc_.keyboard().key("a", false);
    board_.run(1'000'000);
    EXPECT_EQ(read(), 0x1E);
    EXPECT_FALSE(irq1_.level);
    EXPECT_EQ(read(), 0x1E);  // the next byte needs time: a chained handler reads the same
    command(0xAD);
    board_.run(1'000'000);
    EXPECT_EQ(status() & 1, 0);
    command(0xAE);
    EXPECT_EQ(drain(), (Bytes{0x9E}));
}

TEST_F(I8042Test, OverrunIsMarked) {
    command_byte(0x51);  // keyboard held off
    for (int i = 0; i < 40; ++i) kbc_.keyboard().key("a", true);
    command_byte(0x01);
    const Bytes bytes = drain();
    ASSERT_EQ(bytes.size(), 16u);
    EXPECT_EQ(bytes[14], 0x1C);
    EXPECT_EQ(bytes[15], 0x00);
}

TEST_F(I8042Test, MouseIdentifiesItself) {
    command_byte(0x02);
    EXPECT_EQ(mouse({0xFF}), (Bytes{0xFA, 0xAA, 0x00}));
    EXPECT_EQ(mouse({0xF2}), (Bytes{0xFA, 0x00}));
    EXPECT_EQ(mouse({0xF3, 200, 0xF3, 100, 0xF3, 80, 0xF2}).back(), 3);
    EXPECT_EQ(mouse({0xF3, 200, 0xF3, 200, 0xF3, 80, 0xF2}).back(), 4);
    EXPECT_EQ(mouse({0xE8, 3, 0xF4, 0xE7}).size(), 4u);
    EXPECT_EQ(mouse({0xE9}), (Bytes{0xFA, 0x30, 3, 80}));
}

TEST_F(I8042Test, MousePackets) {
    command_byte(0x02);
    mouse({0xF3, 200, 0xF3, 100, 0xF3, 80, 0xF4});
    kbc_.mouse().move(5, 3, Ps2Mouse::left, -1);
    EXPECT_EQ(drain(), (Bytes{0x29, 5, 0xFD, 0xFF}));
    kbc_.mouse().move(-300, 0, 0, 0);
    EXPECT_EQ(drain(), (Bytes{0x18, 0x01, 0, 0, 0x18, 0xD3, 0, 0}));  // -255, then -45
    EXPECT_EQ(irq12_.rises, 8u + 4 + 7);
    mouse({0xF0});
    kbc_.mouse().move(1, -1, 0, 0);
    EXPECT_EQ(drain(), Bytes{});
    EXPECT_EQ(mouse({0xEB}), (Bytes{0xFA, 0x08, 1, 1, 0}));
    EXPECT_EQ(mouse({0xEE}), (Bytes{0xFA}));
    EXPECT_EQ(mouse({0x77}), (Bytes{0x77}));
    EXPECT_EQ(mouse({0xEC}), (Bytes{0xFA}));
}

}  // namespace
}  // namespace mynah::test
