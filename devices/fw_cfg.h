// QEMU's firmware configuration device, with its DMA interface (qemu.org/docs/master/specs/fw_cfg.html).
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "devices/device.h"
#include "devices/event_queue.h"
#include "mmu/physical_map.h"

namespace mynah {

class FwCfg final : public Device {
  public:
    enum Bank : BankId { control, dma };  // 510h-511h, 514h-51Bh

    // Well-known keys.
    enum Key : u16 {
        signature = 0x00,
        id = 0x01,
        uuid = 0x02,
        ram_size = 0x03,
        nographic = 0x04,
        nb_cpus = 0x05,
        kernel_address = 0x07,
        kernel_size = 0x08,
        kernel_cmdline = 0x09,
        initrd_address = 0x0A,
        initrd_size = 0x0B,
        boot_device = 0x0C,
        numa = 0x0D,
        boot_menu = 0x0E,
        max_cpus = 0x0F,
        kernel_entry = 0x10,
        kernel_data = 0x11,
        initrd_data = 0x12,
        cmdline_address = 0x13,
        cmdline_size = 0x14,
        cmdline_data = 0x15,
        setup_address = 0x16,
        setup_size = 0x17,
        setup_data = 0x18,
        file_directory = 0x19,
        first_file = 0x20,
        // Architecture-local, x86.
        acpi_tables = 0x8000,
        smbios_entries = 0x8001,
        irq0_override = 0x8002,
        e820_table = 0x8003,
        hpet = 0x8004,
    };

    FwCfg(EventQueue& queue, PhysicalMap& memory);

    // Contents are the machine's configuration: put in before the guest runs, not saved. An item that is
    // there is replaced. Integers are little-endian.
    void add(u16 key, std::vector<u8> content);
    void add_u16(u16 key, u16 value);
    void add_u32(u16 key, u32 value);
    void add_u64(u16 key, u64 value);
    void add_string(u16 key, std::string_view text);  // with its final 0
    // By name, at most 55 characters; the directory is kept sorted by name.
    void add_file(const std::string& name, std::vector<u8> content);

    std::string_view name() const override { return "fw-cfg"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId bank) const override { return bank == dma ? BankInfo{8, 8} : BankInfo{2, 2}; }
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  private:
    const std::vector<u8>* selected() const;
    void select(u16 key);
    u8 read_byte();
    void index_files();
    void run_dma();

    EventQueue& queue_;
    PhysicalMap& memory_;
    std::map<u16, std::vector<u8>> items_;
    std::map<std::string, std::vector<u8>>
        files_;  // by name; its order is that of the keys from first_file on
    std::vector<const std::vector<u8>*> file_index_;
    u16 key_ = 0;
    u32 offset_ = 0;
    std::array<u8, 8> dma_address_{};  // as it lies on the bus: big-endian
};

}  // namespace mynah
