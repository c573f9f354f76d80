#include "devices/isa_dma.h"

#include "base/bits.h"

namespace mynah {

namespace {

// Which page register (offset from 80h) holds A16-A23 of each channel; channel 4 is the cascade.
constexpr std::array<u8, 8> kPageRegister = {0x7, 0x3, 0x1, 0x2, 0xF, 0xB, 0x9, 0xA};

constexpr u8 kCommandDisable = 0x04;

}  // namespace

// --- a channel's pins ---

void IsaDma::Pins::set_request(bool level) {
    u8& requests = dma_->controllers_[number_ / 4].hardware_requests;
    requests = with_bit(requests, number_ & 3, level);
}

DmaChannel::Direction IsaDma::Pins::direction() const {
    switch ((dma_->controllers_[number_ / 4].channels[number_ & 3].mode >> 2) & 3) {
        case 1:
            return Direction::to_memory;
        case 2:
            return Direction::from_memory;
        default:
            return Direction::verify;
    }
}

DmaChannel::Moved IsaDma::Pins::write(std::span<const u8> data) {
    if (direction() == Direction::from_memory) return {};
    return dma_->transfer(number_, data.data(), nullptr, data.size());
}

DmaChannel::Moved IsaDma::Pins::read(std::span<u8> out) {
    if (direction() == Direction::to_memory) return {};
    return dma_->transfer(number_, nullptr, out.data(), out.size());
}

// --- the controllers ---

IsaDma::IsaDma(PhysicalMap& memory) : memory_(memory) {
    for (unsigned i = 0; i < 8; ++i) {
        pins_[i].dma_ = this;
        pins_[i].number_ = i;
    }
    reset();
}

void IsaDma::master_clear(Controller& c) {
    c.command = 0;
    c.requests = 0;
    c.terminal_counts = 0;
    c.high_byte = false;
    c.mask = 0xF;
}

void IsaDma::reset() {
    for (Controller& c : controllers_) {
        c = Controller{};  // whoever drives DREQ is reset at the same time
        master_clear(c);
    }
    pages_.fill(0);
}

void IsaDma::visit(Archive& ar) {
    ar.section(name());
    ar.all(controllers_, pages_);
}

BankInfo IsaDma::bank(BankId bank) const {
    return {bank == high_controller ? 32u : 16u, 1};
}

u64 IsaDma::read(BankId bank, u64 offset, unsigned) {
    switch (bank) {
        case low_controller:
            return read_register(controllers_[0], offset & 15);
        case high_controller:
            return read_register(controllers_[1], (offset >> 1) & 15);
        default:
            return pages_[offset & 15];
    }
}

void IsaDma::write(BankId bank, u64 offset, u64 value, unsigned) {
    const u8 byte = static_cast<u8>(value);
    const u8 before = ready_channels();
    switch (bank) {
        case low_controller:
            write_register(controllers_[0], offset & 15, byte);
            return notify(before);
        case high_controller:
            write_register(controllers_[1], (offset >> 1) & 15, byte);
            return notify(before);
        default:
            pages_[offset & 15] = byte;
    }
}

u8 IsaDma::ready_channels() const {
    u8 channels = 0;
    for (unsigned i = 0; i < 8; ++i) channels = with_bit(channels, i, ready(i));
    return channels;
}

void IsaDma::notify(u8 before) {
    for (unsigned i = 0; i < 8; ++i) {
        const bool requested = bit(controllers_[i / 4].hardware_requests, i & 3);
        if (requested && !bit(before, i) && ready(i) && pins_[i].on_ready_) pins_[i].on_ready_();
    }
}

u8 IsaDma::read_register(Controller& c, unsigned reg) {
    if (reg < 8) {
        const Channel& ch = c.channels[reg / 2];
        const u16 value = reg & 1 ? ch.count : ch.address;
        const bool high = c.high_byte;
        c.high_byte = !high;
        return static_cast<u8>(high ? value >> 8 : value);
    }
    switch (reg) {
        case 8: {  // status; reading clears the terminal-count bits
            const u8 requests = c.requests | c.hardware_requests;
            const u8 value = static_cast<u8>(c.terminal_counts | requests << 4);
            c.terminal_counts = 0;
            return value;
        }
        case 0xD:  // temporary register: only memory-to-memory transfers load it, which the AT bus lacks
            return 0;
        case 0xF:
            return c.mask | 0xF0;
        default:
            return 0xFF;
    }
}

void IsaDma::write_register(Controller& c, unsigned reg, u8 value) {
    if (reg < 8) {
        Channel& ch = c.channels[reg / 2];
        u16& base = reg & 1 ? ch.base_count : ch.base_address;
        base = static_cast<u16>(c.high_byte ? (base & 0x00FF) | value << 8 : (base & 0xFF00) | value);
        (reg & 1 ? ch.count : ch.address) = base;
        c.high_byte = !c.high_byte;
        return;
    }
    const u8 selected = static_cast<u8>(1 << (value & 3));
    switch (reg) {
        case 0x8:
            c.command = value;
            break;
        case 0x9:
            c.requests = static_cast<u8>(value & 4 ? c.requests | selected : c.requests & ~selected);
            break;
        case 0xA:
            c.mask = static_cast<u8>(value & 4 ? c.mask | selected : c.mask & ~selected);
            break;
        case 0xB:
            c.channels[value & 3].mode = value & 0xFC;
            break;
        case 0xC:
            c.high_byte = false;
            break;
        case 0xD:
            master_clear(c);
            break;
        case 0xE:
            c.mask = 0;
            break;
        case 0xF:
            c.mask = value & 0xF;
            break;
    }
}

// Whether channel 4 passes the low controller's requests on (its cascade mode and mask) is not looked at:
// firmware sets it once, and a machine booted without firmware has it the same way.
bool IsaDma::ready(unsigned channel) const {
    const Controller& c = controllers_[(channel & 7) / 4];
    return !(c.command & kCommandDisable) && !bit(c.mask, channel & 3) && !c.channels[channel & 3].cascade();
}

DmaChannel::Moved IsaDma::transfer(unsigned channel, const u8* in, u8* out, size_t size) {
    DmaChannel::Moved moved;
    if (!ready(channel)) return moved;
    Controller& c = controllers_[channel / 4];
    Channel& ch = c.channels[channel & 3];
    const unsigned unit = channel >= 4 ? 2 : 1;
    const u64 page = pages_[kPageRegister[channel]];
    const bool verify = pins_[channel].direction() == DmaChannel::Direction::verify;

    while (size - moved.bytes >= unit) {
        // Channels 5-7 count words: the address register holds A1-A16, the page register A17-A23.
        const u64 address = unit == 2 ? (page & 0xFE) << 16 | u64{ch.address} << 1 : page << 16 | ch.address;
        if (!verify && in) memory_.write(address, std::span(in + moved.bytes, unit));
        if (!verify && out) memory_.read(address, std::span(out + moved.bytes, unit));
        moved.bytes += unit;
        ch.address = static_cast<u16>(ch.decrement() ? ch.address - 1 : ch.address + 1);
        if (ch.count-- != 0) continue;  // the terminal count is the step from 0 to FFFFh

        moved.terminal_count = true;
        c.terminal_counts = with_bit(c.terminal_counts, channel & 3, true);
        c.requests = with_bit(c.requests, channel & 3, false);
        if (ch.auto_initialise()) {
            ch.address = ch.base_address;
            ch.count = ch.base_count;
        } else {
            c.mask = with_bit(c.mask, channel & 3, true);
        }
        break;
    }
    return moved;
}

}  // namespace mynah
