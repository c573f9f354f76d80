// Opening and reading.
#include "block/qcow2/qcow2.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bits.h"
#include "block/qcow2/big_endian.h"

namespace mynah {

using namespace qcow2;

namespace {

constexpr u64 kCacheBytes = 8 * MiB;
constexpr u64 kMaxSnapshotTable = 16 * MiB;

std::string named(const ImageFile& file, std::string_view what) {
    return fmt::format("\"{}\": {}", file.name(), what);
}

}  // namespace

Result<Header> Qcow2::read_header(ImageFile& file) {
    std::vector<u8> start(std::min<u64>(file.size(), u64{1} << kMaxClusterBits));
    if (Status s = file.read(0, start); !s) return s.error();
    auto header = parse_header(start, file.size());
    if (!header) return Error{named(file, header.error().message)};
    if (header->snapshot_count != 0) {
        std::vector<u8> table(std::min(file.size() - header->snapshots_offset, kMaxSnapshotTable));
        if (Status s = file.read(header->snapshots_offset, table); !s) return s.error();
        if (Status s = parse_snapshots(table, *header); !s) return Error{named(file, s.error().message)};
        // Tables that do not share bytes fit into the file together.
        u64 bytes = 0;
        for (const Snapshot& s : header->snapshots) {
            bytes += u64{s.l1_entries} * 8;
            if (bytes > file.size() || s.l1_offset > file.size())
                return Error{named(file, "damaged qcow2 image: a snapshot's L1 table is not in the file")};
        }
    }
    return header;
}

Qcow2::Qcow2(std::unique_ptr<ImageFile> file, Header header, std::unique_ptr<DiskImage> backing)
    : file_(std::move(file)),
      header_(std::move(header)),
      backing_(std::move(backing)),
      l2_(*file_, header_.cluster_size(), kCacheBytes),
      refcounts_(*file_, header_.cluster_size(), kCacheBytes / 4) {}

Qcow2::~Qcow2() {
    // The second time for what the first gave up.
    if (!read_only() && !corrupt_) (void)(commit().ok() && commit().ok());
}

Result<std::unique_ptr<Qcow2>> Qcow2::open(std::unique_ptr<ImageFile> file, Header header,
                                           std::unique_ptr<DiskImage> backing, bool repairing) {
    std::unique_ptr<Qcow2> image(new Qcow2(std::move(file), std::move(header), std::move(backing)));
    if (Status s = image->load(repairing); !s) {
        image->corrupt_ = true;  // nothing is written on the way out
        return s.error();
    }
    return image;
}

Status Qcow2::load(bool repairing) {
    const auto table = [this](u64 offset, u64 entries, std::vector<u64>& out) -> Status {
        std::vector<u8> bytes(entries * 8);
        if (Status s = file_->read(offset, bytes); !s) return s;
        out.resize(entries);
        for (u64 i = 0; i < entries; ++i) out[i] = load_be<u64>(&bytes[i * 8]);
        return Ok{};
    };
    if (Status s = table(header_.l1_offset, header_.l1_entries, l1_); !s) return s;
    if (Status s = table(header_.refcount_table_offset, header_.refcount_table_clusters * cluster_size() / 8,
                         refcount_table_);
        !s)
        return s;
    // What lies behind the last block counts nothing.
    while (!refcount_table_.empty() && refcount_table_.back() == 0) refcount_table_.pop_back();
    if (read_only()) return Ok{};
    if (!repairing) {
        if (header_.incompatible & kCorrupt)
            return error(
                "it is marked as corrupt; `mynah img check` says how, -snapshot or readonly=on reads it");
        if (Status s = load_metadata_map(); !s) return s;
    } else if (!load_metadata_map()) {
        corrupt_ = true;  // check() says more, and repairs nothing
    }
    if (header_.autoclear != 0) {
        std::vector<u8> zero(8);
        if (Status s = file_->write(kAutoclearField, zero); !s) return s;
        if (Status s = file_->flush(); !s) return s;
        header_.autoclear = 0;
    }
    if (!(header_.incompatible & kDirty) || repairing) return Ok{};
    // Its last user did not close it and left the counts for later.
    const auto result = check(Repair::all);
    if (!result) return result.error();
    if (result->corruptions > result->corruptions_fixed)
        return error("it was not closed and cannot be repaired; `mynah img check` says more");
    return Ok{};
}

void Qcow2::find_metadata_ranges() {
    std::vector<std::pair<u64, u64>> ranges;
    const auto range = [&](u64 offset, u64 bytes) {
        ranges.emplace_back(offset >> cluster_bits(),
                            (offset + bytes + cluster_size() - 1) >> cluster_bits());
    };
    range(0, cluster_size());
    range(header_.l1_offset, u64{header_.l1_entries} * 8);
    range(header_.refcount_table_offset, u64{header_.refcount_table_clusters} << cluster_bits());
    if (header_.snapshot_count != 0)
        range(header_.snapshots_offset, header_.snapshots_end - header_.snapshots_offset);
    for (const Snapshot& s : header_.snapshots) range(s.l1_offset, u64{s.l1_entries} * 8);
    std::sort(ranges.begin(), ranges.end());
    metadata_ranges_.clear();
    for (const auto& r : ranges) {
        if (!metadata_ranges_.empty() && r.first <= metadata_ranges_.back().second) {
            metadata_ranges_.back().second = std::max(metadata_ranges_.back().second, r.second);
        } else {
            metadata_ranges_.push_back(r);
        }
    }
}

Status Qcow2::load_metadata_map() {
    find_metadata_ranges();
    const u64 end = file_->size();
    const auto add = [&](u64 offset, std::string_view what) -> Status {
        const u64 cluster = offset >> cluster_bits();
        if (offset % cluster_size() != 0 || offset >= end)
            return corrupt(fmt::format("{} is not in the file", what));
        if (in_metadata(cluster)) return corrupt(fmt::format("{} overlaps another table", what));
        metadata_.insert(cluster);
        return Ok{};
    };
    for (const u64 entry : refcount_table_) {
        if (entry == 0) continue;
        if (Status s = add(entry, "a block of reference counts"); !s) return s;
    }
    for (const u64 entry : l1_) {
        if ((entry & kOffsetMask) == 0) continue;
        if (Status s = add(entry & kOffsetMask, "an L2 table"); !s) return s;
    }
    return Ok{};
}

bool Qcow2::in_metadata(u64 cluster) const {
    const auto next = std::upper_bound(metadata_ranges_.begin(), metadata_ranges_.end(), cluster,
                                       [](u64 c, const auto& range) { return c < range.first; });
    if (next != metadata_ranges_.begin() && cluster < std::prev(next)->second) return true;
    return metadata_.count(cluster) != 0;
}

Error Qcow2::error(std::string_view what) const {
    return Error{named(*file_, what)};
}

Error Qcow2::corrupt(std::string_view what) {
    const Error result = error(fmt::format("damaged qcow2 image: {}; `mynah img check` says more", what));
    if (read_only() || corrupt_) return result;
    corrupt_ = true;
    if (header_.version >= 3) {
        std::vector<u8> bytes(8);
        header_.incompatible |= kCorrupt;
        store_be<u64>(bytes.data(), header_.incompatible);
        if (file_->write(kIncompatibleField, bytes)) (void)file_->flush().ok();
    }
    return result;
}

u64 Qcow2::size() const {
    return align_up(header_.size, 512);
}

Result<Table*> Qcow2::l2_table(u64 l1_index) {
    if (l1_index >= l1_.size()) return static_cast<Table*>(nullptr);
    const u64 offset = l1_[l1_index] & kOffsetMask;
    if (offset == 0) return static_cast<Table*>(nullptr);
    if (offset % cluster_size() != 0) return corrupt(fmt::format("an L2 table at {:#x}", offset));
    // Tables that are new may not have reached the file.
    if (offset >= file_->size() && metadata_.count(offset >> cluster_bits()) == 0)
        return corrupt(fmt::format("an L2 table at {:#x}, behind the file's end", offset));
    return l2_.get(offset);
}

Status Qcow2::check_entry(u64 entry) {
    if (entry & kCompressed) {
        const CompressedPlace place = compressed_place(entry);
        if (place.offset >= file_->size())
            return corrupt(fmt::format("a compressed cluster at {:#x}, behind the file's end", place.offset));
        return Ok{};
    }
    const u64 offset = entry & kOffsetMask;
    if (offset % cluster_size() != 0) return corrupt(fmt::format("a cluster at {:#x}", offset));
    if (offset != 0 && offset >= align_up(file_->size(), cluster_size()))
        return corrupt(fmt::format("a cluster at {:#x}, behind the file's end", offset));
    return Ok{};
}

Result<u64> Qcow2::l2_entry(u64 offset) {
    auto table = l2_table(offset / header_.l2_span());
    if (!table) return table.error();
    if (*table == nullptr) return u64{0};
    return (*table)->entry(offset / cluster_size() % header_.l2_entries());
}

Result<Qcow2::Extent> Qcow2::find(u64 offset, u64 bytes) {
    const u64 within = offset % cluster_size();
    Extent e;
    auto table = l2_table(offset / header_.l2_span());
    if (!table) return table.error();
    // Not beyond what one L2 table maps.
    bytes = std::min(bytes, header_.l2_span() - offset % header_.l2_span());
    if (*table == nullptr) {
        e.bytes = bytes;
        return e;
    }
    const auto classify = [this](u64 entry) {
        if (entry & kCompressed) return Kind::compressed;
        if ((entry & kZero) != 0 && header_.version >= 3) return Kind::zero;
        return (entry & kOffsetMask) == 0 ? Kind::absent : Kind::data;
    };
    u64 index = offset / cluster_size() % header_.l2_entries();
    e.entry = (*table)->entry(index);
    e.kind = classify(e.entry);
    if (Status s = check_entry(e.entry); !s) return s.error();
    e.host = (e.entry & kOffsetMask) + within;
    e.bytes = std::min(bytes, cluster_size() - within);
    if (e.kind == Kind::compressed) return e;
    while (e.bytes < bytes) {
        const u64 next = (*table)->entry(++index);
        if (classify(next) != e.kind) break;
        if (e.kind == Kind::data && (next & kOffsetMask) != e.host + e.bytes) break;
        if (((next ^ e.entry) & kCopied) != 0 || !check_entry(next)) break;
        e.bytes += std::min(bytes - e.bytes, cluster_size());
    }
    return e;
}

Status Qcow2::read_backing(u64 offset, std::span<u8> out) {
    const u64 end = backing_ ? backing_->size() : 0;
    const u64 n = offset >= end ? 0 : std::min<u64>(out.size(), end - offset);
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(n), out.end(), u8{0});
    return n == 0 ? Status(Ok{}) : backing_->read(offset, out.first(n));
}

Status Qcow2::read(u64 offset, std::span<u8> out) {
    while (!out.empty()) {
        const auto e = find(offset, out.size());
        if (!e) return e.error();
        const std::span<u8> part = out.first(e->bytes);
        Status s = Ok{};
        switch (e->kind) {
            case Kind::absent:
                s = read_backing(offset, part);
                break;
            case Kind::zero:
                std::fill(part.begin(), part.end(), u8{0});
                break;
            case Kind::data:
                s = file_->read(e->host, part);
                break;
            case Kind::compressed:
                s = read_compressed(e->entry, offset % cluster_size(), part);
                break;
        }
        if (!s) return s;
        offset += part.size();
        out = out.subspan(part.size());
    }
    return Ok{};
}

u64 Qcow2::zeroes_at(u64 offset) {
    u64 n = 0;
    while (offset + n < size() && n < GiB) {
        const auto e = find(offset + n, size() - offset - n);
        if (!e) break;
        if (e->kind == Kind::absent && backing_) {
            const u64 end = backing_->size();
            const u64 zeroes =
                offset + n >= end ? e->bytes : std::min(backing_->zeroes_at(offset + n), e->bytes);
            n += zeroes;
            if (zeroes < e->bytes) break;
        } else if (e->kind == Kind::absent || e->kind == Kind::zero) {
            n += e->bytes;
        } else {
            break;
        }
    }
    return n;
}

}  // namespace mynah
