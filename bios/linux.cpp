// Linux/x86 boot protocol 2.00 to 2.15 (Documentation/arch/x86/boot.rst), by its 32-bit and 64-bit entries.
// The real-mode setup code does not run: what it would have found out goes into the zero page.
#include <fmt/format.h>

#include <algorithm>

#include "bios/kernel.h"
#include "bios/ram_plan.h"

namespace mynah {

namespace {

// Offsets in the file's first sectors and in the zero page alike.
namespace hdr {
constexpr u64 setup_sects = 0x1F1, syssize = 0x1F4, boot_flag = 0x1FE, jump = 0x200, magic = 0x202,
              version = 0x206, type_of_loader = 0x210, loadflags = 0x211, code32_start = 0x214,
              ramdisk_image = 0x218, ramdisk_size = 0x21C, heap_end = 0x224, cmd_line = 0x228,
              initrd_addr_max = 0x22C, alignment = 0x230, relocatable = 0x234, xloadflags = 0x236,
              cmdline_size = 0x238, pref_address = 0x258, init_size = 0x260;
}
// Offsets in the zero page only.
namespace zero {
constexpr u64 video_mode = 0x06, video_columns = 0x07, ega_bx = 0x0A, video_lines = 0x0E, is_vga = 0x0F,
              font_height = 0x10, ext_mem_k = 0x02, old_magic = 0x20, old_cmd_line = 0x22, acpi_rsdp = 0x70,
              alt_mem_k = 0x1E0, e820_count = 0x1E8, e820 = 0x2D0;
constexpr size_t e820_room = 128;
}  // namespace zero

constexpr u32 kMagic = 0x53726448;  // "HdrS"
constexpr u8 kLoadedHigh = 1, kCanUseHeap = 0x80;
constexpr u16 kXloadKernel64 = 1;

// Kernels before 2.02 look for their parameters at 90000h, and every kernel accepts them there.
constexpr u64 kZeroPage = 0x90000;
constexpr u64 kCommandLine = 0x91000, kCommandLineEnd = 0x9F000;
constexpr u64 kPageTables = 0x80000, kPageTablesSize = 6 * 4096;
constexpr u64 kGdt = 0x7F000;
constexpr u64 kStack = 0x7F000;  // grows down; kernels set up their own at once

// 4 GiB mapped one to one by pages of 2 MiB.
MemorySegment identity_tables() {
    Bytes data(kPageTablesSize);
    constexpr u64 present_writable = 3, large = 0x80;
    store_le<u64>(&data[0], (kPageTables + 0x1000) | present_writable);
    for (u64 i = 0; i < 4; ++i) {
        store_le<u64>(&data[0x1000 + 8 * i], (kPageTables + 0x2000 + 0x1000 * i) | present_writable);
    }
    for (u64 i = 0; i < 2048; ++i) store_le<u64>(&data[0x2000 + 8 * i], i << 21 | present_writable | large);
    return {kPageTables, std::move(data), kPageTablesSize, "identity page tables"};
}

struct Header {
    u16 version = 0;
    u8 loadflags = 0;
    u64 setup_size = 0;  // boot sector and setup: where the protected-mode part begins in the file
    u64 load_size = 0;   // memory from the load address on that the kernel uses before it reads e820
    u64 alignment = 0x1000;
    u64 pref_address = 0;
    u64 initrd_max = 0x37FFFFFF;
    u64 cmdline_max = 255;
    bool relocatable = false;
    bool entry_64 = false;
};

Result<Header> read_header(std::span<const u8> file) {
    Header h;
    h.version = field<u16>(file, hdr::version);
    if (h.version < 0x200) return Error{"uses a boot protocol older than 2.00, which is not supported"};
    const u8 sects = file[hdr::setup_sects];
    h.setup_size = 512 * (u64{sects ? sects : u8{4}} + 1);
    if (h.setup_size >= file.size()) return Error{"is cut short: its protected-mode part is missing"};
    // The size in paragraphs, to be trusted since 2.04 (Documentation/x86/boot.rst). A file may be longer:
    // signed.
    const u64 paragraphs = h.version >= 0x204 ? field<u32>(file, hdr::syssize) : 0;
    if (const u64 whole = h.setup_size + 16 * paragraphs; whole >= file.size() + 16) {
        return Error{fmt::format("is cut short: {} bytes of {}", file.size(), whole)};
    }
    h.loadflags = file[hdr::loadflags];
    h.load_size = file.size() - h.setup_size;
    if (h.version >= 0x203) h.initrd_max = field<u32>(file, hdr::initrd_addr_max);
    if (h.version >= 0x205) {
        h.relocatable = file[hdr::relocatable] != 0;
        const u32 alignment = field<u32>(file, hdr::alignment);
        if (h.relocatable && std::has_single_bit(alignment)) h.alignment = std::max<u64>(alignment, 0x1000);
    }
    if (h.version >= 0x206) h.cmdline_max = field<u32>(file, hdr::cmdline_size);
    if (h.version >= 0x20A) {
        h.pref_address = field<u64>(file, hdr::pref_address);
        h.load_size = std::max<u64>(h.load_size, field<u32>(file, hdr::init_size));
    }
    if (h.version >= 0x20C) h.entry_64 = field<u16>(file, hdr::xloadflags) & kXloadKernel64;
    return h;
}

// Where the protected-mode part goes.
Result<u64> place_kernel(const Header& h, std::span<const u8> file, RamPlan& ram) {
    if (!(h.loadflags & kLoadedHigh)) {
        // A zImage: setup would have moved it from 10000h to where it was linked.
        const u64 base = field<u32>(file, hdr::code32_start);
        if (base + h.load_size > kGdt) return Error{"is a zImage that is too big for low memory"};
        if (auto s = ram.take(base, h.load_size, "it"); !s.ok()) return s.error();
        return base;
    }
    u64 base = h.pref_address ? h.pref_address : MiB;
    if (h.relocatable && !ram.is_free(base, h.load_size)) {
        if (const auto free = ram.take_low(h.load_size, h.alignment, MiB)) return *free;
    }
    if (base + h.load_size < base) return Error{"has a damaged header: its load address is out of range"};
    if (auto s = ram.take(base, h.load_size, "it"); !s.ok()) return s.error();
    return base;
}

void put_e820(Bytes& page, const E820Map& map) {
    const E820Map cut(map.begin(),
                      map.begin() + static_cast<std::ptrdiff_t>(std::min(map.size(), zero::e820_room)));
    const Bytes records = e820_bytes(cut);
    std::copy(records.begin(), records.end(), page.begin() + zero::e820);
    page[zero::e820_count] = static_cast<u8>(cut.size());
    // For kernels that read only these: KiB from 1 MiB up.
    u64 kib = 0;
    for (const E820Entry& e : map) {
        if (e.base == MiB && e.type == E820Type::ram) kib = e.length / KiB;
    }
    store_le<u32>(&page[zero::alt_mem_k], static_cast<u32>(kib));
    store_le<u16>(&page[zero::ext_mem_k], static_cast<u16>(std::min<u64>(kib, 0xFC00)));
}

void put_screen(Bytes& page) {
    page[zero::video_mode] = 3;
    page[zero::video_columns] = 80;
    page[zero::video_lines] = 25;
    page[zero::is_vga] = 1;
    store_le<u16>(&page[zero::font_height], 16);
    store_le<u16>(&page[zero::ega_bx], 3);  // 256 KiB of EGA memory
}

Bytes join_modules(const std::vector<BootModule>& modules) {
    // Linux takes one initrd: archives follow each other, each aligned to 4 bytes as cpio is.
    Bytes all;
    for (const BootModule& m : modules) {
        all.resize(align_up(all.size(), 4));
        all.insert(all.end(), m.data.begin(), m.data.end());
    }
    return all;
}

}  // namespace

bool is_linux_image(std::span<const u8> file) {
    return file.size() > 0x268 && field<u32>(file, hdr::magic) == kMagic &&
           field<u16>(file, hdr::boot_flag) == 0xAA55;
}

Result<BootImage> load_linux(const KernelRequest& request) {
    const auto fail = [&](std::string_view why) { return kernel_error(request, why); };
    const std::span<const u8> file = request.kernel;
    auto header = read_header(file);
    if (!header.ok()) return fail(header.error().message);
    const Header& h = *header;
    if (request.command_line.size() > std::min(h.cmdline_max, kCommandLineEnd - kCommandLine - 1)) {
        return fail(fmt::format("takes a command line of at most {} characters, -append has {}",
                                h.cmdline_max, request.command_line.size()));
    }

    RamPlan ram(request.e820);
    for (const auto& [base, size] : {std::pair{kPageTables, kPageTablesSize},
                                     {kGdt, u64{0x1000}},
                                     {kZeroPage, kCommandLineEnd - kZeroPage}}) {
        if (!ram.take(base, size, "").ok()) return fail("needs at least 1 MiB of memory; raise -m");
    }
    const auto placed = place_kernel(h, file, ram);
    if (!placed.ok()) return fail(placed.error().message);
    const u64 base = *placed;

    Bytes initrd = join_modules(request.modules);
    const u64 initrd_size = initrd.size();
    u64 initrd_base = 0;
    if (initrd_size) {
        const auto at = ram.take_high(initrd_size, 0x1000, std::min<u64>(h.initrd_max + 1, 4 * GiB), MiB);
        if (!at) {
            return Error{fmt::format("initrd of {} KiB does not fit in memory beside kernel \"{}\"; raise -m",
                                     (initrd_size + 1023) / 1024, request.name)};
        }
        initrd_base = *at;
    }

    Bytes page(0x1000);
    // The header ends where its first jump leads; everything else of the page stays zero.
    const u64 header_end =
        std::clamp<u64>(hdr::magic + u64{file[hdr::jump + 1]}, hdr::code32_start, zero::e820 - 0x40);
    const u64 copied = std::min<u64>(header_end, file.size());
    std::copy(file.begin() + hdr::setup_sects, file.begin() + static_cast<std::ptrdiff_t>(copied),
              page.begin() + hdr::setup_sects);
    page[hdr::type_of_loader] = 0xFF;  // a loader without a number of its own
    if (h.version >= 0x201) {
        page[hdr::loadflags] |= kCanUseHeap;
        store_le<u16>(&page[hdr::heap_end], 0xFE00);
    }
    store_le<u32>(&page[hdr::code32_start], static_cast<u32>(base));
    store_le<u32>(&page[hdr::ramdisk_image], static_cast<u32>(initrd_base));
    store_le<u32>(&page[hdr::ramdisk_size], static_cast<u32>(initrd_size));
    if (h.version >= 0x202) {
        store_le<u32>(&page[hdr::cmd_line], static_cast<u32>(kCommandLine));
    } else {
        store_le<u16>(&page[zero::old_magic], 0xA33F);
        store_le<u16>(&page[zero::old_cmd_line], static_cast<u16>(kCommandLine - kZeroPage));
    }
    if (h.version >= 0x20E) store_le<u64>(&page[zero::acpi_rsdp], request.rsdp);
    put_e820(page, request.e820);
    put_screen(page);

    const bool wide = h.entry_64 && request.cpu_has_long_mode && file.size() > h.setup_size + 0x200;
    const auto mode = wide ? CpuEntry::Mode::long64 : CpuEntry::Mode::protected32;
    BootImage image;
    image.format = fmt::format("bzImage, boot protocol {}.{:02}, {}-bit entry, kernel at {:#x}",
                               h.version >> 8, h.version & 0xFF, wide ? 64 : 32, base);
    image.entry = flat_entry(mode, kGdt);
    image.entry.rip = base + (wide ? 0x200 : 0);
    image.entry.rsp = kStack;
    image.entry.rsi = kZeroPage;
    image.segments.push_back(flat_gdt(mode, kGdt));
    if (wide) {
        image.entry.cr3 = kPageTables;
        image.segments.push_back(identity_tables());
    }
    Bytes text(request.command_line.begin(), request.command_line.end());
    text.push_back(0);
    const u64 text_size = text.size();
    image.segments.push_back({kZeroPage, std::move(page), 0x1000, "zero page"});
    image.segments.push_back({kCommandLine, std::move(text), text_size, "command line"});
    Bytes code(file.begin() + static_cast<std::ptrdiff_t>(h.setup_size), file.end());
    const u64 code_size = code.size();
    image.segments.push_back({base, std::move(code), code_size, "kernel"});
    if (initrd_size) image.segments.push_back({initrd_base, std::move(initrd), initrd_size, "initrd"});
    return image;
}

}  // namespace mynah
