#include "devices/io_apic.h"

#include <fmt/format.h>

#include "base/bits.h"

namespace mynah {

namespace {

// Redirection table entry (82093AA 3.2.4).
constexpr unsigned kLogicalBit = 11, kRemoteIrrBit = 14, kLevelBit = 15, kMaskBit = 16;
constexpr u64 kReadOnly = u64{1} << 12 | u64{1} << kRemoteIrrBit;
constexpr u64 kImplemented = 0xFF00'0000'0001'FFFF;

constexpr u8 kSelect = 0x00, kWindow = 0x10;
constexpr u8 kId = 0, kVersion = 1, kArbitration = 2, kRedirection = 0x10;

}  // namespace

void IoApic::reset() {
    select_ = id_ = 0;
    lines_ = 0;  // whatever drives the inputs is reset at the same time
    entries_.fill(u64{1} << kMaskBit);
}

void IoApic::visit(Archive& ar) {
    ar.section(name());
    ar.all(select_, id_, lines_, entries_);
}

void IoApic::set_pin(unsigned pin, bool level) {
    if (pin >= kPins) return;
    const bool was = bit(lines_, pin);
    lines_ = with_bit(lines_, pin, level);
    if (!level) return;
    if (bit(entries_[pin], kLevelBit) || !was) service(pin);
}

// The request of an asserted level-triggered, or just raised edge-triggered, pin. A masked edge is lost.
void IoApic::service(unsigned pin) {
    u64& entry = entries_[pin];
    if (bit(entry, kMaskBit)) return;
    const bool level = bit(entry, kLevelBit);
    if (level) {
        if (bit(entry, kRemoteIrrBit)) return;
        entry = with_bit(entry, kRemoteIrrBit, true);
    }
    bus_.deliver({static_cast<u8>(entry >> 56), bit(entry, kLogicalBit),
                  static_cast<ApicBus::Delivery>(bits(entry, 10, 8)), static_cast<u8>(entry), level});
}

void IoApic::end_of_interrupt(u8 vector) {
    for (unsigned pin = 0; pin < kPins; ++pin) {
        u64& entry = entries_[pin];
        if (static_cast<u8>(entry) != vector || !bit(entry, kRemoteIrrBit)) continue;
        entry = with_bit(entry, kRemoteIrrBit, false);
        if (bit(entry, kLevelBit) && bit(lines_, pin)) service(pin);
    }
}

u32 IoApic::read_window() const {
    if (select_ >= kRedirection && select_ < kRedirection + 2 * kPins) {
        const u64 entry = entries_[(select_ - kRedirection) / 2];
        return static_cast<u32>(select_ & 1 ? entry >> 32 : entry);
    }
    switch (select_) {
        case kId:
        case kArbitration:
            return u32{id_} << 24;
        case kVersion:
            return (kPins - 1) << 16 | 0x11;
        default:
            return 0;
    }
}

void IoApic::write_window(u32 value) {
    if (select_ >= kRedirection && select_ < kRedirection + 2 * kPins) {
        return write_entry((select_ - kRedirection) / 2, select_ & 1, value);
    }
    if (select_ == kId) id_ = bits(value, 27, 24);
}

void IoApic::write_entry(unsigned pin, bool high, u32 value) {
    const u64 old = entries_[pin];
    const u64 merged = high ? (old & 0xFFFFFFFF) | u64{value} << 32 : (old & ~u64{0xFFFFFFFF}) | value;
    u64 entry = (merged & kImplemented & ~kReadOnly) | (old & kReadOnly);
    // Remote IRR is undefined for edge-triggered entries; this chip's is cleared, and software counts on that
    // to acknowledge a stuck level interrupt by switching to edge and back.
    if (!bit(entry, kLevelBit)) entry = with_bit(entry, kRemoteIrrBit, false);
    entries_[pin] = entry;
    if (bit(entry, kLevelBit) && bit(lines_, pin)) service(pin);
}

u64 IoApic::read(BankId, u64 offset, unsigned width) {
    const unsigned shift = 8 * (offset & 3);
    u32 value = 0;
    if ((offset & ~u64{3}) == kSelect) value = select_;
    if ((offset & ~u64{3}) == kWindow) value = read_window();
    return (value >> shift) & (width >= 4 ? 0xFFFFFFFF : (1u << (8 * width)) - 1);
}

void IoApic::write(BankId, u64 offset, u64 value, unsigned width) {
    if (offset == kSelect) select_ = static_cast<u8>(value);
    if (offset == kWindow && width == 4) write_window(static_cast<u32>(value));
}

std::string IoApic::describe() const {
    std::string text = fmt::format("ioapic: ver=0x11 id=0x{:02x} sel=0x{:02x}\n", id_, select_);
    constexpr const char* delivery[] = {"fixed", "lowest", "SMI", "...", "NMI", "INIT", "...", "extINT"};
    for (unsigned pin = 0; pin < kPins; ++pin) {
        const u64 e = entries_[pin];
        text += fmt::format("  pin {:<2} 0x{:016x} dest={:x} vec={:<3} {} {} {} {}{}{}\n", pin, e, e >> 56,
                            e & 0xFF, bit(e, 13) ? "active-lo" : "active-hi",
                            bit(e, kLevelBit) ? "level" : "edge", bit(e, kMaskBit) ? "masked" : "-",
                            delivery[bits(e, 10, 8)], bit(e, kRemoteIrrBit) ? " remote-irr" : "",
                            bit(lines_, pin) ? " high" : "");
    }
    return text;
}

}  // namespace mynah
