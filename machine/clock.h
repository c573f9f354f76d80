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

// Time that follows a host clock. It stands still while the machine is stopped. Catch-up rule: of a longer
// gap between two samples than kLongestGap (the host slept or was busy elsewhere) only that much is passed on
// to the guest, so that periodic timers don't fire in a storm.
class RealtimeClock final : public TimeSource {
  public:
    static constexpr Nanoseconds kLongestGap = 200'000'000;

    // `host` gives monotonic host nanoseconds.
    explicit RealtimeClock(std::function<u64()> host) : host_(std::move(host)), last_host_(host_()) {}

    Nanoseconds now() override;
    void stop() { stopped_ = (now(), true); }
    void start();
    void visit(Archive& ar);

  private:
    std::function<u64()> host_;
    u64 last_host_;
    Nanoseconds now_ = 0;
    bool stopped_ = false;
};

}  // namespace mynah
