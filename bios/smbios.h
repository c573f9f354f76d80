// SMBIOS 2.8 tables (DMTF DSP0134): system, chassis, processor, memory. Two uses: fw_cfg files
// "etc/smbios/smbios-tables" and "etc/smbios/smbios-anchor", or placed in RAM.
#pragma once

#include <string>

#include "bios/boot_image.h"
#include "bios/bytes.h"
#include "bios/e820.h"

namespace mynah {

struct SmbiosConfig {
    unsigned cpus = 1;
    RamLayout ram;
    // Type 0 says which firmware there is; SeaBIOS adds its own.
    bool bios_information = false;
    std::string product = "Standard PC (i440FX + PIIX)";
};

struct SmbiosTables {
    Bytes structures;
    Bytes anchor;  // the 31-byte entry point; its table address and checksums are for address 0
};

SmbiosTables make_smbios(const SmbiosConfig& config);
// Sets the table address in the anchor and its checksums.
void link_smbios(SmbiosTables& tables, PhysicalAddress structures);

}  // namespace mynah
