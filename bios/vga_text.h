// VGA mode 3 (80x25 text, 9x16 cells) as register writes, and the font out of an installed VGA BIOS.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/types.h"

namespace mynah {

// 256 glyphs of 16 rows, most significant bit left.
using Font8x16 = std::array<u8, 4096>;

// Finds an 8x16 font in a ROM image by what code page 437 has at some places: blanks, a full block, half
// blocks, box lines. Nothing: the image has none.
std::optional<Font8x16> find_font(std::span<const u8> rom);

// Port writes of one byte each, in order.
std::vector<std::pair<u16, u8>> vga_mode3();
// The attribute controller's part, right after a read of port 3DAh.
std::vector<std::pair<u16, u8>> vga_mode3_attributes();
// Open plane 2 at A0000h for the font, and go back to text addressing.
std::vector<std::pair<u16, u8>> vga_open_font_plane();
std::vector<std::pair<u16, u8>> vga_close_font_plane();

}  // namespace mynah
