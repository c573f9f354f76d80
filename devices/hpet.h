// High precision event timer (IA-PC HPET specification 1.0a): three 64-bit comparators, no FSB delivery.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "devices/device.h"
#include "devices/event_queue.h"
#include "devices/irq_line.h"

namespace mynah {

class Hpet final : public Device {
  public:
    static constexpr unsigned kTimers = 3;
    static constexpr Nanoseconds kPeriod = 10;  // one count
    // I/O APIC inputs that the timers may use without legacy replacement: 2, 8 and 16-23.
    static constexpr u32 kRoutes = 0x00FF'0104;

    struct Outputs {
        std::function<void(unsigned pin, bool level)> io_apic;  // input number of the I/O APIC
        // Legacy replacement: timer 0 in place of the 8254's IRQ0, timer 1 of the RTC's IRQ8.
        std::function<void(unsigned irq, bool level)> legacy;
        // Legacy replacement went on or off: the lines of the 8254 and the RTC have to be let go, or taken
        // back.
        std::function<void(bool replaced)> legacy_changed;
    };

    Hpet(EventQueue& queue, Outputs outputs);

    // While true, IRQ0 and IRQ8 belong to this device and the machine holds back the 8254's and the RTC's.
    bool legacy_replacement() const { return config_ & 2; }

    std::string_view name() const override { return "hpet"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {1024, 8}; }
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  private:
    struct Comparator {
        u64 config = 0;
        u64 value = ~u64{0};
        u64 period = 0;
        std::unique_ptr<Timer> event;
        void visit(Archive& ar);
    };

    bool running() const { return config_ & 1; }
    u64 counter_at(Nanoseconds now) const;
    u64 read_register(u64 offset) const;
    void write_config(u64 value);
    void write_comparator_config(unsigned n, u64 value);
    void write_comparator(unsigned n, u64 value, u64 mask);
    void schedule(unsigned n, Nanoseconds now);
    void fire(unsigned n);
    void drive(unsigned n, bool level);

    EventQueue& queue_;
    Outputs outputs_;
    u64 config_ = 0;
    u64 status_ = 0;      // level-triggered requests pending
    u64 base_count_ = 0;  // of the main counter, at base_time_ while it runs
    Nanoseconds base_time_ = 0;
    std::array<Comparator, kTimers> timers_;
};

}  // namespace mynah
