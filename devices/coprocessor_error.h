// What stands between an x87's FERR# and the CPU's IGNNE# on AT boards (PIIX3 data sheet, coprocessor error
// register; SDM vol. 1 appendix D): an unmasked error with CR0.NE clear makes IRQ13, and a write to port F0h
// takes the interrupt back and lets the handler's own x87 instructions through until the error is cleared.
#pragma once

#include "devices/device.h"
#include "devices/irq_line.h"

namespace mynah {

class CoprocessorError final : public Device {
  public:
    explicit CoprocessorError(IrqLine irq13) : irq13_(std::move(irq13)) {}

    // The FERR# pin, and the level of IGNNE#.
    void set_ferr(bool asserted) {
        ferr_ = asserted;
        if (!asserted) ignne_ = false;
        set_irq(asserted);
    }
    bool ignne() const { return ignne_; }

    std::string_view name() const override { return "coprocessor-error"; }
    void reset() override { set_ferr(false); }
    void visit(Archive& ar) override {
        ar.section(name());
        ar.all(ferr_, ignne_, irq_level_);
    }
    BankInfo bank(BankId) const override { return {2, 1}; }  // ports F0h and F1h
    u64 read(BankId, u64, unsigned) override { return 0xFF; }
    void write(BankId, u64, u64, unsigned) override {
        set_irq(false);
        if (ferr_) ignne_ = true;
    }

  private:
    void set_irq(bool level) {
        if (level == irq_level_) return;
        irq_level_ = level;
        irq13_.set(level);
    }

    IrqLine irq13_;
    bool ferr_ = false;
    bool ignne_ = false;
    bool irq_level_ = false;
};

}  // namespace mynah
