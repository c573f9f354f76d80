// The VGA: register file, four planes of memory behind the A0000h window, and what is on the screen.
//
// IBM "Personal System/2 Hardware Interface Technical Reference: Video Subsystems" (1992). Adapters own one
// and add what is theirs (VBE, acceleration). Memory is held interleaved: plane p of address a is byte 4 * a
// + p.
#pragma once

#include <array>
#include <span>

#include "base/archive.h"
#include "devices/dirty_pages.h"
#include "devices/event_queue.h"
#include "devices/frame.h"

namespace mynah {

struct VgaRegisters {
    u8 misc_output = 0;
    u8 feature_control = 0;
    u8 enable = 1;  // 3C3h
    u8 sequencer_index = 0;
    std::array<u8, 5> sequencer{};
    u8 crtc_index = 0;
    std::array<u8, 0x19> crtc{};
    u8 graphics_index = 0;
    std::array<u8, 9> graphics{};
    u8 attribute_index = 0;       // with the palette address source bit (20h)
    bool attribute_data = false;  // the flip-flop: next write of 3C0h is data
    std::array<u8, 0x15> attribute{};
    u8 dac_mask = 0xFF;
    u8 dac_read_index = 0;
    u8 dac_write_index = 0;
    u8 dac_component = 0;
    bool dac_reading = false;
    std::array<u8, 2> dac_pending{};
    std::array<u8, 768> dac{};  // red, green, blue; 6 bits, or 8 when dac_8bit
    bool dac_8bit = false;
    std::array<u8, 4> latches{};

    void visit(Archive& ar);
};

// What the CRTC registers say about the visible picture.
struct VgaGeometry {
    u32 columns;       // character clocks a line
    u32 lines;         // scan lines
    u32 start;         // address counter of the first character
    u32 pitch;         // address counter from row to row
    u32 line_compare;  // the split screen starts after this scan line
    u32 row_height;    // scan lines a character row
    u32 preset_row;
    u32 dots;  // a character clock: 8 or 9
    bool double_scan;
    u32 byte_pan;       // part of `start`
    u32 split_start;    // `start` of the split screen
    u32 clock_divider;  // character clocks for each step of the address counter
};

// All registers that the picture depends on: alike, they make the same picture of the same memory.
struct VgaLook {
    std::array<u8, 5> sequencer;
    std::array<u8, 0x19> crtc;
    std::array<u8, 9> graphics;
    std::array<u8, 0x15> attribute;
    std::array<u8, 768> dac;
    u8 dac_mask;
    bool dac_8bit;
    bool blanked;
    bool operator==(const VgaLook&) const = default;
};

// What of a text screen moves by itself, by VgaCore::frame_number(). Cursor and characters that blink.
struct VgaBlinking {
    bool cursor = false;
    bool characters = false;
};

using VgaPalette = std::array<std::array<u8, 3>, 256>;

class VgaCore {
  public:
    // `vram` stays the owner's: at least 256 KiB, a power of two. `dirty` hears of what is written to it.
    VgaCore(EventQueue& time, std::span<u8> vram, DirtyPages& dirty);

    void reset();
    void visit(Archive& ar) { regs_.visit(ar); }

    // Ports 3B0h..3DFh, one byte at a time.
    u8 read_port(u16 port);
    void write_port(u16 port, u8 value);
    // The A0000h..BFFFFh window; `offset` below 128 KiB. `bank` is added to plane addresses (VBE 4-bit
    // modes).
    u8 read_window(u32 offset, u32 bank = 0);
    void write_window(u32 offset, u8 value, u32 bank = 0);

    EventQueue& time() { return time_; }
    const VgaRegisters& registers() const { return regs_; }
    VgaRegisters& registers() { return regs_; }
    std::span<const u8> vram() const { return vram_; }

    bool graphics_mode() const { return (regs_.graphics[6] & 1) != 0; }
    // Sequencer screen-off, palette source with the CPU, or held in reset.
    bool blanked() const;
    VgaGeometry geometry() const;
    VgaLook look() const;
    // DAC content as 8-bit colours.
    VgaPalette colours() const;
    // A 4-bit attribute colour to the DAC index, through palette, colour select and mask.
    std::array<u8, 16> attribute_colours() const;
    // Vertical refreshes since power-on, for blinking.
    u64 frame_number() const;
    // One address counter value to an address within a plane (byte, word, doubleword mode; CGA and Hercules).
    u32 fetch_address(u32 counter, u32 row_scan) const;
    u8 plane(u32 address, unsigned p) const { return vram_[(u64{address} * 4 + p) & (vram_.size() - 1)]; }

  private:
    struct Raster {
        u64 dots_per_line;
        u64 lines;
        u64 clock;  // Hz
    };
    Raster raster() const;
    u8 read_status1();
    u8 read_attribute() const;
    void write_attribute(u8 value);
    u8 read_dac();
    void write_dac(u8 value);
    void write_crtc(u8 value);
    bool crtc_at(u16 port) const;
    bool window_address(u32& offset) const;
    void load_latches(u32 address);

    EventQueue& time_;
    std::span<u8> vram_;
    DirtyPages& dirty_;
    VgaRegisters regs_;
};

// Phases of what blinks: the cursor 1/16, characters 1/32 of the refresh rate.
inline bool vga_cursor_phase(u64 frame_number) {
    return (frame_number >> 3 & 1) == 0;
}
inline bool vga_character_phase(u64 frame_number) {
    return (frame_number >> 4 & 1) == 0;
}

// The renderers, one file each. `core` is not blanked; the geometry's registers bound the sizes.
// `blinks`: gets what of the screen blinks.
Frame render_vga_text(const VgaCore& core, VgaBlinking* blinks = nullptr);
TextScreen read_vga_text(const VgaCore& core);
Frame render_vga_graphics(const VgaCore& core);

}  // namespace mynah
