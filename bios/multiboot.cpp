// Multiboot specification 0.6.96, boot loader side: ELF32 images and images with an address header.
#include <fmt/format.h>

#include <algorithm>

#include "bios/elf.h"
#include "bios/kernel.h"
#include "bios/ram_plan.h"

namespace mynah {

namespace {

constexpr u32 kHeaderMagic = 0x1BADB002, kLoaderMagic = 0x2BADB002;
constexpr u32 kWantsVideo = 4, kHasAddresses = 0x10000, kKnownRequired = 7;
constexpr u64 kSearch = 8192;

// Information structure (3.3): which fields are valid.
constexpr u32 kInfoMemory = 1, kInfoCommandLine = 4, kInfoModules = 8, kInfoMap = 0x40,
              kInfoLoaderName = 0x200, kInfoFramebuffer = 0x1000;
constexpr size_t kInfoSize = 116;

struct Loaded {
    std::vector<MemorySegment> segments;
    u64 entry = 0;
    u64 end = 0;  // of the highest byte
};

// The address header ("a.out kludge", 3.1.3): the file holds one piece that goes to load_addr.
Result<Loaded> by_addresses(std::span<const u8> file, u64 header, RamPlan& ram) {
    const u64 header_addr = field<u32>(file, header + 12), load_addr = field<u32>(file, header + 16);
    const u64 load_end = field<u32>(file, header + 20), bss_end = field<u32>(file, header + 24);
    if (!slice(file, header, 32)) return Error{"is cut short within its multiboot header"};
    if (header_addr < load_addr || header_addr - load_addr > header) {
        return Error{"has a damaged multiboot header: its load address lies before the file"};
    }
    const u64 offset = header - (header_addr - load_addr);
    const u64 size = load_end ? load_end - load_addr : file.size() - offset;
    if (load_end && load_end < load_addr)
        return Error{"has a damaged multiboot header: it ends before it begins"};
    const auto data = slice(file, offset, size);
    if (!data) return Error{"is cut short: its multiboot header tells of more than the file has"};
    Loaded out;
    out.entry = field<u32>(file, header + 28);
    out.end = std::max(load_addr + size, bss_end);
    if (auto taken = ram.take(load_addr, out.end - load_addr, "it"); !taken.ok()) return taken.error();
    out.segments.push_back({load_addr, Bytes(data->begin(), data->end()), out.end - load_addr, "kernel"});
    return out;
}

// Takes the RAM before it copies: a hostile file may name the same bytes thousands of times.
Result<Loaded> by_elf(std::span<const u8> file, RamPlan& ram) {
    if (!looks_like_elf(file))
        return Error{"has a multiboot header, but neither load addresses nor an ELF header"};
    auto elf = parse_elf(file);
    if (!elf.ok()) return elf.error();
    if (elf->is_64) return Error{"is a 64-bit ELF file, which multiboot cannot start; give its 32-bit form"};
    Loaded out;
    out.entry = elf->physical_entry();
    for (const ElfSegment& s : elf->loads) {
        if (auto taken = ram.take(s.physical, s.memory_size, "it"); !taken.ok()) return taken.error();
        out.segments.push_back({s.physical, Bytes(s.data.begin(), s.data.end()), s.memory_size, "kernel"});
        out.end = std::max(out.end, s.physical + s.memory_size);
    }
    return out;
}

// Lays out the information structure and what it points to, in one block.
class InfoBlock {
  public:
    InfoBlock() { b_.zeros(kInfoSize); }
    // Appends and returns the offset.
    u32 append(std::span<const u8> data, size_t alignment = 4) {
        b_.align(alignment);
        const auto at = static_cast<u32>(b_.size());
        b_.bytes(data);
        return at;
    }
    u32 append_text(const std::string& s) {
        return append({reinterpret_cast<const u8*>(s.c_str()), s.size() + 1}, 1);
    }
    void set(size_t offset, u64 value) { b_.patch(offset, value, 4); }
    // A field that holds an address within the block.
    void point(size_t offset, u64 target) {
        b_.patch(offset, target, 4);
        pointers_.push_back(offset);
    }
    size_t size() const { return b_.size(); }
    Bytes finish(u64 base) {
        for (size_t p : pointers_) b_.patch(p, load_le<u32>(&b_.data()[p]) + base, 4);
        return b_.take();
    }

  private:
    ByteBuilder b_;
    std::vector<size_t> pointers_;
};

void describe_memory(InfoBlock& info, const E820Map& map) {
    ByteBuilder records;
    u64 upper = 0;
    for (const E820Entry& e : map) {
        records.put32(20);
        records.put64(e.base);
        records.put64(e.length);
        records.put32(static_cast<u32>(e.type));
        if (e.type == E820Type::ram && e.base == MiB) upper = e.length / KiB;
    }
    info.set(4, 639);
    info.set(8, upper);
    info.set(44, records.size());
    info.point(48, info.append(records.data()));
}

}  // namespace

std::optional<u64> find_multiboot_header(std::span<const u8> file) {
    const u64 end = std::min<u64>(file.size(), kSearch);
    for (u64 at = 0; at + 12 <= end; at += 4) {
        if (field<u32>(file, at) != kHeaderMagic) continue;
        if (field<u32>(file, at) + field<u32>(file, at + 4) + field<u32>(file, at + 8) == 0) return at;
    }
    return std::nullopt;
}

Result<BootImage> load_multiboot(const KernelRequest& request, u64 header) {
    const auto fail = [&](std::string_view why) {
        return Error{fmt::format("kernel \"{}\" {}", request.name, why)};
    };
    const std::span<const u8> file = request.kernel;
    const u32 flags = field<u32>(file, header + 4);
    if (flags & 0xFFFF & ~kKnownRequired) {
        return fail(fmt::format("asks for multiboot features that are not supported (flags {:#x})", flags));
    }
    RamPlan ram(request.e820);
    auto loaded = flags & kHasAddresses ? by_addresses(file, header, ram) : by_elf(file, ram);
    if (!loaded.ok()) return fail(loaded.error().message);

    InfoBlock info;
    u32 valid = kInfoMemory | kInfoCommandLine | kInfoMap | kInfoLoaderName;
    describe_memory(info, request.e820);
    // As QEMU does, the kernel's name comes first.
    info.point(16,
               info.append_text(request.command_line.empty() ? request.name
                                                             : request.name + " " + request.command_line));
    info.point(64, info.append_text("mynah"));
    if (flags & kWantsVideo) {
        valid |= kInfoFramebuffer;  // EGA text, which is what there is
        info.set(88, 0xB8000);
        info.set(96, 160);
        info.set(100, 80);
        info.set(104, 25);
        info.set(108, 16 | 2 << 8);
    }

    BootImage image;
    image.segments = std::move(loaded->segments);
    if (!request.modules.empty()) {
        valid |= kInfoModules;
        const Bytes records(16 * request.modules.size());
        const u32 list = info.append(records);
        info.set(20, request.modules.size());
        info.point(24, list);
        u64 from = align_up(std::max<u64>(loaded->end, MiB), 0x1000);
        for (size_t i = 0; i < request.modules.size(); ++i) {
            const BootModule& m = request.modules[i];
            const auto at = ram.take_low(std::max<u64>(m.data.size(), 1), 0x1000, from);
            if (!at) {
                return Error{fmt::format("module \"{}\" of {} KiB does not fit in memory; raise -m",
                                         m.command_line, (m.data.size() + 1023) / 1024)};
            }
            from = *at;
            info.set(list + 16 * i, *at);
            info.set(list + 16 * i + 4, *at + m.data.size());
            info.point(list + 16 * i + 8, info.append_text(m.command_line));
            image.segments.push_back({*at, m.data, m.data.size(), "module"});
        }
    }
    info.set(0, valid);

    // Low memory first, then wherever there is room.
    auto base = ram.take_low(info.size() + 64, 0x1000, 0x9000, kEbdaBase);
    if (!base) base = ram.take_low(info.size() + 64, 0x1000, 0x1000);
    if (!base) return fail("leaves no room for the multiboot information; raise -m");
    const u64 info_size = info.size(), gdt = *base + align_up(info_size, 8);
    image.segments.push_back({*base, info.finish(*base), info_size, "multiboot information"});
    image.segments.push_back(flat_gdt(CpuEntry::Mode::protected32, gdt));
    image.format = fmt::format("multiboot, {}", flags & kHasAddresses ? "address header" : "ELF32");
    image.entry = flat_entry(CpuEntry::Mode::protected32, gdt);
    image.entry.rip = loaded->entry;
    image.entry.rax = kLoaderMagic;
    image.entry.rbx = *base;
    image.entry.rsp = 0x7C00;
    return image;
}

}  // namespace mynah
