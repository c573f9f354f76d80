// Boots a kernel without firmware: does, in a listed order, what firmware would have done, then leaves the
// processor at the kernel's entry.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bios/acpi_tables.h"
#include "bios/boot_image.h"
#include "bios/e820.h"
#include "bios/kernel.h"
#include "bios/vga_text.h"

namespace mynah {

// The machine as firmware sees it. Addresses are physical; A20 does not matter.
class FirmwareTarget {
  public:
    virtual ~FirmwareTarget() = default;
    // Bus 0. A function that is not there reads as ones.
    virtual u32 pci_config_read(u8 slot, u8 function, u8 reg, unsigned width) = 0;
    virtual void pci_config_write(u8 slot, u8 function, u8 reg, u32 value, unsigned width) = 0;
    virtual u8 port_read(u16 port) = 0;
    virtual void port_write(u16 port, u8 value) = 0;
    virtual void memory_write(PhysicalAddress address, std::span<const u8> data) = 0;
    // Without effect on a processor that does not have the register.
    virtual void msr_write(u32 index, u64 value) = 0;
    virtual void local_apic_write(u32 offset, u32 value) = 0;
};

struct DirectBootConfig {
    RamLayout ram;
    unsigned cpus = 1;
    bool mtrrs = true;  // the CPU model has them
    unsigned physical_bits = 40;
    AcpiConfig acpi;  // its PCI hole is set from `ram`
    std::optional<Font8x16> font;
    // Kernel, its name, command line and modules; e820 and rsdp are filled in.
    KernelRequest kernel;
};

// Everything that can fail is done before the machine starts; the plan can be run again at each reset.
struct DirectBootPlan {
    RamLayout ram;
    bool mtrrs = true;
    unsigned physical_bits = 40;
    AcpiConfig acpi;
    std::optional<Font8x16> font;
    E820Map e820;
    std::vector<MemorySegment> tables;
    BootImage image;
};

Result<DirectBootPlan> prepare_direct_boot(DirectBootConfig config);

// One thing that firmware does. The order is that of direct_boot_steps().
struct FirmwareStep {
    std::string_view name;
    void (*run)(const DirectBootPlan&, FirmwareTarget&);
};
std::span<const FirmwareStep> direct_boot_steps();

// Runs all steps. Apply plan.image.entry to the processor afterwards.
void run_direct_boot(const DirectBootPlan& plan, FirmwareTarget& target);

}  // namespace mynah
