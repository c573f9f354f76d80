// The NE2000 on its two buses: as the RTL8029 on PCI ("ne2k_pci") and as the card of old on ISA ("ne2k_isa").
#pragma once

#include <string>

#include "devices/net/dp8390.h"
#include "devices/page_memory.h"
#include "devices/pci.h"

namespace mynah {

class Ne2000Pci final : public PciFunction, public Nic {
  public:
    enum Bank : BankId { ports };  // BAR0

    // As for E1000.
    Ne2000Pci(std::string name, EventQueue& queue, NetBackend* backend, const net::MacAddress& mac,
              std::span<const u8> rom);

    void frames_waiting() override { chip_.frames_waiting(); }

    std::string_view name() const override { return name_; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {256, 4}; }
    u64 read(BankId, u64 offset, unsigned width) override;
    void write(BankId, u64 offset, u64 value, unsigned width) override;

  private:
    std::string name_;
    PageMemory rom_;
    Dp8390 chip_;
};

class Ne2000Isa final : public Device, public Nic {
  public:
    Ne2000Isa(std::string name, EventQueue& queue, NetBackend* backend, const net::MacAddress& mac,
              IrqLine irq)
        : name_(std::move(name)), chip_(queue, backend, mac, false, std::move(irq)) {}

    void frames_waiting() override { chip_.frames_waiting(); }

    std::string_view name() const override { return name_; }
    void reset() override { chip_.reset(); }
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {Dp8390::kPorts, 2}; }
    u64 read(BankId, u64 offset, unsigned width) override { return chip_.read(offset, width); }
    void write(BankId, u64 offset, u64 value, unsigned width) override { chip_.write(offset, value, width); }

  private:
    std::string name_;
    Dp8390 chip_;
};

}  // namespace mynah
