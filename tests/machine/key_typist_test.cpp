// Keys pressed for a script: held, in turn, and none lost of many.
#include "machine/key_typist.h"

#include <gtest/gtest.h>

namespace mynah {
namespace {

constexpr Nanoseconds kHold = 100'000'000;

class KeyTypistTest : public ::testing::Test, public TimeSource {
  protected:
    Nanoseconds now() override { return now_; }
    void pass(Nanoseconds by) {
        now_ += by;
        queue_.run_due();
    }
    std::vector<int> taken() {
        std::vector<int> bytes;
        while (keyboard_.pending()) bytes.push_back(keyboard_.take());
        return bytes;
    }
    Status type(std::vector<std::string_view> names) { return typist_.type(names, kHold); }

    Nanoseconds now_ = 1;
    EventQueue queue_{*this};
    Ps2Keyboard keyboard_;
    KeyTypist typist_{queue_, keyboard_};
};

using Bytes = std::vector<int>;

TEST_F(KeyTypistTest, HoldsACombinationAndReleasesItBackwards) {
    ASSERT_TRUE(type({"ctrl", "alt", "delete"}).ok());
    EXPECT_EQ(taken(), (Bytes{0x14, 0x11, 0xE0, 0x71}));
    pass(kHold - 1);
    EXPECT_EQ(taken(), Bytes{});
    pass(1);
    EXPECT_EQ(taken(), (Bytes{0xE0, 0xF0, 0x71, 0xF0, 0x11, 0xF0, 0x14}));
}

TEST_F(KeyTypistTest, ManyComeOneAfterTheOther) {
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(type({"a"}).ok());
    Bytes all;
    for (int i = 0; i < 40; ++i, pass(kHold)) {
        for (const int byte : taken()) all.push_back(byte);
    }
    Bytes expected;
    for (int i = 0; i < 20; ++i) expected.insert(expected.end(), {0x1C, 0xF0, 0x1C});
    EXPECT_EQ(all, expected);
}

TEST_F(KeyTypistTest, AnUnknownKeyPressesNone) {
    const Status s = type({"a", "bogus"});
    ASSERT_FALSE(s.ok());
    EXPECT_EQ(s.error().message, "unknown key: 'bogus'");
    EXPECT_EQ(taken(), Bytes{});
}

TEST_F(KeyTypistTest, HeldKeysAreInASnapshot) {
    ASSERT_TRUE(type({"a"}).ok());
    Archive saved;
    typist_.visit(saved);
    pass(kHold);
    pass(kHold);
    taken();
    now_ = 1;
    Archive loaded(Archive::Mode::load, saved.data());
    typist_.visit(loaded);
    ASSERT_TRUE(loaded.ok()) << loaded.error();
    pass(kHold);
    EXPECT_EQ(taken(), (Bytes{0xF0, 0x1C}));
}

}  // namespace
}  // namespace mynah
