// Host keys to guest keys: every name exists, every key of a PC can be reached, and texts come out as typed.
#include "desktop/keys.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "devices/key_names.h"

namespace mynah {
namespace {

TEST(Keys, EveryUsageNamesAKeyThatThereIs) {
    unsigned known = 0;
    for (unsigned usage = 0; usage < 512; ++usage) {
        const std::string_view name = key_of_usage(usage);
        if (name.empty()) continue;
        ++known;
        EXPECT_NE(find_key(name), nullptr) << usage << " " << name;
    }
    EXPECT_GT(known, 110u);
}

TEST(Keys, AllOfA104KeyBoardCanBeReached) {
    std::set<std::string_view> reached;
    for (unsigned usage = 0; usage < 512; ++usage) reached.insert(key_of_usage(usage));
    for (const char* name :
         {"pause",   "print",  "scroll_lock", "num_lock", "caps_lock", "kp_enter", "kp_divide", "kp_multiply",
          "kp_0",    "kp_9",   "kp_decimal",  "ctrl",     "ctrl_r",    "alt",      "alt_r",     "shift",
          "shift_r", "meta_l", "meta_r",      "compose",  "f1",        "f12",      "less",      "insert",
          "delete",  "a",      "z",           "1",        "0"}) {
        EXPECT_TRUE(reached.contains(name)) << name;
    }
}

TEST(Keys, UsagesAreTheStandards) {
    EXPECT_EQ(key_of_usage(0x04), "a");
    EXPECT_EQ(key_of_usage(0x1D), "z");
    EXPECT_EQ(key_of_usage(0x1E), "1");
    EXPECT_EQ(key_of_usage(0x27), "0");
    EXPECT_EQ(key_of_usage(0x28), "ret");
    EXPECT_EQ(key_of_usage(0x48), "pause");
    EXPECT_EQ(key_of_usage(0xE6), "alt_r");
    EXPECT_EQ(key_of_usage(0), "");
    EXPECT_EQ(key_of_usage(100'000), "");
}

TEST(Keys, TextsAreTypedOnAUsKeyboard) {
    using Keys = std::vector<std::string_view>;
    EXPECT_EQ(keys_of_character('a'), Keys{"a"});
    EXPECT_EQ(keys_of_character('A'), (Keys{"shift", "a"}));
    EXPECT_EQ(keys_of_character('"'), (Keys{"shift", "apostrophe"}));
    EXPECT_EQ(keys_of_character('\n'), Keys{"ret"});
    EXPECT_TRUE(keys_of_character('\0').empty());
    EXPECT_TRUE(keys_of_character('\xC3').empty());
    for (char c = ' '; c < 0x7F; ++c) {
        const Keys keys = keys_of_character(c);
        ASSERT_FALSE(keys.empty()) << c;
        for (const std::string_view k : keys) EXPECT_NE(find_key(k), nullptr) << k;
    }
}

}  // namespace
}  // namespace mynah
