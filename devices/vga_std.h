// The standard VGA of Bochs and QEMU, 1234:1111: a VGA with VBE dispi, memory in BAR0, registers in BAR2.
#pragma once

#include <memory>
#include <vector>

#include "devices/pci.h"
#include "devices/vbe_dispi.h"
#include "devices/vga_core.h"

namespace mynah {

class StdVga final : public PciFunction, public DisplayAdapter {
  public:
    enum Bank : BankId {
        ports,   // 3B0h..3DFh; the machine maps 3B0h (12 ports) and 3C0h (32 ports, offset 10h)
        dispi,   // 1CEh..1D1h
        window,  // A0000h..BFFFFh
        mmio,    // BAR2
    };

    // `rom`: content of the expansion ROM, which may be empty (firmware then finds it elsewhere). `vram_size`
    // is a power of two, 1 MiB to 256 MiB.
    StdVga(EventQueue& time, std::vector<u8> rom, u32 vram_size = 16 * MiB);

    std::string_view name() const override { return "vga"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId bank) const override;
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

    Frame render() const override;
    TextScreen text_cells() const override;

    VgaCore& core() { return core_; }
    VbeDispi& vbe() { return vbe_; }

  private:
    struct Free {
        void operator()(u8* p) const;
    };
    using Memory = std::unique_ptr<u8[], Free>;
    static Memory allocate(size_t size);

    u8 read_mmio(u64 offset);
    void write_mmio(u64 offset, u8 value);
    u64 read_dispi(u64 offset, unsigned width);
    void write_dispi(u64 offset, u16 value, unsigned width);
    u8 read_window(u32 offset);
    void write_window(u32 offset, u8 value);

    Memory vram_;
    std::span<u8> vram_bytes_;
    Memory rom_;
    VgaCore core_;
    VbeDispi vbe_;
};

}  // namespace mynah
