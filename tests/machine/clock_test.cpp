#include "machine/clock.h"

#include <gtest/gtest.h>

namespace mynah {
namespace {

TEST(DeterministicClock, FollowsTheInstructionCount) {
    u64 count = 0;
    DeterministicClock clock(3, [&] { return count; });
    EXPECT_EQ(clock.now(), 0u);
    count = 10;
    EXPECT_EQ(clock.now(), 80u);
    clock.skip_to(1001);
    EXPECT_EQ(clock.now(), 1001u);
    clock.skip_to(5);  // never back
    EXPECT_EQ(clock.now(), 1001u);
    // 921 ns were skipped: 80 ns more are 10 instructions, one ns more needs another whole one.
    EXPECT_EQ(clock.instructions_at(1081), 20u);
    EXPECT_EQ(clock.instructions_at(1082), 21u);
    EXPECT_EQ(clock.instructions_at(7), 0u);
}

TEST(RealtimeClock, PassesOnAtMostTheLongestGapAndStandsStillWhileStopped) {
    u64 host = 1'000'000;
    RealtimeClock clock([&] { return host; });
    host += 5000;
    EXPECT_EQ(clock.now(), 5000u);
    host += 10 * RealtimeClock::kLongestGap;
    EXPECT_EQ(clock.now(), 5000u + RealtimeClock::kLongestGap);
    clock.stop();
    host += 700;
    EXPECT_EQ(clock.now(), 5000u + RealtimeClock::kLongestGap);
    clock.start();
    host += 30;
    EXPECT_EQ(clock.now(), 5030u + RealtimeClock::kLongestGap);
    host -= 1000;  // a host clock that steps back does not take the guest with it
    EXPECT_EQ(clock.now(), 5030u + RealtimeClock::kLongestGap);
}

}  // namespace
}  // namespace mynah
