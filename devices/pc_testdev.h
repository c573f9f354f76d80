// QEMU's pc-testdev, which kvm-unit-tests use (hw/misc/pc-testdev.c): data ports, a page to flush, every ISA
// interrupt line as a port, and 64 KiB of registers that remember what was written.
#pragma once

#include <functional>
#include <vector>

#include "devices/device.h"

namespace mynah {

class PcTestdev final : public Device {
  public:
    enum Bank : BankId {
        io,           // E0h-E3h, any width
        flush,        // E4h-E7h: a 32-bit write names a physical page whose cached translations are to go
        io_by_bytes,  // E8h-EBh: the same register, split into byte accesses
        irq_lines,    // 2000h-2017h: the line's level
        memory,       // FF000000h, 64 KiB
    };

    struct Outputs {
        std::function<void(unsigned line, bool level)> irq;  // 0-23
        std::function<void(u64 physical)> flush_page;
    };
    explicit PcTestdev(Outputs outputs) : outputs_(std::move(outputs)), memory_(64 * KiB) {}

    std::string_view name() const override { return "pc-testdev"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId bank) const override;
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  private:
    Outputs outputs_;
    u32 data_ = 0;
    u32 lines_ = 0;
    std::vector<u8> memory_;
};

}  // namespace mynah
