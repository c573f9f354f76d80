#include "bios/elf.h"

#include <algorithm>
#include <cstring>

#include "bios/bytes.h"

namespace mynah {

namespace {

constexpr u32 kLoad = 1, kNote = 4;
constexpr u16 kI386 = 3, kX86_64 = 62;
constexpr u32 kPhys32Entry = 18;
constexpr size_t kMaxHeaders = 4096;

}  // namespace

bool looks_like_elf(std::span<const u8> file) {
    return file.size() >= 4 && file[0] == 0x7F && file[1] == 'E' && file[2] == 'L' && file[3] == 'F';
}

u64 ElfFile::physical_entry() const {
    for (const ElfSegment& s : loads) {
        if (s.executable && entry >= s.virtual_address && entry - s.virtual_address < s.memory_size) {
            return entry - s.virtual_address + s.physical;
        }
    }
    return entry;
}

Result<ElfFile> parse_elf(std::span<const u8> file) {
    if (!looks_like_elf(file) || file.size() < 52) return Error{"is not an ELF file"};
    ElfFile elf;
    elf.is_64 = file[4] == 2;
    if ((file[4] != 1 && file[4] != 2) || file[5] != 1) return Error{"is not a little-endian ELF file"};
    if (elf.is_64 && file.size() < 64) return Error{"is cut short within its ELF header"};
    const u16 type = field<u16>(file, 16), machine = field<u16>(file, 18);
    if (machine != kI386 && machine != kX86_64) return Error{"is an ELF file for another processor"};
    if (type != 2 && type != 3) return Error{"is an ELF file, but not an executable"};
    const bool w = elf.is_64;
    elf.entry = w ? field<u64>(file, 24) : field<u32>(file, 24);
    const u64 table = w ? field<u64>(file, 32) : field<u32>(file, 28);
    const u16 entry_size = field<u16>(file, w ? 54 : 42), count = field<u16>(file, w ? 56 : 44);
    if (entry_size < (w ? 56 : 32) || count > kMaxHeaders) return Error{"has damaged ELF program headers"};
    if (!slice(file, table, u64{entry_size} * count))
        return Error{"is cut short: its ELF program headers lie outside"};

    for (unsigned i = 0; i < count; ++i) {
        const auto h = file.subspan(static_cast<size_t>(table + u64{entry_size} * i), entry_size);
        const u32 kind = field<u32>(h, 0);
        if (kind != kLoad && kind != kNote) continue;
        const u64 offset = w ? field<u64>(h, 8) : field<u32>(h, 4);
        const u64 file_size = w ? field<u64>(h, 32) : field<u32>(h, 16);
        const auto data = slice(file, offset, file_size);
        if (!data) return Error{"is cut short: an ELF segment lies outside the file"};
        if (kind == kNote) {
            elf.notes.push_back(*data);
            continue;
        }
        ElfSegment s;
        s.data = *data;
        s.virtual_address = w ? field<u64>(h, 16) : field<u32>(h, 8);
        s.physical = w ? field<u64>(h, 24) : field<u32>(h, 12);
        s.memory_size = w ? field<u64>(h, 40) : field<u32>(h, 20);
        s.executable = field<u32>(h, w ? 4 : 24) & 1;
        if (s.memory_size < file_size)
            return Error{"has an ELF segment that is larger in the file than in memory"};
        if (s.memory_size) elf.loads.push_back(s);
    }
    if (elf.loads.empty()) return Error{"is an ELF file with nothing to load"};
    return elf;
}

std::optional<u64> pvh_entry(const ElfFile& elf) {
    for (std::span<const u8> notes : elf.notes) {
        u64 at = 0;
        while (slice(notes, at, 12)) {
            const u32 name_size = field<u32>(notes, at), desc_size = field<u32>(notes, at + 4);
            const u32 type = field<u32>(notes, at + 8);
            const u64 name_at = at + 12, desc_at = name_at + align_up(u64{name_size}, 4);
            const auto name = slice(notes, name_at, name_size);
            const auto desc = slice(notes, desc_at, desc_size);
            if (!name || !desc) break;
            if (type == kPhys32Entry && name_size == 4 && std::memcmp(name->data(), "Xen", 4) == 0) {
                if (desc_size == 4) return load_le<u32>(desc->data());
                if (desc_size == 8) return load_le<u64>(desc->data());
            }
            at = desc_at + align_up(u64{desc_size}, 4);
        }
    }
    return std::nullopt;
}

}  // namespace mynah
