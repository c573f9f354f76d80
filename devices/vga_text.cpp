// Text modes: characters and attributes in planes 0 and 1, fonts in plane 2.
#include <algorithm>
#include <string_view>

#include "base/bits.h"
#include "devices/vga_core.h"

namespace mynah {

namespace {

constexpr std::string_view kUpper437 =
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτ"
    "ΦΘΩδ"
    "∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00A0";
constexpr std::string_view kLower437 = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";

// The `n`th code point of a UTF-8 string.
std::string_view code_point(std::string_view s, unsigned n) {
    const auto length = [](u8 lead) -> size_t {
        return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    };
    size_t at = 0;
    while (n-- > 0) at += length(static_cast<u8>(s[at]));
    return s.substr(at, length(static_cast<u8>(s[at])));
}

// SR3 to a font's address in plane 2.
u32 font_address(unsigned low, unsigned high) {
    return low * 0x4000u + high * 0x2000u;
}

struct Cursor {
    u32 address;
    u32 start;
    u32 end;
    bool on;
};

Cursor cursor_of(const VgaRegisters& r) {
    const auto& cr = r.crtc;
    Cursor c{};
    c.address = static_cast<u32>(cr[0x0E] << 8 | cr[0x0F]) + bits(cr[0x0B], 6, 5);
    c.start = bits(cr[0x0A], 4, 0);
    c.end = bits(cr[0x0B], 4, 0);
    c.on = !bit(cr[0x0A], 5) && c.start <= c.end;
    return c;
}

}  // namespace

std::vector<std::string> TextScreen::lines() const {
    std::vector<std::string> out;
    for (u32 row = 0; row < rows; ++row) {
        std::string line;
        size_t used = 0;
        for (u32 column = 0; column < columns; ++column) {
            const u8 c = characters[row * columns + column];
            if (c < 0x20) {
                line += code_point(kLower437, c);
            } else if (c < 0x7F) {
                line += static_cast<char>(c);
            } else {
                line += c == 0x7F ? std::string_view("⌂") : code_point(kUpper437, c - 0x80u);
            }
            if (c != 0 && c != ' ') used = line.size();
        }
        line.resize(used);
        out.push_back(std::move(line));
    }
    return out;
}

TextScreen read_vga_text(const VgaCore& core) {
    TextScreen screen;
    if (core.graphics_mode()) return screen;
    const VgaGeometry g = core.geometry();
    const Cursor cursor = cursor_of(core.registers());
    screen.columns = g.columns;
    screen.rows = std::max(1u, g.lines / (g.row_height * (g.double_scan ? 2 : 1)));
    for (u32 row = 0; row < screen.rows; ++row) {
        for (u32 column = 0; column < screen.columns; ++column) {
            const u32 counter = g.start + row * g.pitch + column;
            const u32 address = core.fetch_address(counter, 0);
            if (cursor.on && (counter & 0xFFFF) == (cursor.address & 0xFFFF)) {
                screen.cursor = static_cast<int>(screen.characters.size());
            }
            screen.characters.push_back(core.plane(address, 0));
            screen.attributes.push_back(core.plane(address, 1));
        }
    }
    return screen;
}

Frame render_vga_text(const VgaCore& core, VgaBlinking* blinks) {
    const VgaRegisters& r = core.registers();
    const VgaGeometry g = core.geometry();
    const VgaPalette colours = core.colours();
    const std::array<u8, 16> palette = core.attribute_colours();
    const Cursor cursor = cursor_of(r);
    const u64 frame_number = core.frame_number();
    const bool cursor_shown = cursor.on && vga_cursor_phase(frame_number);
    const bool blink_off = !vga_character_phase(frame_number);
    const u8 mode = r.attribute[0x10];
    const bool blinking = bit(mode, 3);
    const bool line_graphics = bit(mode, 2);
    const u8 select = r.sequencer[3];
    const u32 font_a = font_address(bits(select, 3, 2), bit(select, 5));
    const u32 font_b = font_address(bits(select, 1, 0), bit(select, 4));
    const u32 underline = bits(r.crtc[0x14], 4, 0);

    Frame frame;
    frame.width = g.columns * g.dots;
    frame.height = g.lines;
    frame.rgb.resize(size_t{3} * frame.width * frame.height);

    // PEL panning: 0..7 are 1..8 dots in 9-dot modes and 8 is none; 0..7 are themselves in 8-dot modes.
    u32 pan = r.attribute[0x13] & 0xF;
    pan = g.dots == 9 ? (pan >= 8 ? 0 : pan + 1) : pan & 7;

    VgaBlinking seen;
    std::vector<u8> line((g.columns + 1) * g.dots);
    u32 row_start = g.start;
    u32 row_scan = g.preset_row;
    bool second_pass = false;
    u8* out = frame.rgb.data();
    for (u32 y = 0; y < g.lines; ++y) {
        for (u32 column = 0; column <= g.columns; ++column) {
            const u32 counter = row_start + column / g.clock_divider;
            const u32 address = core.fetch_address(counter, row_scan);
            const u8 character = core.plane(address, 0);
            const u8 attribute = core.plane(address, 1);
            const u32 font = bit(attribute, 3) ? font_a : font_b;
            u32 glyph = core.plane((font + character * 32u + (row_scan & 31)) & 0xFFFF, 2);
            // Nine dots: box-drawing characters repeat their last column, others end in background.
            glyph <<= 1;
            if (line_graphics && character >= 0xC0 && character <= 0xDF) glyph |= glyph >> 1 & 1;
            const u8 background = blinking ? bits(attribute, 6, 4) : bits(attribute, 7, 4);
            // As the monochrome adapter has it: any colour but "blue" on black would be no underline there.
            if ((attribute & 0x77) == 1 && row_scan == underline) glyph = 0x1FF;
            if (blinking && bit(attribute, 7)) {
                seen.characters = true;
                if (blink_off) glyph = 0;
            }
            if (cursor.on && (counter & 0xFFFF) == (cursor.address & 0xFFFF) && row_scan >= cursor.start &&
                row_scan <= cursor.end) {
                seen.cursor = true;
                if (cursor_shown) glyph = 0x1FF;
            }
            const u8 ink = palette[attribute & 0xF];
            const u8 paper = palette[background];
            u8* dots = &line[column * g.dots];
            for (u32 i = 0; i < g.dots; ++i) dots[i] = bit(glyph, 8 - i) ? ink : paper;
        }
        for (u32 x = 0; x < frame.width; ++x) {
            const auto& colour = colours[line[std::min<size_t>(x + pan, line.size() - 1)]];
            *out++ = colour[0];
            *out++ = colour[1];
            *out++ = colour[2];
        }
        if (y == g.line_compare) {
            row_start = g.split_start;
            row_scan = 0;
            second_pass = false;
            if (bit(mode, 5)) pan = 0;
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
    if (blinks != nullptr) *blinks = seen;
    return frame;
}

}  // namespace mynah
