#include "devices/virtio/block.h"

#include <algorithm>

namespace mynah {

namespace {

constexpr u16 kType = 2;
constexpr u32 kClass = 0x010000;
constexpr u16 kQueueSize = 256;

// Features (5.2.3).
constexpr unsigned kSizeMax = 1, kSegmentsMax = 2, kGeometry = 4, kReadOnly = 5, kBlockSize = 6, kFlush = 9,
                   kTopology = 10, kConfigWce = 11, kWriteZeroes = 14;
// Device configuration (5.2.4).
constexpr u32 kCapacityAt = 0, kSizeMaxAt = 8, kSegmentsMaxAt = 12, kCylindersAt = 16, kHeadsAt = 18,
              kSectorsAt = 19, kBlockSizeAt = 20, kOptimalIoAt = 28, kWritebackAt = 32, kZeroSectorsAt = 48,
              kZeroSegmentsAt = 52, kConfigBytes = 60;
// Requests (5.2.6).
constexpr u32 kIn = 0, kOut = 1, kFlushRequest = 4, kGetId = 8, kZeroRequest = 13;
constexpr u8 kOk = 0, kIoError = 1, kUnsupported = 2;
constexpr u32 kHeader = 16, kIdBytes = 20;

// What a request of a driver that keeps to both limits can carry; others are refused.
constexpr u32 kSegmentsLimit = kQueueSize - 2;
constexpr u32 kSegmentLimit = 256 * KiB;
constexpr u64 kMostBytes = u64{kSegmentsLimit} * kSegmentLimit;
constexpr u32 kMostZeroSectors = 16 * MiB / VirtioBlock::kSectorSize;
// Pieces shorter than this are gathered: one call of the backend costs more than the copy.
constexpr u64 kWorthInPlace = 16 * KiB;
constexpr u64 kBuffer = 256 * KiB;
// Data of one event; the next follows at once, but the machine looks at the host in between.
constexpr u64 kBytesAnEvent = 4 * MiB;
constexpr u64 kBytesLong = 256 * KiB;

}  // namespace

VirtioBlock::VirtioBlock(std::string name, EventQueue& events, BlockBackend& medium, std::string serial)
    : VirtioPci(std::move(name), {kType, kClass}, events, {kQueueSize}, kConfigBytes),
      medium_(medium),
      serial_(std::move(serial)),
      sectors_(medium.size() / kSectorSize) {
    MYNAH_CHECK(sectors_ > 0 && serial_.size() <= kIdBytes);
    for (const unsigned f : {kSizeMax, kSegmentsMax, kGeometry, kBlockSize, kFlush, kTopology, kConfigWce})
        offer(f);
    offer(medium.read_only() ? kReadOnly : kWriteZeroes);
    put_config(kCapacityAt, sectors_);
    put_config(kSizeMaxAt, kSegmentLimit);
    put_config(kSegmentsMaxAt, kSegmentsLimit);
    put_config(kCylindersAt, static_cast<u16>(std::clamp<u64>(sectors_ / (16 * 63), 1, 16383)));
    put_config(kHeadsAt, u8{16});
    put_config(kSectorsAt, u8{63});
    put_config(kBlockSizeAt, kSectorSize);
    put_config(kOptimalIoAt, u32{0});
    put_config(kZeroSectorsAt, kMostZeroSectors);
    put_config(kZeroSegmentsAt, u32{1});
    VirtioBlock::reset();
}

void VirtioBlock::reset_device() {
    put_config(kWritebackAt, u8{1});
}

void VirtioBlock::config_structure_written(u32 offset, u64 value, unsigned width) {
    if (offset != kWritebackAt || width != 1 || !negotiated(kConfigWce)) return;
    put_config(kWritebackAt, static_cast<u8>(value & 1));
    if (!(value & 1)) (void)flush();
}

bool VirtioBlock::writes_through() const {
    // Without either feature a driver counts on what is acknowledged (5.2.5).
    if (negotiated(kConfigWce)) return config_structure(kWritebackAt) == 0;
    return !negotiated(kFlush);
}

void VirtioBlock::work(unsigned queue) {
    VirtioChain chain;
    u64 moved = 0;
    while (pop(queue, chain)) {
        if (chain.readable_bytes < kHeader || chain.writable_bytes == 0)
            return fail("a request without header or status");
        VirtioMemory ram = memory();
        VirtioCursor in(ram, chain.readable), out(ram, chain.writable);
        const u8 status = execute(chain, in, out);
        // The status is the last byte, wherever the data ended.
        out.skip(out.left() - 1);
        out.write(std::span(&status, 1));
        push(queue, chain, static_cast<u32>(std::min<u64>(chain.writable_bytes, ~u32{0})));
        moved += chain.readable_bytes + chain.writable_bytes;
        if (moved >= kBytesAnEvent) {
            schedule(queue);
            break;
        }
    }
    if (moved >= kBytesLong) events().took_long();
}

u8 VirtioBlock::execute(const VirtioChain& chain, VirtioCursor& in, VirtioCursor& out) {
    u8 header[kHeader];
    in.read(header);
    const u32 type = load_le<u32>(header);
    const u64 sector = load_le<u64>(header + 8);
    const u64 bytes = chain.writable_bytes - 1;
    switch (type) {
        case kIn:
            return read_disk(sector, out, bytes);
        case kOut:
            return write_disk(sector, in);
        case kFlushRequest:
            return flush();
        case kGetId: {
            std::string id = serial_;
            id.resize(std::min<u64>(kIdBytes, bytes));
            out.write({reinterpret_cast<const u8*>(id.data()), id.size()});
            return kOk;
        }
        case kZeroRequest:
            return write_zeroes(in);
        default:
            return kUnsupported;
    }
}

bool VirtioBlock::in_range(u64 sector, u64 bytes) const {
    return bytes % kSectorSize == 0 && sector <= sectors_ && bytes / kSectorSize <= sectors_ - sector;
}

u8 VirtioBlock::read_disk(u64 sector, VirtioCursor& out, u64 bytes) {
    if (bytes > kMostBytes || !in_range(sector, bytes)) return kIoError;
    u64 at = sector * kSectorSize;
    while (bytes != 0) {
        const std::span<u8> place = out.in_place(bytes);
        if (place.size() == bytes || place.size() >= kWorthInPlace) {
            const bool read = medium_.read(at, place).ok();
            // Also after an error: some of it may be there.
            out.wrote_in_place(place.size());
            if (!read) return kIoError;
            at += place.size();
            bytes -= place.size();
            continue;
        }
        buffer_.resize(kBuffer);
        const std::span<u8> data = std::span(buffer_).first(std::min(bytes, kBuffer));
        if (!medium_.read(at, data)) return kIoError;
        out.write(data);
        at += data.size();
        bytes -= data.size();
    }
    return kOk;
}

u8 VirtioBlock::write_disk(u64 sector, VirtioCursor& in) {
    if (in.left() > kMostBytes || !in_range(sector, in.left()) || medium_.read_only()) return kIoError;
    u64 at = sector * kSectorSize;
    while (in.left() != 0) {
        std::span<const u8> data = in.in_place(in.left());
        if (data.size() == in.left() || data.size() >= kWorthInPlace) {
            if (!medium_.write(at, data)) return kIoError;
            in.skip(data.size());
        } else {
            buffer_.resize(kBuffer);
            data = std::span(buffer_).first(in.read(buffer_));
            if (!medium_.write(at, data)) return kIoError;
        }
        at += data.size();
    }
    return writes_through() ? flush() : kOk;
}

u8 VirtioBlock::write_zeroes(VirtioCursor& in) {
    if (!negotiated(kWriteZeroes)) return kUnsupported;
    u8 segment[16];
    if (in.left() != sizeof segment) return kUnsupported;
    in.read(segment);
    u64 at = load_le<u64>(segment) * kSectorSize;
    const u32 count = load_le<u32>(segment + 8), flags = load_le<u32>(segment + 12);
    // Bit 0, "may unmap", is a hint; the rest is reserved.
    if (flags & ~1u) return kUnsupported;
    if (count > kMostZeroSectors || !in_range(load_le<u64>(segment), u64{count} * kSectorSize))
        return kIoError;
    buffer_.assign(kBuffer, 0);
    for (u64 left = u64{count} * kSectorSize; left != 0;) {
        const u64 n = std::min(left, kBuffer);
        if (!medium_.write(at, std::span(buffer_).first(n))) return kIoError;
        at += n;
        left -= n;
    }
    return writes_through() ? flush() : kOk;
}

u8 VirtioBlock::flush() {
    return medium_.read_only() || medium_.flush() ? kOk : kIoError;
}

}  // namespace mynah
