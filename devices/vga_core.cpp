#include "devices/vga_core.h"

#include <algorithm>

#include "base/bits.h"
#include "base/check.h"

namespace mynah {

namespace {

constexpr std::array<u8, 5> kSequencerMask{0x03, 0x3D, 0x0F, 0x3F, 0x0E};
constexpr std::array<u8, 9> kGraphicsMask{0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF};

}  // namespace

void VgaRegisters::visit(Archive& ar) {
    ar.all(misc_output, feature_control, enable, sequencer_index, sequencer, crtc_index, crtc, graphics_index,
           graphics, attribute_index, attribute_data, attribute, dac_mask, dac_read_index, dac_write_index,
           dac_component, dac_reading, dac_pending, dac, dac_8bit, latches);
    if (dac_component > 2) ar.fail("DAC component out of range");
    dac_component %= 3;
}

VgaCore::VgaCore(EventQueue& time, std::span<u8> vram, DirtyPages& dirty)
    : time_(time), vram_(vram), dirty_(dirty) {
    MYNAH_CHECK(vram.size() >= 256 * KiB && std::has_single_bit(vram.size()));
}

void VgaCore::reset() {
    regs_ = VgaRegisters{};
    // Nothing in the manual: the state in which the window and the colour addresses answer a probe.
    regs_.misc_output = 0x01;
    std::fill(vram_.begin(), vram_.end(), u8{0});
    dirty_.mark_all();
}

bool VgaCore::crtc_at(u16 port) const {
    const bool colour = (regs_.misc_output & 1) != 0;
    return colour ? port >= 0x3D0 : port < 0x3C0;
}

u8 VgaCore::read_port(u16 port) {
    switch (port) {
        case 0x3C0:
            return regs_.attribute_index;
        case 0x3C1:
            return read_attribute();
        case 0x3C2:
            return 0x10;  // switch sense: a colour monitor answers
        case 0x3C3:
            return regs_.enable;
        case 0x3C4:
            return regs_.sequencer_index;
        case 0x3C5:
            return regs_.sequencer_index < 5 ? regs_.sequencer[regs_.sequencer_index] : 0;
        case 0x3C6:
            return regs_.dac_mask;
        case 0x3C7:
            return regs_.dac_reading ? 3 : 0;
        case 0x3C8:
            return regs_.dac_write_index;
        case 0x3C9:
            return read_dac();
        case 0x3CA:
            return regs_.feature_control;
        case 0x3CC:
            return regs_.misc_output;
        case 0x3CE:
            return regs_.graphics_index;
        case 0x3CF:
            return regs_.graphics_index < 9 ? regs_.graphics[regs_.graphics_index] : 0;
        case 0x3B4:
        case 0x3D4:
            return crtc_at(port) ? regs_.crtc_index : 0xFF;
        case 0x3B5:
        case 0x3D5:
            if (!crtc_at(port)) return 0xFF;
            // 22h shows the latch that reads select: undocumented by IBM, used by probes.
            if (regs_.crtc_index == 0x22) return regs_.latches[regs_.graphics[4] & 3];
            return regs_.crtc_index < regs_.crtc.size() ? regs_.crtc[regs_.crtc_index] : 0;
        case 0x3BA:
        case 0x3DA:
            return crtc_at(port) ? read_status1() : 0xFF;
        default:
            return 0xFF;
    }
}

void VgaCore::write_port(u16 port, u8 value) {
    switch (port) {
        case 0x3C0:
            return write_attribute(value);
        case 0x3C2:
            regs_.misc_output = value;
            return;
        case 0x3C3:
            regs_.enable = value & 1;
            return;
        case 0x3C4:
            regs_.sequencer_index = value & 7;
            return;
        case 0x3C5:
            if (regs_.sequencer_index < 5) {
                regs_.sequencer[regs_.sequencer_index] = value & kSequencerMask[regs_.sequencer_index];
            }
            return;
        case 0x3C6:
            regs_.dac_mask = value;
            return;
        case 0x3C7:
            regs_.dac_read_index = value;
            regs_.dac_component = 0;
            regs_.dac_reading = true;
            return;
        case 0x3C8:
            regs_.dac_write_index = value;
            regs_.dac_component = 0;
            regs_.dac_reading = false;
            return;
        case 0x3C9:
            return write_dac(value);
        case 0x3CE:
            regs_.graphics_index = value & 0xF;
            return;
        case 0x3CF:
            if (regs_.graphics_index < 9) {
                regs_.graphics[regs_.graphics_index] = value & kGraphicsMask[regs_.graphics_index];
            }
            return;
        case 0x3B4:
        case 0x3D4:
            if (crtc_at(port)) regs_.crtc_index = value & 0x3F;
            return;
        case 0x3B5:
        case 0x3D5:
            if (crtc_at(port)) write_crtc(value);
            return;
        case 0x3BA:
        case 0x3DA:
            if (crtc_at(port)) regs_.feature_control = value & 0x0B;
            return;
        default:
            return;
    }
}

void VgaCore::write_crtc(u8 value) {
    const u8 index = regs_.crtc_index;
    if (index >= regs_.crtc.size()) return;
    // CR11 bit 7 protects the horizontal and vertical timing, but for the line compare bit.
    if ((regs_.crtc[0x11] & 0x80) && index <= 7) {
        if (index == 7) regs_.crtc[7] = static_cast<u8>((regs_.crtc[7] & ~0x10) | (value & 0x10));
        return;
    }
    regs_.crtc[index] = value;
}

u8 VgaCore::read_attribute() const {
    const unsigned index = regs_.attribute_index & 0x1F;
    return index < regs_.attribute.size() ? regs_.attribute[index] : 0;
}

void VgaCore::write_attribute(u8 value) {
    const bool data = regs_.attribute_data;
    regs_.attribute_data = !data;
    if (!data) {
        regs_.attribute_index = value & 0x3F;
        return;
    }
    const unsigned index = regs_.attribute_index & 0x1F;
    if (index < 0x10) {
        regs_.attribute[index] = value & 0x3F;
    } else if (index < regs_.attribute.size()) {
        constexpr std::array<u8, 5> mask{0xEF, 0xFF, 0x3F, 0x0F, 0x0F};
        regs_.attribute[index] = value & mask[index - 0x10];
    }
}

u8 VgaCore::read_dac() {
    const u8 value = regs_.dac[regs_.dac_read_index * 3u + regs_.dac_component];
    if (++regs_.dac_component == 3) {
        regs_.dac_component = 0;
        ++regs_.dac_read_index;
    }
    return value;
}

void VgaCore::write_dac(u8 value) {
    if (!regs_.dac_8bit) value &= 0x3F;
    // The three components arrive in the palette together.
    if (regs_.dac_component < 2) {
        regs_.dac_pending[regs_.dac_component++] = value;
        return;
    }
    u8* entry = &regs_.dac[regs_.dac_write_index * 3u];
    entry[0] = regs_.dac_pending[0];
    entry[1] = regs_.dac_pending[1];
    entry[2] = value;
    regs_.dac_component = 0;
    ++regs_.dac_write_index;
}

VgaCore::Raster VgaCore::raster() const {
    const auto& cr = regs_.crtc;
    const u64 dots = regs_.sequencer[1] & 1 ? 8 : 9;
    const u64 vertical = static_cast<u64>(cr[6] | bit(cr[7], 0) << 8 | bit(cr[7], 5) << 9);
    u64 clock = regs_.misc_output & 4 ? 28'322'000 : 25'175'000;
    if (regs_.sequencer[1] & 8) clock /= 2;
    return {(cr[0] + u64{5}) * dots, (vertical + 2) << bit(cr[0x17], 2), clock};
}

u8 VgaCore::read_status1() {
    regs_.attribute_data = false;
    const Raster r = raster();
    const auto& cr = regs_.crtc;
    const u128 dot = u128{time_.now()} * r.clock / 1'000'000'000;
    const u64 in_frame = static_cast<u64>(dot % (r.dots_per_line * r.lines));
    const u64 line = in_frame / r.dots_per_line >> bit(cr[0x17], 2);
    const u64 column = in_frame % r.dots_per_line * (cr[0] + u64{5}) / r.dots_per_line;
    const u64 display_end = cr[0x12] | bit(cr[7], 1) << 8 | bit(cr[7], 6) << 9;
    const u64 retrace_start = cr[0x10] | bit(cr[7], 2) << 8 | bit(cr[7], 7) << 9;
    // The end register holds the low four bits of the line at which the retrace ends.
    const u64 length = ((cr[0x11] - retrace_start - 1) & 0xF) + 1;
    const bool retrace = line >= retrace_start && line < retrace_start + length;
    const bool hidden = line > display_end || column > cr[1];
    return static_cast<u8>((retrace ? 8 : 0) | (hidden || retrace ? 1 : 0));
}

u64 VgaCore::frame_number() const {
    const Raster r = raster();
    const u128 dot = u128{time_.now()} * r.clock / 1'000'000'000;
    return static_cast<u64>(dot / (r.dots_per_line * r.lines));
}

bool VgaCore::blanked() const {
    const bool in_reset = (regs_.sequencer[0] & 3) != 3;
    return in_reset || (regs_.sequencer[1] & 0x20) || !(regs_.attribute_index & 0x20);
}

VgaGeometry VgaCore::geometry() const {
    const auto& cr = regs_.crtc;
    VgaGeometry g{};
    // CR17 bit 2: vertical counts are pairs of lines.
    const unsigned pairs = bit(cr[0x17], 2);
    g.columns = cr[1] + 1u;
    g.lines = ((cr[0x12] | bit(cr[7], 1) << 8 | bit(cr[7], 6) << 9) + 1u) << pairs;
    g.byte_pan = bits(cr[8], 6, 5);
    g.start = static_cast<u32>(cr[0x0C] << 8 | cr[0x0D]) + g.byte_pan;
    // AR10 bit 5: panning is for the upper part alone.
    g.split_start = bit(regs_.attribute[0x10], 5) ? 0 : g.byte_pan;
    g.pitch = cr[0x13] * 2u;
    g.line_compare = static_cast<u32>(cr[0x18] | bit(cr[7], 4) << 8 | bit(cr[9], 6) << 9);
    g.line_compare = (g.line_compare << pairs) + pairs;
    g.clock_divider = bit(cr[0x14], 5) ? 4 : bit(cr[0x17], 3) ? 2 : 1;
    g.row_height = bits(cr[9], 4, 0) + 1u;
    g.preset_row = bits(cr[8], 4, 0);
    g.dots = regs_.sequencer[1] & 1 ? 8 : 9;
    g.double_scan = bit(cr[9], 7);
    return g;
}

VgaLook VgaCore::look() const {
    VgaLook look{};
    look.sequencer = regs_.sequencer;
    look.crtc = regs_.crtc;
    look.attribute = regs_.attribute;
    look.dac = regs_.dac;
    look.dac_mask = regs_.dac_mask;
    look.dac_8bit = regs_.dac_8bit;
    look.blanked = blanked();
    // The rest of these two is about writing to memory.
    look.sequencer[2] = look.sequencer[4] = 0;
    look.graphics[5] = regs_.graphics[5] & 0x60;
    look.graphics[6] = regs_.graphics[6] & 1;
    return look;
}

VgaPalette VgaCore::colours() const {
    VgaPalette out;
    for (unsigned i = 0; i < 256; ++i) {
        for (unsigned c = 0; c < 3; ++c) {
            const u8 v = regs_.dac[i * 3 + c];
            out[i][c] = regs_.dac_8bit ? v : static_cast<u8>((v & 0x3F) << 2 | (v & 0x3F) >> 4);
        }
    }
    return out;
}

std::array<u8, 16> VgaCore::attribute_colours() const {
    const auto& ar = regs_.attribute;
    std::array<u8, 16> out{};
    for (unsigned i = 0; i < 16; ++i) {
        unsigned v = ar[i & ar[0x12]] & 0x3F;
        // P5 and P4 come from the colour select register when AR10 bit 7 says so, P7 and P6 always.
        if (ar[0x10] & 0x80) v = (v & 0xF) | (ar[0x14] & 3u) << 4;
        v |= (ar[0x14] & 0xCu) << 4;
        out[i] = static_cast<u8>(v & regs_.dac_mask);
    }
    return out;
}

u32 VgaCore::fetch_address(u32 counter, u32 row_scan) const {
    const u8 mode = regs_.crtc[0x17];
    u32 address = counter & 0xFFFF;
    if (regs_.crtc[0x14] & 0x40) {
        address = (address << 2 | address >> 14) & 0xFFFF;
    } else if (!(mode & 0x40)) {
        address = (address << 1 | ((address >> (mode & 0x20 ? 15 : 13)) & 1)) & 0xFFFF;
    }
    if (!(mode & 1)) address = (address & ~0x2000u) | (row_scan & 1) << 13;
    if (!(mode & 2)) address = (address & ~0x4000u) | (row_scan >> 1 & 1) << 14;
    return address;
}

}  // namespace mynah
