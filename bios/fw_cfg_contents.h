// What fw_cfg offers firmware (QEMU docs/specs/fw_cfg.rst): items by fixed key, and named files whose keys
// the device assigns. Signature, interface id and the file directory are the device's own.
#pragma once

#include <string>
#include <vector>

#include "bios/acpi_tables.h"
#include "bios/bytes.h"
#include "bios/e820.h"
#include "bios/smbios.h"

namespace mynah {

struct FwCfgItem {
    u16 key = 0;
    Bytes data;
};

struct FwCfgFile {
    std::string name;  // at most 55 characters
    Bytes data;
};

struct FwCfgConfig {
    RamLayout ram;
    unsigned cpus = 1;
    bool graphics = true;
    bool boot_menu = false;
    std::vector<std::string> boot_order;  // Open Firmware paths; empty: firmware goes by CMOS
    i32 boot_fail_wait_ms = -1;           // -1: firmware does not reboot by itself
    AcpiConfig acpi = {};                 // its CPUs and PCI hole are set from the above
};

struct FwCfgContents {
    std::vector<FwCfgItem> items;
    std::vector<FwCfgFile> files;  // sorted by name, as QEMU does
};

FwCfgContents make_fw_cfg(const FwCfgConfig& config);

}  // namespace mynah
