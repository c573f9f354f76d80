// The 64 Ki I/O ports, and the adapter that puts a device's bank into memory space.
#pragma once

#include <memory>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "devices/device.h"
#include "mmu/physical_map.h"

namespace mynah {

class IoBus {
  public:
    explicit IoBus(Log& log);

    // Claims `length` ports (0: the whole bank) from `base`, which show the bank from `bank_offset` on.
    // Error: overlaps another device, which is named. The device must stay alive until unmapped.
    Status map(u16 base, Device& device, BankId bank, u32 length = 0, u32 bank_offset = 0);
    // Gives back what this bank claimed at this base.
    void unmap(u16 base, Device& device, BankId bank);

    // Width 1, 2 or 4. Unclaimed ports read as ones. Accesses wider than the device takes, or that leave its
    // claim, are split into smaller ones, low port first.
    u32 read(u16 port, unsigned width);
    void write(u16 port, u32 value, unsigned width);

  private:
    struct Claim {
        Device* device;
        BankId bank;
        u8 max_width;
        u16 base;
        u32 length;
        u32 offset;
    };

    Log& log_;
    std::vector<std::unique_ptr<Claim>> claims_;
    std::vector<const Claim*> by_port_;  // 65,536 entries
};

// Shows one bank of a device as memory-mapped registers. Splits accesses wider than the device takes.
class DeviceMmio final : public MmioHandler {
  public:
    DeviceMmio(Device& device, BankId bank) : device_(device), bank_(bank), info_(device.bank(bank)) {}
    u64 read(u64 offset, unsigned width) override;
    void write(u64 offset, u64 value, unsigned width) override;

  private:
    Device& device_;
    BankId bank_;
    BankInfo info_;
};

}  // namespace mynah
