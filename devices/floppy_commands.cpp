// The 82077AA's commands (data sheet ch. 5 and 6).
#include <algorithm>

#include "base/bits.h"
#include "devices/floppy.h"

namespace mynah {

namespace {

// Status register 0.
constexpr u8 kAbnormal = 0x40;
constexpr u8 kInvalid = 0x80;
constexpr u8 kSeekEnd = 0x20;
constexpr u8 kEquipmentCheck = 0x10;
// Status register 1.
constexpr u8 kEndOfCylinder = 0x80;
constexpr u8 kDataError = 0x20;
constexpr u8 kNoData = 0x04;
constexpr u8 kNotWritable = 0x02;
constexpr u8 kMissingMark = 0x01;
// Status register 2.
constexpr u8 kControlMark = 0x40;
constexpr u8 kDataErrorInData = 0x20;
constexpr u8 kWrongCylinder = 0x10;

constexpr u8 kImpliedSeek = 0x40;
constexpr u8 kVersion = 0x90;

}  // namespace

void FloppyController::give_result(std::initializer_list<u8> bytes) {
    std::copy(bytes.begin(), bytes.end(), result_.begin());
    result_size_ = static_cast<u8>(bytes.size());
    result_at_ = 0;
    phase_ = Phase::result;
}

void FloppyController::execute() {
    const u8 opcode = command_[0];
    command_size_ = 0;
    multi_track_ = bit(opcode, 7);
    whole_track_ = false;
    stop_after_sector_ = false;
    if ((opcode & 0x8F) == 0x8F) {  // RELATIVE SEEK: bit 6 is the direction
        const int steps = command_[2];
        const unsigned unit = command_[1] & 3;
        return seek(unit, units_[unit].cylinder + (bit(opcode, 6) ? steps : -steps), false);
    }
    switch (opcode & 0x1F) {
        case 0x02:  // READ TRACK
            whole_track_ = true;
            return start_transfer(Transfer::read);
        case 0x06:  // READ DATA
            return start_transfer(Transfer::read);
        case 0x0C:  // READ DELETED DATA: images have no deleted marks
            stop_after_sector_ = true;
            return start_transfer(Transfer::read);
        case 0x05:  // WRITE DATA, WRITE DELETED DATA (the mark is lost)
        case 0x09:
            return start_transfer(Transfer::write);
        case 0x16:
            return start_transfer(Transfer::verify);
        case 0x0D:
            return start_transfer(Transfer::format);
        case 0x0A:
            return start_transfer(Transfer::read_id);
        case 0x07:
            return seek(command_[1] & 3, 0, true);
        case 0x0F:
            return seek(command_[1] & 3, command_[2], false);
        case 0x08:
            return sense_interrupt();
        case 0x04:
            return sense_drive();
        case 0x03:  // SPECIFY
            specify_ = {command_[1], command_[2]};
            return;
        case 0x10:
            if (opcode != 0x10) break;
            return give_result({kVersion});
        case 0x13:  // CONFIGURE
            configure_ = command_[2] & 0x7F;
            precompensation_ = command_[3];
            return;
        case 0x12:  // PERPENDICULAR MODE: OW lets the drive bits through
            perpendicular_ = bit(command_[1], 7)
                                 ? command_[1] & 0x3F
                                 : static_cast<u8>((perpendicular_ & 0x3C) | (command_[1] & 3));
            return;
        case 0x14:  // LOCK
            if ((opcode & 0x7F) != 0x14) break;
            locked_ = bit(opcode, 7);
            return give_result({static_cast<u8>(locked_ ? 0x10 : 0)});
        case 0x0E:
            if (opcode != 0x0E) break;
            return dump_registers();
        default:
            break;
    }
    give_result({kInvalid});
}

void FloppyController::dump_registers() {
    const u8 mode = static_cast<u8>((locked_ ? 0x80 : 0) | (perpendicular_ & 0x3F));
    give_result({units_[0].cylinder, units_[1].cylinder, units_[2].cylinder, units_[3].cylinder, specify_[0],
                 specify_[1], last_track_, mode, configure_, precompensation_});
}

void FloppyController::seek(unsigned unit, int cylinder, bool recalibrate) {
    Unit& u = units_[unit];
    Drive* d = drive(unit);
    const int target = std::clamp(cylinder, 0, 255);
    u8 st0 = static_cast<u8>(kSeekEnd | unit | (command_[1] & 4));
    int steps = std::abs(target - int{u.cylinder});
    u.cylinder = static_cast<u8>(target);
    if (d != nullptr) {
        // Heads stop at the end of their way. Steps with a disk in the drive take the change line back.
        const u8 end = d->type == DriveType::d360k ? 41 : 83;
        const u8 before = d->cylinder;
        d->cylinder = static_cast<u8>(std::min<int>(target, end));
        steps = std::abs(int{d->cylinder} - int{before});
        if (d->medium != nullptr && (steps != 0 || recalibrate)) d->changed = false;
    } else if (recalibrate) {
        // Track 0 is never signalled.
        st0 |= kAbnormal | kEquipmentCheck;
    }
    u.st0 = st0;
    u.seeking = true;
    u.interrupt = false;
    u.arrival = time_.now() + kStepTime * static_cast<u64>(steps + 1);
    arm_seek_timer();
}

void FloppyController::sense_interrupt() {
    for (Unit& u : units_) {
        if (!u.interrupt) continue;
        u.interrupt = false;
        const bool more =
            std::any_of(units_.begin(), units_.end(), [](const Unit& x) { return x.interrupt; });
        if (!more) set_irq(false);
        return give_result({u.st0, u.cylinder});
    }
    give_result({kInvalid});
}

void FloppyController::sense_drive() {
    const unsigned unit = command_[1] & 3;
    const Drive* d = drive(unit);
    u8 st3 = static_cast<u8>(0x28 | (command_[1] & 7));
    if (d != nullptr && d->cylinder == 0) st3 |= 0x10;
    if (d != nullptr && d->medium != nullptr && d->medium->read_only()) st3 |= 0x40;
    give_result({st3});
}

void FloppyController::start_transfer(Transfer transfer) {
    transfer_ = transfer;
    phase_ = Phase::execution;
    unit_ = command_[1] & 3;
    head_ = bit(command_[1], 2);
    st1_ = st2_ = 0;
    terminal_count_ = false;
    moving_ = false;
    position_ = 0;
    unit_size_ = kSectorSize;
    Drive* d = drive(unit_);
    Nanoseconds delay = kSectorTime;
    switch (transfer) {
        case Transfer::read_id:
            c_ = d != nullptr ? d->cylinder : u8{0};
            h_ = head_;
            r_ = 1;
            n_ = 2;
            break;
        case Transfer::format:
            n_ = command_[2];
            left_ = command_[3];
            fill_ = command_[5];
            last_track_ = left_;
            unit_size_ = 4;
            c_ = d != nullptr ? d->cylinder : u8{0};
            h_ = head_;
            r_ = 1;
            eot_ = 255;
            break;
        default:
            c_ = command_[2];
            h_ = command_[3];
            r_ = whole_track_ ? u8{1} : command_[4];
            n_ = command_[5];
            eot_ = last_track_ = command_[6];
            if ((configure_ & kImpliedSeek) && d != nullptr && d->cylinder != c_) {
                units_[unit_].cylinder = c_;
                const u8 end = d->type == DriveType::d360k ? 41 : 83;
                delay += kStepTime * static_cast<u64>(std::abs(int{std::min(c_, end)} - int{d->cylinder}));
                d->cylinder = std::min(c_, end);
                if (d->medium != nullptr) d->changed = false;
            }
            break;
    }
    sector_timer_.arm_in(delay);
}

i64 FloppyController::locate() {
    const Drive* d = drive(unit_);
    if (d == nullptr || d->medium == nullptr || !bit(d->geometry.rates, rate_) ||
        head_ >= d->geometry.heads || d->cylinder >= d->geometry.cylinders) {
        st1_ = kMissingMark;
        return -1;
    }
    const Geometry& g = d->geometry;
    if (c_ != d->cylinder) {
        st1_ = kNoData;
        st2_ = kWrongCylinder;
        return -1;
    }
    if (h_ != head_ || r_ == 0 || r_ > g.sectors || n_ != 2) {
        st1_ = kNoData;
        return -1;
    }
    return ((i64{c_} * g.heads + h_) * g.sectors + r_ - 1) * i64{kSectorSize};
}

bool FloppyController::load_sector() {
    const i64 at = locate();
    if (at < 0) return false;
    BlockBackend& medium = *drive(unit_)->medium;
    buffer_ = {};
    // An image may end before its format does.
    const u64 offset = static_cast<u64>(at);
    const u64 n = offset < medium.size() ? std::min<u64>(kSectorSize, medium.size() - offset) : 0;
    if (n == 0 || medium.read(offset, std::span(buffer_).first(n)).ok()) return true;
    st1_ = kDataError;
    st2_ = kDataErrorInData;
    return false;
}

bool FloppyController::store_sector() {
    const i64 at = locate();
    if (at < 0) return false;
    BlockBackend& medium = *drive(unit_)->medium;
    const u64 offset = static_cast<u64>(at);
    if (medium.read_only()) {
        st1_ = kNotWritable;
        return false;
    }
    if (offset + kSectorSize <= medium.size() && medium.write(offset, buffer_).ok()) return true;
    st1_ = kDataError;
    st2_ = kDataErrorInData;
    return false;
}

void FloppyController::sector_fired() {
    if (phase_ != Phase::execution) return;
    position_ = 0;
    switch (transfer_) {
        case Transfer::read_id:
            return locate() < 0 ? finish(kAbnormal, st1_, st2_) : finish(0, 0, 0);
        case Transfer::read:
            if (!load_sector()) return finish(kAbnormal, st1_, st2_);
            return move();
        case Transfer::verify:
            if (!load_sector()) return finish(kAbnormal, st1_, st2_);
            return unit_moved();
        case Transfer::write: {
            if (locate() < 0) return finish(kAbnormal, st1_, st2_);
            if (drive(unit_)->medium->read_only()) return finish(kAbnormal, kNotWritable, 0);
            return move();
        }
        case Transfer::format: {
            const Drive* d = drive(unit_);
            if (d == nullptr || d->medium == nullptr) return finish(kAbnormal, kMissingMark, 0);
            if (d->medium->read_only()) return finish(kAbnormal, kNotWritable, 0);
            if (left_ == 0) return finish(0, 0, 0);
            return move();
        }
        case Transfer::none:
            return;
    }
}

// Offers the buffer to the host or the DMA controller.
void FloppyController::move() {
    moving_ = true;
    if (!dma_mode()) return set_irq(true);
    dma_.set_request(true);
    if (!dma_.ready()) return;  // goes on when the channel is unmasked
    const auto rest = std::span(buffer_).subspan(position_, unit_size_ - position_);
    const DmaChannel::Moved moved = transfer_ == Transfer::read ? dma_.write(rest) : dma_.read(rest);
    position_ += static_cast<u32>(std::min(moved.bytes, rest.size()));
    terminal_count_ |= moved.terminal_count;
    if (position_ < unit_size_ && !terminal_count_) return;
    unit_moved();
}

// One sector, or one sector's address for FORMAT, has passed.
void FloppyController::unit_moved() {
    moving_ = false;
    dma_.set_request(false);
    if (transfer_ == Transfer::write) {
        // What a terminal count cut off is written as zeroes.
        std::fill(buffer_.begin() + position_, buffer_.end(), u8{0});
        if (!store_sector()) return finish(kAbnormal, st1_, st2_);
    } else if (transfer_ == Transfer::format) {
        if (position_ == 4) {
            c_ = buffer_[0];
            h_ = buffer_[1];
            r_ = buffer_[2];
            n_ = buffer_[3];
            buffer_.fill(fill_);
            // Sectors that the image has no place for are formatted into nothing.
            const bool stored = store_sector();
            if (!stored && st1_ == kDataError) return finish(kAbnormal, st1_, st2_);
            st1_ = st2_ = 0;
            if (left_ != 0) --left_;
        }
        if (terminal_count_ || left_ == 0) return finish(0, 0, 0);
        sector_timer_.arm_in(kSectorTime);
        return;
    }
    next_sector();
}

void FloppyController::next_sector() {
    // The address the result shows is that of the next sector (5.1.1, table 6-3).
    const bool last = r_ == eot_;
    const bool other_side = last && multi_track_ && head_ == 0;
    if (!last) {
        ++r_;
    } else {
        r_ = 1;
        if (multi_track_) {
            h_ ^= 1;
            head_ ^= 1;
        }
        if (!other_side) ++c_;
    }
    if (stop_after_sector_) return finish(0, 0, kControlMark);
    if (terminal_count_) return finish(0, 0, 0);
    if (last && !other_side) {
        if (transfer_ == Transfer::verify) return finish(0, 0, 0);
        return finish(kAbnormal, kEndOfCylinder, 0);
    }
    sector_timer_.arm_in(kSectorTime);
}

void FloppyController::finish(u8 st0, u8 st1, u8 st2) {
    transfer_ = Transfer::none;
    moving_ = false;
    dma_.set_request(false);
    give_result({static_cast<u8>(st0 | head_ << 2 | unit_), st1, st2, c_, h_, r_, n_});
    set_irq(true);
}

}  // namespace mynah
