#include "devices/ide_controller.h"

#include "base/bits.h"

namespace mynah {

namespace {

constexpr u8 kIdeTiming = 0x40;
constexpr u8 kSlaveTiming = 0x44;
constexpr std::array<u16, 2> kCommandPort{0x1F0, 0x170};
constexpr std::array<u16, 2> kControlPort{0x3F6, 0x376};

constexpr BankId command_bank(unsigned channel) {
    return static_cast<BankId>(2 * channel);
}
constexpr BankId control_bank(unsigned channel) {
    return static_cast<BankId>(2 * channel + 1);
}

}  // namespace

PiixIde::PiixIde(Log& log, IrqLine irq14, IrqLine irq15)
    : PciFunction({.vendor = 0x8086, .device = 0x7010, .class_code = 0x010180}),
      log_(log),
      channels_{IdeChannel(*this, std::move(irq14)), IdeChannel(*this, std::move(irq15))} {
    set_config16(pci::command, 0, 0x0005);
    set_config16(pci::status, 0x0280);
    add_io_bar(4, 16, bus_master);
    // Both channels' IDE Decode Enable (bits 15 and 31) are on from the start, where the chip's are off:
    // OVMF, made for a virtual PIIX whose ports are always there, never sets them.
    set_config32(kIdeTiming, 0x80008000, 0xFFFFFFFF);
    set_config8(kSlaveTiming, 0, 0xFF);
}

PiixIde::~PiixIde() {
    put_config8(pci::command, 0);
    update_decode();
}

void PiixIde::reset() {
    reset_config();
    update_decode();
    for (IdeChannel& c : channels_) c.reset();
}

void PiixIde::visit(Archive& ar) {
    ar.section(name());
    visit_config(ar);
    for (IdeChannel& c : channels_) c.visit(ar);
    if (ar.loading()) update_decode();
}

void PiixIde::config_written(u8, unsigned) {
    update_decode();
}

void PiixIde::update_decode() {
    if (bus() == nullptr) return;
    IoBus& io = bus()->io();
    for (unsigned c = 0; c < 2; ++c) {
        const bool decode =
            (command() & pci::io_space) && bit(config16(static_cast<u8>(kIdeTiming + 2 * c)), 15);
        if (decode == decoded_[c]) continue;
        decoded_[c] = decode;
        if (!decode) {
            io.unmap(kCommandPort[c], *this, command_bank(c));
            io.unmap(kControlPort[c], *this, control_bank(c));
            continue;
        }
        for (const Status& s : {io.map(kCommandPort[c], *this, command_bank(c)),
                                io.map(kControlPort[c], *this, control_bank(c))}) {
            if (!s) log_(LogItem::guest_errors, "{}", s.error().message);
        }
    }
}

BankInfo PiixIde::bank(BankId bank) const {
    switch (bank) {
        case primary_command:
        case secondary_command:
            return {8, 4};
        case primary_control:
        case secondary_control:
            return {1, 1};
        case bus_master:
            return {16, 4};
        default:
            return {};
    }
}

u64 PiixIde::read(BankId bank, u64 offset, unsigned width) {
    switch (bank) {
        case primary_command:
        case secondary_command:
            return channels_[bank / 2].read_command(offset, width);
        case primary_control:
        case secondary_control:
            return channels_[bank / 2].read_control();
        default: {
            u64 value = 0;
            for (unsigned i = 0; i < width; ++i) {
                const u64 at = offset + i;
                value |= u64{channels_[at / 8 & 1].read_bus_master(at % 8)} << (8 * i);
            }
            return value;
        }
    }
}

void PiixIde::write(BankId bank, u64 offset, u64 value, unsigned width) {
    switch (bank) {
        case primary_command:
        case secondary_command:
            return channels_[bank / 2].write_command(offset, static_cast<u32>(value), width);
        case primary_control:
        case secondary_control:
            return channels_[bank / 2].write_control(static_cast<u8>(value));
        default:
            for (unsigned i = 0; i < width; ++i) {
                const u64 at = offset + i;
                channels_[at / 8 & 1].write_bus_master(at % 8, static_cast<u8>(value >> (8 * i)));
            }
    }
}

std::string PiixIde::describe() const {
    std::string out;
    for (unsigned c = 0; c < 2; ++c) {
        for (unsigned unit = 0; unit < 2; ++unit) {
            const AtaDevice* d = channels_[c].device(unit);
            if (d != nullptr) out += fmt::format("ide{}-{}: {}\n", c, unit, d->describe());
        }
    }
    return out;
}

}  // namespace mynah
