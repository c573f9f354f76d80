#include "bios/cmos_layout.h"

#include <fmt/format.h>

#include <algorithm>

namespace mynah {

namespace {

u8 boot_code(char letter) {
    switch (letter) {
        case 'a':
        case 'b':
            return 1;
        case 'c':
            return 2;
        case 'd':
            return 3;
        case 'n':
            return 4;
    }
    return 0;
}

}  // namespace

DiskGeometry guess_geometry(u64 sectors) {
    constexpr u64 heads = 16, per_track = 63;
    const u64 cylinders = std::clamp<u64>(sectors / (heads * per_track), 2, 16383);
    return {static_cast<u16>(cylinders), heads, per_track, cylinders > 1024};
}

Status check_boot_order(std::string_view letters) {
    for (size_t i = 0; i < letters.size(); ++i) {
        if (!boot_code(letters[i])) {
            return Error{
                fmt::format("boot order \"{}\": '{}' is not a boot device; use a (floppy), c (disk), d "
                            "(CD-ROM), n (network)",
                            letters, letters[i])};
        }
        if (letters.find(letters[i], i + 1) != std::string_view::npos) {
            return Error{fmt::format("boot order \"{}\" names '{}' twice", letters, letters[i])};
        }
    }
    return Ok{};
}

std::vector<std::pair<u8, u8>> cmos_cells(const CmosConfig& c) {
    std::vector<std::pair<u8, u8>> cells;
    const auto put = [&](u8 cell, u64 value) { cells.emplace_back(cell, static_cast<u8>(value)); };
    const auto put16 = [&](u8 cell, u64 value) {
        put(cell, value);
        put(static_cast<u8>(cell + 1), value >> 8);
    };

    put(0x0F, 0);  // shutdown code
    put(0x10, c.floppy_types[0] << 4 | c.floppy_types[1]);
    u8 disk_types = 0, translation = 0;
    for (unsigned i = 0; i < 2; ++i) {
        const DiskGeometry& d = c.disks[i];
        if (!d.cylinders) continue;
        disk_types = static_cast<u8>(disk_types | (i ? 0x0F : 0xF0));
        translation = static_cast<u8>(translation | (d.lba_translation ? 1 : 0) << 2 * i);
        put(static_cast<u8>(0x19 + i), 47);  // parameters follow
        const u8 base = i ? 0x24 : 0x1B;
        put16(base, d.cylinders);
        put(static_cast<u8>(base + 2), d.heads);
        put16(static_cast<u8>(base + 3), 0xFFFF);
        put(static_cast<u8>(base + 5), 0xC0 | (d.heads > 8 ? 8 : 0));
        put16(static_cast<u8>(base + 6), d.cylinders);
        put(static_cast<u8>(base + 8), d.sectors);
    }
    put(0x12, disk_types);
    put(0x39, translation);

    const unsigned floppies = (c.floppy_types[0] != 0) + (c.floppy_types[1] != 0);
    // x87, display, floppy drives; bit 2: PS/2 mouse.
    put(0x14, 0x06 | (floppies ? 1 | (floppies - 1) << 6 : 0));

    const u64 low = c.ram.below_4g;
    put16(0x15, std::min<u64>(low / KiB, 640));
    const u64 extended = low > MiB ? std::min<u64>(low / KiB - 1024, 0xFFFF) : 0;
    put16(0x17, extended);
    put16(0x30, extended);
    put16(0x34, low > 16 * MiB ? std::min<u64>((low - 16 * MiB) / (64 * KiB), 0xFFFF) : 0);
    const u64 high = c.ram.above_4g / (64 * KiB);
    put(0x5B, high);
    put(0x5C, high >> 8);
    put(0x5D, high >> 16);

    std::array<u8, 3> order{};
    for (size_t i = 0; i < 3 && i < c.boot_order.size(); ++i) order[i] = boot_code(c.boot_order[i]);
    put(0x3D, order[1] << 4 | order[0]);
    put(0x38, order[2] << 4 | (c.check_floppy_signature ? 0 : 1));
    put(0x5F, c.cpus - 1);
    return cells;
}

}  // namespace mynah
