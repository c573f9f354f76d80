// What the `pc` machine keeps in CMOS for its firmware (PC.md "CMOS"; SeaBIOS and QEMU agree on these cells).
#pragma once

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "bios/e820.h"

namespace mynah {

struct DiskGeometry {
    u16 cylinders = 0;
    u8 heads = 0;
    u8 sectors = 0;
    bool lba_translation = false;
};

// The geometry firmware is told for a disk of this many 512-byte sectors.
DiskGeometry guess_geometry(u64 sectors);

struct CmosConfig {
    RamLayout ram;
    unsigned cpus = 1;
    // Floppy drives A and B: 0 none, 4 = 1.44 MB, 5 = 2.88 MB, 2 = 1.2 MB...
    std::array<u8, 2> floppy_types{};
    // Primary master and slave.
    std::array<DiskGeometry, 2> disks{};  // cylinders 0: none
    // -boot order= letters: a floppy, c disk, d CD-ROM, n network. At most three count.
    std::string_view boot_order = "cad";
    bool check_floppy_signature = true;
};

// Cell and value; the date, time and status registers are the RTC's own. The century (32h) is not here.
std::vector<std::pair<u8, u8>> cmos_cells(const CmosConfig& config);
// Error: a letter that is not a boot device, or one twice.
Status check_boot_order(std::string_view letters);

}  // namespace mynah
