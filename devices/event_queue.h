// Virtual time and what happens at it.
//
// Devices own Timers; the machine's run loop asks for the next deadline, lets the CPU run up to it and then
// calls run_due(). Events of one deadline fire in the order in which they were armed, in every run.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/archive.h"
#include "base/types.h"

namespace mynah {

// Where virtual time comes from: the instruction count or the host's clock. Monotonic.
class TimeSource {
  public:
    virtual ~TimeSource() = default;
    virtual Nanoseconds now() = 0;
};

class Timer;

class EventQueue {
  public:
    static constexpr Nanoseconds kNever = ~Nanoseconds{0};

    explicit EventQueue(TimeSource& time) : time_(time) {}

    Nanoseconds now() const { return time_.now(); }
    // The earliest armed deadline, or kNever.
    Nanoseconds next_deadline() const;
    // Fires every timer whose deadline is not after the time of the call, including those armed meanwhile.
    void run_due();
    // Called whenever next_deadline() becomes earlier: the CPU's slice may have to end sooner.
    void on_earlier(std::function<void()> f) { earlier_ = std::move(f); }
    // A device did something at a guest's word that takes the host long (a big transfer, say): whoever runs
    // the machine should get to look at the host before the guest asks for more.
    void took_long() const {
        if (took_long_) took_long_();
    }
    void on_took_long(std::function<void()> f) { took_long_ = std::move(f); }
    // The arming counter; the timers visit themselves with their devices.
    void visit(Archive& ar) { ar(sequence_); }

  private:
    friend class Timer;
    void insert(Timer& timer);
    void remove(Timer& timer);

    TimeSource& time_;
    std::vector<Timer*> armed_;  // sorted, latest first
    u64 sequence_ = 0;
    std::function<void()> earlier_;
    std::function<void()> took_long_;
};

class Timer {
  public:
    // `fire` runs once for each arming. The queue must outlive the timer.
    Timer(EventQueue& queue, std::function<void()> fire) : queue_(queue), fire_(std::move(fire)) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer() { cancel(); }

    // An earlier arming is replaced. A deadline in the past fires at the next run_due().
    void arm(Nanoseconds deadline);
    void arm_in(Nanoseconds delay) { arm(queue_.now() + delay); }
    void cancel();
    bool armed() const { return armed_; }
    Nanoseconds deadline() const { return deadline_; }
    void visit(Archive& ar);

  private:
    friend class EventQueue;
    EventQueue& queue_;
    std::function<void()> fire_;
    Nanoseconds deadline_ = 0;
    u64 sequence_ = 0;
    bool armed_ = false;
};

}  // namespace mynah
