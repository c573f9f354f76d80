// Where virtual time comes from: the two sources behind --clock.
#pragma once

#include <functional>

#include "base/archive.h"
#include "devices/event_queue.h"

namespace mynah {

// Time as a function of the executed instruction count: (instructions << shift) ns, plus what idling skipped.
class DeterministicClock final : public TimeSource {
  public:
    // `instructions` gives the exact count retired so far.
    DeterministicClock(unsigned shift, std::function<u64()> instructions)
        : shift_(shift), instructions_(std::move(instructions)) {}

    Nanoseconds now() override { return (instructions_() << shift_) + skipped_; }
    // Moves idle time forward to `deadline`.
    void skip_to(Nanoseconds deadline);
    // The instruction count at which now() reaches `deadline`.
    u64 instructions_at(Nanoseconds deadline) const;
    void visit(Archive& ar) { ar(skipped_); }

  private:
    unsigned shift_;
    std::function<u64()> instructions_;
    Nanoseconds skipped_ = 0;
};

// Time that follows a host clock. It stands still while the machine is stopped. Catch-up rule: while the
// guest runs no two samples are more than kLongestStep apart, and while it waits none is later than what it
// waits for. A host that was busy elsewhere so makes time pass more slowly, instead of several ticks of a
// timer that come as one interrupt (Linux, which counts them against the TSC, then takes the timer for
// broken). What was held back is made up for by a quarter of the time that passes; of what is more than
// kMostOwed the guest hears nothing.
class RealtimeClock final : public TimeSource {
  public:
    static constexpr Nanoseconds kLongestStep = 2'000'000;
    static constexpr Nanoseconds kMostOwed = 200'000'000;

    // `host` gives monotonic host nanoseconds.
    explicit RealtimeClock(std::function<u64()> host) : host_(std::move(host)), last_host_(host_()) {}

    Nanoseconds now() override;
    void stop() { stopped_ = (now(), true); }
    void start();
    // The guest does nothing until `deadline`, or an interrupt before it.
    void wait_until(Nanoseconds deadline) { waits_until_ = deadline; }
    void go_on() { waits_until_ = 0; }
    void visit(Archive& ar);

  private:
    std::function<u64()> host_;
    u64 last_host_;
    Nanoseconds now_ = 0;
    Nanoseconds owed_ = 0;
    Nanoseconds waits_until_ = 0;
    bool stopped_ = false;
};

}  // namespace mynah
