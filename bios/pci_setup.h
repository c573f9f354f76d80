// The PCI part of what firmware does: addresses, interrupt lines, and the PIIX3's and PIIX4's own registers.
#pragma once

#include "bios/acpi_tables.h"
#include "bios/e820.h"

namespace mynah {

class FirmwareTarget;

// Base addresses are given out from here on up.
inline constexpr u64 kPciMemoryBase = 0xE0000000;
inline constexpr u16 kPciIoBase = 0xC000;

// First address of the PCI hole: the end of low RAM.
u32 pci_hole_start(const RamLayout& ram);

// Sizes and places every BAR on bus 0, enables decoding and sets the interrupt line registers.
void assign_pci_resources(FirmwareTarget& target);
// PIRQA-D to IRQ 10, 10, 11, 11; these and the SCI are level-triggered.
void route_pci_interrupts(FirmwareTarget& target);
// Both channels at their legacy ports.
void enable_ide(FirmwareTarget& target);
// PIIX4 function 3: PM and SMBus base addresses.
void enable_power_management(FirmwareTarget& target, const AcpiConfig& acpi);
bool has_vga(FirmwareTarget& target);

}  // namespace mynah
