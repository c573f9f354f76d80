#include "bios/direct_boot.h"

#include <algorithm>

#include "bios/pci_setup.h"
#include "bios/smbios.h"

namespace mynah {

namespace {

// Offsets of what goes into the BIOS segment.
constexpr PhysicalAddress kTablesLow = kBiosSegment;  // RSDP and SMBIOS anchor, found by scanning
constexpr u16 kEquipment = 4 << 9 | 0x26;             // four serial ports; 80x25 colour, mouse, x87
constexpr u64 kSmbiosAlignment = 16;

void ports(FirmwareTarget& t, std::initializer_list<std::pair<u16, u8>> writes) {
    for (const auto& [port, value] : writes) t.port_write(port, value);
}

void ports(FirmwareTarget& t, const std::vector<std::pair<u16, u8>>& writes) {
    for (const auto& [port, value] : writes) t.port_write(port, value);
}

void write_segment(FirmwareTarget& t, const MemorySegment& s) {
    t.memory_write(s.address, s.data);
    static constexpr std::array<u8, 65536> zeros{};
    for (u64 at = s.data.size(); at < s.size; at += zeros.size()) {
        t.memory_write(s.address + at, std::span(zeros).first(std::min<u64>(zeros.size(), s.size - at)));
    }
}

// i440FX data sheet 3.2.18: C0000h-FFFFFh is RAM.
void enable_shadow_ram(const DirectBootPlan&, FirmwareTarget& t) {
    t.pci_config_write(0, 0, 0x59, 0x30, 1);
    for (u8 reg = 0x5A; reg <= 0x5F; ++reg) t.pci_config_write(0, 0, reg, 0x33, 1);
}

// The BIOS segment is read-only, as it is after firmware.
void protect_bios_segment(const DirectBootPlan&, FirmwareTarget& t) {
    t.pci_config_write(0, 0, 0x59, 0x10, 1);
}

void set_up_pci(const DirectBootPlan&, FirmwareTarget& t) {
    assign_pci_resources(t);
}

void set_up_south_bridge(const DirectBootPlan& plan, FirmwareTarget& t) {
    route_pci_interrupts(t);
    enable_ide(t);
    enable_power_management(t, plan.acpi);
}

// 8259A: vectors 08h and 70h, everything masked but the cascade; 8254: channel 0 at 18.2 Hz.
void set_up_timers_and_pics(const DirectBootPlan&, FirmwareTarget& t) {
    ports(t, {{0x20, 0x11},
              {0xA0, 0x11},
              {0x21, 0x08},
              {0xA1, 0x70},
              {0x21, 0x04},
              {0xA1, 0x02},
              {0x21, 0x01},
              {0xA1, 0x01},
              {0x21, 0xFB},
              {0xA1, 0xFF}});
    ports(t, {{0x43, 0x34}, {0x40, 0}, {0x40, 0}});
    ports(t, {{0x70, 0x0A}, {0x71, 0x26}, {0x70, 0x0B}, {0x71, 0x02}});
    // Keyboard: interrupt on, set 1 codes, mouse port off.
    ports(t, {{0x64, 0x60}, {0x60, 0x65}});
}

// SDM vol. 3A 12.11: memory is write-back, the VGA window and the PCI hole are not cached, ROM is
// write-protected.
void set_up_mtrrs(const DirectBootPlan& plan, FirmwareTarget& t) {
    if (!plan.mtrrs) return;
    constexpr u64 write_back = 0x0606060606060606, write_protected = 0x0505050505050505;
    t.msr_write(0x2FF, 0);
    t.msr_write(0x250, write_back);
    t.msr_write(0x258, write_back);
    t.msr_write(0x259, 0);
    for (u32 msr = 0x268; msr <= 0x26F; ++msr) t.msr_write(msr, write_protected);
    const u64 size = 4 * GiB - kPciMemoryBase;
    t.msr_write(0x200, kPciMemoryBase);
    t.msr_write(0x201, (((u64{1} << plan.physical_bits) - 1) & ~(size - 1)) | 0x800);
    t.msr_write(0x2FF, 0xC06);
}

// Virtual wire mode (SDM vol. 3A 11.5.1; MP specification 3.6.2.2): the 8259s interrupt through LINT0.
void set_up_local_apic(const DirectBootPlan&, FirmwareTarget& t) {
    t.local_apic_write(0xF0, 0x1FF);
    t.local_apic_write(0x350, 0x8700);
    t.local_apic_write(0x360, 0x8400);
}

// Real-mode services for kernels that ask from a trampoline (Xen does): memory size and equipment, "not
// supported" for disks and system services, nothing for the rest. At the addresses of the PC's own BIOS.
struct RealModeService {
    u8 vector;
    u16 offset;
    std::initializer_list<u8> code;
};

void set_up_interrupt_vectors(FirmwareTarget& t) {
    static constexpr u16 iret = 0xFF53;
    static constexpr std::initializer_list<u8> return_at_once = {0xCF};
    // push bp; mov bp, sp; or byte [bp + 6], 1; pop bp; mov ah, 86h; iret
    static constexpr std::initializer_list<u8> not_supported = {0x55, 0x89, 0xE5, 0x80, 0x4E, 0x06,
                                                                0x01, 0x5D, 0xB4, 0x86, 0xCF};
    // mov ax, value; iret
    static constexpr std::initializer_list<u8> equipment = {0xB8, kEquipment & 0xFF, kEquipment >> 8, 0xCF};
    static constexpr std::initializer_list<u8> memory = {0xB8, (kEbdaBase / KiB) & 0xFF,
                                                         (kEbdaBase / KiB) >> 8, 0xCF};
    static const RealModeService services[] = {{0x11, 0xF84D, equipment},
                                               {0x12, 0xF841, memory},
                                               {0x13, 0xE3FE, not_supported},
                                               {0x15, 0xF859, not_supported}};

    Bytes table;
    for (int i = 0; i < 256; ++i) table.insert(table.end(), {iret & 0xFF, iret >> 8, 0x00, 0xF0});
    t.memory_write(kBiosSegment + iret, Bytes(return_at_once));
    for (const RealModeService& s : services) {
        t.memory_write(kBiosSegment + s.offset, Bytes(s.code));
        store_le<u16>(&table[4u * s.vector], s.offset);
    }
    t.memory_write(0, table);
    t.memory_write(0xFFFFE, Bytes{0xFC});  // model: AT
}

// The BIOS data area's cells that kernels read.
void set_up_low_memory(const DirectBootPlan&, FirmwareTarget& t) {
    set_up_interrupt_vectors(t);
    Bytes bda(256);
    static constexpr u16 serial[] = {0x3F8, 0x2F8, 0x3E8, 0x2E8};
    for (size_t i = 0; i < 4; ++i) store_le<u16>(&bda[2 * i], serial[i]);
    store_le<u16>(&bda[0x0E], kEbdaBase >> 4);
    store_le<u16>(&bda[0x10], kEquipment);
    store_le<u16>(&bda[0x13], kEbdaBase / KiB);
    bda[0x49] = 3;
    store_le<u16>(&bda[0x4A], 80);
    store_le<u16>(&bda[0x4C], 4096);
    store_le<u16>(&bda[0x60], 0x0D0E);
    store_le<u16>(&bda[0x63], 0x3D4);
    bda[0x84] = 24;
    bda[0x85] = 16;
    bda[0x87] = 0x60;
    bda[0x88] = 0xF9;
    bda[0x89] = 0x51;
    t.memory_write(0x400, bda);
    Bytes ebda(KiB);
    ebda[0] = 1;  // its size in KiB
    t.memory_write(kEbdaBase, ebda);
}

void set_up_display(const DirectBootPlan& plan, FirmwareTarget& t) {
    if (!has_vga(t)) return;
    ports(t, vga_mode3());
    t.port_read(0x3DA);
    ports(t, vga_mode3_attributes());
    if (plan.font) {
        ports(t, vga_open_font_plane());
        for (size_t glyph = 0; glyph < 256; ++glyph) {
            t.memory_write(0xA0000 + 32 * glyph, std::span(*plan.font).subspan(16 * glyph, 16));
        }
        ports(t, vga_close_font_plane());
    }
    ByteBuilder blanks;
    for (int i = 0; i < 16384; ++i) blanks.put16(0x0720);
    t.memory_write(0xB8000, blanks.data());
}

void write_tables(const DirectBootPlan& plan, FirmwareTarget& t) {
    for (const MemorySegment& s : plan.tables) write_segment(t, s);
}

void write_kernel(const DirectBootPlan& plan, FirmwareTarget& t) {
    for (const MemorySegment& s : plan.image.segments) write_segment(t, s);
}

constexpr FirmwareStep kSteps[] = {
    {"shadow RAM", enable_shadow_ram},
    {"PCI addresses and interrupt lines", set_up_pci},
    {"PIIX3: interrupt routing, IDE, power management", set_up_south_bridge},
    {"interrupt controllers, timer, clock, keyboard", set_up_timers_and_pics},
    {"memory types", set_up_mtrrs},
    {"local APIC", set_up_local_apic},
    {"interrupt vectors and BIOS data area", set_up_low_memory},
    {"VGA text mode", set_up_display},
    {"ACPI and SMBIOS tables", write_tables},
    {"write protection of the BIOS segment", protect_bios_segment},
    {"kernel", write_kernel},
};

}  // namespace

std::span<const FirmwareStep> direct_boot_steps() {
    return kSteps;
}

Result<DirectBootPlan> prepare_direct_boot(DirectBootConfig config) {
    if (config.ram.below_4g < 2 * MiB)
        return Error{"booting a kernel needs at least 2 MiB of memory; raise -m"};
    DirectBootPlan plan;
    plan.ram = config.ram;
    plan.mtrrs = config.mtrrs;
    plan.physical_bits = config.physical_bits;
    plan.acpi = config.acpi;
    plan.acpi.cpus = config.cpus;
    plan.acpi.pci_hole = pci_hole_start(config.ram);
    plan.font = config.font;

    const LinkedTables acpi = make_acpi(plan.acpi);
    SmbiosTables smbios = make_smbios({.cpus = config.cpus, .ram = config.ram, .bios_information = true});
    const u64 acpi_size = align_up(acpi.high_size(), kSmbiosAlignment);
    const u64 size = acpi_size + smbios.structures.size();
    const PhysicalAddress high = tables_base(config.ram, size);
    plan.e820 = e820_map(config.ram, size);

    PlacedTables placed = place_tables(acpi, high, kTablesLow);
    PhysicalAddress low = kTablesLow, rsdp = 0;
    for (const MemorySegment& s : placed.segments) {
        if (s.address < kTablesLow || s.address >= MiB) continue;
        rsdp = s.address;
        low = align_up(s.address + s.size, kSmbiosAlignment);
    }
    plan.tables = std::move(placed.segments);
    link_smbios(smbios, high + acpi_size);
    const u64 structures = smbios.structures.size(), anchor = smbios.anchor.size();
    plan.tables.push_back({high + acpi_size, std::move(smbios.structures), structures, "SMBIOS structures"});
    plan.tables.push_back({low, std::move(smbios.anchor), anchor, "SMBIOS entry point"});

    config.kernel.e820 = plan.e820;
    config.kernel.rsdp = rsdp;
    auto image = load_kernel(config.kernel);
    if (!image.ok()) return image.error();
    plan.image = std::move(*image);
    return plan;
}

void run_direct_boot(const DirectBootPlan& plan, FirmwareTarget& target) {
    for (const FirmwareStep& step : kSteps) step.run(plan, target);
}

}  // namespace mynah
