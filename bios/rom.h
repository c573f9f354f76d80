// ROM images: system firmware at the top of 4 GiB with its end mirrored below 1 MiB, and option ROMs.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "bios/bytes.h"
#include "mmu/physical_map.h"

namespace mynah {

struct SystemRom {
    std::string name;
    Bytes data;  // a multiple of 4 KiB
    // The whole image ends at 4 GiB; its last 128 KiB (or all of it) ends at 1 MiB too.
    PhysicalAddress base() const { return 4 * GiB - data.size(); }
    size_t low_size() const { return data.size() < 128 * KiB ? data.size() : 128 * KiB; }
    PhysicalAddress low_base() const { return MiB - low_size(); }
    std::span<u8> low_part() { return std::span(data).last(low_size()); }
};

inline constexpr u64 kMaxSystemRom = 16 * MiB;

// Any image from 4 KiB to 16 MiB; one that does not fill whole pages is padded in front with FFh.
Result<SystemRom> make_system_rom(std::string name, Bytes data);
Result<SystemRom> load_system_rom(const std::string& name, std::span<const std::string> folders);

// An expansion ROM (PCI Firmware 3.0, 5.1): padded to a power of two, as a ROM BAR needs it.
// Error: the signature AA55h is missing, or it is longer than 256 KiB.
Result<Bytes> make_option_rom(const std::string& name, Bytes data);
// Firmware runs an expansion ROM only if the ids in it are the function's (PCI Firmware 3.0, 5.1.2). One
// image serves several adapters: this puts the ids in, and keeps the checksum right through byte 6, which
// images have for that. An image without the structure stays as it is.
void match_option_rom(std::span<u8> rom, u16 vendor, u16 device);
Result<Bytes> load_option_rom(const std::string& name, std::span<const std::string> folders);

}  // namespace mynah
