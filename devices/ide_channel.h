// One IDE channel: a cable with up to two devices, and its half of the PIIX bus master.
//
// Register blocks: ATA/ATAPI-6 ch. 7; device 0 answers for an absent device 1: 9.16. Bus master: 82371SB data
// sheet 2.7 and "Programming Interface for Bus Master IDE Controller" 1.0 (descriptor tables, meaning of
// status bits).
#pragma once

#include <array>

#include "devices/ata_device.h"
#include "devices/irq_line.h"

namespace mynah {

// The controller's access to memory.
class IdeBusMaster {
  public:
    virtual ~IdeBusMaster() = default;
    virtual bool may_master() const = 0;
    virtual void memory_read(u64 address, std::span<u8> out) = 0;
    virtual void memory_write(u64 address, std::span<const u8> data) = 0;
};

class IdeChannel final : public AtaCable {
  public:
    IdeChannel(IdeBusMaster& master, IrqLine irq) : master_(master), irq_(std::move(irq)) {}

    // `device` must outlive the channel. Unit 0 or 1.
    void attach(unsigned unit, AtaDevice& device);
    AtaDevice* device(unsigned unit) const { return devices_[unit]; }

    void reset();
    void visit(Archive& ar);

    // The eight command block registers.
    u32 read_command(u64 offset, unsigned width);
    void write_command(u64 offset, u32 value, unsigned width);
    // Alternate status and device control.
    u8 read_control() const;
    void write_control(u8 value);
    // The eight bus master registers, byte by byte.
    u8 read_bus_master(u64 offset) const;
    void write_bus_master(u64 offset, u8 value);

    void interrupt_changed(AtaDevice& device) override;
    bool dma_ready(bool to_memory) override;
    size_t dma_to_memory(std::span<const u8> data) override;
    size_t dma_from_memory(std::span<u8> out) override;

  private:
    AtaDevice* selected() const { return devices_[select_]; }
    bool empty() const { return devices_[0] == nullptr && devices_[1] == nullptr; }
    void execute(u8 command);
    void update_interrupt();
    // Fetches the next descriptor when one is used up. False: the table has ended.
    bool descriptor();
    void advance(u32 n);

    IdeBusMaster& master_;
    IrqLine irq_;
    std::array<AtaDevice*, 2> devices_{};
    u8 select_ = 0;
    u8 control_ = 0;
    bool line_ = false;

    u8 master_command_ = 0;
    u8 master_status_ = 0;
    u32 table_ = 0;
    // Where the running transfer is.
    u32 next_descriptor_ = 0;
    u32 address_ = 0;
    u32 remaining_ = 0;
    bool last_ = false;
};

}  // namespace mynah
