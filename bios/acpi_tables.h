// ACPI tables of the `pc` machine: FACS, DSDT, FADT, MADT, HPET, RSDT, XSDT, RSDP (ACPI 6.4 chapter 5), as
// files for firmware that knows the table loader, or placed in RAM by us.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/types.h"
#include "bios/acpi_linker.h"

namespace mynah {

struct AcpiConfig {
    unsigned cpus = 1;
    u16 pm_base = 0x600;
    u16 smbus_base = 0x700;
    u8 sci_irq = 9;
    u32 io_apic_base = 0xFEC00000;
    u32 local_apic_base = 0xFEE00000;
    bool hpet = true;
    u32 hpet_base = 0xFED00000;
    // Where PCI memory may lie below 4 GiB: from the end of low RAM up to the I/O APIC.
    u32 pci_hole = 0xE0000000;
    u32 pci_hole_end = 0xFEBFFFFF;
    // What is on the ISA bus.
    bool keyboard = true;
    bool floppy = true;
    unsigned serial_ports = 4;  // at 3F8h, 2F8h, 3E8h, 2E8h
    bool parallel = false;
};

// "etc/acpi/tables", "etc/acpi/rsdp" and the script that links them ("etc/table-loader").
LinkedTables make_acpi(const AcpiConfig& config);
// The DSDT alone, header and checksum included.
Bytes make_dsdt(const AcpiConfig& config);

// The common header (5.2.6): filled in, length and checksum to be patched by finish_table().
void begin_table(ByteBuilder& b, std::string_view signature, u8 revision);

}  // namespace mynah
