#include "devices/ide_channel.h"

#include <algorithm>

#include "base/bits.h"
#include "base/check.h"

namespace mynah {

namespace {

// Device control.
constexpr u8 kHighOrder = 0x80;
constexpr u8 kSoftReset = 0x04;
constexpr u8 kNoInterrupt = 0x02;
// Bus master command and status.
constexpr u8 kStart = 0x01;
constexpr u8 kToMemory = 0x08;
constexpr u8 kActive = 0x01;
constexpr u8 kMasterError = 0x02;
constexpr u8 kMasterInterrupt = 0x04;
constexpr u8 kDmaCapable = 0x60;

constexpr u8 kDiagnose = 0x90;

}  // namespace

void IdeChannel::attach(unsigned unit, AtaDevice& device) {
    MYNAH_CHECK(unit < 2 && devices_[unit] == nullptr);
    devices_[unit] = &device;
    device.connect(*this, unit);
}

void IdeChannel::reset() {
    select_ = 0;
    control_ = 0;
    master_command_ = master_status_ = 0;
    table_ = next_descriptor_ = address_ = remaining_ = 0;
    last_ = false;
    for (AtaDevice* d : devices_) {
        if (d != nullptr) d->reset();
    }
    update_interrupt();
}

void IdeChannel::visit(Archive& ar) {
    ar.all(select_, control_, line_, master_command_, master_status_, table_, next_descriptor_, address_,
           remaining_, last_);
    if (select_ > 1 || remaining_ > 65536) {
        ar.fail("IDE channel out of range");
        select_ = 0;
        remaining_ = 0;
    }
    // The interrupt controller saves the line's level; nothing is sent while devices load.
    for (unsigned unit = 0; unit < 2; ++unit) {
        bool present = devices_[unit] != nullptr;
        ar(present);
        if (present != (devices_[unit] != nullptr)) return ar.fail("another set of drives");
        if (devices_[unit] != nullptr) devices_[unit]->visit(ar);
    }
}

u32 IdeChannel::read_command(u64 offset, unsigned width) {
    if (empty()) return 0;
    if (offset == ata::data) return selected() != nullptr ? selected()->read_data(width) : 0;
    u32 value = 0;
    for (unsigned i = 0; i < width && offset + i < 8; ++i) {
        const auto reg = static_cast<ata::Register>(offset + i);
        AtaDevice* d = selected();
        u8 byte = 0;
        if (d == nullptr) {
            // The present device answers for the absent one, but for the status; nor may a packet device's
            // signature show up there, by which drivers go.
            const bool signature = reg == ata::lba_mid || reg == ata::lba_high;
            if (reg != ata::command && !signature) {
                byte = devices_[select_ ^ 1]->read_register(reg, control_ & kHighOrder);
            }
        } else if (reg == ata::command) {
            byte = d->read_status();
        } else {
            byte = d->read_register(reg, control_ & kHighOrder);
        }
        if (reg == ata::device) byte = static_cast<u8>((byte & 0x4F) | 0xA0 | select_ << 4);
        value |= u32{byte} << (8 * i);
    }
    return value;
}

void IdeChannel::write_command(u64 offset, u32 value, unsigned width) {
    if (offset == ata::data) {
        if (selected() != nullptr) selected()->write_data(value, width);
        return;
    }
    for (unsigned i = 0; i < width && offset + i < 8; ++i) {
        const auto reg = static_cast<ata::Register>(offset + i);
        const u8 byte = static_cast<u8>(value >> (8 * i));
        control_ &= static_cast<u8>(~kHighOrder);
        if (reg == ata::command) {
            execute(byte);
            continue;
        }
        if (reg == ata::device) select_ = bit(byte, 4);
        for (AtaDevice* d : devices_) {
            if (d != nullptr) d->write_register(reg, byte);
        }
        if (reg == ata::device) update_interrupt();
    }
}

void IdeChannel::execute(u8 command) {
    if (command != kDiagnose) {
        if (selected() != nullptr) selected()->write_command(command);
        return;
    }
    // EXECUTE DEVICE DIAGNOSTIC goes to both, and device 0 reports (9.10).
    for (AtaDevice* d : devices_) {
        if (d != nullptr) d->diagnose();
    }
    select_ = 0;
    if (devices_[0] != nullptr) devices_[0]->signal_diagnosed();
    update_interrupt();
}

u8 IdeChannel::read_control() const {
    return selected() != nullptr ? selected()->status() : u8{0};
}

void IdeChannel::write_control(u8 value) {
    const bool was_reset = (control_ & kSoftReset) != 0;
    const bool is_reset = (value & kSoftReset) != 0;
    control_ = value;
    for (AtaDevice* d : devices_) {
        if (d == nullptr || was_reset == is_reset) continue;
        is_reset ? d->begin_soft_reset() : d->end_soft_reset();
    }
    if (is_reset) select_ = 0;
    update_interrupt();
}

void IdeChannel::interrupt_changed(AtaDevice& device) {
    if (&device == selected()) update_interrupt();
}

void IdeChannel::update_interrupt() {
    // Only the selected device drives INTRQ; nIEN releases it (7.4).
    const AtaDevice* d = selected();
    const bool level = d != nullptr && d->interrupt_pending() && !(control_ & kNoInterrupt);
    if (level == line_) return;
    line_ = level;
    if (level) {
        master_status_ |= kMasterInterrupt;
        // A table used up exactly with the transfer leaves the engine inactive; a longer one keeps it active.
        if (remaining_ == 0 && last_) master_status_ &= static_cast<u8>(~kActive);
    }
    irq_.set(level);
}

u8 IdeChannel::read_bus_master(u64 offset) const {
    switch (offset) {
        case 0:
            return master_command_;
        case 2:
            return master_status_;
        case 4:
        case 5:
        case 6:
        case 7:
            return static_cast<u8>(table_ >> (8 * (offset - 4)));
        default:
            return 0;
    }
}

void IdeChannel::write_bus_master(u64 offset, u8 value) {
    switch (offset) {
        case 0: {
            const bool was = (master_command_ & kStart) != 0;
            const bool is = (value & kStart) != 0;
            master_command_ = value & (kStart | kToMemory);
            if (!is) {
                master_status_ &= static_cast<u8>(~kActive);
            } else if (!was) {
                master_status_ |= kActive;
                next_descriptor_ = table_;
                remaining_ = 0;
                last_ = false;
                if (selected() != nullptr) selected()->dma_started();
            }
            return;
        }
        case 2:
            master_status_ = static_cast<u8>((master_status_ & ~kDmaCapable) | (value & kDmaCapable));
            master_status_ &= static_cast<u8>(~(value & (kMasterError | kMasterInterrupt)));
            return;
        case 4:
        case 5:
        case 6:
        case 7: {
            const unsigned shift = 8 * static_cast<unsigned>(offset - 4);
            table_ = ((table_ & ~(0xFFu << shift)) | u32{value} << shift) & ~3u;
            return;
        }
        default:
            return;
    }
}

bool IdeChannel::dma_ready(bool to_memory) {
    return (master_status_ & kActive) && ((master_command_ & kToMemory) != 0) == to_memory &&
           master_.may_master();
}

bool IdeChannel::descriptor() {
    if (remaining_ != 0) return true;
    if (last_) {
        master_status_ &= static_cast<u8>(~kActive);
        return false;
    }
    std::array<u8, 8> raw{};
    master_.memory_read(next_descriptor_, raw);
    // The table may not cross a 64 KiB boundary: the counter wraps within it.
    next_descriptor_ = (next_descriptor_ & 0xFFFF0000) | ((next_descriptor_ + 8) & 0xFFFF);
    address_ = load_le<u32>(raw.data()) & ~1u;
    remaining_ = load_le<u16>(raw.data() + 4) & 0xFFFEu;
    if (remaining_ == 0) remaining_ = 0x10000;
    last_ = (raw[7] & 0x80) != 0;
    return true;
}

void IdeChannel::advance(u32 n) {
    address_ += n;
    remaining_ -= n;
}

size_t IdeChannel::dma_to_memory(std::span<const u8> data) {
    size_t done = 0;
    while (done < data.size() && descriptor()) {
        const u32 n = static_cast<u32>(std::min<size_t>(remaining_, data.size() - done));
        master_.memory_write(address_, data.subspan(done, n));
        advance(n);
        done += n;
    }
    return done;
}

size_t IdeChannel::dma_from_memory(std::span<u8> out) {
    size_t done = 0;
    while (done < out.size() && descriptor()) {
        const u32 n = static_cast<u32>(std::min<size_t>(remaining_, out.size() - done));
        master_.memory_read(address_, out.subspan(done, n));
        advance(n);
        done += n;
    }
    return done;
}

}  // namespace mynah
