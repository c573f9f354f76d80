// PIIX3 PCI-to-ISA bridge, function 0 (82371SB data sheet, order no. 290550): PIRQ routing and reset control.
#pragma once

#include <functional>

#include "devices/pci.h"

namespace mynah {

class Piix3 final : public PciFunction {
  public:
    // `interrupt`: ISA IRQ number 0..15 and the wired-OR level of the PIRQs routed there, on changes only.
    // The machine joins it with ISA devices on the same IRQ and feeds PIC and I/O APIC inputs alike.
    using InterruptSink = std::function<void(unsigned irq, bool level)>;
    // `reset`: the reset control register was triggered; hard is a full reset, else only the CPU's INIT.
    using ResetSink = std::function<void(bool hard)>;

    Piix3(InterruptSink interrupt, ResetSink reset);

    // A PIRQ line's level, 0..3 for A..D. Connect to PciBus::connect_pirq().
    void set_pirq(unsigned pirq, bool level);
    // The ISA IRQ a PIRQ is routed to, or a negative number: none.
    int route(unsigned pirq) const;

    // Reset control register, port CF9h. Connect to PciBus::connect_reset_control().
    u8 read_reset_control() const { return reset_control_; }
    void write_reset_control(u8 value);

    std::string_view name() const override { return "piix3"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {}; }
    u64 read(BankId, u64, unsigned) override { return ~u64{0}; }
    void write(BankId, u64, u64, unsigned) override {}

  protected:
    void config_written(u8 offset, unsigned width) override;

  private:
    void update();

    InterruptSink interrupt_;
    ResetSink reset_;
    u8 pirq_levels_ = 0;  // bit per PIRQ
    u16 irq_levels_ = 0;  // what the sink was last told, bit per IRQ
    u8 reset_control_ = 0;
};

}  // namespace mynah
