// The map of physical memory that firmware reports (INT 15h E820h; ACPI 6.4 section 15), and how RAM is
// split.
#pragma once

#include <vector>

#include "base/types.h"
#include "bios/bytes.h"

namespace mynah {

enum class E820Type : u32 { ram = 1, reserved = 2, acpi_reclaimable = 3, acpi_nvs = 4, unusable = 5 };

struct E820Entry {
    u64 base = 0;
    u64 length = 0;
    E820Type type = E820Type::ram;
    u64 end() const { return base + length; }
    bool operator==(const E820Entry&) const = default;
};

// Sorted, without overlap.
using E820Map = std::vector<E820Entry>;

// Bytes of RAM from 0 up and from 4 GiB up.
struct RamLayout {
    u64 below_4g = 0;
    u64 above_4g = 0;
};

// First byte of the extended BIOS data area (1 KiB, up to 640 KiB) and of the BIOS's own segment.
inline constexpr u64 kEbdaBase = 0x9FC00;
inline constexpr u64 kBiosSegment = 0xF0000;

// What an operating system sees after firmware. The top `tables_size` bytes of low RAM, rounded up to pages,
// are reserved for tables: see tables_base().
E820Map e820_map(const RamLayout& ram, u64 tables_size);
u64 tables_base(const RamLayout& ram, u64 tables_size);
// What fw_cfg tells firmware ("etc/e820"): RAM only.
E820Map e820_for_firmware(const RamLayout& ram);
// 20-byte records: base, length, type.
Bytes e820_bytes(const E820Map& map);

}  // namespace mynah
