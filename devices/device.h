// What every emulated device is: registers behind banks, a reset pin and a visitable state.
//
// A device does not know its base addresses: whoever wires the machine maps its banks into port or memory
// space and may move them (PCI BARs). Its interrupts are IrqLines, its time an EventQueue, its host resources
// interfaces handed to the constructor. It never starts a thread and never reads the host's clock.
#pragma once

#include <string_view>

#include "base/archive.h"
#include "base/types.h"

namespace mynah {

// Names one of a device's register windows; each device has an enum of its own.
using BankId = u8;

struct BankInfo {
    u32 length = 0;    // bytes
    u8 max_width = 1;  // widest access the device takes, bytes (1, 2, 4, 8); the bus splits wider ones
};

class Device {
  public:
    Device() = default;
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;
    virtual ~Device() = default;

    // Unique in a machine: it names the device's section in a snapshot.
    virtual std::string_view name() const = 0;
    // The hardware reset pin; also brings the device to its power-on state.
    virtual void reset() = 0;
    // Guest-visible state only. Wiring and host resources are rebuilt, not saved.
    virtual void visit(Archive& ar) = 0;

    virtual BankInfo bank(BankId bank) const = 0;
    // `offset + width <= bank length`, width <= max_width, any alignment. A read may have side effects.
    virtual u64 read(BankId bank, u64 offset, unsigned width) = 0;
    virtual void write(BankId bank, u64 offset, u64 value, unsigned width) = 0;
};

}  // namespace mynah
