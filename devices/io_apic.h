// I/O APIC with 24 inputs (Intel 82093AA data sheet; redirection entries as in SDM vol. 3A 11.11 messages).
#pragma once

#include <array>
#include <string>

#include "devices/device.h"

namespace mynah {

// What goes over the APIC bus. The machine hands it to the processors' local APICs.
class ApicBus {
  public:
    virtual ~ApicBus() = default;

    enum class Delivery : u8 { fixed, lowest_priority, smi, reserved3, nmi, init, reserved6, ext_int };
    struct Message {
        u8 destination;  // APIC id, or logical destination byte
        bool logical;
        Delivery delivery;
        u8 vector;   // not for NMI, SMI, INIT; with ExtINT the 8259A's acknowledge cycle supplies it
        bool level;  // trigger mode
    };
    virtual void deliver(const Message& message) = 0;
};

class IoApic final : public Device {
  public:
    static constexpr unsigned kPins = 24;

    explicit IoApic(ApicBus& bus) : bus_(bus) { reset(); }

    // Asserted means an interrupt is requested: the polarity bit is the guest's business with its board, and
    // lines here carry meaning, not voltage.
    void set_pin(unsigned pin, bool level);
    // An EOI message from a local APIC, for a level-triggered vector.
    void end_of_interrupt(u8 vector);
    // Lines for `info pic`.
    std::string describe() const;

    std::string_view name() const override { return "ioapic"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {4096, 4}; }
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  private:
    u32 read_window() const;
    void write_window(u32 value);
    void write_entry(unsigned pin, bool high, u32 value);
    void service(unsigned pin);

    ApicBus& bus_;
    u8 select_ = 0;
    u8 id_ = 0;
    u32 lines_ = 0;  // input levels
    std::array<u64, kPins> entries_{};
};

}  // namespace mynah
