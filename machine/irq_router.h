// Joins what shares an ISA interrupt line and feeds both interrupt controllers.
#pragma once

#include <array>
#include <utility>

#include "base/archive.h"
#include "base/bits.h"
#include "devices/io_apic.h"
#include "devices/pic.h"

namespace mynah {

class IrqRouter {
  public:
    // Independent drivers of a line; their levels are ORed. COM3 and COM4 share lines with COM1 and COM2.
    enum Source : u8 { isa, isa_second, pci, hpet };

    IrqRouter(Pic& pic, IoApic& io_apic) : pic_(pic), io_apic_(io_apic) {}

    void set(unsigned irq, Source source, bool level) {
        levels_[irq & 15] = with_bit(levels_[irq & 15], source, level);
        drive(irq & 15);
    }
    // Disconnects a driver from a line, or connects it again with the level that it has.
    void hold_back(unsigned irq, Source source, bool held) {
        held_[irq & 15] = with_bit(held_[irq & 15], source, held);
        drive(irq & 15);
    }
    IrqLine line(unsigned irq, Source source = isa) {
        return IrqLine([this, irq, source](bool level) { set(irq, source, level); });
    }
    void reset() { levels_ = held_ = driven_ = {}; }
    void visit(Archive& ar) { ar.all(levels_, held_, driven_); }

  private:
    void drive(unsigned irq) {
        const u8 level = (levels_[irq] & ~held_[irq]) != 0;
        if (std::exchange(driven_[irq], level) == level) return;
        pic_.set_irq(irq, level != 0);
        // The MADT's override: IRQ0 is input 2, where the cascade would be.
        if (irq != 2) io_apic_.set_pin(irq == 0 ? 2 : irq, level != 0);
    }

    Pic& pic_;
    IoApic& io_apic_;
    std::array<u8, 16> levels_{};  // bit per source
    std::array<u8, 16> held_{};
    std::array<u8, 16> driven_{};
};

}  // namespace mynah
