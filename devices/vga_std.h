// The standard VGA of Bochs and QEMU, 1234:1111: a VGA with VBE dispi, memory in BAR0, registers in BAR2.
#pragma once

#include <memory>
#include <vector>

#include "devices/dirty_pages.h"
#include "devices/edid.h"
#include "devices/pci.h"
#include "devices/picture.h"
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
    bool update(Frame& frame) override;
    TextScreen text_cells() const override;

    VgaCore& core() { return core_; }
    VbeDispi& vbe() { return vbe_; }

  private:
    void bar_moved(unsigned index) override;

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

    // What the screen is made from, and what of it blinks how.
    enum class Source : u8 { dark, text, graphics, planar, linear };
    struct Look {
        VgaLook vga;
        std::array<u16, 7> vbe;
        bool operator==(const Look&) const = default;
    };
    Source source() const;
    Frame draw(VgaBlinking* blinking) const;
    // Whether the cursor and blinking characters show now; those that are not there never do.
    std::array<bool, 2> phases() const;
    void redraw();
    void redraw_linear(bool whole);

    Memory vram_;
    std::span<u8> vram_bytes_;
    Memory rom_;
    DirtyPages dirty_;
    VgaCore core_;
    VbeDispi vbe_;
    const Edid edid_ = make_edid();
    // What update() drew last, and from what.
    Picture picture_;
    Look drawn_{};
    VgaBlinking blinking_;
    std::array<bool, 2> drawn_phases_{};
};

}  // namespace mynah
