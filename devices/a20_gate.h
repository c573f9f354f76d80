// Address line 20 of the CPU, which port 92h and the keyboard controller both switch: the last one wins.
#pragma once

#include "devices/irq_line.h"

namespace mynah {

class A20Gate {
  public:
    // The sink is told of every change; true lets A20 through.
    explicit A20Gate(IrqLine pin) : pin_(std::move(pin)) {}

    bool enabled() const { return enabled_; }
    void set(bool enabled) {
        if (enabled == enabled_) return;
        enabled_ = enabled;
        pin_.set(enabled);
    }
    // Saved by the device that owns port 92h.
    template <class Ar>
    void visit(Ar& ar) {
        ar(enabled_);
    }

  private:
    IrqLine pin_;
    bool enabled_ = true;
};

}  // namespace mynah
