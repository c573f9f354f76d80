// The bochs VBE "dispi" registers: linear and banked modes of any size over the adapter's memory.
//
// Interface as in Bochs's and QEMU's documentation of standard-vga (docs/specs/standard-vga).
#pragma once

#include <span>

#include "base/archive.h"
#include "devices/vga_core.h"

namespace mynah {

class VbeDispi {
  public:
    enum Register : u16 {
        id,
        x_resolution,
        y_resolution,
        depth,
        enable,
        bank,
        virtual_width,
        virtual_height,
        x_offset,
        y_offset,
        memory_64k,
        register_count,
    };
    static constexpr u16 kEnabled = 0x01;
    static constexpr u16 kGetCapabilities = 0x02;
    static constexpr u16 kDac8 = 0x20;
    static constexpr u16 kLinear = 0x40;
    static constexpr u16 kKeepMemory = 0x80;

    VbeDispi(VgaCore& core, std::span<u8> vram, DirtyPages& dirty);

    void reset();
    void visit(Archive& ar);

    // The index port 1CEh and the data port 1CFh (words).
    u16 index() const { return index_; }
    void set_index(u16 value) { index_ = value; }
    u16 read(u16 index) const;
    void write(u16 index, u16 value);

    bool enabled() const { return (registers_[enable] & kEnabled) != 0; }
    // 4-bit modes keep the planar window and renderer.
    bool planar() const { return registers_[depth] == 4; }
    u32 bank_offset() const { return registers_[bank] * 0x10000u; }
    u32 width() const { return registers_[x_resolution]; }
    u32 height() const { return registers_[y_resolution]; }
    // Bytes from line to line, and from the start of memory to the line at the top.
    u32 pitch() const;
    u64 first_line() const { return u64{registers_[y_offset]} * pitch(); }

    // The colours of one drawing.
    struct Colours {
        VgaPalette dac;
        std::array<u8, 16> palette;
        u8 mask;
    };
    Colours colours() const;
    // Line `y` of the picture, 3 * width() bytes of RGB.
    void draw_row(u32 y, u8* out, const Colours& colours) const;
    // The registers that the picture depends on; see VgaLook.
    std::array<u16, 7> look() const;

  private:
    void fix_up();
    void clear();

    VgaCore& core_;
    std::span<u8> vram_;
    DirtyPages& dirty_;
    u16 index_ = 0;
    std::array<u16, register_count> registers_{};
};

}  // namespace mynah
