// The table loader: files and a script of commands (allocate, add pointer, add checksum) by which firmware
// puts tables into memory (QEMU's "etc/table-loader", as SeaBIOS and OVMF read it). Without firmware,
// place_tables() runs the same script.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bios/boot_image.h"
#include "bios/bytes.h"

namespace mynah {

struct TableFile {
    std::string name;
    Bytes data;
};

struct LinkCommand {
    enum class Kind : u32 { allocate = 1, add_pointer = 2, add_checksum = 3 };
    enum class Zone : u8 { high = 1, f_segment = 2 };
    Kind kind = Kind::allocate;
    std::string file = {};    // allocate, add_checksum: which; add_pointer: where the pointer is
    std::string target = {};  // add_pointer: the file it points into; its value holds the offset there
    u32 offset = 0;           // of the pointer or of the checksum byte
    u32 start = 0;            // add_checksum: the range that it covers
    u32 length = 0;
    u32 alignment = 1;  // allocate
    u8 size = 4;        // add_pointer: bytes
    Zone zone = Zone::high;
};

struct LinkedTables {
    std::vector<TableFile> files;
    std::vector<LinkCommand> script;

    // Contents of "etc/table-loader": 128 bytes a command.
    Bytes script_bytes() const;
    // Room that place_tables() needs in the high zone.
    u64 high_size() const;
};

struct PlacedTables {
    std::vector<MemorySegment> segments;
    std::vector<PhysicalAddress> addresses;  // of LinkedTables::files, by index
};

// Runs the script: high zone from `high` on, F segment from `low` on up to 1 MiB.
PlacedTables place_tables(const LinkedTables& tables, PhysicalAddress high, PhysicalAddress low);

}  // namespace mynah
