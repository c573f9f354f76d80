#include "devices/virtio/block.h"

#include <algorithm>
#include <utility>

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
// More is not started while so much is.
constexpr u64 kMostStarted = 16 * MiB;
// Kept for the next requests.
constexpr size_t kSpareRequests = 8;
constexpr u64 kSpareBytes = 1 * MiB;
// Where the medium waits, requests end so much later than the first of them began.
constexpr Nanoseconds kLatency = 20'000;

}  // namespace

VirtioBlock::VirtioBlock(std::string name, EventQueue& events, BlockBackend& medium, std::string serial)
    : VirtioPci(std::move(name), {kType, kClass}, events, {kQueueSize}, kConfigBytes),
      medium_(medium),
      serial_(std::move(serial)),
      sectors_(medium.size() / kSectorSize),
      finish_(events, [this] {
          due_ = true;
          schedule(0);
      }) {
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
    // What the medium works on goes on, and nobody learns of it.
    started_.clear();
    started_bytes_ = 0;
    finish_.cancel();
    due_ = false;
}

void VirtioBlock::config_structure_written(u32 offset, u64 value, unsigned width) {
    if (offset != kWritebackAt || width != 1 || !negotiated(kConfigWce)) return;
    put_config(kWritebackAt, static_cast<u8>(value & 1));
    if (!(value & 1) && !medium_.read_only()) (void)medium_.flush();
}

bool VirtioBlock::writes_through() const {
    // Without either feature a driver counts on what is acknowledged (5.2.5).
    if (negotiated(kConfigWce)) return config_structure(kWritebackAt) == 0;
    return !negotiated(kFlush);
}

void VirtioBlock::visit_device(Archive& ar) {
    if (!started_.empty()) medium_.wait_for_started();
    if (ar.loading()) started_.clear();
    ar.all(due_, finish_);
    u32 count = static_cast<u32>(started_.size());
    ar(count);
    if (count > kQueueSize) return ar.fail("more requests than there can be");
    for (u32 i = 0; i < count && ar.ok(); ++i) {
        Started s;
        if (!ar.loading()) {
            s = started_[i];
            if (s.changes && s.request) s.status = s.request->result ? kOk : kIoError;
        }
        ar.all(s.chain.head, s.sector, s.changes, s.status);
        if (!ar.loading()) continue;
        if (s.status > kUnsupported || !follow(0, s.chain.head, s.chain) || s.chain.writable_bytes == 0)
            return ar.fail("request out of range");
        started_.push_back(std::move(s));
    }
    if (ar.loading()) started_bytes_ = 0;
}

// --- requests ---

void VirtioBlock::look_at_medium() {
    if (started_.empty() || medium_.waits() || !live()) return;
    const Started& first = started_.front();
    if (!first.request || medium_.ended(*first.request)) schedule(0);
}

void VirtioBlock::work(unsigned queue) {
    moved_ = 0;
    finish();
    VirtioChain chain;
    while (pop(queue, chain)) {
        if (chain.readable_bytes < kHeader || chain.writable_bytes == 0)
            return fail("a request without header or status");
        u8 status = kOk;
        const Taken taken = take(chain, status);
        if (taken == Taken::not_yet) {
            unpop(queue);
            break;
        }
        if (taken == Taken::answered) answer(chain, status);
        moved_ += chain.readable_bytes + chain.writable_bytes;
        if (moved_ >= kBytesAnEvent) {
            schedule(queue);
            break;
        }
    }
    if (moved_ >= kBytesLong) events().took_long();
}

void VirtioBlock::answer(const VirtioChain& chain, u8 status) {
    VirtioMemory ram = memory();
    VirtioCursor out(ram, chain.writable);
    // The status is the last byte, wherever the data ended.
    out.skip(out.left() - 1);
    out.write(std::span(&status, 1));
    push(0, chain, static_cast<u32>(std::min<u64>(chain.writable_bytes, ~u32{0})));
}

VirtioBlock::Taken VirtioBlock::take(const VirtioChain& chain, u8& status) {
    VirtioMemory ram = memory();
    VirtioCursor in(ram, chain.readable);
    u8 header[kHeader];
    in.read(header);
    const u64 sector = load_le<u64>(header + 8);
    switch (load_le<u32>(header)) {
        case kIn:
            return take_read(chain, sector, status);
        case kOut:
            return take_write(chain, in, sector, status);
        case kFlushRequest:
            if (medium_.read_only()) return Taken::answered;
            if (must_wait(true)) return Taken::not_yet;
            start(chain, 0, request(DiskRequest::Kind::flush, 0, 0));
            return Taken::started;
        case kGetId: {
            std::string id = serial_;
            id.resize(std::min<u64>(kIdBytes, chain.writable_bytes - 1));
            VirtioCursor(ram, chain.writable).write({reinterpret_cast<const u8*>(id.data()), id.size()});
            return Taken::answered;
        }
        case kZeroRequest:
            return take_zeroes(chain, in, status);
        default:
            status = kUnsupported;
            return Taken::answered;
    }
}

bool VirtioBlock::in_range(u64 sector, u64 bytes) const {
    return bytes % kSectorSize == 0 && sector <= sectors_ && bytes / kSectorSize <= sectors_ - sector;
}

bool VirtioBlock::must_wait(bool changes) const {
    return !started_.empty() && (started_.front().changes != changes || started_bytes_ >= kMostStarted);
}

std::shared_ptr<DiskRequest> VirtioBlock::request(DiskRequest::Kind kind, u64 offset, u64 bytes) {
    std::shared_ptr<DiskRequest> r;
    if (spare_.empty()) {
        r = std::make_shared<DiskRequest>();
    } else {
        r = std::move(spare_.back());
        spare_.pop_back();
    }
    r->kind = kind;
    r->then_flush = kind != DiskRequest::Kind::read && kind != DiskRequest::Kind::flush && writes_through();
    r->offset = offset;
    r->bytes = bytes;
    r->result = Ok{};
    r->ended = false;
    const bool with_data = kind == DiskRequest::Kind::read || kind == DiskRequest::Kind::write;
    if (with_data && r->data.size() < bytes) r->data.resize(bytes);
    return r;
}

void VirtioBlock::start(const VirtioChain& chain, u64 sector, std::shared_ptr<DiskRequest> r) {
    const bool changes = r->kind != DiskRequest::Kind::read;
    started_.push_back({.chain = chain, .sector = sector, .changes = changes, .request = std::move(r)});
    const Started& s = started_.back();
    started_bytes_ += s.request->bytes;
    medium_.start(s.request);
    if (!medium_.waits()) return finish();
    if (!finish_.armed()) finish_.arm_in(kLatency);
}

void VirtioBlock::finish() {
    if (medium_.waits() && !std::exchange(due_, false)) return;
    while (!started_.empty()) {
        Started& s = started_.front();
        if (s.request && !medium_.ended(*s.request)) return;
        if (!s.changes) s.status = finish_read(s);
        if (s.changes && s.request) s.status = s.request->result ? kOk : kIoError;
        answer(s.chain, s.status);
        if (s.request) {
            started_bytes_ -= s.request->bytes;
            if (spare_.size() < kSpareRequests && s.request->data.size() <= kSpareBytes)
                spare_.push_back(std::move(s.request));
        }
        started_.pop_front();
    }
}

// --- reading ---

VirtioBlock::Taken VirtioBlock::take_read(const VirtioChain& chain, u64 sector, u8& status) {
    const u64 bytes = chain.writable_bytes - 1;
    if (bytes > kMostBytes || !in_range(sector, bytes)) {
        status = kIoError;
        return Taken::answered;
    }
    if (must_wait(false)) return Taken::not_yet;
    if (read_at_once(chain, sector * kSectorSize, bytes)) return Taken::answered;
    start(chain, sector, request(DiskRequest::Kind::read, sector * kSectorSize, bytes));
    return Taken::started;
}

bool VirtioBlock::read_at_once(const VirtioChain& chain, u64 at, u64 bytes) {
    VirtioMemory ram = memory();
    VirtioCursor out(ram, chain.writable);
    while (bytes != 0) {
        std::span<u8> data = out.in_place(bytes);
        const bool in_place = data.size() == bytes || data.size() >= kWorthInPlace;
        if (!in_place) {
            buffer_.resize(kBuffer);
            data = std::span(buffer_).first(std::min(bytes, kBuffer));
        }
        const bool read = medium_.read_at_once(at, data);
        // Also after a failure: some of it may be there.
        if (in_place) out.wrote_in_place(data.size());
        if (!read) return false;
        if (!in_place) out.write(data);
        at += data.size();
        bytes -= data.size();
    }
    return true;
}

u8 VirtioBlock::finish_read(Started& s) {
    const u64 bytes = s.chain.writable_bytes - 1;
    if (!s.request) {
        if (bytes > kMostBytes || !in_range(s.sector, bytes)) return kIoError;
        s.request = request(DiskRequest::Kind::read, s.sector * kSectorSize, bytes);
        started_bytes_ += bytes;
        medium_.carry_out(*s.request);
    }
    if (!s.request->result) return kIoError;
    VirtioMemory ram = memory();
    VirtioCursor(ram, s.chain.writable).write(std::span(s.request->data).first(bytes));
    moved_ += bytes;
    return kOk;
}

// --- writing ---

VirtioBlock::Taken VirtioBlock::take_write(const VirtioChain& chain, VirtioCursor& in, u64 sector,
                                           u8& status) {
    const u64 bytes = in.left();
    if (bytes > kMostBytes || !in_range(sector, bytes) || medium_.read_only()) {
        status = kIoError;
        return Taken::answered;
    }
    if (must_wait(true)) return Taken::not_yet;
    auto r = request(DiskRequest::Kind::write, sector * kSectorSize, bytes);
    in.read(std::span(r->data).first(bytes));
    start(chain, sector, std::move(r));
    return Taken::started;
}

VirtioBlock::Taken VirtioBlock::take_zeroes(const VirtioChain& chain, VirtioCursor& in, u8& status) {
    u8 segment[16];
    status = kUnsupported;
    if (!negotiated(kWriteZeroes) || in.left() != sizeof segment) return Taken::answered;
    in.read(segment);
    const u64 sector = load_le<u64>(segment);
    const u32 count = load_le<u32>(segment + 8), flags = load_le<u32>(segment + 12);
    // Bit 0, "may unmap", is a hint; the rest is reserved.
    if (flags & ~1u) return Taken::answered;
    const u64 bytes = u64{count} * kSectorSize;
    status = kIoError;
    if (count > kMostZeroSectors || !in_range(sector, bytes)) return Taken::answered;
    if (must_wait(true)) return Taken::not_yet;
    start(chain, sector, request(DiskRequest::Kind::zero, sector * kSectorSize, bytes));
    return Taken::started;
}

}  // namespace mynah
