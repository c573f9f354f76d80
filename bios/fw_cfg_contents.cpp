#include "bios/fw_cfg_contents.h"

#include <algorithm>

#include "bios/pci_setup.h"

namespace mynah {

namespace {

// Keys (fw_cfg.rst and QEMU's standard headers).
namespace key {
constexpr u16 uuid = 0x02, ram_size = 0x03, nographic = 0x04, nb_cpus = 0x05, machine_id = 0x06,
              kernel_size = 0x08, initrd_size = 0x0B, boot_device = 0x0C, numa = 0x0D, boot_menu = 0x0E,
              max_cpus = 0x0F, command_line_size = 0x14, setup_size = 0x17, acpi_tables = 0x8000,
              smbios_entries = 0x8001, irq0_override = 0x8002, e820 = 0x8003, hpet = 0x8004;
}

Bytes le(u64 v, unsigned width) {
    ByteBuilder b;
    b.put(v, width);
    return b.take();
}

}  // namespace

FwCfgContents make_fw_cfg(const FwCfgConfig& c) {
    FwCfgContents out;
    const auto item = [&](u16 k, Bytes data) { out.items.push_back({k, std::move(data)}); };
    const auto file = [&](std::string name, Bytes data) {
        MYNAH_CHECK(name.size() < 56);
        out.files.push_back({std::move(name), std::move(data)});
    };
    item(key::uuid, Bytes(16));
    item(key::ram_size, le(c.ram.below_4g + c.ram.above_4g, 8));
    item(key::nographic, le(!c.graphics, 2));
    item(key::nb_cpus, le(c.cpus, 2));
    item(key::machine_id, le(0, 4));
    item(key::kernel_size, le(0, 4));
    item(key::initrd_size, le(0, 4));
    item(key::boot_device, le(0, 2));
    item(key::numa, le(0, 8));
    item(key::boot_menu, le(c.boot_menu, 2));
    item(key::max_cpus, le(c.cpus, 2));
    item(key::command_line_size, le(0, 4));
    item(key::setup_size, le(0, 4));
    item(key::acpi_tables, le(0, 2));
    item(key::smbios_entries, le(0, 2));
    item(key::irq0_override, le(1, 4));
    item(key::e820, le(0, 4));
    item(key::hpet, le(0, 1));

    file("etc/e820", e820_bytes(e820_for_firmware(c.ram)));
    // One byte per S-state, bit 7: supported, below it the sleep type. S3 and S4 are not.
    file("etc/system-states", {0x80, 0, 0, 1, 2, 0x80});
    file("etc/boot-fail-wait", le(static_cast<u32>(c.boot_fail_wait_ms), 4));
    if (c.boot_menu) file("etc/boot-menu-wait", le(3000, 2));
    if (!c.boot_order.empty()) {
        ByteBuilder b;
        for (size_t i = 0; i < c.boot_order.size(); ++i) {
            if (i) b.put8('\n');
            b.text(c.boot_order[i]);
        }
        b.put8(0);
        file("bootorder", b.take());
    }

    AcpiConfig acpi_config = c.acpi;
    acpi_config.cpus = c.cpus;
    acpi_config.pci_hole = pci_hole_start(c.ram);
    LinkedTables acpi = make_acpi(acpi_config);
    file("etc/table-loader", acpi.script_bytes());
    for (TableFile& f : acpi.files) file(f.name, std::move(f.data));
    SmbiosTables smbios = make_smbios({.cpus = c.cpus, .ram = c.ram});
    file("etc/smbios/smbios-anchor", std::move(smbios.anchor));
    file("etc/smbios/smbios-tables", std::move(smbios.structures));
    std::sort(out.files.begin(), out.files.end(),
              [](const FwCfgFile& a, const FwCfgFile& b) { return a.name < b.name; });
    return out;
}

}  // namespace mynah
