// How the machine starts: firmware in ROM, or a kernel placed in RAM by bios/direct_boot.
#include <fmt/format.h>

#include <algorithm>

#include "bios/cmos_layout.h"
#include "bios/files.h"
#include "bios/fw_cfg_contents.h"
#include "cpu/apic/local_apic.h"
#include "cpu/system/cpu_model.h"
#include "machine/pc.h"

namespace mynah {

namespace {

constexpr u64 kLargestKernel = 2 * GiB;
const std::string kVgaRom = "vgabios-stdvga.bin";

}  // namespace

// What bios/direct_boot writes to, on the real parts: it can reach nothing that firmware could not.
class PcFirmwareTarget final : public FirmwareTarget {
  public:
    explicit PcFirmwareTarget(Pc& pc) : pc_(pc) {}

    u32 pci_config_read(u8 slot, u8 function, u8 reg, unsigned width) override {
        PciFunction* f = pc_.pci_.find(slot, function);
        return f != nullptr ? f->config_read(reg, width) : ~u32{0};
    }
    void pci_config_write(u8 slot, u8 function, u8 reg, u32 value, unsigned width) override {
        if (PciFunction* f = pc_.pci_.find(slot, function)) f->config_write(reg, value, width);
    }
    u8 port_read(u16 port) override { return static_cast<u8>(pc_.io_.read(port, 1)); }
    void port_write(u16 port, u8 value) override { pc_.io_.write(port, value, 1); }
    void memory_write(PhysicalAddress address, std::span<const u8> data) override {
        pc_.memory_->write(address, data);
    }
    void msr_write(u32 index, u64 value) override { pc_.cpu_->write_msr(index, value); }
    void local_apic_write(u32 offset, u32 value) override {
        if (LocalApic* apic = pc_.cpu_->apic()) apic->write(offset, value, 4);
    }

  private:
    Pc& pc_;
};

RamLayout Pc::ram_layout() const {
    return {memory_->ram_below_4g(), memory_->ram_above_4g()};
}

AcpiConfig Pc::acpi_config() const {
    AcpiConfig acpi;
    acpi.cpus = config_.cpus;
    acpi.floppy = drives_->has_floppy();
    return acpi;
}

Status Pc::load_firmware() {
    describe_to_guest();
    if (!config_.kernel.empty() && config_.bios.empty()) {
        DirectBootConfig boot;
        boot.ram = ram_layout();
        boot.cpus = config_.cpus;
        boot.acpi = acpi_config();
        boot.mtrrs = cpu_->model().has(Feature::mtrr);
        boot.physical_bits = cpu_->model().physical_bits;
        boot.kernel.name = config_.kernel;
        boot.kernel.command_line = config_.append;
        boot.kernel.cpu_has_long_mode = cpu_->model().has(Feature::lm);
        auto kernel = read_file(config_.kernel, "the kernel", kLargestKernel);
        if (!kernel) return kernel.error();
        boot.kernel.kernel = std::move(*kernel);
        for (const std::string& words : split_modules(config_.initrd)) {
            auto data = read_file(words.substr(0, words.find(' ')), "the initial RAM disk", kLargestKernel);
            if (!data) return data.error();
            boot.kernel.modules.push_back({std::move(*data), words});
        }
        // Without a VGA BIOS to take a font from, text stays invisible but for its cells.
        if (auto rom = load_option_rom(kVgaRom, config_.firmware_path); vga_ && rom)
            boot.font = find_font(*rom);
        auto plan = prepare_direct_boot(std::move(boot));
        if (!plan) return plan.error();
        direct_boot_ = std::move(*plan);
        return Ok{};
    }
    const std::string name = config_.bios.empty() ? "bios-256k.bin" : config_.bios;
    auto rom = load_system_rom(name, config_.firmware_path);
    if (!rom) return rom.error();
    rom_ = std::move(*rom);
    memory_->map_rom(rom_->base(), rom_->data, "bios");
    memory_->map_rom(rom_->low_base(), rom_->low_part(), "bios (low)");
    return Ok{};
}

// The disks that were given a place in it, as SeaBIOS's "bootorder" names them.
std::vector<std::string> Pc::boot_order() const {
    std::vector<std::pair<unsigned, std::string>> chosen;
    for (const Drives::VirtioDisk& disk : drives_->virtio_disks()) {
        if (!disk.boot_index) continue;
        chosen.emplace_back(*disk.boot_index,
                            fmt::format("/pci@i0cf8/scsi@{:x}/disk@0,0", disk.device->slot()));
    }
    std::sort(chosen.begin(), chosen.end());
    std::vector<std::string> paths;
    for (auto& [index, path] : chosen) paths.push_back(std::move(path));
    return paths;
}

// What the board tells of itself, whoever boots it: fw_cfg and CMOS.
void Pc::describe_to_guest() {
    FwCfgConfig contents;
    contents.ram = ram_layout();
    contents.cpus = config_.cpus;
    contents.graphics = vga_ != nullptr;
    contents.boot_menu = config_.boot_menu;
    contents.boot_order = boot_order();
    contents.acpi = acpi_config();
    FwCfgContents made = make_fw_cfg(contents);
    for (FwCfgItem& item : made.items) fw_cfg_.add(item.key, std::move(item.data));
    for (FwCfgFile& file : made.files) fw_cfg_.add_file(file.name, std::move(file.data));

    CmosConfig cmos;
    cmos.ram = ram_layout();
    cmos.cpus = config_.cpus;
    cmos.floppy_types = drives_->floppy_types();
    cmos.disks = drives_->primary_geometries();
    cmos.boot_order = config_.boot_order;
    for (const auto& [cell, value] : cmos_cells(cmos)) rtc_.set(cell, value);
}

void Pc::reset_devices() {
    irqs_.reset();
    for (Device* d : devices()) d->reset();
    memory_->set_a20(true);
}

void Pc::power_on() {
    reset_devices();
    cpu_->reset();
    if (lockstep_) lockstep_->taken_over();
    if (!direct_boot_) return;
    PcFirmwareTarget target(*this);
    run_direct_boot(*direct_boot_, target);
    apply_entry(direct_boot_->image.entry);
}

void Pc::apply_entry(const CpuEntry& entry) {
    CpuState& s = cpu_->state();
    s.gpr[rax] = entry.rax;
    s.gpr[rbx] = entry.rbx;
    s.gpr[rcx] = entry.rcx;
    s.gpr[rdx] = entry.rdx;
    s.gpr[rsi] = entry.rsi;
    s.gpr[rdi] = entry.rdi;
    s.gpr[rbp] = entry.rbp;
    s.gpr[rsp] = entry.rsp;
    s.rip = entry.rip;
    s.write_eflags(entry.eflags);
    const auto segment = [](const EntrySegment& e) {
        return SegmentRegister{e.selector, e.attributes, e.limit, e.base};
    };
    s.seg(Seg::cs) = segment(entry.code);
    for (const Seg seg : {Seg::ds, Seg::es, Seg::ss, Seg::fs, Seg::gs}) s.seg(seg) = segment(entry.data);
    s.seg(Seg::tr) = segment(entry.task);
    s.gdtr = {entry.gdt_base, entry.gdt_limit};
    s.idtr = {0, entry.idt_limit};
    s.cr0 = entry.cr0;
    s.cr3 = entry.cr3;
    s.cr4 = entry.cr4;
    s.efer = entry.efer;
    cpu_->state_changed();
}

}  // namespace mynah
