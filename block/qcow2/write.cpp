// Writing, and the order in which what was written reaches the file.
#include <fmt/format.h>

#include <algorithm>

#include "base/bits.h"
#include "block/qcow2/big_endian.h"
#include "block/qcow2/qcow2.h"

namespace mynah {

using namespace qcow2;

namespace {

// Clusters that may wait to be free.
constexpr size_t kMaxGivenUp = 65536;

}  // namespace

Status Qcow2::writable() const {
    if (read_only()) return error("it is open for reading only");
    if (corrupt_) return error("it is damaged and not written to any more");
    return Ok{};
}

Status Qcow2::relieve() {
    if (l2_.crowded() || refcounts_.crowded() || given_up_.size() >= kMaxGivenUp) return commit();
    return Ok{};
}

Status Qcow2::write(u64 offset, std::span<const u8> data) {
    if (Status s = writable(); !s) return s;
    while (!data.empty()) {
        if (Status s = relieve(); !s) return s;
        const auto e = find(offset, data.size());
        if (!e) return e.error();
        u64 n = e->bytes;
        if (e->kind == Kind::data && (e->entry & kCopied)) {
            const u64 end = (e->host + n - 1) >> cluster_bits();
            for (u64 c = e->host >> cluster_bits(); c <= end; ++c) {
                if (in_metadata(c))
                    return corrupt(
                        fmt::format("data in the place of a table, at {:#x}", c << cluster_bits()));
            }
            if (Status s = file_->write(e->host, data.first(n)); !s) return s;
        } else {
            n = std::min<u64>(n, cluster_size() - offset % cluster_size());
            if (Status s = write_new_cluster(offset, data.first(n), e->entry); !s) return s;
        }
        offset += n;
        data = data.subspan(n);
    }
    return Ok{};
}

// The new cluster is complete in the file before anything refers to it.
Status Qcow2::write_new_cluster(u64 offset, std::span<const u8> data, u64 entry) {
    const u64 within = offset % cluster_size(), start = offset - within;
    std::vector<u8> whole;
    if (data.size() != cluster_size()) {
        whole.resize(cluster_size());
        const u64 tail = within + data.size(), end = std::min(cluster_size(), size() - start);
        if (Status s = read(start, std::span(whole).first(within)); !s) return s;
        if (tail < end) {
            if (Status s = read(start + tail, std::span(whole).subspan(tail, end - tail)); !s) return s;
        }
        std::copy(data.begin(), data.end(), whole.begin() + static_cast<std::ptrdiff_t>(within));
        data = whole;
    }
    // A cluster of zeroes may have a place already.
    const bool has_place = !(entry & kCompressed) && (entry & kZero) && (entry & kCopied) &&
                           header_.version >= 3 && (entry & kOffsetMask) != 0;
    u64 host = entry & kOffsetMask;
    if (!has_place) {
        const auto fresh = allocate();
        if (!fresh) return fresh.error();
        host = *fresh;
    } else if (in_metadata(host >> cluster_bits())) {
        return corrupt(fmt::format("data in the place of a table, at {:#x}", host));
    }
    Status s = file_->write(host, data);
    if (s) s = set_entry(offset, host | kCopied);
    if (!s) {
        if (!has_place) (void)release(host).ok();
        return s;
    }
    return has_place ? Status(Ok{}) : give_up(entry);
}

Result<Table*> Qcow2::l2_for_write(u64 offset) {
    const u64 index = offset / header_.l2_span();
    if (index >= l1_.size()) return corrupt("the L1 table is too small");
    const u64 old = l1_[index] & kOffsetMask;
    auto table = l2_table(index);
    if (!table) return table;
    if (*table != nullptr && (l1_[index] & kCopied)) return table;
    // A new table, or one of our own in place of one that a snapshot has too.
    std::vector<u8> content;
    if (*table != nullptr) content = (*table)->bytes();
    const auto host = allocate();
    if (!host) return host.error();
    Table& fresh = l2_.add(*host);
    if (!content.empty()) fresh.replace(std::move(content));
    metadata_.insert(*host >> cluster_bits());
    l1_[index] = *host | kCopied;
    dirty_l1_.insert(index);
    if (old != 0) given_up_.push_back(old >> cluster_bits());
    return &fresh;
}

Status Qcow2::set_entry(u64 offset, u64 entry) {
    const auto table = l2_for_write(offset);
    if (!table) return table.error();
    (*table)->set_entry(offset / cluster_size() % header_.l2_entries(), entry);
    l2_.changed(**table);
    return Ok{};
}

Status Qcow2::give_up(u64 entry) {
    if (entry & kCompressed) {
        const CompressedPlace place = compressed_place(entry);
        const u64 last = (place.offset + place.bytes - 1) >> cluster_bits();
        for (u64 c = place.offset >> cluster_bits(); c <= last; ++c) given_up_.push_back(c);
    } else if ((entry & kOffsetMask) != 0) {
        given_up_.push_back((entry & kOffsetMask) >> cluster_bits());
    }
    return Ok{};
}

Result<bool> Qcow2::zero_cluster(u64 offset) {
    const bool shows_backing = backing_ && offset < backing_->size();
    if (shows_backing && header_.version < 3) return false;
    const auto old = l2_entry(offset);
    if (!old) return old.error();
    if (Status s = check_entry(*old); !s) return s.error();
    const u64 fresh = shows_backing ? kZero : 0;
    if (*old == fresh || (*old == kZero && header_.version >= 3)) return true;
    if (Status s = set_entry(offset, fresh); !s) return s.error();
    if (Status s = give_up(*old); !s) return s.error();
    return true;
}

Status Qcow2::discard(u64 offset, u64 bytes) {
    if (Status s = writable(); !s) return s;
    const u64 end = offset + bytes;
    // Whole clusters only.
    for (offset = align_up(offset, cluster_size()); offset < end;) {
        if (end - offset < cluster_size() && end != size()) break;
        if (Status s = relieve(); !s) return s;
        const auto e = find(offset, end - offset);
        if (!e) return e.error();
        u64 n = std::min(cluster_size(), end - offset);
        if (e->kind == Kind::absent && !backing_) {
            n = e->bytes;
        } else if (auto done = zero_cluster(offset); !done) {
            return done.error();
        }
        offset = align_up(offset + n, cluster_size());
    }
    return Ok{};
}

Status Qcow2::write_zeroes(u64 offset, u64 bytes) {
    if (Status s = writable(); !s) return s;
    const std::vector<u8> zeroes(cluster_size());
    for (const u64 end = offset + bytes; offset < end;) {
        if (Status s = relieve(); !s) return s;
        const u64 within = offset % cluster_size();
        const u64 n = std::min(cluster_size() - within, end - offset);
        bool done = false;
        if (within == 0 && (n == cluster_size() || end == size())) {
            const auto zeroed = zero_cluster(offset);
            if (!zeroed) return zeroed.error();
            done = *zeroed;
        }
        if (!done) {
            if (Status s = write(offset, std::span(zeroes).first(n)); !s) return s;
        }
        offset += n;
    }
    return Ok{};
}

Status Qcow2::flush() {
    if (read_only()) return Ok{};
    if (Status s = writable(); !s) return s;
    return commit();
}

Status Qcow2::commit() {
    if (refcount_table_moves()) {
        if (Status s = place_refcount_table(); !s) return s;
    }
    // 1. What is counted before what is referred to, and data before what refers to it.
    if (Status s = refcounts_.write_back(); !s) return s;
    if (Status s = file_->flush(); !s) return s;
    if (refcount_table_moves() || !dirty_refcount_table_.empty()) {
        if (Status s = write_refcount_table(); !s) return s;
        if (Status s = file_->flush(); !s) return s;
    }
    // 2. L2 tables, and then the L1 table that refers to new ones.
    if (l2_.dirty_tables() != 0) {
        if (Status s = l2_.write_back(); !s) return s;
        if (Status s = file_->flush(); !s) return s;
    }
    if (!dirty_l1_.empty()) {
        for (const u64 index : dirty_l1_) {
            u8 bytes[8];
            store_be<u64>(bytes, l1_[index]);
            if (Status s = file_->write(header_.l1_offset + index * 8, bytes); !s) return s;
        }
        if (Status s = file_->flush(); !s) return s;
        dirty_l1_.clear();
    }
    // 3. Nothing in the file refers to what was given up now.
    return drop_given_up();
}

}  // namespace mynah
