#include "devices/pci.h"

#include <algorithm>
#include <bit>

#include "base/bits.h"

namespace mynah {

namespace {

// RW1C bits of the status register's upper byte: parity, system error, aborts.
constexpr u8 kStatusErrors = 0xF9;
constexpr u16 kCommandMask = 0x0547;
constexpr u16 kStatusInterrupt = 8;
constexpr u8 kStatusCapabilities = 0x10;
constexpr unsigned kFirstCapability = 0x40;
constexpr u64 kMessages = 0xFEE00000, kMessagesEnd = 0xFEF00000;

}  // namespace

PciFunction::PciFunction(const PciIds& ids) {
    set_config16(pci::vendor_id, ids.vendor);
    set_config16(pci::device_id, ids.device);
    set_config16(pci::command, 0, kCommandMask);
    set_write_1_to_clear(pci::status + 1, kStatusErrors);
    set_config8(pci::revision, ids.revision);
    set_config8(pci::class_code, static_cast<u8>(ids.class_code));
    set_config16(pci::class_code + 1, static_cast<u16>(ids.class_code >> 8));
    set_config8(pci::cache_line, 0, 0xFF);
    set_config8(pci::latency_timer, 0, 0xFF);
    set_config16(pci::subsystem_vendor, ids.subsystem_vendor);
    set_config16(pci::subsystem_id, ids.subsystem);
    set_config8(pci::interrupt_line, 0, 0xFF);
    set_config8(pci::interrupt_pin, ids.interrupt_pin);
}

PciFunction::~PciFunction() {
    if (bus_ != nullptr) bus_->remove(*this);
}

void PciFunction::set_config8(u8 offset, u8 value, u8 write_mask) {
    power_on_[offset] = config_[offset] = value;
    write_mask_[offset] = write_mask;
}

void PciFunction::set_config16(u8 offset, u16 value, u16 write_mask) {
    MYNAH_CHECK(offset <= 254);
    set_config8(offset, static_cast<u8>(value), static_cast<u8>(write_mask));
    set_config8(offset + 1, static_cast<u8>(value >> 8), static_cast<u8>(write_mask >> 8));
}

void PciFunction::set_config32(u8 offset, u32 value, u32 write_mask) {
    MYNAH_CHECK(offset <= 252);
    set_config16(offset, static_cast<u16>(value), static_cast<u16>(write_mask));
    set_config16(offset + 2, static_cast<u16>(value >> 16), static_cast<u16>(write_mask >> 16));
}

void PciFunction::add_io_bar(unsigned index, u32 size, BankId bank) {
    MYNAH_CHECK(index < 6 && std::has_single_bit(size) && size >= 4 && size <= 256);
    bars_[index].kind = BarKind::io;
    bars_[index].bank = bank;
    bars_[index].size = size;
    set_config32(bar_offset(index), 1, ~(size - 1));
}

void PciFunction::add_mmio_bar(unsigned index, u32 size, BankId bank) {
    MYNAH_CHECK(index < 6 && std::has_single_bit(size) && size >= kPageSize);
    bars_[index].kind = BarKind::mmio;
    bars_[index].bank = bank;
    bars_[index].size = size;
    set_config32(bar_offset(index), 0, ~(size - 1));
}

void PciFunction::add_memory_bar(unsigned index, std::span<u8> memory, bool prefetchable) {
    const u32 size = static_cast<u32>(memory.size());
    MYNAH_CHECK(index < 6 && std::has_single_bit(size) && size >= kPageSize);
    bars_[index].kind = BarKind::memory;
    bars_[index].memory = memory;
    bars_[index].size = size;
    set_config32(bar_offset(index), prefetchable ? 8 : 0, ~(size - 1));
}

void PciFunction::add_rom_bar(std::span<u8> rom) {
    const u32 size = static_cast<u32>(rom.size());
    MYNAH_CHECK(std::has_single_bit(size) && size >= kPageSize);
    bars_[kRomBar].kind = BarKind::rom;
    bars_[kRomBar].memory = rom;
    bars_[kRomBar].size = size;
    set_config32(pci::rom_bar, 0, ~(size - 1) | 1);
}

u8 PciFunction::add_capability(u8 id, u8 size) {
    unsigned at = kFirstCapability;
    for (const auto& [offset, length] : capabilities_) at = align_up(unsigned{offset} + length, 4);
    MYNAH_CHECK(size >= 2 && at + size <= 256);
    const u8 offset = static_cast<u8>(at);
    set_config8(offset, id);
    set_config8(offset + 1, config8(pci::capabilities));
    set_config8(pci::capabilities, offset);
    set_config8(pci::status, config8(pci::status) | kStatusCapabilities);
    capabilities_.emplace_back(offset, size);
    return offset;
}

void PciFunction::add_msix(unsigned index, BankId bank, unsigned vectors) {
    MYNAH_CHECK(msix_ == nullptr);
    msix_ = std::make_unique<Msix>(vectors, [this](u64 address, u32 data) { send_message(address, data); });
    add_mmio_bar(index, Msix::kBarSize, bank);
    const u8 at = add_capability(pci::msix_capability, 12);
    msix_control_ = static_cast<u8>(at + 2);
    set_config16(msix_control_, static_cast<u16>(vectors - 1), Msix::kEnable | Msix::kFunctionMask);
    set_config32(static_cast<u8>(at + 4), index);
    set_config32(static_cast<u8>(at + 8), Msix::kPendingOffset | index);
}

void PciFunction::send_message(u64 address, u32 data) {
    if (bus_ != nullptr && bus_master()) bus_->send_message(address, data);
}

u32 PciFunction::config_read(u8 offset, unsigned width) {
    MYNAH_CHECK(offset + width <= 256);
    config_reading(offset, width);
    u32 value = 0;
    for (unsigned i = 0; i < width; ++i) {
        u8 byte = config_[offset + i];
        if (offset + i == pci::status && intx_) byte |= kStatusInterrupt;
        value |= u32{byte} << (8 * i);
    }
    return value;
}

void PciFunction::config_write(u8 offset, u32 value, unsigned width) {
    MYNAH_CHECK(offset + width <= 256);
    bool decode = false;
    for (unsigned i = 0; i < width; ++i) {
        const u8 at = static_cast<u8>(offset + i);
        const u8 byte = static_cast<u8>(value >> (8 * i));
        const u8 mask = write_mask_[at];
        config_[at] = static_cast<u8>((config_[at] & ~mask) | (byte & mask));
        config_[at] &= static_cast<u8>(~(byte & w1c_[at]));
        decode |= at == pci::command || at == pci::command + 1 || (at >= pci::bar0 && at < pci::rom_bar + 4);
    }
    if (decode && bus_ != nullptr) {
        bus_->update_mappings();
        bus_->update_interrupts();
    }
    if (msix_ && offset < msix_control_ + 2 && offset + width > msix_control_)
        msix_->set_control(config16(msix_control_));
    config_written(offset, width);
}

std::optional<u64> PciFunction::bar_base(unsigned index) const {
    MYNAH_CHECK(index < bars_.size());
    return bars_[index].base;
}

std::optional<u64> PciFunction::wanted_base(unsigned index) const {
    const Bar& bar = bars_[index];
    const u32 raw = config32(bar_offset(index));
    const u64 base = raw & ~(bar.size - 1);
    // Base 0 is "unset" to every guest, and all ones in the middle of sizing must not cover the firmware.
    if (bar.kind == BarKind::none || base == 0) return std::nullopt;
    const u64 end = base + bar.size;
    if (bar.kind == BarKind::io) {
        if (!(command() & pci::io_space) || end > 65536) return std::nullopt;
        return base;
    }
    if (!(command() & pci::memory_space) || end > 0xFFFF'FFFF) return std::nullopt;
    if (bar.kind == BarKind::rom && !(raw & 1)) return std::nullopt;
    return base;
}

bool PciFunction::interrupt_asserted() const {
    return intx_ && !(command() & pci::interrupt_disable);
}

void PciFunction::set_interrupt(bool level) {
    if (intx_ == level) return;
    intx_ = level;
    if (bus_ != nullptr) bus_->update_interrupts();
}

void PciFunction::dma_read(u64 address, std::span<u8> out) {
    if (bus_ == nullptr || !bus_master()) {
        std::fill(out.begin(), out.end(), u8{0xFF});
        return;
    }
    bus_->memory().read(address, out);
}

void PciFunction::dma_write(u64 address, std::span<const u8> data) {
    if (bus_ == nullptr || !bus_master()) return;
    bus_->memory().write(address, data);
}

void PciFunction::reset_config() {
    config_ = power_on_;
    intx_ = false;
    if (msix_) msix_->reset();
    if (bus_ == nullptr) return;
    bus_->update_mappings();
    bus_->update_interrupts();
}

void PciFunction::visit_config(Archive& ar) {
    ar.all(config_, intx_);
    if (msix_) msix_->visit(ar);
    if (!ar.loading() || !ar.ok()) return;
    // A damaged snapshot must not change what is wired.
    const auto keep_fixed = [this](unsigned from, unsigned to) {
        for (unsigned i = from; i < to; ++i) {
            if (w1c_[i]) continue;
            config_[i] = static_cast<u8>((config_[i] & write_mask_[i]) | (power_on_[i] & ~write_mask_[i]));
        }
    };
    keep_fixed(0, 0x40);
    for (const auto& [offset, size] : capabilities_) keep_fixed(offset, unsigned{offset} + size);
    // PIRQ levels are the bus's and the south bridge's own saved state.
    if (bus_ != nullptr) bus_->update_mappings();
}

PciBus::PciBus(IoBus& io, PhysicalMap& memory, Log& log) : io_(io), memory_(memory), log_(log) {}

void PciBus::add(PciFunction& function, u8 slot, u8 number) {
    MYNAH_CHECK(slot < 32 && number < 8 && function.bus_ == nullptr && find(slot, number) == nullptr);
    function.bus_ = this;
    function.slot_ = slot;
    function.function_ = number;
    functions_.push_back(&function);
    std::sort(functions_.begin(), functions_.end(), [](const PciFunction* a, const PciFunction* b) {
        return a->slot_ != b->slot_ ? a->slot_ < b->slot_ : a->function_ < b->function_;
    });
    // Function 0 says whether a probe should look at the others (6.2.1, header type).
    PciFunction* first = find(slot, 0);
    const auto in_slot = [&](const PciFunction* f) { return f->slot_ == slot && f->function_ != 0; };
    if (first != nullptr && std::any_of(functions_.begin(), functions_.end(), in_slot)) {
        first->set_config8(pci::header_type, 0x80);
    }
}

void PciBus::remove(PciFunction& function) {
    for (unsigned i = 0; i < function.bars_.size(); ++i) unmap(function, i);
    std::erase(functions_, &function);
    function.bus_ = nullptr;
    update_interrupts();
}

PciFunction* PciBus::find(u8 slot, u8 number) {
    for (PciFunction* f : functions_) {
        if (f->slot_ == slot && f->function_ == number) return f;
    }
    return nullptr;
}

void PciBus::connect_reset_control(std::function<u8()> read, std::function<void(u8)> write) {
    reset_read_ = std::move(read);
    reset_write_ = std::move(write);
}

void PciBus::unmap(PciFunction& f, unsigned index) {
    PciFunction::Bar& bar = f.bars_[index];
    if (!bar.base) return;
    if (bar.kind == PciFunction::BarKind::io) {
        io_.unmap(static_cast<u16>(*bar.base), f, bar.bank);
    } else {
        memory_.unmap(bar.mapping);
    }
    bar.base.reset();
}

bool PciBus::map(PciFunction& f, unsigned index, u64 base) {
    PciFunction::Bar& bar = f.bars_[index];
    switch (bar.kind) {
        case PciFunction::BarKind::none:
            return false;
        case PciFunction::BarKind::io: {
            const Status mapped = io_.map(static_cast<u16>(base), f, bar.bank, bar.size);
            if (!mapped) log_(LogItem::guest_errors, "pci: {}", mapped.error().message);
            if (!mapped) return false;
            break;
        }
        case PciFunction::BarKind::mmio:
        case PciFunction::BarKind::memory:
        case PciFunction::BarKind::rom:
            // The host bridge sends addresses of RAM to RAM (i440FX data sheet 4.1), whatever a BAR says.
            if (base < memory_.ram_below_4g()) return false;
            if (bar.kind == PciFunction::BarKind::mmio) {
                if (!bar.mmio) bar.mmio = std::make_unique<DeviceMmio>(f, bar.bank);
                bar.mapping = memory_.map_mmio(base, bar.size, *bar.mmio, f.name());
            } else if (bar.kind == PciFunction::BarKind::memory) {
                bar.mapping = memory_.map_memory(base, bar.memory, f.name());
            } else {
                bar.mapping = memory_.map_rom(base, bar.memory, f.name());
            }
            break;
    }
    bar.base = base;
    return true;
}

void PciBus::update_mappings() {
    // Everything that leaves first: two BARs may have changed places, and one refused earlier may fit now.
    std::vector<std::pair<PciFunction*, unsigned>> moved;
    for (PciFunction* f : functions_) {
        for (unsigned i = 0; i < f->bars_.size(); ++i) {
            if (!f->bars_[i].base || f->bars_[i].base == f->wanted_base(i)) continue;
            unmap(*f, i);
            moved.emplace_back(f, i);
        }
    }
    for (PciFunction* f : functions_) {
        for (unsigned i = 0; i < f->bars_.size(); ++i) {
            const std::optional<u64> wanted = f->wanted_base(i);
            if (!wanted || f->bars_[i].base) continue;
            const std::pair<PciFunction*, unsigned> key{f, i};
            if (map(*f, i, *wanted) && std::find(moved.begin(), moved.end(), key) == moved.end()) {
                moved.push_back(key);
            }
        }
    }
    for (const auto& [f, i] : moved) f->bar_moved(i);
}

void PciBus::update_interrupts() {
    std::array<bool, 4> level{};
    for (const PciFunction* f : functions_) {
        const u8 pin = f->config8(pci::interrupt_pin);
        if (pin == 0 || !f->interrupt_asserted()) continue;
        level[(f->slot_ - 1u + (pin - 1u)) & 3] = true;
    }
    for (unsigned i = 0; i < 4; ++i) {
        if (level[i] == pirq_level_[i]) continue;
        pirq_level_[i] = level[i];
        if (pirq_) pirq_(i, level[i]);
    }
}

void PciBus::send_message(u64 address, u32 data) {
    if (address >= kMessages && address < kMessagesEnd) {
        if (messages_) messages_(static_cast<u32>(address), data);
        return;
    }
    // A write like any other, but never to registers: those of the sender would be among them.
    address = align_down(address, 4);
    if (memory_.write_target(align_down(address, kPageSize)).host != nullptr) memory_.write(address, data, 4);
}

void PciBus::reset() {
    address_ = 0;
}

void PciBus::visit(Archive& ar) {
    ar.section("pci");
    ar.all(address_, pirq_level_);
}

PciFunction* PciBus::addressed() {
    if (!bit(address_, 31) || bits(address_, 23, 16) != 0) return nullptr;
    return find(static_cast<u8>(bits(address_, 15, 11)), static_cast<u8>(bits(address_, 10, 8)));
}

u64 PciBus::read(BankId, u64 offset, unsigned width) {
    const u64 ones = (u64{1} << (8 * width)) - 1;
    if (offset < 4) {
        if (offset == 0 && width == 4) return address_;
        if (offset == 1 && width == 1 && reset_read_) return reset_read_();
        // Probes read back single bytes of CONFIG_ADDRESS.
        if (offset + width <= 4) return (address_ >> (8 * offset)) & ones;
        return ones;
    }
    PciFunction* f = addressed();
    if (f == nullptr || offset + width > 8) return ones;
    return f->config_read(static_cast<u8>((address_ & 0xFC) + (offset & 3)), width);
}

void PciBus::write(BankId, u64 offset, u64 value, unsigned width) {
    if (offset < 4) {
        // Bits 30..24, 1 and 0 are reserved (i440FX data sheet 3.1.1).
        if (offset == 0 && width == 4) address_ = static_cast<u32>(value) & 0x80FF'FFFC;
        if (offset == 1 && width == 1 && reset_write_) reset_write_(static_cast<u8>(value));
        return;
    }
    PciFunction* f = addressed();
    if (f == nullptr || offset + width > 8) return;
    f->config_write(static_cast<u8>((address_ & 0xFC) + (offset & 3)), static_cast<u32>(value), width);
}

std::string PciBus::describe() const {
    std::string out;
    for (const PciFunction* f : functions_) {
        out += fmt::format("  Bus  0, device {:3}, function {}: {:04x}:{:04x} class {:02x}{:02x} ({})\n",
                           f->slot_, f->function_, f->config16(pci::vendor_id), f->config16(pci::device_id),
                           f->config8(0xB), f->config8(0xA), f->name());
        for (unsigned i = 0; i < f->bars_.size(); ++i) {
            const PciFunction::Bar& bar = f->bars_[i];
            if (!bar.base) continue;
            const char* kind = bar.kind == PciFunction::BarKind::io ? "I/O" : "memory";
            out += fmt::format("      BAR{}: {} at 0x{:08x}, {} bytes\n", i, kind, *bar.base, bar.size);
        }
    }
    return out;
}

}  // namespace mynah
