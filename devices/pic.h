// The pair of 8259A interrupt controllers of a PC (Intel 8259A data sheet; PIIX3 data sheet for ELCR).
#pragma once

#include <array>
#include <string>

#include "devices/device.h"
#include "devices/irq_line.h"

namespace mynah {

class Pic final : public Device {
  public:
    // Ports 20h-21h, A0h-A1h, and the edge/level registers 4D0h-4D1h.
    enum Bank : BankId { master, slave, elcr };

    // `intr` is the master's INT output, to the CPU's INTR pin (and LINT0).
    explicit Pic(IrqLine intr);

    // IRQ 0-15 as on the ISA bus; 2 is the cascade and ignored. Asserted means an interrupt is requested.
    void set_irq(unsigned irq, bool level);
    // The two INTA cycles: the vector of what has the highest priority, or of a spurious IRQ7/IRQ15.
    u8 acknowledge();
    // The level of INT.
    bool intr() const { return intr_level_; }
    // Lines for `info pic`.
    std::string describe() const;

    std::string_view name() const override { return "i8259"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {2, 1}; }
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  private:
    struct Chip {
        u8 lines = 0;  // input levels
        u8 edges = 0;  // rising edges not yet acknowledged; a falling one withdraws it
        u8 level = 0;  // ELCR
        u8 imr = 0, isr = 0;
        u8 base = 0;    // ICW2
        u8 slaves = 0;  // ICW3
        u8 lowest = 7;  // the input of lowest priority
        u8 icw = 0;     // the initialisation word expected next, 0 when ready
        bool single = false, needs_icw4 = false;
        bool auto_eoi = false, rotate_on_auto_eoi = false;
        bool special_fully_nested = false, special_mask = false;
        bool read_isr = false, poll = false;

        u8 irr() const { return static_cast<u8>(lines & (edges | level)); }
        void set_line(unsigned n, bool high);
        // Rank of the best of `requests`: 0 is the highest, 8 none.
        unsigned rank(u8 requests) const;
        // The input to be served now, or -1.
        int pending(bool is_master) const;
        void take(unsigned n);
        void write_icw1(u8 value);
        void write_ocw2(u8 value);
        void write_ocw3(u8 value);
        void write_data(u8 value);
        void visit(Archive& ar);
    };

    void update();
    u8 read_chip(Chip& chip, bool is_master, u64 offset);
    void write_chip(Chip& chip, u64 offset, u8 value);

    IrqLine intr_;
    std::array<Chip, 2> chips_;
    bool intr_level_ = false;
};

}  // namespace mynah
