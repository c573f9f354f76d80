#include "devices/pc_testdev.h"

#include <algorithm>

#include "base/bits.h"

namespace mynah {

namespace {

u64 width_mask(unsigned width) {
    return width >= 8 ? ~u64{0} : (u64{1} << (8 * width)) - 1;
}

}  // namespace

BankInfo PcTestdev::bank(BankId bank) const {
    switch (bank) {
        case io:
        case flush:
            return {4, 4};
        case io_by_bytes:
            return {4, 1};
        case irq_lines:
            return {24, 1};
        default:
            return {static_cast<u32>(memory_.size()), 8};
    }
}

void PcTestdev::reset() {
    for (unsigned line = 0; line < 24; ++line) {
        if (bit(lines_, line) && outputs_.irq) outputs_.irq(line, false);
    }
    data_ = lines_ = 0;
    std::fill(memory_.begin(), memory_.end(), u8{0});
}

void PcTestdev::visit(Archive& ar) {
    ar.section(name());
    ar.all(data_, lines_);
    ar.bytes(memory_.data(), memory_.size());
}

u64 PcTestdev::read(BankId bank, u64 offset, unsigned width) {
    u64 value = 0;
    switch (bank) {
        case io:
        case io_by_bytes:
            return (u64{data_} >> (8 * (offset & 3))) & width_mask(width);
        case memory:
            if (offset + width > memory_.size()) return ~u64{0};
            std::memcpy(&value, &memory_[offset], width);
            return value;
        default:
            return width_mask(width);
    }
}

void PcTestdev::write(BankId bank, u64 offset, u64 value, unsigned width) {
    switch (bank) {
        case io:
        case io_by_bytes: {
            const unsigned shift = 8 * (offset & 3);
            const u64 mask = width_mask(width) << shift;
            data_ = static_cast<u32>((data_ & ~mask) | ((value << shift) & mask));
            break;
        }
        case flush:
            if (width == 4 && outputs_.flush_page) outputs_.flush_page(value & ~u64{0xFFF});
            break;
        case irq_lines:
            if (offset >= 24) break;
            lines_ = with_bit(lines_, static_cast<unsigned>(offset), value != 0);
            if (outputs_.irq) outputs_.irq(static_cast<unsigned>(offset), value != 0);
            break;
        default:
            if (offset + width <= memory_.size()) std::memcpy(&memory_[offset], &value, width);
    }
}

}  // namespace mynah
