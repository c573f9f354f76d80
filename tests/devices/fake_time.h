// Virtual time in a test's hands.
#pragma once

#include "devices/event_queue.h"

namespace mynah::test {

class FakeTime final : public TimeSource {
  public:
    Nanoseconds now() override { return now_ += creep_; }
    // From now on each look at the clock finds it later, as with a host's clock.
    void creep(Nanoseconds step) { creep_ = step; }
    void set(Nanoseconds now) { now_ = now; }

    // Lets `by` pass, firing timers at their own times. After `limit` events the rest passes in one jump, as
    // when a host was busy elsewhere.
    void advance(EventQueue& queue, Nanoseconds by, unsigned limit = ~0u) {
        const Nanoseconds end = now_ + by;
        for (unsigned i = 0; i < limit && queue.next_deadline() <= end; ++i) {
            if (queue.next_deadline() > now_) now_ = queue.next_deadline();
            queue.run_due();
        }
        now_ = end;
        queue.run_due();
    }

  private:
    Nanoseconds creep_ = 0;
    Nanoseconds now_ = 1'000'000'000;
};

}  // namespace mynah::test
