#include "devices/event_queue.h"

#include <algorithm>

namespace mynah {

Nanoseconds EventQueue::next_deadline() const {
    return armed_.empty() ? kNever : armed_.back()->deadline_;
}

void EventQueue::run_due() {
    // One look at the clock: against a host's clock a guest's timer of some nanoseconds would be due again
    // and again, and this would never return.
    const Nanoseconds due = now();
    while (!armed_.empty() && armed_.back()->deadline_ <= due) {
        Timer* timer = armed_.back();
        armed_.pop_back();
        timer->armed_ = false;
        timer->fire_();
    }
}

void EventQueue::insert(Timer& timer) {
    const auto later = [](const Timer* a, const Timer* b) {
        return a->deadline_ != b->deadline_ ? a->deadline_ > b->deadline_ : a->sequence_ > b->sequence_;
    };
    armed_.insert(std::lower_bound(armed_.begin(), armed_.end(), &timer, later), &timer);
    if (armed_.back() == &timer && earlier_) earlier_();
}

void EventQueue::remove(Timer& timer) {
    std::erase(armed_, &timer);
}

void Timer::arm(Nanoseconds deadline) {
    cancel();
    deadline_ = deadline;
    sequence_ = queue_.sequence_++;
    armed_ = true;
    queue_.insert(*this);
}

void Timer::cancel() {
    if (armed_) queue_.remove(*this);
    armed_ = false;
}

void Timer::visit(Archive& ar) {
    bool armed = armed_;
    Nanoseconds deadline = deadline_;
    u64 sequence = sequence_;
    ar.all(armed, deadline, sequence);
    if (!ar.loading() || !ar.ok()) return;
    cancel();
    deadline_ = deadline;
    sequence_ = sequence;
    armed_ = armed;
    if (armed) queue_.insert(*this);
}

}  // namespace mynah
