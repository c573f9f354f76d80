// MC146818A real-time clock with its CMOS RAM (Motorola MC146818A data sheet), and a second bank at 72h/73h
// as in the PIIX3/PIIX4 (PIIX4 data sheet 7.2.1). Battery-backed: reset leaves time and RAM alone.
#pragma once

#include <array>

#include "devices/device.h"
#include "devices/event_queue.h"
#include "devices/irq_line.h"

namespace mynah {

class Rtc final : public Device {
  public:
    enum Bank : BankId { standard, extended };  // ports 70h-71h, 72h-73h

    // `start`: what the clock shows at virtual time now(), in seconds since 1970 (UTC or local, as the
    // machine wants it). `irq8`: the IRQ pin. `nmi_mask`: bit 7 of port 70h, true blocks NMI.
    Rtc(EventQueue& queue, i64 start, IrqLine irq8, IrqLine nmi_mask);

    // CMOS RAM (index 0Eh-FFh) as firmware and the machine's builder see it. No side effects.
    u8 get(u8 index) const { return ram_[index]; }
    void set(u8 index, u8 value) { ram_[index] = value; }
    // What the IRQ8 sink was last told.
    bool irq_level() const { return irq_level_; }

    std::string_view name() const override { return "mc146818"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {2, 1}; }
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  private:
    // Registers by index.
    enum : u8 {
        seconds,
        seconds_alarm,
        minutes,
        minutes_alarm,
        hours,
        hours_alarm,
        weekday,
        day,
        month,
        year,
        reg_a,
        reg_b,
        reg_c,
        reg_d,
        century = 0x32,
    };

    u8 read_register(u8 index);
    void write_register(u8 index, u8 value);

    bool running() const;  // the divider chain is not held in reset
    u8 encode(unsigned v) const;
    unsigned decode(u8 v) const;
    unsigned hour24() const;
    void put_hour24(unsigned h);
    void set_time(i64 t);  // seconds since 1970
    void increment();
    bool alarm_matches() const;
    void update_cycle();  // once a second

    u64 periodic_ticks() const;  // in units of 1/32,768 s; 0: off
    u64 periods_elapsed() const;
    void periodic();
    void latch_periodic();
    void arm_periodic();
    void set_flags(u8 flags);
    void update_irq();

    EventQueue& queue_;
    IrqLine irq8_;
    IrqLine nmi_mask_;
    std::array<u8, 256> ram_{};
    u8 index_ = 0, extended_index_ = 0;
    bool irq_level_ = false;
    Nanoseconds origin_;    // when the divider chain last left reset, less half a second
    u64 periods_seen_ = 0;  // periods up to which PF was set or cleared
    Timer second_;
    Timer period_;
};

}  // namespace mynah
