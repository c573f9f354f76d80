// PIIX3 IDE, function 1 (82371SB data sheet, order no. 290550, 2.3): two channels at the legacy addresses.
#pragma once

#include "devices/ide_channel.h"
#include "devices/pci.h"

namespace mynah {

class PiixIde final : public PciFunction, private IdeBusMaster {
  public:
    enum Bank : BankId {
        primary_command,  // 1F0h..1F7h
        primary_control,  // 3F6h
        secondary_command,
        secondary_control,
        bus_master,  // BAR4
    };

    // The function claims its legacy ports itself, while they are decoded: I/O space enabled in the command
    // register and the decode bit (15) set in IDETIM (40h primary, 42h secondary). `irq14`, `irq15`: ISA
    // interrupts.
    PiixIde(Log& log, IrqLine irq14, IrqLine irq15);
    ~PiixIde() override;

    // Channel 0 or 1; attach drives to it before the machine starts.
    IdeChannel& channel(unsigned n) { return channels_[n]; }
    // Lines for `info block`.
    std::string describe() const;

    std::string_view name() const override { return "piix-ide"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId bank) const override;
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  protected:
    void config_written(u8 offset, unsigned width) override;

  private:
    void update_decode();
    bool may_master() const override { return PciFunction::bus_master(); }
    void memory_read(u64 address, std::span<u8> out) override { dma_read(address, out); }
    void memory_write(u64 address, std::span<const u8> data) override { dma_write(address, data); }

    Log& log_;
    std::array<IdeChannel, 2> channels_;
    std::array<bool, 2> decoded_{};
};

}  // namespace mynah
