#include "devices/msix.h"

#include "base/bits.h"
#include "base/check.h"

namespace mynah {

namespace {

constexpr unsigned kData = 8, kVectorControl = 12;
constexpr u8 kMaskBit = 1;

}  // namespace

Msix::Msix(unsigned vectors, Send send) : vectors_(vectors), send_(std::move(send)) {
    MYNAH_CHECK(vectors >= 1 && vectors <= kMostVectors);
    reset();
}

void Msix::reset() {
    control_ = 0;
    pending_ = 0;
    table_.fill(0);
    for (unsigned v = 0; v < vectors_; ++v) table_[v * kEntrySize + kVectorControl] = kMaskBit;
}

void Msix::visit(Archive& ar) {
    ar.all(control_, table_, pending_);
    if (!ar.loading()) return;
    control_ &= kEnable | kFunctionMask;
    if (vectors_ < 64) pending_ &= (u64{1} << vectors_) - 1;
}

void Msix::set_control(u16 value) {
    control_ = value & (kEnable | kFunctionMask);
    send_pending();
}

bool Msix::masked(unsigned vector) const {
    return (control_ & kFunctionMask) || (table_[vector * kEntrySize + kVectorControl] & kMaskBit);
}

void Msix::signal(unsigned vector) {
    if (!enabled() || vector >= vectors_) return;
    pending_ |= u64{1} << vector;
    send_pending();
}

void Msix::send_pending() {
    if (!enabled()) return;
    for (unsigned v = 0; v < vectors_; ++v) {
        if (!bit(pending_, v) || masked(v)) continue;
        pending_ = with_bit(pending_, v, false);
        const u8* entry = &table_[v * kEntrySize];
        send_(load_le<u64>(entry), load_le<u32>(entry + kData));
    }
}

u64 Msix::read(u64 offset, unsigned width) const {
    u64 value = 0;
    for (unsigned i = 0; i < width; ++i) {
        const u64 at = offset + i;
        u8 byte = 0;
        if (at < vectors_ * kEntrySize) byte = table_[at];
        if (at >= kPendingOffset && at < kPendingOffset + sizeof pending_)
            byte = static_cast<u8>(pending_ >> (8 * (at - kPendingOffset)));
        value |= u64{byte} << (8 * i);
    }
    return value;
}

void Msix::write(u64 offset, u64 value, unsigned width) {
    for (unsigned i = 0; i < width; ++i) {
        const u64 at = offset + i;
        if (at >= vectors_ * kEntrySize) return;
        u8 byte = static_cast<u8>(value >> (8 * i));
        const u64 field = at % kEntrySize;
        if (field == 0) byte &= 0xFC;
        if (field >= kVectorControl) byte = field == kVectorControl ? byte & kMaskBit : 0;
        table_[at] = byte;
    }
    send_pending();
}

}  // namespace mynah
