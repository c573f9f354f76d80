#include "machine/clock.h"

#include <algorithm>

namespace mynah {

void DeterministicClock::skip_to(Nanoseconds deadline) {
    const Nanoseconds t = now();
    if (deadline > t) skipped_ += deadline - t;
}

u64 DeterministicClock::instructions_at(Nanoseconds deadline) const {
    if (deadline <= skipped_) return 0;
    const u64 round_up = (u64{1} << shift_) - 1;
    const Nanoseconds span = deadline - skipped_;
    return (span >> shift_) + ((span & round_up) != 0);
}

Nanoseconds RealtimeClock::now() {
    if (stopped_) return now_;
    const u64 host = host_();
    if (host <= last_host_) return now_;
    const Nanoseconds passed = host - last_host_;
    last_host_ = host;
    const Nanoseconds room = waits_until_ > now_ ? waits_until_ - now_ : 0;
    const Nanoseconds step = std::min(passed + std::min(owed_, passed / 4), std::max(room, kLongestStep));
    owed_ = std::min(owed_ + passed - step, kMostOwed);
    now_ += step;
    return now_;
}

void RealtimeClock::start() {
    if (!stopped_) return;
    last_host_ = host_();
    stopped_ = false;
}

void RealtimeClock::visit(Archive& ar) {
    now();
    ar(now_);
    if (!ar.loading()) return;
    last_host_ = host_();
    owed_ = waits_until_ = 0;
}

}  // namespace mynah
