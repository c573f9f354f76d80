#include "bios/vga_text.h"

#include <algorithm>
#include <initializer_list>

namespace mynah {

namespace {

using Writes = std::vector<std::pair<u16, u8>>;

void indexed(Writes& w, u16 port, u8 index, u8 value) {
    w.emplace_back(port, index);
    w.emplace_back(static_cast<u16>(port + 1), value);
}

bool all(std::span<const u8> rows, u8 value) {
    return std::all_of(rows.begin(), rows.end(), [&](u8 r) { return r == value; });
}

bool is_font(std::span<const u8> f) {
    const auto glyph = [&](unsigned code) { return f.subspan(code * 16, 16); };
    if (!all(glyph(0), 0) || !all(glyph(' '), 0) || !all(glyph(0xFF), 0)) return false;
    if (!all(glyph(0xDB), 0xFF)) return false;
    const auto lower = glyph(0xDC), upper = glyph(0xDF), vertical = glyph(0xB3), horizontal = glyph(0xC4);
    if (!all(lower.first(4), 0) || !all(lower.last(4), 0xFF)) return false;
    if (!all(upper.first(4), 0xFF) || !all(upper.last(4), 0)) return false;
    if (vertical[0] == 0 || vertical[0] == 0xFF || !all(vertical, vertical[0])) return false;
    return std::count(horizontal.begin(), horizontal.end(), 0) >= 14 &&
           std::count(horizontal.begin(), horizontal.end(), 0xFF) >= 1;
}

}  // namespace

std::optional<Font8x16> find_font(std::span<const u8> rom) {
    Font8x16 font;
    for (size_t at = 0; at + font.size() <= rom.size(); ++at) {
        if (!is_font(rom.subspan(at, font.size()))) continue;
        std::copy_n(rom.begin() + static_cast<std::ptrdiff_t>(at), font.size(), font.begin());
        return font;
    }
    return std::nullopt;
}

Writes vga_mode3() {
    // IBM VGA register values for mode 3+, 720x400.
    static constexpr u8 sequencer[] = {0x03, 0x00, 0x03, 0x00, 0x02};
    static constexpr u8 crtc[] = {0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00,
                                  0x4F, 0x0D, 0x0E, 0x00, 0x00, 0x00, 0x00, 0x9C, 0x8E,
                                  0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF};
    static constexpr u8 graphics[] = {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0E, 0x00, 0xFF};
    Writes w;
    w.emplace_back(u16{0x3C2}, u8{0x67});
    for (size_t i = 0; i < sizeof sequencer; ++i) indexed(w, 0x3C4, static_cast<u8>(i), sequencer[i]);
    indexed(w, 0x3D4, 0x11, 0x00);  // unprotects CRTC 0-7
    for (size_t i = 0; i < sizeof crtc; ++i) indexed(w, 0x3D4, static_cast<u8>(i), crtc[i]);
    for (size_t i = 0; i < sizeof graphics; ++i) indexed(w, 0x3CE, static_cast<u8>(i), graphics[i]);
    // The palette of 64 EGA colours: two bits for each of red, green and blue.
    w.emplace_back(u16{0x3C6}, u8{0xFF});
    w.emplace_back(u16{0x3C8}, u8{0});
    for (u8 c = 0; c < 64; ++c) {
        for (int channel : {2, 1, 0}) {
            const int strong = c >> channel & 1, weak = c >> (channel + 3) & 1;
            w.emplace_back(u16{0x3C9}, static_cast<u8>(strong * 0x2A + weak * 0x15));
        }
    }
    return w;
}

Writes vga_mode3_attributes() {
    static constexpr u8 attribute[] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39,
                                       0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 0x0C, 0x00, 0x0F, 0x08};
    Writes w;
    for (size_t i = 0; i < sizeof attribute; ++i) {
        w.emplace_back(u16{0x3C0}, static_cast<u8>(i));
        w.emplace_back(u16{0x3C0}, attribute[i]);
    }
    w.emplace_back(u16{0x3C0}, u8{0x20});  // display on
    return w;
}

Writes vga_open_font_plane() {
    Writes w;
    indexed(w, 0x3C4, 2, 4);
    indexed(w, 0x3C4, 4, 7);
    indexed(w, 0x3CE, 4, 2);
    indexed(w, 0x3CE, 5, 0);
    indexed(w, 0x3CE, 6, 4);
    return w;
}

Writes vga_close_font_plane() {
    Writes w;
    indexed(w, 0x3C4, 2, 3);
    indexed(w, 0x3C4, 4, 2);
    indexed(w, 0x3CE, 4, 0);
    indexed(w, 0x3CE, 5, 0x10);
    indexed(w, 0x3CE, 6, 0x0E);
    return w;
}

}  // namespace mynah
