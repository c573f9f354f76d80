#include "devices/ata_disk.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bits.h"
#include "base/check.h"

namespace mynah {

namespace {

constexpr u8 kUseLba = 0x40;

}  // namespace

AtaDisk::AtaDisk(EventQueue& time, BlockBackend& medium, std::string_view serial)
    : AtaDevice(time, "MYNAH HARDDISK"),
      medium_(medium),
      serial_(serial),
      sectors_(medium.size() / kSectorSize),
      cylinders_(static_cast<u32>(std::clamp<u64>(sectors_ / (kHeads * kSectorsPerTrack), 1, 16383))) {
    MYNAH_CHECK(sectors_ > 0 && sectors_ < u64{1} << 48);
    AtaDisk::reset();
}

void AtaDisk::reset() {
    operation_ = Operation::none;
    current_heads_ = kHeads;
    current_sectors_ = kSectorsPerTrack;
    multiple_ = kMaxMultiple;
    write_cache_ = look_ahead_ = true;
    power_mode_ = 0xFF;
    lba_ = left_ = 0;
    block_ = 1;
    lba48_ = false;
    AtaDevice::reset();
}

void AtaDisk::visit(Archive& ar) {
    AtaDevice::visit(ar);
    ar.all(current_heads_, current_sectors_, multiple_, write_cache_, look_ahead_, power_mode_, operation_,
           lba48_, lba_, left_, block_);
    if (current_heads_ == 0 || current_heads_ > 16 || current_sectors_ == 0 || current_sectors_ > 255 ||
        operation_ > Operation::settle || block_ == 0 || block_ > kMaxMultiple || left_ > 65536 ||
        multiple_ > kMaxMultiple || (operation_ == Operation::write && buffer_.size() % kSectorSize != 0)) {
        ar.fail("disk command out of range");
        reset();
    }
}

void AtaDisk::set_signature() {
    operation_ = Operation::none;
    count_ = {1, 0};
    lba_low_ = {1, 0};
    lba_mid_ = {0, 0};
    lba_high_ = {0, 0};
    device_ = 0;
}

void AtaDisk::begin(Operation operation, Nanoseconds latency) {
    operation_ = operation;
    become_busy(latency);
}

void AtaDisk::begin_flush() {
    medium_.will_flush();
    begin(Operation::flush);
}

void AtaDisk::finish_when_settled() {
    if (medium_.busy()) return begin(Operation::settle, kMediumPoll);
    operation_ = Operation::none;
    medium_.settle() ? finish() : abort_with(ata::aborted);
}

void AtaDisk::execute(u8 command) {
    switch (command) {
        case 0x20:  // READ SECTORS, and without retries
        case 0x21:
            return begin_transfer(Operation::read, Width::lba28, false);
        case 0x24:
            return begin_transfer(Operation::read, Width::lba48, false);
        case 0xC4:  // READ MULTIPLE
            return begin_transfer(Operation::read, Width::lba28, true);
        case 0x29:
            return begin_transfer(Operation::read, Width::lba48, true);
        case 0xC8:  // READ DMA
        case 0xC9:
            return begin_transfer(Operation::dma_read, Width::lba28, false);
        case 0x25:
            return begin_transfer(Operation::dma_read, Width::lba48, false);
        case 0x30:  // WRITE SECTORS
        case 0x31:
            return begin_transfer(Operation::write, Width::lba28, false);
        case 0x34:
            return begin_transfer(Operation::write, Width::lba48, false);
        case 0xC5:  // WRITE MULTIPLE
            return begin_transfer(Operation::write, Width::lba28, true);
        case 0x39:
            return begin_transfer(Operation::write, Width::lba48, true);
        case 0xCA:  // WRITE DMA
        case 0xCB:
            return begin_transfer(Operation::dma_write, Width::lba28, false);
        case 0x35:
            return begin_transfer(Operation::dma_write, Width::lba48, false);
        case 0x06:
            return begin_trim();
        case 0x40:  // READ VERIFY SECTORS
        case 0x41:
            return begin_transfer(Operation::verify, Width::lba28, false);
        case 0x42:
            return begin_transfer(Operation::verify, Width::lba48, false);
        case 0xE7:  // FLUSH CACHE
        case 0xEA:
            return begin_flush();
        case 0xEC:
            return begin(Operation::identify);
        case 0xE4:  // READ BUFFER
            return begin(Operation::buffer_read);
        case 0xE8:  // WRITE BUFFER
            operation_ = Operation::buffer_write;
            return request_data_out(kSectorSize, false);
        case 0xEF:
            return set_features();
        case 0xC6: {  // SET MULTIPLE MODE
            const u8 n = count_.now;
            if (n > kMaxMultiple || (n & (n - 1)) != 0) return abort_with(ata::aborted);
            multiple_ = n;
            return begin(Operation::trivial);
        }
        case 0x91:  // INITIALIZE DEVICE PARAMETERS
            if (count_.now == 0) return abort_with(ata::aborted);
            current_heads_ = (device_ & 0xFu) + 1;
            current_sectors_ = count_.now;
            return begin(Operation::trivial);
        case 0x27:  // READ NATIVE MAX ADDRESS
            return set_max_address(Width::lba48);
        case 0xF8:
            return set_max_address(Width::lba28);
        case 0x94:  // STANDBY IMMEDIATE
        case 0xE0:
        case 0x96:  // STANDBY
        case 0xE2:
            power_mode_ = 0x00;
            return begin_flush();
        case 0x95:  // IDLE IMMEDIATE
        case 0xE1:
        case 0x97:  // IDLE
        case 0xE3:
            power_mode_ = 0x80;
            return begin(Operation::trivial);
        case 0x98:  // CHECK POWER MODE
        case 0xE5:
            count_.now = power_mode_;
            return begin(Operation::trivial);
        case 0x99:  // SLEEP
        case 0xE6:
            power_mode_ = 0x00;
            return begin_flush();
        case 0xB0:
            return smart();
        default:
            break;
    }
    // RECALIBRATE and SEEK ignore the low four bits.
    if (command >> 4 == 1 || command >> 4 == 7) return begin(Operation::trivial);
    abort_with(ata::aborted);
}

bool AtaDisk::take_address(Width width) {
    lba48_ = width == Width::lba48;
    if (lba48_) {
        left_ = static_cast<u32>(count_.previous << 8 | count_.now);
        if (left_ == 0) left_ = 65536;
        lba_ = u64{lba_high_.previous} << 40 | u64{lba_mid_.previous} << 32 | u64{lba_low_.previous} << 24 |
               u64{lba_high_.now} << 16 | u64{lba_mid_.now} << 8 | lba_low_.now;
        return true;
    }
    left_ = count_.now == 0 ? 256 : count_.now;
    if (device_ & kUseLba) {
        lba_ = u64{device_ & 0xFu} << 24 | u64{lba_high_.now} << 16 | u64{lba_mid_.now} << 8 | lba_low_.now;
        return true;
    }
    const u32 cylinder = static_cast<u32>(lba_high_.now << 8 | lba_mid_.now);
    const u32 head = device_ & 0xFu;
    const u32 sector = lba_low_.now;
    if (sector == 0 || sector > current_sectors_ || head >= current_heads_) {
        abort_with(ata::id_not_found);
        return false;
    }
    lba_ = (u64{cylinder} * current_heads_ + head) * current_sectors_ + sector - 1;
    return true;
}

void AtaDisk::put_address(u64 lba) {
    if (lba48_) {
        lba_low_ = {static_cast<u8>(lba), static_cast<u8>(lba >> 24)};
        lba_mid_ = {static_cast<u8>(lba >> 8), static_cast<u8>(lba >> 32)};
        lba_high_ = {static_cast<u8>(lba >> 16), static_cast<u8>(lba >> 40)};
        return;
    }
    if (device_ & kUseLba) {
        lba_low_.now = static_cast<u8>(lba);
        lba_mid_.now = static_cast<u8>(lba >> 8);
        lba_high_.now = static_cast<u8>(lba >> 16);
        device_ = static_cast<u8>((device_ & 0xF0) | (lba >> 24 & 0xF));
        return;
    }
    const u64 track = lba / current_sectors_;
    const u64 cylinder = track / current_heads_;
    lba_low_.now = static_cast<u8>(lba % current_sectors_ + 1);
    lba_mid_.now = static_cast<u8>(cylinder);
    lba_high_.now = static_cast<u8>(cylinder >> 8);
    device_ = static_cast<u8>((device_ & 0xF0) | track % current_heads_);
}

void AtaDisk::begin_transfer(Operation operation, Width width, bool multiple) {
    if (multiple && multiple_ == 0) return abort_with(ata::aborted);
    if (!take_address(width)) return;
    if (lba_ >= sectors_ || left_ > sectors_ - lba_) {
        // Whole commands are refused; the first sector that does not exist is reported.
        return fail_at(std::max(lba_, sectors_), ata::id_not_found);
    }
    const bool writes = operation == Operation::write || operation == Operation::dma_write;
    if (writes && medium_.read_only()) return abort_with(ata::aborted);
    block_ = multiple ? multiple_ : 1;
    power_mode_ = 0xFF;
    if (operation == Operation::write) {
        operation_ = operation;
        return request_data_out(size_t{std::min(left_, block_)} * kSectorSize, false);
    }
    if (!writes) medium_.will_read(lba_ * kSectorSize, u64{left_} * kSectorSize);
    begin(operation);
}

void AtaDisk::fail_at(u64 lba, u8 error) {
    put_address(lba);
    operation_ = Operation::none;
    abort_with(error);
}

// The range is checked again here: a snapshot may bring any.
bool AtaDisk::read_sectors(u64 lba, std::span<u8> out) {
    const u64 n = out.size() / kSectorSize;
    return lba < sectors_ && n <= sectors_ - lba && medium_.read(lba * kSectorSize, out).ok();
}

bool AtaDisk::write_sectors(u64 lba, std::span<const u8> data) {
    const u64 n = data.size() / kSectorSize;
    return lba < sectors_ && n <= sectors_ - lba && !medium_.read_only() &&
           medium_.write(lba * kSectorSize, data).ok();
}

void AtaDisk::proceed() {
    const bool asks = operation_ == Operation::read || operation_ == Operation::dma_read ||
                      operation_ == Operation::verify || operation_ == Operation::flush;
    if (asks && medium_.busy()) return become_busy(kMediumPoll);
    switch (operation_) {
        case Operation::read: {
            const u32 n = std::min(left_, block_);
            std::vector<u8> data(size_t{n} * kSectorSize);
            if (!read_sectors(lba_, data)) return fail_at(lba_, ata::uncorrectable);
            buffer_ = std::move(data);
            return offer_data_in(buffer_.size(), true);
        }
        case Operation::write: {
            if (!write_sectors(lba_, buffer_)) return fail_at(lba_, ata::aborted);
            const u32 n = static_cast<u32>(buffer_.size() / kSectorSize);
            lba_ += n;
            left_ -= std::min(n, left_);
            if (left_ != 0) return request_data_out(size_t{std::min(left_, block_)} * kSectorSize, true);
            put_address(lba_ - 1);
            count_.now = 0;
            return finish_when_settled();
        }
        case Operation::settle:
            return finish_when_settled();
        case Operation::dma_read:
        case Operation::dma_write:
        case Operation::dma_trim:
            return wait_for_dma();
        case Operation::verify: {
            std::vector<u8> data(size_t{128} * kSectorSize);
            while (left_ != 0) {
                const u32 n = std::min(left_, 128u);
                if (!read_sectors(lba_, std::span(data).first(size_t{n} * kSectorSize))) {
                    return fail_at(lba_, ata::uncorrectable);
                }
                lba_ += n;
                left_ -= n;
            }
            break;
        }
        case Operation::flush:
            if (!medium_.read_only() && !medium_.flush()) return abort_with(ata::aborted);
            break;
        case Operation::identify:
            fill_identify();
            return offer_data_in(kSectorSize, true);
        case Operation::buffer_read:
            buffer_.assign(kSectorSize, 0);
            return offer_data_in(kSectorSize, true);
        case Operation::trivial:
        case Operation::buffer_write:
        case Operation::none:
            break;
    }
    operation_ = Operation::none;
    finish();
}

void AtaDisk::block_read() {
    if (operation_ == Operation::read) {
        const u32 n = static_cast<u32>(buffer_.size() / kSectorSize);
        lba_ += n;
        left_ -= std::min(n, left_);
        if (left_ != 0) return become_busy(kBlockLatency);
        put_address(lba_ - 1);
        count_.now = 0;
    }
    operation_ = Operation::none;
    end_data();
}

void AtaDisk::block_written() {
    become_busy(kBlockLatency);
}

// DATA SET MANAGEMENT (ATA8-ACS-2 7.10), whose only use is TRIM.
void AtaDisk::begin_trim() {
    const u32 blocks = static_cast<u32>(count_.previous << 8 | count_.now);
    if (!medium_.can_discard() || (features_.now & 1) == 0 || blocks == 0 || blocks > kMaxTrimBlocks)
        return abort_with(ata::aborted);
    left_ = blocks;
    lba_ = 0;
    power_mode_ = 0xFF;
    begin(Operation::dma_trim);
}

void AtaDisk::run_trim() {
    if (!cable_->dma_ready(false)) return;
    std::vector<u8> ranges(size_t{std::min(left_, kMaxTrimBlocks)} * kSectorSize);
    if (cable_->dma_from_memory(ranges) < ranges.size()) return;
    // 48 bits of address, 16 of length; no length: no range.
    for (size_t at = 0; at < ranges.size(); at += 8) {
        const u64 range = load_le<u64>(&ranges[at]);
        const u64 lba = bits(range, 47, 0), n = range >> 48;
        if (n == 0) continue;
        if (lba >= sectors_ || n > sectors_ - lba) return abort_with(ata::id_not_found);
        if (!medium_.discard(lba * kSectorSize, n * kSectorSize)) return abort_with(ata::aborted);
    }
    left_ = 0;
    finish_when_settled();
}

void AtaDisk::run_dma() {
    if (operation_ == Operation::dma_trim) return run_trim();
    const bool to_memory = operation_ == Operation::dma_read;
    std::vector<u8> data;
    while (left_ != 0) {
        if (!cable_->dma_ready(to_memory)) return;
        const u32 n = std::min<u32>(left_, kMaxBuffer / kSectorSize);
        data.resize(size_t{n} * kSectorSize);
        // A table that is too short leaves the command waiting, as on hardware, until the host resets it.
        if (to_memory) {
            if (!read_sectors(lba_, data)) return fail_at(lba_, ata::uncorrectable);
            if (cable_->dma_to_memory(data) < data.size()) return;
        } else {
            if (cable_->dma_from_memory(data) < data.size()) return;
            if (!write_sectors(lba_, data)) return fail_at(lba_, ata::aborted);
        }
        lba_ += n;
        left_ -= n;
    }
    put_address(lba_ - 1);
    count_.now = 0;
    finish_when_settled();
}

void AtaDisk::set_features() {
    switch (features_.now) {
        case 0x02:  // write cache on, off
        case 0x82:
            write_cache_ = features_.now == 0x02;
            return write_cache_ ? begin(Operation::trivial) : begin_flush();
        case 0x55:  // look-ahead off, on
        case 0xAA:
            look_ahead_ = features_.now == 0xAA;
            return begin(Operation::trivial);
        case 0x03:
            if (!set_transfer_mode(count_.now)) break;
            return begin(Operation::trivial);
        case 0x66:  // keep, or drop, settings at a soft reset
        case 0xCC:
            return begin(Operation::trivial);
        default:
            break;
    }
    abort_with(ata::aborted);
}

void AtaDisk::smart() {
    // Not offered in IDENTIFY.
    abort_with(ata::aborted);
}

void AtaDisk::set_max_address(Width width) {
    lba48_ = width == Width::lba48;
    if (!lba48_ && !(device_ & kUseLba)) return abort_with(ata::aborted);
    const u64 limit = lba48_ ? ~u64{0} : 0x0FFFFFFF;
    put_address(std::min(sectors_ - 1, limit));
    begin(Operation::trivial);
}

std::string AtaDisk::describe() const {
    return fmt::format("disk, {} sectors{}", sectors_, medium_.read_only() ? ", read-only" : "");
}

}  // namespace mynah
