#include "devices/io_bus.h"

#include <algorithm>

namespace mynah {

IoBus::IoBus(Log& log) : log_(log), by_port_(65536, nullptr) {}

Status IoBus::map(u16 base, Device& device, BankId bank, u32 length, u32 bank_offset) {
    const BankInfo info = device.bank(bank);
    if (length == 0) length = info.length - bank_offset;
    MYNAH_CHECK(bank_offset + length <= info.length);
    if (base + length > 65536) return Error{std::string(device.name()) + ": ports beyond FFFFh"};
    for (u32 port = base; port < base + length; ++port) {
        if (const Claim* other = by_port_[port]) {
            return Error{
                fmt::format("{} and {} both claim port {:04X}h", device.name(), other->device->name(), port)};
        }
    }
    claims_.push_back(
        std::make_unique<Claim>(Claim{&device, bank, info.max_width, base, length, bank_offset}));
    std::fill_n(by_port_.begin() + base, length, claims_.back().get());
    return Ok{};
}

void IoBus::unmap(u16 base, Device& device, BankId bank) {
    std::erase_if(claims_, [&](const std::unique_ptr<Claim>& c) {
        if (c->base != base || c->device != &device || c->bank != bank) return false;
        std::fill_n(by_port_.begin() + base, c->length, nullptr);
        return true;
    });
}

u32 IoBus::read(u16 port, unsigned width) {
    const Claim* c = by_port_[port];
    const bool fits = c != nullptr && u32{port} + width <= u32{c->base} + c->length && width <= c->max_width;
    if (fits) return static_cast<u32>(c->device->read(c->bank, port - c->base + c->offset, width));
    if (width > 1) {
        const unsigned half = width / 2;
        const u32 low = read(port, half);
        return low | read(static_cast<u16>(port + half), half) << (8 * half);
    }
    log_(LogItem::unimplemented, "read from unclaimed port {:04X}h", port);
    return 0xFF;
}

void IoBus::write(u16 port, u32 value, unsigned width) {
    const Claim* c = by_port_[port];
    const bool fits = c != nullptr && u32{port} + width <= u32{c->base} + c->length && width <= c->max_width;
    if (fits) return c->device->write(c->bank, port - c->base + c->offset, value, width);
    if (width > 1) {
        const unsigned half = width / 2;
        write(port, value & ((1u << (8 * half)) - 1), half);
        return write(static_cast<u16>(port + half), value >> (8 * half), half);
    }
    log_(LogItem::unimplemented, "write of {:02X}h to unclaimed port {:04X}h", value, port);
}

u64 DeviceMmio::read(u64 offset, unsigned width) {
    if (offset + width > info_.length) return ~u64{0};
    if (width <= info_.max_width) return device_.read(bank_, offset, width);
    u64 value = 0;
    for (unsigned i = 0; i < width; i += info_.max_width) {
        value |= device_.read(bank_, offset + i, info_.max_width) << (8 * i);
    }
    return value;
}

void DeviceMmio::write(u64 offset, u64 value, unsigned width) {
    if (offset + width > info_.length) return;
    if (width <= info_.max_width) return device_.write(bank_, offset, value, width);
    const unsigned step = info_.max_width;
    const u64 mask = (u64{1} << (8 * step)) - 1;
    for (unsigned i = 0; i < width; i += step)
        device_.write(bank_, offset + i, (value >> (8 * i)) & mask, step);
}

}  // namespace mynah
