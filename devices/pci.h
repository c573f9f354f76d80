// PCI bus 0: functions with 256 bytes of configuration space, base address registers that map themselves,
// capabilities, INTx and MSI-X.
//
// PCI Local Bus Specification 3.0, ch. 6; configuration mechanism 1: 3.2.2.3.2. There are no bridges: buses
// other than 0 are empty.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/log.h"
#include "devices/device.h"
#include "devices/io_bus.h"
#include "devices/msix.h"
#include "mmu/physical_map.h"

namespace mynah {

class PciBus;

// Offsets of the type 0 header (6.1).
namespace pci {
inline constexpr u8 vendor_id = 0x00;
inline constexpr u8 device_id = 0x02;
inline constexpr u8 command = 0x04;
inline constexpr u8 status = 0x06;
inline constexpr u8 revision = 0x08;
inline constexpr u8 class_code = 0x09;
inline constexpr u8 cache_line = 0x0C;
inline constexpr u8 latency_timer = 0x0D;
inline constexpr u8 header_type = 0x0E;
inline constexpr u8 bar0 = 0x10;
inline constexpr u8 subsystem_vendor = 0x2C;
inline constexpr u8 subsystem_id = 0x2E;
inline constexpr u8 rom_bar = 0x30;
inline constexpr u8 capabilities = 0x34;
inline constexpr u8 interrupt_line = 0x3C;
inline constexpr u8 interrupt_pin = 0x3D;

// Command register bits.
inline constexpr u16 io_space = 1;
inline constexpr u16 memory_space = 2;
inline constexpr u16 bus_master = 4;
inline constexpr u16 interrupt_disable = 0x400;

// Capability identifiers (appendix H).
inline constexpr u8 vendor_capability = 0x09;
inline constexpr u8 msix_capability = 0x11;
}  // namespace pci

struct PciIds {
    u16 vendor = 0xFFFF;
    u16 device = 0xFFFF;
    u8 revision = 0;
    u32 class_code = 0;  // base class, sub-class, programming interface: 24 bits
    u16 subsystem_vendor = 0x1AF4;
    u16 subsystem = 0x1100;
    u8 interrupt_pin = 0;  // 0 none, 1..4 INTA#..INTD#
};

// Base class of devices on the bus. The banks of BARs are read and written as those of any device.
class PciFunction : public Device {
  public:
    explicit PciFunction(const PciIds& ids);
    ~PciFunction() override;

    // Configuration accesses; offset + width <= 256, width 1, 2 or 4.
    u32 config_read(u8 offset, unsigned width);
    void config_write(u8 offset, u32 value, unsigned width);

    u16 command() const { return config16(pci::command); }
    // Where it is plugged in.
    u8 slot() const { return slot_; }
    bool bus_master() const { return (command() & pci::bus_master) != 0; }
    // Where BAR `index` (0..5; 6: the expansion ROM) is decoded at present; nothing: not decoded.
    std::optional<u64> bar_base(unsigned index) const;

  protected:
    static constexpr unsigned kRomBar = 6;

    // --- for constructors. `size` is a power of two: at least 4 for ports, 4,096 for memory (the map's
    // page). ---
    void add_io_bar(unsigned index, u32 size, BankId bank);
    void add_mmio_bar(unsigned index, u32 size, BankId bank);
    // Host memory of the device's own, page-aligned and as long as `size`, or a multiple of it.
    void add_memory_bar(unsigned index, std::span<u8> memory, bool prefetchable);
    void add_rom_bar(std::span<u8> rom);
    // Power-on content and writable bits beyond the header.
    void set_config8(u8 offset, u8 value, u8 write_mask = 0);
    void set_config16(u8 offset, u16 value, u16 write_mask = 0);
    void set_config32(u8 offset, u32 value, u32 write_mask = 0);
    void set_write_mask(u8 offset, u8 mask) { write_mask_[offset] = mask; }
    // Bits that a write of 1 clears.
    void set_write_1_to_clear(u8 offset, u8 mask) { w1c_[offset] = mask; }
    // A capability of `size` bytes, its two header bytes among them (6.7). Returns its offset; what is behind
    // the header is set with set_config8() and its kin. The first added is the last that a guest finds.
    u8 add_capability(u8 id, u8 size);
    // MSI-X with its table and pending bits in BAR `index`, which shows `bank`: the device hands accesses to
    // that bank on to msix(), whose size it has.
    void add_msix(unsigned index, BankId bank, unsigned vectors);

    // --- while running ---
    u8 config8(u8 offset) const { return config_[offset]; }
    u16 config16(u8 offset) const { return static_cast<u16>(config_[offset] | config_[offset + 1] << 8); }
    u32 config32(u8 offset) const { return config16(offset) | static_cast<u32>(config16(offset + 2)) << 16; }
    void put_config8(u8 offset, u8 value) { config_[offset] = value; }
    Msix* msix() { return msix_.get(); }
    const Msix* msix() const { return msix_.get(); }
    // Before a configuration read, for registers that show something else at each.
    virtual void config_reading(u8 offset, unsigned width) {
        (void)offset;
        (void)width;
    }
    // After a configuration write took effect. `offset` and `width` as the guest gave them.
    virtual void config_written(u8 offset, unsigned width) {
        (void)offset;
        (void)width;
    }
    // After a BAR came, went or moved; see bar_base().
    virtual void bar_moved(unsigned index) { (void)index; }
    // The function's INTx# pin: level-triggered, true is asserted.
    void set_interrupt(bool level);
    // Memory accesses as a bus master. Without the permission to be one, reads give ones and writes go
    // nowhere.
    void dma_read(u64 address, std::span<u8> out);
    void dma_write(u64 address, std::span<const u8> data);
    PciBus* bus() { return bus_; }
    const PciBus* bus() const { return bus_; }

    // For reset() and visit() of the derived class: configuration space, INTx level, mappings.
    void reset_config();
    void visit_config(Archive& ar);

  private:
    friend class PciBus;
    enum class BarKind : u8 { none, io, mmio, memory, rom };
    struct Bar {
        BarKind kind = BarKind::none;
        BankId bank = 0;
        u32 size = 0;
        std::span<u8> memory;
        std::unique_ptr<DeviceMmio> mmio;
        // What is mapped now.
        std::optional<u64> base;
        PhysicalMap::MappingId mapping = 0;
    };

    static u8 bar_offset(unsigned index) {
        return index == kRomBar ? pci::rom_bar : static_cast<u8>(pci::bar0 + 4 * index);
    }
    std::optional<u64> wanted_base(unsigned index) const;
    bool interrupt_asserted() const;
    void send_message(u64 address, u32 data);

    std::array<u8, 256> config_{};
    std::array<u8, 256> power_on_{};
    std::array<u8, 256> write_mask_{};
    std::array<u8, 256> w1c_{};
    std::array<Bar, 7> bars_;
    std::vector<std::pair<u8, u8>> capabilities_;  // offset, size
    std::unique_ptr<Msix> msix_;
    u8 msix_control_ = 0;  // offset of message control
    bool intx_ = false;
    PciBus* bus_ = nullptr;
    u8 slot_ = 0;
    u8 function_ = 0;
};

// The bus itself, with the CONFIG_ADDRESS and CONFIG_DATA ports (bank 0: CF8h..CFFh).
class PciBus final : public Device {
  public:
    PciBus(IoBus& io, PhysicalMap& memory, Log& log);

    // Puts a function at device `slot` (0..31), function 0..7. It must be destroyed before, or with, the bus.
    void add(PciFunction& function, u8 slot, u8 number);
    void remove(PciFunction& function);
    PciFunction* find(u8 slot, u8 number);

    // The four PIRQ lines that the slots' INTx pins are wired to: (slot - 1 + pin) mod 4, as on the 440FX
    // boards that firmware knows. `level` is the wired-OR; called on changes only.
    using PirqSink = std::function<void(unsigned pirq, bool level)>;
    void connect_pirq(PirqSink sink) { pirq_ = std::move(sink); }
    // Where message-signalled interrupts go: writes of functions to FEExxxxxh (SDM vol. 3A 11.11).
    using MessageSink = std::function<void(u32 address, u32 data)>;
    void connect_messages(MessageSink sink) { messages_ = std::move(sink); }
    // Port CF9h lies inside CONFIG_ADDRESS and answers byte accesses: the south bridge's reset control.
    void connect_reset_control(std::function<u8()> read, std::function<void(u8)> write);

    PhysicalMap& memory() { return memory_; }
    IoBus& io() { return io_; }
    Log& log() { return log_; }

    std::string_view name() const override { return "pci"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {8, 4}; }
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

    // Lines for `info pci`.
    std::string describe() const;

  private:
    friend class PciFunction;
    void update_mappings();
    void update_interrupts();
    void send_message(u64 address, u32 data);
    void unmap(PciFunction& f, unsigned index);
    bool map(PciFunction& f, unsigned index, u64 base);
    PciFunction* addressed();

    IoBus& io_;
    PhysicalMap& memory_;
    Log& log_;
    std::vector<PciFunction*> functions_;
    u32 address_ = 0;
    std::array<bool, 4> pirq_level_{};
    PirqSink pirq_;
    MessageSink messages_;
    std::function<u8()> reset_read_;
    std::function<void(u8)> reset_write_;
};

}  // namespace mynah
