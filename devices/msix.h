// MSI-X: the table of messages that a PCI function sends instead of driving its INTx# pin, and the bits of
// those that wait behind a mask (PCI Local Bus Specification 3.0, 6.8.2).
#pragma once

#include <array>
#include <functional>

#include "base/archive.h"
#include "base/types.h"

namespace mynah {

class Msix {
  public:
    static constexpr unsigned kMostVectors = 64;
    // The BAR that holds both: its size, and where the pending bits begin.
    static constexpr u32 kBarSize = 4096;
    static constexpr u32 kPendingOffset = 2048;
    // Message control, behind the capability's header.
    static constexpr u16 kEnable = 0x8000;
    static constexpr u16 kFunctionMask = 0x4000;

    using Send = std::function<void(u64 address, u32 data)>;
    // `vectors`: 1 to kMostVectors.
    Msix(unsigned vectors, Send send);

    unsigned vectors() const { return vectors_; }
    bool enabled() const { return (control_ & kEnable) != 0; }
    // The guest wrote message control.
    void set_control(u16 value);
    // Sends the vector's message, now or when it is unmasked; nothing while MSI-X is off or without such a
    // vector.
    void signal(unsigned vector);

    // The BAR; offset + width <= kBarSize.
    u64 read(u64 offset, unsigned width) const;
    void write(u64 offset, u64 value, unsigned width);

    void reset();
    void visit(Archive& ar);

  private:
    static constexpr unsigned kEntrySize = 16;

    bool masked(unsigned vector) const;
    void send_pending();

    unsigned vectors_;
    Send send_;
    u16 control_ = 0;
    std::array<u8, kMostVectors * kEntrySize> table_{};
    u64 pending_ = 0;
};

}  // namespace mynah
