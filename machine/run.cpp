// The run loop: what is due, a slice of instructions, what the slice asked for.
#include <algorithm>

#include "machine/pc.h"

namespace mynah {

namespace {

// Instructions between two looks at the host. A fraction of a millisecond.
constexpr u64 kSlice = 100'000;
// So much earlier a slice may end: more than translated code runs between two looks at its budget.
constexpr u64 kSlack = 512;

}  // namespace

void Pc::request_reset() {
    reset_requested_ = true;
    signal(&Cpu::request_exit);
}

void Pc::finish(int code) {
    if (state_ == RunState::finished) return;
    state_ = RunState::finished;
    exit_code_ = code;
    signal(&Cpu::request_exit);
}

void Pc::power_off() {
    if (config_.shut_down) return finish(0);
    state_ = RunState::paused;
    signal(&Cpu::request_exit);
}

Nanoseconds Pc::run(u64 stop_at, bool may_skip_idle) {
    if (state_ != RunState::running) return EventQueue::kNever;
    if (std::exchange(reset_requested_, false)) {
        if (log_.enabled(LogItem::cpu_reset))
            log_(LogItem::cpu_reset, "CPU Reset (CPU 0)\n{}", cpu_->describe_registers());
        if (!config_.reboot) {
            finish(0);
            return EventQueue::kNever;
        }
        power_on();
    }
    if (realtime_) drives_->look_at_media();
    queue_.run_due();
    pass_sound_on();
    if (state_ != RunState::running || reset_requested_) return 0;

    const u64 begin = cpu_->instructions();
    u64 limit = std::min(begin + kSlice, stop_at);
    if (deterministic_) limit = std::min(limit, deterministic_->instructions_at(queue_.next_deadline()));
    if (limit <= begin) return begin >= stop_at ? EventQueue::kNever : 0;

    if (realtime_) realtime_->go_on();
    // Nothing waits for the exact end of a full slice.
    const Exit exit = run_cpu(limit - begin, limit - begin == kSlice ? kSlack : 0);
    if (lockstep_ && lockstep_->diverged()) return 0;
    switch (exit) {
        case Exit::budget:
        case Exit::request:
            return 0;
        case Exit::shutdown:
            reset_requested_ = true;
            return 0;
        case Exit::halted:
            break;
    }
    if (cpu_->instructions() >= stop_at) return EventQueue::kNever;
    const Nanoseconds next = queue_.next_deadline();
    if (realtime_) realtime_->wait_until(next);
    if (next == EventQueue::kNever) return EventQueue::kNever;
    if (deterministic_ && may_skip_idle) {
        deterministic_->skip_to(next);
        return 0;
    }
    const Nanoseconds t = now();
    return next > t ? next - t : 0;
}

}  // namespace mynah
