// Reference counts, and with them which clusters are free.
#include <fmt/format.h>

#include <algorithm>

#include "base/bits.h"
#include "block/qcow2/big_endian.h"
#include "block/qcow2/qcow2.h"

namespace mynah {

using namespace qcow2;

namespace {

// Clusters behind the file's end that may be counted as used: what a crash left of a file that was growing.
constexpr u64 kMaxBehindEnd = 1 << 20;
constexpr u64 kMaxFile = u64{1} << 56;

}  // namespace

Result<Table*> Qcow2::refcount_block(u64 cluster, bool make) {
    const u64 index = cluster / header_.refcounts_per_block();
    if (index < refcount_table_.size() && refcount_table_[index] != 0) {
        const u64 offset = refcount_table_[index];
        // New blocks may not have reached the file.
        if (offset % cluster_size() != 0 ||
            (offset >= file_->size() && metadata_.count(offset >> cluster_bits()) == 0))
            return corrupt(fmt::format("a block of reference counts at {:#x}", offset));
        return refcounts_.get(offset);
    }
    if (!make) return static_cast<Table*>(nullptr);
    if ((index + 1) * 8 > kMaxRefcountTable || cluster >= kMaxFile >> cluster_bits())
        return error("the image has grown as large as it can");
    // It takes the first of the clusters that it counts, all of which are free.
    const u64 own = index * header_.refcounts_per_block();
    if (in_metadata(own))
        return corrupt(fmt::format("a table at {:#x} is not counted", own << cluster_bits()));
    if (refcount_table_.size() <= index) refcount_table_.resize(index + 1);
    refcount_table_[index] = own << cluster_bits();
    dirty_refcount_table_.insert(index);
    metadata_.insert(own);
    Table& block = refcounts_.add(own << cluster_bits());
    block.set_count(0, header_.refcount_order, 1);
    return &block;
}

Result<u64> Qcow2::refcount(u64 cluster) {
    const auto block = refcount_block(cluster, false);
    if (!block) return block.error();
    if (*block == nullptr) return u64{0};
    return (*block)->count(cluster % header_.refcounts_per_block(), header_.refcount_order);
}

Status Qcow2::set_refcount(u64 cluster, u64 count) {
    const auto block = refcount_block(cluster, true);
    if (!block) return block.error();
    (*block)->set_count(cluster % header_.refcounts_per_block(), header_.refcount_order, count);
    refcounts_.changed(**block);
    return Ok{};
}

Status Qcow2::add_reference(u64 cluster) {
    const auto count = refcount(cluster);
    if (!count) return count.error();
    const u64 most = ~u64{0} >> (64 - (u64{1} << header_.refcount_order));
    if (*count >= most) return error("a cluster is used more often than can be counted");
    return set_refcount(cluster, *count + 1);
}

Result<u64> Qcow2::drop_reference(u64 cluster) {
    const auto count = refcount(cluster);
    if (!count) return count.error();
    if (*count == 0)
        return corrupt(
            fmt::format("a cluster in use is counted as free, at {:#x}", cluster << cluster_bits()));
    if (Status s = set_refcount(cluster, *count - 1); !s) return s.error();
    if (*count == 1) {
        free_hint_ = std::min(free_hint_, cluster);
        metadata_.erase(cluster);
        l2_.drop(cluster << cluster_bits());
        if (compressed_end_ >> cluster_bits() == cluster) compressed_end_ = 0;
    }
    return *count - 1;
}

Status Qcow2::drop_given_up() {
    std::vector<u64> clusters;
    clusters.swap(given_up_);
    std::sort(clusters.begin(), clusters.end());
    u64 begin = 0, end = 0;  // a row of free clusters
    for (const u64 c : clusters) {
        const auto left = drop_reference(c);
        if (!left) return left.error();
        if (*left != 0) continue;
        if (c != end) {
            file_->discard(begin << cluster_bits(), (end - begin) << cluster_bits());
            begin = c;
        }
        end = c + 1;
    }
    file_->discard(begin << cluster_bits(), (end - begin) << cluster_bits());
    return Ok{};
}

Status Qcow2::release(u64 host) {
    free_hint_ = std::min(free_hint_, host >> cluster_bits());
    return set_refcount(host >> cluster_bits(), 0);
}

Result<u64> Qcow2::allocate(u64 clusters) {
    const u64 last = std::max(free_hint_, file_->size() >> cluster_bits()) + clusters + kMaxBehindEnd;
    u64 row = 0, i = free_hint_;
    for (;; ++i) {
        if (i > last) return error("no free cluster is left: the reference counts cannot be right");
        const auto block = refcount_block(i, true);
        if (!block) return block.error();
        if ((*block)->count(i % header_.refcounts_per_block(), header_.refcount_order) != 0) {
            row = 0;
            continue;
        }
        if (in_metadata(i))
            return corrupt(
                fmt::format("a table's cluster is counted as free, at {:#x}", i << cluster_bits()));
        if (++row == clusters) break;
    }
    const u64 first = i + 1 - clusters;
    for (u64 c = first; c <= i; ++c) {
        if (Status s = set_refcount(c, 1); !s) return s.error();
    }
    if (clusters == 1) free_hint_ = i + 1;
    return first << cluster_bits();
}

bool Qcow2::refcount_table_moves() const {
    return refcount_table_.size() > (u64{header_.refcount_table_clusters} << cluster_bits()) / 8;
}

Status Qcow2::place_refcount_table() {
    const u64 entries = cluster_size() / 8;
    // Counting the new place's clusters may take more blocks.
    while (next_table_clusters_ * entries < refcount_table_.size()) {
        for (u64 i = 0; i < next_table_clusters_; ++i) {
            if (Status s = release(next_table_offset_ + (i << cluster_bits())); !s) return s;
        }
        const u64 needed = (refcount_table_.size() + entries - 1) / entries;
        next_table_clusters_ = std::min(needed + needed / 2 + 1, kMaxRefcountTable >> cluster_bits());
        const auto place = allocate(next_table_clusters_);
        if (!place) {
            next_table_clusters_ = 0;
            return place.error();
        }
        next_table_offset_ = *place;
    }
    return Ok{};
}

Status Qcow2::write_refcount_table() {
    if (!refcount_table_moves()) {
        for (const u64 index : dirty_refcount_table_) {
            u8 bytes[8];
            store_be<u64>(bytes, refcount_table_[index]);
            if (Status s = file_->write(header_.refcount_table_offset + index * 8, bytes); !s) return s;
        }
        dirty_refcount_table_.clear();
        return Ok{};
    }
    std::vector<u8> table(next_table_clusters_ << cluster_bits());
    for (size_t i = 0; i < refcount_table_.size(); ++i) store_be<u64>(&table[i * 8], refcount_table_[i]);
    if (Status s = file_->write(next_table_offset_, table); !s) return s;
    if (Status s = file_->flush(); !s) return s;
    std::vector<u8> field(12);
    store_be<u64>(field.data(), next_table_offset_);
    store_be<u32>(&field[8], static_cast<u32>(next_table_clusters_));
    if (Status s = file_->write(kRefcountTableField, field); !s) return s;
    if (Status s = file_->flush(); !s) return s;
    for (u64 i = 0; i < header_.refcount_table_clusters; ++i)
        given_up_.push_back((header_.refcount_table_offset >> cluster_bits()) + i);
    header_.refcount_table_offset = next_table_offset_;
    header_.refcount_table_clusters = static_cast<u32>(next_table_clusters_);
    next_table_offset_ = next_table_clusters_ = 0;
    dirty_refcount_table_.clear();
    find_metadata_ranges();
    return Ok{};
}

}  // namespace mynah
