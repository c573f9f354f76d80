#include "machine/lockstep_tape.h"

#include <fmt/format.h>

#include <utility>

namespace mynah {

std::string Asked::describe() const {
    const auto text = [&]() -> std::string {
        switch (kind) {
            case Kind::port_read:
                return fmt::format("IN of {} bytes from port {:x}", width, at);
            case Kind::port_write:
                return fmt::format("OUT of {:x} ({} bytes) to port {:x}", value, width, at);
            case Kind::memory_read:
                return fmt::format("read of {} bytes at {:x} of window {}", width, at, window);
            case Kind::memory_write:
                return fmt::format("write of {:x} ({} bytes) at {:x} of window {}", value, width, at, window);
            case Kind::acknowledge:
                return "interrupt acknowledge";
            case Kind::now:
                return "look at the time";
            case Kind::wall_clock:
                return "look at the wall clock";
            case Kind::arm_timer:
                return fmt::format("APIC timer set for {} ns", value);
            case Kind::cancel_timer:
                return "APIC timer cancelled";
            case Kind::end_of_interrupt:
                return fmt::format("end of interrupt {:x}", value);
            case Kind::ferr:
                return fmt::format("FERR# {}", value);
            case Kind::ignne:
                return "look at IGNNE#";
            case Kind::random:
                return "random number";
        }
        return "?";
    };
    return fmt::format("{} at {} instructions", text(), retired);
}

u64 TapePlayer::ask(Asked asked) {
    if (cpu_ == nullptr || !answers_) return 0;
    asked.retired = cpu_->instructions();
    if (!difference_.empty()) return 0;
    const auto& items = tape_.items();
    if (at_ == items.size()) {
        difference_ = fmt::format("{} where there is nothing", asked.describe());
    } else if (items[at_].asked != asked) {
        difference_ = fmt::format("{}, expected {}", asked.describe(), items[at_].asked.describe());
    }
    if (!difference_.empty()) {
        cpu_->request_exit();
        return 0;
    }
    const u64 answer = items[at_].answer;
    ++at_;
    drain();
    return answer;
}

void TapePlayer::do_memory(const Told& told) {
    const bool outer = std::exchange(device_access_, true);
    told.memory(*memory_);
    device_access_ = outer;
}

void TapePlayer::drain() {
    const auto& items = tape_.items();
    while (at_ < items.size() && items[at_].told != nullptr) {
        const Told& told = *items[at_].told;
        ++at_;
        if (told.processor) told.processor(*cpu_);
        if (told.memory) do_memory(told);
    }
}

void TapePlayer::drain_memory() {
    answers_ = false;
    const auto& items = tape_.items();
    for (; at_ < items.size(); ++at_) {
        const Tape::Item& item = items[at_];
        if (item.told != nullptr && item.told->memory) do_memory(*item.told);
    }
    answers_ = true;
}

void TapePlayer::expect_finished() {
    if (!difference_.empty() || finished()) return;
    difference_ = fmt::format("nothing where there is {}", tape_.items()[at_].asked.describe());
}

}  // namespace mynah
