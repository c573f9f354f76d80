// Graphics modes of the VGA itself: planar 16-colour, CGA-style shifting and 256 colours.
#include <algorithm>

#include "base/bits.h"
#include "devices/vga_core.h"

namespace mynah {

namespace {

// Eight 4-bit colours of one fetch of the four planes.
std::array<u8, 8> shift_planar(const std::array<u8, 4>& planes) {
    std::array<u8, 8> out{};
    for (unsigned x = 0; x < 8; ++x) {
        for (unsigned p = 0; p < 4; ++p) out[x] |= static_cast<u8>(bit(planes[p], 7 - x) << p);
    }
    return out;
}

// GR5 shift interleave: two bits a pixel, even planes first (planes 2 and 3 give the upper colour bits).
std::array<u8, 8> shift_interleaved(const std::array<u8, 4>& planes) {
    std::array<u8, 8> out{};
    for (unsigned x = 0; x < 8; ++x) {
        const unsigned shift = 6 - 2 * (x & 3);
        const unsigned odd = x / 4;
        out[x] = static_cast<u8>(bits(planes[odd], shift + 1, shift) | bits(planes[2 + odd], shift + 1, shift)
                                                                           << 2);
    }
    return out;
}

}  // namespace

Frame render_vga_graphics(const VgaCore& core) {
    const VgaRegisters& r = core.registers();
    const VgaGeometry g = core.geometry();
    const VgaPalette colours = core.colours();
    const std::array<u8, 16> palette = core.attribute_colours();
    const bool deep = bit(r.graphics[5], 6);
    const bool interleaved = bit(r.graphics[5], 5);
    const u32 per_clock = deep ? 4 : 8;
    // Rows that only repeat are shown once, unless the row scan selects memory (CGA, Hercules).
    const bool banked = (r.crtc[0x17] & 3) != 3;
    const u32 repeat = (banked ? 1 : g.row_height) * (g.double_scan ? 2 : 1);

    Frame frame;
    frame.width = g.columns * per_clock;
    frame.height = std::max(1u, g.lines / repeat);
    frame.rgb.resize(size_t{3} * frame.width * frame.height);
    u32 pan = r.attribute[0x13] & 7;
    if (deep) pan /= 2;

    std::vector<u8> line((g.columns + 1) * per_clock);
    u32 row_start = g.start;
    u32 row_scan = g.preset_row;
    bool second_pass = false;
    for (u32 y = 0; y < g.lines; ++y) {
        if (y % repeat == 0 && y / repeat < frame.height) {
            for (u32 column = 0; column <= g.columns; ++column) {
                const u32 address = core.fetch_address(row_start + column / g.clock_divider, row_scan);
                std::array<u8, 4> planes{};
                for (unsigned p = 0; p < 4; ++p) planes[p] = core.plane(address, p);
                u8* at = &line[column * per_clock];
                if (deep) {
                    for (unsigned p = 0; p < 4; ++p) at[p] = planes[p] & r.dac_mask;
                } else {
                    const auto pixels = interleaved ? shift_interleaved(planes) : shift_planar(planes);
                    for (unsigned x = 0; x < 8; ++x) at[x] = palette[pixels[x]];
                }
            }
            u8* out = &frame.rgb[size_t{3} * frame.width * (y / repeat)];
            for (u32 x = 0; x < frame.width; ++x) {
                const auto& colour = colours[line[x + pan]];
                out = std::copy(colour.begin(), colour.end(), out);
            }
        }
        if (y == g.line_compare) {
            row_start = g.split_start;
            row_scan = 0;
            second_pass = false;
            if (bit(r.attribute[0x10], 5)) pan = 0;
            continue;
        }
        if (g.double_scan && !second_pass) {
            second_pass = true;
            continue;
        }
        second_pass = false;
        if (row_scan == g.row_height - 1) {
            row_scan = 0;
            row_start += g.pitch;
        } else {
            row_scan = (row_scan + 1) & 31;
        }
    }
    return frame;
}

}  // namespace mynah
