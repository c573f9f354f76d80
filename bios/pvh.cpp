// PVH direct boot (Xen's docs/misc/pvh.pandoc and public/arch-x86/hvm/start_info.h): an ELF file with an
// entry note, started in 32-bit protected mode without paging, EBX pointing to hvm_start_info.
#include <fmt/format.h>

#include <algorithm>

#include "bios/elf.h"
#include "bios/kernel.h"
#include "bios/ram_plan.h"

namespace mynah {

namespace {

constexpr u32 kStartMagic = 0x336EC578;
constexpr size_t kStartSize = 56, kModuleSize = 32;

}  // namespace

Result<BootImage> load_pvh(const KernelRequest& request) {
    const auto fail = [&](std::string_view why) {
        return Error{fmt::format("kernel \"{}\" {}", request.name, why)};
    };
    auto elf = parse_elf(request.kernel);
    if (!elf.ok()) return fail(elf.error().message);
    const auto entry = pvh_entry(*elf);
    if (!entry) {
        return fail(
            "is an ELF file without a PVH entry note or multiboot header; give a bzImage, or a kernel built "
            "with "
            "PVH support");
    }
    if (*entry >= 4 * GiB) return fail("has a PVH entry point above 4 GiB");

    BootImage image;
    RamPlan ram(request.e820);
    u64 end = MiB;
    for (const ElfSegment& s : elf->loads) {
        if (auto taken = ram.take(s.physical, s.memory_size, "it"); !taken.ok())
            return fail(taken.error().message);
        end = std::max(end, s.physical + s.memory_size);
        image.segments.push_back({s.physical, Bytes(s.data.begin(), s.data.end()), s.memory_size, "kernel"});
    }

    // One block: start_info, module list, memory map, command lines, GDT.
    const size_t modules_at = kStartSize, map_at = modules_at + kModuleSize * request.modules.size();
    const size_t map_size = 24 * request.e820.size();
    size_t text_size = request.command_line.size() + 1;
    for (const BootModule& m : request.modules) text_size += m.command_line.size() + 1;
    const size_t block_size = align_up(map_at + map_size + text_size, 8) + 64;
    auto base = ram.take_low(block_size, 0x1000, 0x9000, kEbdaBase);
    if (!base) base = ram.take_low(block_size, 0x1000, 0x1000);
    if (!base) return fail("leaves no room for its start information; raise -m");

    ByteBuilder b, texts;
    const u64 texts_base = *base + map_at + map_size;
    const auto add_text = [&](const std::string& s) {
        const u64 at = texts_base + texts.size();
        texts.text(s);
        texts.put8(0);
        return at;
    };
    b.put32(kStartMagic);
    b.put32(1);  // version: with a memory map
    b.put32(0);
    b.put32(request.modules.size());
    b.put64(request.modules.empty() ? 0 : *base + modules_at);
    b.put64(add_text(request.command_line));
    b.put64(request.rsdp);
    b.put64(*base + map_at);
    b.put32(request.e820.size());
    b.put32(0);
    for (const BootModule& m : request.modules) {
        // High, as an initrd lies elsewhere too: the kernel may use what follows its image.
        const auto at =
            ram.take_high(std::max<u64>(m.data.size(), 1), 0x1000, 4 * GiB, align_up(end, 0x1000));
        if (!at) {
            return Error{fmt::format("initrd of {} KiB does not fit in memory beside kernel \"{}\"; raise -m",
                                     (m.data.size() + 1023) / 1024, request.name)};
        }
        b.put64(*at);
        b.put64(m.data.size());
        b.put64(add_text(m.command_line));
        b.put64(0);
        image.segments.push_back({*at, m.data, m.data.size(), "initrd"});
    }
    for (const E820Entry& e : request.e820) {
        b.put64(e.base);
        b.put64(e.length);
        b.put32(static_cast<u32>(e.type));
        b.put32(0);
    }
    b.bytes(texts.data());
    const u64 info_size = b.size(), gdt = *base + align_up(info_size, 8);
    image.segments.push_back({*base, b.take(), info_size, "PVH start information"});
    image.segments.push_back(flat_gdt(CpuEntry::Mode::protected32, gdt));
    image.format = fmt::format("PVH, ELF{}", elf->is_64 ? 64 : 32);
    image.entry = flat_entry(CpuEntry::Mode::protected32, gdt);
    image.entry.rip = *entry;
    image.entry.rbx = *base;
    image.entry.rsp = 0x7C00;
    return image;
}

}  // namespace mynah
