// Timers in virtual time.
#include "devices/event_queue.h"

#include <gtest/gtest.h>

#include "board.h"

namespace mynah::test {
namespace {

TEST(EventQueueTest, FiresInOrderOfDeadlineThenOfArming) {
    Board board;
    std::string order;
    Timer a(board.queue, [&] { order += 'a'; });
    Timer b(board.queue, [&] { order += 'b'; });
    Timer c(board.queue, [&] { order += 'c'; });
    a.arm_in(200);
    c.arm_in(100);
    b.arm_in(100);
    EXPECT_EQ(board.queue.next_deadline(), c.deadline());
    b.cancel();
    b.arm_in(100);
    board.run(1000);
    EXPECT_EQ(order, "cba");
    EXPECT_EQ(board.queue.next_deadline(), EventQueue::kNever);
}

TEST(EventQueueTest, WhatIsArmedMeanwhileForNowFiresToo) {
    Board board;
    unsigned fired = 0;
    Timer second(board.queue, [&] { ++fired; });
    Timer first(board.queue, [&] { second.arm_in(0); });
    first.arm_in(10);
    board.time.set(board.time.now() + 10);
    board.queue.run_due();
    EXPECT_EQ(fired, 1u);
}

// A host's clock goes on while timers fire: a period shorter than that takes must not keep the machine in
// here.
TEST(EventQueueTest, ReturnsAlthoughAPeriodIsShorterThanItsHandling) {
    Board board;
    unsigned fired = 0;
    Timer* self = nullptr;
    Timer timer(board.queue, [&] {
        if (++fired < 1000) self->arm_in(10);
    });
    self = &timer;
    timer.arm_in(10);
    board.time.creep(100);
    board.queue.run_due();
    EXPECT_EQ(fired, 1u);
    board.queue.run_due();
    EXPECT_EQ(fired, 2u);
}

}  // namespace
}  // namespace mynah::test
