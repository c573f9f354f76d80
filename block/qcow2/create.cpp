// Empty images.
#include <fmt/format.h>

#include "base/bits.h"
#include "block/qcow2/big_endian.h"
#include "block/qcow2/qcow2.h"

namespace mynah {

using namespace qcow2;

// Header, refcount table, its blocks, L1 table, in this order.
Status Qcow2::create(ImageFile& file, Header h) {
    const u64 cluster = h.cluster_size();
    if (h.l1_needed() > kMaxL1Entries) {
        return Error{fmt::format(
            "\"{}\": a disk of {} bytes needs larger clusters; give cluster_size=", file.name(), h.size)};
    }
    const auto clusters_for = [cluster](u64 bytes) { return (bytes + cluster - 1) / cluster; };
    h.l1_entries = static_cast<u32>(h.l1_needed());
    const u64 l1 = clusters_for(u64{h.l1_entries} * 8);
    u64 blocks = 1, table = 1;
    for (;;) {
        const u64 all = 1 + table + blocks + l1;
        const u64 more = (all + h.refcounts_per_block() - 1) / h.refcounts_per_block();
        if (more == blocks && clusters_for(blocks * 8) == table) break;
        blocks = std::max(more, blocks);
        table = clusters_for(blocks * 8);
    }
    h.refcount_table_offset = cluster;
    h.refcount_table_clusters = static_cast<u32>(table);
    h.l1_offset = l1 == 0 ? 0 : (1 + table + blocks) * cluster;
    if (h.compression != Compression::zlib) h.incompatible |= kOtherCompression;

    auto head = make_header(h);
    if (!head) return Error{fmt::format("\"{}\": {}", file.name(), head.error().message)};
    const u64 all = 1 + table + blocks + l1;
    std::vector<u8> bytes(table * cluster);
    for (u64 i = 0; i < blocks; ++i) store_be<u64>(&bytes[i * 8], (1 + table + i) * cluster);
    if (Status s = file.write(cluster, bytes); !s) return s;
    for (u64 i = 0, n = 0; i < blocks; ++i) {
        Table counts(0, cluster);
        for (u64 j = 0; j < h.refcounts_per_block() && n < all; ++j, ++n)
            counts.set_count(j, h.refcount_order, 1);
        if (Status s = file.write((1 + table + i) * cluster, counts.bytes()); !s) return s;
    }
    if (Status s = file.resize(all * cluster); !s) return s;
    // What has no header is no image.
    if (Status s = file.flush(); !s) return s;
    if (Status s = file.write(0, *head); !s) return s;
    return file.flush();
}

}  // namespace mynah
