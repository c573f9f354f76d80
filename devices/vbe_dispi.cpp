#include "devices/vbe_dispi.h"

#include <algorithm>

#include "base/bits.h"

namespace mynah {

namespace {

constexpr u16 kFirstId = 0xB0C0;
constexpr u16 kLastId = 0xB0C5;
constexpr u16 kMaxWidth = 16000;
constexpr u16 kMaxHeight = 12000;
constexpr u16 kMaxDepth = 32;

u8 expand(unsigned v, unsigned width) {
    return static_cast<u8>(v << (8 - width) | v >> (2 * width - 8));
}

}  // namespace

VbeDispi::VbeDispi(VgaCore& core, std::span<u8> vram, DirtyPages& dirty)
    : core_(core), vram_(vram), dirty_(dirty) {
    reset();
}

void VbeDispi::reset() {
    index_ = 0;
    registers_ = {};
    registers_[id] = kLastId;
    registers_[memory_64k] = static_cast<u16>(vram_.size() / 0x10000);
}

void VbeDispi::visit(Archive& ar) {
    ar.all(index_, registers_);
    if (!ar.loading() || !ar.ok()) return;
    registers_[memory_64k] = static_cast<u16>(vram_.size() / 0x10000);
    if (enabled()) fix_up();
}

u16 VbeDispi::read(u16 index) const {
    if (index >= register_count) return 0;
    if (registers_[enable] & kGetCapabilities) {
        if (index == x_resolution) return kMaxWidth;
        if (index == y_resolution) return kMaxHeight;
        if (index == depth) return kMaxDepth;
    }
    return registers_[index];
}

u32 VbeDispi::pitch() const {
    const u32 width = registers_[virtual_width];
    switch (registers_[depth]) {
        case 4:
            return width / 2;
        case 15:
            return width * 2;
        default:
            return width * (registers_[depth] / 8u);
    }
}

// Brings every register to a value that fits the memory, so that nothing behind it has to check again.
void VbeDispi::fix_up() {
    auto& r = registers_;
    switch (r[depth]) {
        case 4:
        case 8:
        case 15:
        case 16:
        case 24:
        case 32:
            break;
        default:
            r[depth] = 8;
    }
    r[x_resolution] = std::clamp<u16>(align_down(r[x_resolution], 8), 8, kMaxWidth);
    r[virtual_width] = std::clamp<u16>(align_down(r[virtual_width], 8), r[x_resolution], kMaxWidth);
    const u64 lines = vram_.size() / pitch();
    r[y_resolution] = static_cast<u16>(std::clamp<u64>(r[y_resolution], 1, std::min<u64>(lines, kMaxHeight)));
    r[virtual_height] = static_cast<u16>(std::min<u64>(lines, 0xFFFF));
    r[x_offset] = std::min<u16>(r[x_offset], r[virtual_width] - r[x_resolution]);
    r[y_offset] = std::min<u16>(r[y_offset], r[virtual_height] - r[y_resolution]);
    const u64 window = planar() ? vram_.size() / 4 : vram_.size();
    r[bank] = static_cast<u16>(r[bank] & (window / 0x10000 - 1));
}

void VbeDispi::clear() {
    const size_t length = std::min<size_t>(size_t{pitch()} * registers_[y_resolution], vram_.size());
    std::fill_n(vram_.begin(), length, u8{0});
    dirty_.mark(0, length);
    core_.time().took_long();
}

void VbeDispi::write(u16 index, u16 value) {
    auto& r = registers_;
    switch (index) {
        case id:
            if (value >= kFirstId && value <= kLastId) r[id] = value;
            return;
        case enable: {
            const bool was = enabled();
            r[enable] = value;
            core_.registers().dac_8bit = (value & kDac8) != 0;
            if (!enabled()) {
                r[bank] = 0;
                return;
            }
            if (was) return fix_up();
            r[virtual_width] = 0;
            r[x_offset] = 0;
            r[y_offset] = 0;
            fix_up();
            if (!(value & kKeepMemory)) clear();
            return;
        }
        case x_resolution:
        case y_resolution:
        case depth:
        case bank:
        case virtual_width:
        case x_offset:
        case y_offset:
            r[index] = value;
            if (enabled()) fix_up();
            return;
        default:
            return;  // virtual_height follows from the memory; the rest is read-only
    }
}

VbeDispi::Colours VbeDispi::colours() const {
    return {core_.colours(), core_.attribute_colours(), core_.registers().dac_mask};
}

std::array<u16, 7> VbeDispi::look() const {
    const auto& r = registers_;
    return {static_cast<u16>(r[enable] & kEnabled),
            r[depth],
            r[x_resolution],
            r[y_resolution],
            r[virtual_width],
            r[x_offset],
            r[y_offset]};
}

void VbeDispi::draw_row(u32 y, u8* out, const Colours& colours) const {
    const auto& r = registers_;
    const u64 line = first_line() + u64{y} * pitch();
    const auto put = [&out](u8 red, u8 green, u8 blue) {
        out[0] = red;
        out[1] = green;
        out[2] = blue;
        out += 3;
    };
    if (r[depth] == 4) {
        // The pitch counts the four planes together.
        for (u32 x = r[x_offset]; x < u32{r[x_offset]} + width(); ++x) {
            unsigned pixel = 0;
            const u32 address = static_cast<u32>(line / 4 + x / 8);
            for (unsigned p = 0; p < 4; ++p) pixel |= bit(core_.plane(address, p), 7 - x % 8) << p;
            const auto& c = colours.dac[colours.palette[pixel]];
            put(c[0], c[1], c[2]);
        }
        return;
    }
    const unsigned bytes = (r[depth] + 1u) / 8;
    // fix_up() keeps whole lines in the memory only.
    const u8* p = vram_.data() + line + u64{r[x_offset]} * bytes;
    const u8* const end = p + u64{width()} * bytes;
    switch (r[depth]) {
        case 8:
            for (; p != end; ++p) {
                const auto& c = colours.dac[*p & colours.mask];
                put(c[0], c[1], c[2]);
            }
            return;
        case 15:
            for (; p != end; p += 2) {
                const unsigned v = load_le<u16>(p);
                put(expand(v >> 10 & 31, 5), expand(v >> 5 & 31, 5), expand(v & 31, 5));
            }
            return;
        case 16:
            for (; p != end; p += 2) {
                const unsigned v = load_le<u16>(p);
                put(expand(v >> 11 & 31, 5), expand(v >> 5 & 63, 6), expand(v & 31, 5));
            }
            return;
        default:
            for (; p != end; p += bytes) put(p[2], p[1], p[0]);
    }
}

}  // namespace mynah
