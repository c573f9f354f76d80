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
    if (host > last_host_) {
        now_ += std::min(host - last_host_, kLongestGap);
        last_host_ = host;
    }
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
    if (ar.loading()) last_host_ = host_();
}

}  // namespace mynah
