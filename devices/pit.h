// The 8254 programmable interval timer of a PC (Intel 8254 data sheet): counter 0 makes IRQ0, 1 was memory
// refresh, 2 feeds the speaker and is gated by port 61h.
#pragma once

#include <array>

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
    // For the speaker: counter 2's period in CLK pulses; 0 when it makes no square wave.
    u32 speaker_period() const;

    std::string_view name() const override { return "i8254"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {4, 1}; }  // ports 40h-43h
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  private:
    void fire();
    // Drives IRQ0 and arms the next event, after anything changed counter 0.
    void update();

    EventQueue& queue_;
    IrqLine irq0_;
    std::array<PitCounter, 3> counters_;
    bool irq_level_ = false;
    Timer edge_;
};

}  // namespace mynah
