#include "devices/vmport.h"

#include <algorithm>
#include <array>

namespace mynah {

namespace {

constexpr u32 kMagic = 0x564D5868;  // "VMXh", in EAX
constexpr u32 kNone = 0xFFFFFFFF;

// Commands, in ECX.
constexpr u16 kGetVersion = 10;
constexpr u16 kGetMemory = 20;
constexpr u16 kPointerData = 39;
constexpr u16 kPointerStatus = 40;
constexpr u16 kPointerCommand = 41;

constexpr u32 kVersion = 6;
constexpr u32 kProduct = 2;  // in ECX: a server

// What kPointerCommand is told, in EBX.
constexpr u32 kReadId = 0x45414552;
constexpr u32 kDisable = 0x000000F5;
constexpr u32 kRequestRelative = 0x4C455252;
constexpr u32 kRequestAbsolute = 0x53424152;

constexpr u32 kPointerId = 0x3442554A;
constexpr u32 kPointerFailed = 0xFFFF0000;
constexpr size_t kEventWords = 4;

constexpr u32 kLeft = 0x20, kRight = 0x10, kMiddle = 0x08;
constexpr u32 kRelativePacket = 0x00010000;

u32 buttons_of(u8 buttons) {
    return ((buttons & Ps2Mouse::left) ? kLeft : 0) | ((buttons & Ps2Mouse::right) ? kRight : 0) |
           ((buttons & Ps2Mouse::middle) ? kMiddle : 0);
}

}  // namespace

VmPort::VmPort(Ps2Mouse& mouse, u64 memory, Processor processor)
    : mouse_(mouse), memory_(memory), processor_(std::move(processor)) {}

void VmPort::reset() {
    disable();
    absolute_ = false;
}

void VmPort::visit(Archive& ar) {
    ar.section(name());
    ar.all(enabled_, absolute_, failed_);
    ar(words_, kMostWords);
}

u64 VmPort::read(BankId, u64 offset, unsigned width) {
    if (offset != 0 || width != 4) return kNone >> (32 - 8 * width);
    VmPortRegisters r = processor_.get();
    if (r.eax != kMagic || !execute(r)) return kNone;
    processor_.set(r);
    return r.eax;
}

// The command is in the low half of ECX; the rest is left for the channel of other commands.
bool VmPort::execute(VmPortRegisters& r) {
    switch (static_cast<u16>(r.ecx)) {
        case kGetVersion:
            r.eax = kVersion;
            r.ebx = kMagic;
            r.ecx = kProduct;
            return true;
        case kGetMemory:
            r.eax = static_cast<u32>(std::min<u64>(memory_, kNone));
            return true;
        case kPointerData:
            pointer_data(r);
            return true;
        case kPointerStatus:
            r.eax = (failed_ ? kPointerFailed : 0) | static_cast<u32>(words_.size());
            return true;
        case kPointerCommand:
            pointer_command(r.ebx);
            return true;
        default:
            return false;
    }
}

void VmPort::pointer_command(u32 what) {
    switch (what) {
        case kReadId:
            if (words_.size() < kMostWords) words_.push_back(kPointerId);
            failed_ = false;
            break;
        case kDisable:
            disable();
            break;
        case kRequestRelative:
        case kRequestAbsolute:
            absolute_ = what == kRequestAbsolute;
            enabled_ = !failed_;
            break;
        default:
            break;
    }
}

// EBX says how many words; they come in EAX, EBX, ECX, EDX, ESI and EDI.
void VmPort::pointer_data(VmPortRegisters& r) {
    const std::array<u32*, 6> places{&r.eax, &r.ebx, &r.ecx, &r.edx, &r.esi, &r.edi};
    const size_t count = r.ebx;
    if (count == 0 || count > places.size() || count > words_.size()) {
        disable();
        r.eax = kNone;
        return;
    }
    for (size_t i = 0; i < count; ++i) *places[i] = words_[i];
    words_.erase(words_.begin(), words_.begin() + static_cast<std::ptrdiff_t>(count));
}

void VmPort::disable() {
    enabled_ = false;
    failed_ = true;
    words_.clear();
}

void VmPort::add(u32 buttons, u32 x, u32 y, int wheel) {
    if (words_.size() + kEventWords > kMostWords) return;
    for (const u32 word : {buttons, x, y, static_cast<u32>(wheel)}) words_.push_back(word);
    mouse_.announce();
}

void VmPort::position(u16 across, u16 down, u8 buttons, int wheel) {
    if (absolute()) add(buttons_of(buttons), across, down, wheel);
}

void VmPort::move(int dx, int dy, u8 buttons, int wheel) {
    // Upwards counts positive, as in PS/2 packets.
    if (enabled_ && !absolute_)
        add(buttons_of(buttons) | kRelativePacket, static_cast<u32>(dx), static_cast<u32>(-i64{dy}), wheel);
}

}  // namespace mynah
