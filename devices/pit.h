// The 8254 programmable interval timer of a PC (Intel 8254 data sheet): counter 0 makes IRQ0, 1 was memory
// refresh, 2 feeds the speaker and is gated by port 61h.
#pragma once

#include <array>
#include <functional>

#include "devices/device.h"
#include "devices/event_queue.h"
#include "devices/irq_line.h"
#include "devices/pit_counter.h"

namespace mynah {

class Pit final : public Device {
  public:
    static constexpr u64 kHz = 1193182;

    // `irq0`: OUT of counter 0. The queue must outlive the device.
    Pit(EventQueue& queue, IrqLine irq0);

    // CLK pulses since the machine was made.
    u64 ticks() const { return static_cast<u64>(u128{queue_.now()} * kHz / 1'000'000'000); }
    bool out(unsigned counter) { return counters_[counter].out(ticks()); }
    bool gate(unsigned counter) const { return counters_[counter].gate(); }
    void set_gate(unsigned counter, bool level);
    // What the IRQ0 sink was last told.
    bool irq_level() const { return irq_level_; }
    // For the speaker: a counter's state to go on with, and what to call whenever counter 2 was written to or
    // gated.
    const PitCounter& counter(unsigned n) const { return counters_[n]; }
    void on_speaker_change(std::function<void()> f) { speaker_changed_ = std::move(f); }

    std::string_view name() const override { return "i8254"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {4, 1}; }  // ports 40h-43h
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  private:
    void fire();
    void touched(unsigned counter) const {
        if (counter == 2 && speaker_changed_) speaker_changed_();
    }
    // Drives IRQ0 and arms the next event, after anything changed counter 0.
    void update();

    EventQueue& queue_;
    IrqLine irq0_;
    std::array<PitCounter, 3> counters_;
    bool irq_level_ = false;
    Timer edge_;
    std::function<void()> speaker_changed_;
};

}  // namespace mynah
