// ELF32 and ELF64 executables for x86, as kernel loaders need them: segments by physical address, and notes.
// System V ABI (gABI) chapters 4 and 5.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace mynah {

struct ElfSegment {
    u64 physical = 0;
    u64 virtual_address = 0;
    u64 memory_size = 0;       // >= data.size(); the rest is zero
    std::span<const u8> data;  // within the file
    bool executable = false;
};

struct ElfFile {
    bool is_64 = false;
    u64 entry = 0;                           // as the header has it
    std::vector<ElfSegment> loads;           // PT_LOAD with memory_size > 0
    std::vector<std::span<const u8>> notes;  // PT_NOTE contents

    // The entry point as a physical address: it lies in a segment whose addresses differ in some kernels.
    u64 physical_entry() const;
};

bool looks_like_elf(std::span<const u8> file);
// Error: not an executable for i386 or x86-64, or a header that points outside the file.
Result<ElfFile> parse_elf(std::span<const u8> file);
// XEN_ELFNOTE_PHYS32_ENTRY (18) of owner "Xen": the PVH entry point.
std::optional<u64> pvh_entry(const ElfFile& elf);

}  // namespace mynah
