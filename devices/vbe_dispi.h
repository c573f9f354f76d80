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

    VbeDispi(VgaCore& core, std::span<u8> vram);

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
    Frame render() const;

  private:
    u32 pitch() const;
    void fix_up();
    void clear();

    VgaCore& core_;
    std::span<u8> vram_;
    u16 index_ = 0;
    std::array<u16, register_count> registers_{};
};

}  // namespace mynah
