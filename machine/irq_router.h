// Joins what shares an ISA interrupt line and feeds both interrupt controllers.
#pragma once

#include <array>

#include "base/archive.h"
#include "devices/io_apic.h"
#include "devices/pic.h"

namespace mynah {

class IrqRouter {
  public:
    // Independent drivers of a line; their levels are ORed.
    enum Source : u8 { isa, pci, timer };

    IrqRouter(Pic& pic, IoApic& io_apic) : pic_(pic), io_apic_(io_apic) {}

    void set(unsigned irq, Source source, bool level) {
        u8& sources = levels_[irq & 15];
        const bool before = sources != 0;
        sources = with_bit(sources, source, level);
        const bool after = sources != 0;
        if (before == after) return;
        pic_.set_irq(irq, after);
        // The MADT's override: IRQ0 is input 2, where the cascade would be.
        if (irq != 2) io_apic_.set_pin(irq == 0 ? 2 : irq, after);
    }
    IrqLine line(unsigned irq, Source source = isa) {
        return IrqLine([this, irq, source](bool level) { set(irq, source, level); });
    }
    void reset() { levels_ = {}; }
    void visit(Archive& ar) { ar(levels_); }

  private:
    Pic& pic_;
    IoApic& io_apic_;
    std::array<u8, 16> levels_{};
};

}  // namespace mynah
