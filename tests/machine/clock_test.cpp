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

TEST(RealtimeClock, FollowsTheHostAndStandsStillWhileStopped) {
    u64 host = 1'000'000;
    RealtimeClock clock([&] { return host; });
    host += 5000;
    EXPECT_EQ(clock.now(), 5000u);
    clock.stop();
    host += 700;
    EXPECT_EQ(clock.now(), 5000u);
    clock.start();
    host += 30;
    EXPECT_EQ(clock.now(), 5030u);
    host -= 1000;  // a host clock that steps back does not take the guest with it
    EXPECT_EQ(clock.now(), 5030u);
}

// A host that gives the guest 3 ms of every 40.
TEST(RealtimeClock, PassesMoreSlowlyWhereTheHostIsElsewhere) {
    u64 host = 0;
    RealtimeClock clock([&] { return host; });
    Nanoseconds last = 0;
    for (unsigned turn = 0; turn < 100; ++turn) {
        host += 37'000'000;
        for (unsigned n = 0; n < 30; ++n, host += 100'000) {
            const Nanoseconds now = clock.now();
            EXPECT_LE(now - last, RealtimeClock::kLongestStep);
            last = now;
        }
    }
    EXPECT_GE(last, 100u * 5'000'000);
    EXPECT_LE(last, 100u * 6'000'000);
}

TEST(RealtimeClock, MakesUpForWhatItHeldBack) {
    u64 host = 0;
    RealtimeClock clock([&] { return host; });
    host += 42'000'000;
    EXPECT_EQ(clock.now(), 2'000'000u);
    for (unsigned n = 0; n < 160; ++n) {
        host += 1'000'000;
        EXPECT_EQ(clock.now(), 2'000'000u + (n + 1) * 1'250'000u);
    }
    host += 1'000'000;
    EXPECT_EQ(clock.now(), host);
    // All but the last of a long absence.
    host += 60'000'000'000;
    const Nanoseconds before = clock.now();
    for (unsigned n = 0; n < 10'000; ++n) {
        host += 1'000'000;
        clock.now();
    }
    EXPECT_EQ(clock.now() - before, 10'000'000'000u + RealtimeClock::kMostOwed);
}

TEST(RealtimeClock, IsNoLaterThanWhatTheGuestWaitsFor) {
    u64 host = 0;
    RealtimeClock clock([&] { return host; });
    clock.wait_until(50'000'000);
    host += 30'000'000;
    EXPECT_EQ(clock.now(), 30'000'000u);
    host += 30'000'000;
    EXPECT_EQ(clock.now(), 50'000'000u);
    clock.go_on();
    host += 4'000'000;
    EXPECT_EQ(clock.now(), 52'000'000u);
    clock.wait_until(EventQueue::kNever);
    host += 1'000'000'000;
    EXPECT_EQ(clock.now(), host);
}

}  // namespace
}  // namespace mynah
