#include "desktop/guest_log.h"

#include <gtest/gtest.h>

namespace mynah {
namespace {

TEST(GuestLog, RepeatedLinesAreCounted) {
    GuestLog log;
    log.add("a");
    log.add("b");
    log.add("a");
    const auto lines = log.lines();
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0].text, "a");
    EXPECT_EQ(lines[0].count, 2u);
    EXPECT_EQ(lines[1].count, 1u);
    EXPECT_EQ(log.version(), 3u);
}

TEST(GuestLog, KeepsTheLastLines) {
    GuestLog log;
    for (size_t i = 0; i < GuestLog::kMostLines + 10; ++i) log.add(std::to_string(i));
    log.add("12");  // still there
    log.add("3");   // dropped before, so new
    const auto lines = log.lines();
    ASSERT_EQ(lines.size(), GuestLog::kMostLines);
    EXPECT_EQ(lines.front().text, "11");
    EXPECT_EQ(lines[1].count, 2u);
    EXPECT_EQ(lines.back().text, "3");
    log.clear();
    EXPECT_TRUE(log.lines().empty());
    log.add("12");
    EXPECT_EQ(log.lines().size(), 1u);
}

}  // namespace
}  // namespace mynah
