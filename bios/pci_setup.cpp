#include "bios/pci_setup.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "bios/direct_boot.h"

namespace mynah {

namespace {

// Which IRQ each PIRQ goes to: what SeaBIOS chooses on this board.
constexpr std::array<u8, 4> kPirqIrqs = {10, 10, 11, 11};
constexpr u8 kSciIrq = 9;

constexpr u16 kIsaBridge = 0x0601, kIde = 0x0101, kVga = 0x0300;
constexpr u32 kPiix4Power = 0x71138086;

struct Function {
    u8 slot, number;
    u16 class_code;  // base and sub-class
    u32 ids;
};

std::vector<Function> functions(FirmwareTarget& t) {
    std::vector<Function> out;
    for (u8 slot = 0; slot < 32; ++slot) {
        for (u8 number = 0; number < 8; ++number) {
            const u32 ids = t.pci_config_read(slot, number, 0x00, 4);
            if ((ids & 0xFFFF) == 0xFFFF) {
                if (number == 0) break;
                continue;
            }
            out.push_back({slot, number, static_cast<u16>(t.pci_config_read(slot, number, 0x0A, 2)), ids});
            if (number == 0 && !(t.pci_config_read(slot, 0, 0x0E, 1) & 0x80)) break;
        }
    }
    return out;
}

template <class Match>
std::optional<Function> find(FirmwareTarget& t, Match match) {
    for (const Function& f : functions(t)) {
        if (match(f)) return f;
    }
    return std::nullopt;
}

struct Bar {
    Function function;
    u8 reg;
    bool io;
    bool wide;  // 64 bits
    u64 size;
};

// PCI Local Bus 3.0, 6.2.5.1: what stays zero after writing ones is the size.
std::vector<Bar> size_bars(FirmwareTarget& t, const Function& f) {
    std::vector<Bar> bars;
    for (u8 reg = 0x10; reg < 0x28; reg = static_cast<u8>(reg + 4)) {
        const u32 old = t.pci_config_read(f.slot, f.number, reg, 4);
        t.pci_config_write(f.slot, f.number, reg, 0xFFFFFFFF, 4);
        const u32 probe = t.pci_config_read(f.slot, f.number, reg, 4);
        t.pci_config_write(f.slot, f.number, reg, old, 4);
        if (probe == 0 || probe == 0xFFFFFFFF) continue;
        const bool io = probe & 1, wide = !io && (probe & 6) == 4;
        const u32 mask = io ? (probe & ~3u) | 0xFFFF0000 : probe & ~15u;
        if (mask != 0) bars.push_back({f, reg, io, wide, u64{~mask} + 1});
        if (wide) reg = static_cast<u8>(reg + 4);
    }
    return bars;
}

}  // namespace

u32 pci_hole_start(const RamLayout& ram) {
    return static_cast<u32>(align_up(std::clamp<u64>(ram.below_4g, 16 * MiB, kPciMemoryBase), 4096));
}

void assign_pci_resources(FirmwareTarget& t) {
    std::vector<Bar> bars;
    const auto all = functions(t);
    for (const Function& f : all) {
        const auto own = size_bars(t, f);
        bars.insert(bars.end(), own.begin(), own.end());
    }
    // Largest first: no gaps by alignment.
    std::stable_sort(bars.begin(), bars.end(), [](const Bar& a, const Bar& b) { return a.size > b.size; });
    u64 memory = kPciMemoryBase, io = kPciIoBase;
    for (const Bar& b : bars) {
        u64& next = b.io ? io : memory;
        const u64 base = align_up(next, b.size), limit = b.io ? 0x10000 : 0xFEC00000;
        if (base + b.size > limit) continue;  // stays at 0, undecoded
        next = base + b.size;
        const Function& f = b.function;
        t.pci_config_write(f.slot, f.number, b.reg, static_cast<u32>(base), 4);
        if (b.wide) t.pci_config_write(f.slot, f.number, static_cast<u8>(b.reg + 4), 0, 4);
        const u32 command = t.pci_config_read(f.slot, f.number, 0x04, 2);
        t.pci_config_write(f.slot, f.number, 0x04, command | (b.io ? 1 : 2), 2);
    }
    for (const Function& f : all) {
        if (f.class_code == kVga) {
            const u32 command = t.pci_config_read(f.slot, f.number, 0x04, 2);
            t.pci_config_write(f.slot, f.number, 0x04, command | 3, 2);
        }
        const u32 pin = t.pci_config_read(f.slot, f.number, 0x3D, 1);
        if (pin == 0 || pin > 4) continue;
        const u8 irq = f.ids == kPiix4Power ? kSciIrq : kPirqIrqs[(f.slot + 3u + pin - 1) & 3];
        t.pci_config_write(f.slot, f.number, 0x3C, irq, 1);
    }
}

void route_pci_interrupts(FirmwareTarget& t) {
    const auto bridge = find(t, [](const Function& f) { return f.class_code == kIsaBridge; });
    if (!bridge) return;
    u32 level = 1u << kSciIrq;
    for (u8 i = 0; i < 4; ++i) {
        t.pci_config_write(bridge->slot, bridge->number, static_cast<u8>(0x60 + i), kPirqIrqs[i], 1);
        level |= 1u << kPirqIrqs[i];
    }
    t.port_write(0x4D0, static_cast<u8>(level));
    t.port_write(0x4D1, static_cast<u8>(level >> 8));
}

void enable_ide(FirmwareTarget& t) {
    const auto ide = find(t, [](const Function& f) { return f.class_code == kIde; });
    if (!ide) return;
    // IDETIM: decode enable (PIIX3 data sheet 2.3.9).
    t.pci_config_write(ide->slot, ide->number, 0x40, 0x8000, 2);
    t.pci_config_write(ide->slot, ide->number, 0x42, 0x8000, 2);
    const u32 command = t.pci_config_read(ide->slot, ide->number, 0x04, 2);
    t.pci_config_write(ide->slot, ide->number, 0x04, command | 5, 2);
}

void enable_power_management(FirmwareTarget& t, const AcpiConfig& acpi) {
    const auto pm = find(t, [](const Function& f) { return f.ids == kPiix4Power; });
    if (!pm) return;
    // PIIX4 data sheet 7.1: PMBA, PMREGMISC, SMBBA, SMBHSTCFG.
    t.pci_config_write(pm->slot, pm->number, 0x40, acpi.pm_base | 1u, 4);
    t.pci_config_write(pm->slot, pm->number, 0x80, 1, 1);
    t.pci_config_write(pm->slot, pm->number, 0x90, acpi.smbus_base | 1u, 4);
    t.pci_config_write(pm->slot, pm->number, 0xD2, 9, 1);
}

bool has_vga(FirmwareTarget& t) {
    return find(t, [](const Function& f) { return f.class_code == kVga; }).has_value();
}

}  // namespace mynah
