#include "devices/vga_std.h"

#include <algorithm>
#include <bit>
#include <new>

namespace mynah {

namespace {

constexpr u64 kMmioLength = 0x1000;
// BAR2: the VGA ports from 3C0h on, the dispi registers, and what newer drivers look for.
constexpr u64 kMmioPorts = 0x400;
constexpr u64 kMmioPortsEnd = 0x420;
constexpr u64 kMmioDispi = 0x500;
constexpr u64 kMmioDispiEnd = kMmioDispi + 2 * VbeDispi::register_count;
constexpr u64 kMmioExtension = 0x600;
constexpr u32 kExtensionSize = 8;
constexpr u32 kLittleEndian = 0x1E1E1E1E;

}  // namespace

void StdVga::Free::operator()(u8* p) const {
    ::operator delete[](p, std::align_val_t{kPageSize});
}

StdVga::Memory StdVga::allocate(size_t size) {
    Memory out(new (std::align_val_t{kPageSize}) u8[size]);
    std::fill_n(out.get(), size, u8{0});
    return out;
}

StdVga::StdVga(EventQueue& time, std::vector<u8> rom, u32 vram_size)
    : PciFunction({.vendor = 0x1234, .device = 0x1111, .revision = 2, .class_code = 0x030000}),
      vram_(allocate(vram_size)),
      vram_bytes_(vram_.get(), vram_size),
      dirty_(vram_size),
      core_(time, vram_bytes_, dirty_),
      vbe_(core_, vram_bytes_, dirty_) {
    MYNAH_CHECK(std::has_single_bit(vram_size) && vram_size >= MiB && vram_size <= 256 * MiB);
    add_memory_bar(0, vram_bytes_, true);
    add_mmio_bar(2, kMmioLength, mmio);
    if (!rom.empty()) {
        const size_t size = std::bit_ceil(std::max<size_t>(rom.size(), kPageSize));
        rom_ = allocate(size);
        std::copy(rom.begin(), rom.end(), rom_.get());
        add_rom_bar({rom_.get(), size});
    }
}

void StdVga::reset() {
    reset_config();
    core_.reset();
    vbe_.reset();
}

void StdVga::visit(Archive& ar) {
    ar.section(name());
    visit_config(ar);
    core_.visit(ar);
    vbe_.visit(ar);
    ar.bytes(vram_bytes_.data(), vram_bytes_.size());
    if (ar.loading()) dirty_.mark_all();
}

BankInfo StdVga::bank(BankId bank) const {
    switch (bank) {
        case ports:
            return {0x30, 1};
        case dispi:
            return {4, 2};
        case window:
            return {0x20000, 8};
        case mmio:
            return {kMmioLength, 8};
        default:
            return {};
    }
}

u64 StdVga::read(BankId bank, u64 offset, unsigned width) {
    if (bank == ports) return core_.read_port(static_cast<u16>(0x3B0 + offset));
    if (bank == dispi) return read_dispi(offset, width);
    u64 value = 0;
    for (unsigned i = 0; i < width; ++i) {
        const u8 byte = bank == window ? read_window(static_cast<u32>(offset + i)) : read_mmio(offset + i);
        value |= u64{byte} << (8 * i);
    }
    return value;
}

void StdVga::write(BankId bank, u64 offset, u64 value, unsigned width) {
    if (bank == ports) return core_.write_port(static_cast<u16>(0x3B0 + offset), static_cast<u8>(value));
    if (bank == dispi) return write_dispi(offset, static_cast<u16>(value), width);
    if (bank == mmio && offset >= kMmioDispi && offset + width <= kMmioDispiEnd && width >= 2 &&
        !(offset & 1)) {
        for (unsigned i = 0; i < width; i += 2) {
            vbe_.write(static_cast<u16>((offset + i - kMmioDispi) / 2), static_cast<u16>(value >> (8 * i)));
        }
        return;
    }
    for (unsigned i = 0; i < width; ++i) {
        const u8 byte = static_cast<u8>(value >> (8 * i));
        bank == window ? write_window(static_cast<u32>(offset + i), byte) : write_mmio(offset + i, byte);
    }
}

u64 StdVga::read_dispi(u64 offset, unsigned width) {
    // Index word at 1CEh, data word at 1CFh; some drivers use 1D0h to keep it aligned.
    const u16 value = offset == 0 ? vbe_.index() : offset <= 2 ? vbe_.read(vbe_.index()) : u16{0xFFFF};
    return width == 1 ? value & 0xFF : value;
}

void StdVga::write_dispi(u64 offset, u16 value, unsigned width) {
    if (width != 2) return;  // both registers take words only
    if (offset == 0) return vbe_.set_index(value);
    if (offset <= 2) vbe_.write(vbe_.index(), value);
}

u8 StdVga::read_mmio(u64 offset) {
    if (offset >= kMmioPorts && offset < kMmioPortsEnd) {
        return core_.read_port(static_cast<u16>(0x3C0 + offset - kMmioPorts));
    }
    if (offset >= kMmioDispi && offset < kMmioDispiEnd) {
        const u16 value = vbe_.read(static_cast<u16>((offset - kMmioDispi) / 2));
        return static_cast<u8>(value >> (8 * (offset & 1)));
    }
    if (offset >= kMmioExtension && offset < kMmioExtension + kExtensionSize) {
        const u32 value = offset < kMmioExtension + 4 ? kExtensionSize : kLittleEndian;
        return static_cast<u8>(value >> (8 * (offset & 3)));
    }
    if (offset < edid_.size()) return edid_[offset];
    return offset < kMmioPorts ? 0 : 0xFF;
}

void StdVga::write_mmio(u64 offset, u8 value) {
    if (offset >= kMmioPorts && offset < kMmioPortsEnd) {
        core_.write_port(static_cast<u16>(0x3C0 + offset - kMmioPorts), value);
    }
}

u8 StdVga::read_window(u32 offset) {
    if (!vbe_.enabled()) return core_.read_window(offset);
    if (vbe_.planar()) return core_.read_window(offset, vbe_.bank_offset());
    return offset < 0x10000 ? vram_bytes_[(vbe_.bank_offset() + offset) & (vram_bytes_.size() - 1)]
                            : u8{0xFF};
}

void StdVga::write_window(u32 offset, u8 value) {
    if (!vbe_.enabled()) return core_.write_window(offset, value);
    if (vbe_.planar()) return core_.write_window(offset, value, vbe_.bank_offset());
    if (offset >= 0x10000) return;
    const size_t place = (vbe_.bank_offset() + offset) & (vram_bytes_.size() - 1);
    vram_bytes_[place] = value;
    dirty_.mark(place);
}

void StdVga::bar_moved(unsigned) {
    // Stores where it is now were not watched.
    dirty_.mark_all();
}

StdVga::Source StdVga::source() const {
    if (vbe_.enabled()) {
        // The sequencer has no part in these modes; the palette address source blanks as ever.
        if (!(core_.registers().attribute_index & 0x20)) return Source::dark;
        return vbe_.planar() ? Source::planar : Source::linear;
    }
    if (core_.blanked()) return Source::dark;
    return core_.graphics_mode() ? Source::graphics : Source::text;
}

Frame StdVga::draw(VgaBlinking* blinking) const {
    Frame frame;
    switch (source()) {
        case Source::text:
            return render_vga_text(core_, blinking);
        case Source::graphics:
            return render_vga_graphics(core_);
        case Source::planar:
        case Source::linear: {
            frame.width = vbe_.width();
            frame.height = vbe_.height();
            frame.rgb.resize(size_t{3} * frame.width * frame.height);
            const VbeDispi::Colours colours = vbe_.colours();
            for (u32 y = 0; y < frame.height; ++y)
                vbe_.draw_row(y, frame.rgb.data() + size_t{3} * frame.width * y, colours);
            return frame;
        }
        case Source::dark:
            break;
    }
    // Of the size that the timing asks for; 640x400 before any mode is set.
    const VgaGeometry g = core_.geometry();
    frame.width = vbe_.enabled() ? vbe_.width() : g.columns > 1 ? g.columns * g.dots : 640;
    frame.height = vbe_.enabled() ? vbe_.height() : g.lines > 1 ? g.lines : 400;
    frame.rgb.resize(size_t{3} * frame.width * frame.height);
    return frame;
}

Frame StdVga::render() const {
    return draw(nullptr);
}

std::array<bool, 2> StdVga::phases() const {
    const u64 number = core_.frame_number();
    return {blinking_.cursor && vga_cursor_phase(number),
            blinking_.characters && vga_character_phase(number)};
}

void StdVga::redraw() {
    const Look look{core_.look(), vbe_.look()};
    const bool whole = look != drawn_ || picture_.width() == 0;
    drawn_ = look;
    if (source() == Source::linear) return redraw_linear(whole);

    bool written = false;
    const u64 shown = vbe_.enabled() ? vram_bytes_.size() : 256 * KiB;
    for (u64 page = 0; page < shown >> kPageShift; ++page) written |= dirty_.take(page);
    if (!whole && !written && drawn_phases_ == phases()) return;
    blinking_ = {};
    const Frame frame = draw(&blinking_);
    drawn_phases_ = phases();
    picture_.resize(frame.width, frame.height);
    const size_t pitch = size_t{3} * frame.width;
    for (u32 y = 0; y < frame.height; ++y)
        picture_.put_row(y, std::span(frame.rgb).subspan(y * pitch, pitch));
    picture_.finish();
}

void StdVga::redraw_linear(bool whole) {
    const u32 height = vbe_.height();
    const u64 pitch = vbe_.pitch(), top = vbe_.first_line();
    picture_.resize(vbe_.width(), height);
    std::vector<bool> rows(height, whole);
    const u64 bottom = top + pitch * height;
    for (u64 page = top >> kPageShift; page < (bottom + kPageSize - 1) >> kPageShift; ++page) {
        if (!dirty_.take(page) || whole) continue;
        const u64 begin = std::max(page << kPageShift, top) - top;
        const u64 end = std::min((page + 1) << kPageShift, bottom) - top;
        for (u64 y = begin / pitch; y < (end + pitch - 1) / pitch; ++y) rows[y] = true;
    }
    const VbeDispi::Colours colours = vbe_.colours();
    std::vector<u8> row(size_t{3} * picture_.width());
    for (u32 y = 0; y < height; ++y) {
        if (!rows[y]) continue;
        vbe_.draw_row(y, row.data(), colours);
        picture_.put_row(y, row);
    }
    picture_.finish();
}

bool StdVga::update(Frame& frame) {
    if (bus() != nullptr) dirty_.watch_in(bus()->memory(), bar_base(0));
    redraw();
    return picture_.copy_to(frame);
}

TextScreen StdVga::text_cells() const {
    return source() == Source::text ? read_vga_text(core_) : TextScreen{};
}

}  // namespace mynah
