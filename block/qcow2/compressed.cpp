// Compressed clusters: raw deflate or Zstandard, packed at any byte.
#include <fmt/format.h>

#include <algorithm>

#include "base/bits.h"
#include "block/qcow2/deflate.h"
#include "block/qcow2/qcow2.h"

namespace mynah {

using namespace qcow2;

// The entry's low bits are the offset, the rest the number of sectors behind the first (qcow2.txt,
// "Compressed Clusters Descriptor").
Qcow2::CompressedPlace Qcow2::compressed_place(u64 entry) const {
    const u32 split = 62 - (header_.cluster_bits - 8);
    const u64 offset = bits(entry, split - 1, 0);
    const u64 sectors = bits(entry, 61, split) + 1;
    return {offset, sectors * 512 - offset % 512};
}

Status Qcow2::read_compressed(u64 entry, u64 within, std::span<u8> out) {
    if (decompressed_entry_ != entry || decompressed_.empty()) {
        const CompressedPlace place = compressed_place(entry);
        std::vector<u8> packed(place.bytes), content(cluster_size());
        if (Status s = file_->read(place.offset, packed); !s) return s;
        decompressed_.clear();
        if (Status s = unpack(header_.compression, packed, content); !s)
            return error(fmt::format("a compressed cluster at {:#x}: {}", place.offset, s.error().message));
        decompressed_ = std::move(content);
        decompressed_entry_ = entry;
    }
    std::copy_n(decompressed_.begin() + static_cast<std::ptrdiff_t>(within), out.size(), out.begin());
    return Ok{};
}

Result<bool> Qcow2::write_compressed(u64 offset, std::span<const u8> data) {
    if (Status s = writable(); !s) return s.error();
    if (Status s = relieve(); !s) return s.error();
    const auto old = l2_entry(offset);
    if (!old) return old.error();
    if (offset % cluster_size() != 0 || data.size() > cluster_size() || *old != 0)
        return error("only clusters that were never written can be compressed");
    std::vector<u8> content(data.begin(), data.end());
    content.resize(cluster_size());
    auto packed = pack(header_.compression, content);
    if (!packed) return packed.error();
    if (packed->empty()) return false;

    // Behind the last one, if that has room in its cluster, or the next cluster is free as well.
    u64 place = compressed_end_;
    const u64 room = place == 0 ? 0 : cluster_size() - place % cluster_size();
    const bool shares = room != 0 && add_reference(place >> cluster_bits()).ok();
    if (!shares || room < packed->size()) {
        const auto fresh = allocate();
        if (!fresh) return fresh.error();
        if (shares && *fresh != place + room) {
            if (auto left = drop_reference(place >> cluster_bits()); !left) return left.error();
        }
        if (!shares || *fresh != place + room) place = *fresh;
    }
    const u64 sectors = (place + packed->size() - 1) / 512 - place / 512;
    compressed_end_ = place + packed->size();
    if (compressed_end_ % cluster_size() == 0) compressed_end_ = 0;
    // Whole sectors are there for who reads them.
    packed->resize(packed->size() + align_up(place + packed->size(), 512) - (place + packed->size()));
    if (Status s = file_->write(place, *packed); !s) return s.error();
    decompressed_.clear();
    const u32 split = 62 - (header_.cluster_bits - 8);
    if (Status s = set_entry(offset, kCompressed | sectors << split | place); !s) return s.error();
    return true;
}

}  // namespace mynah
