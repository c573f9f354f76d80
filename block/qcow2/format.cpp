#include "block/qcow2/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/bits.h"
#include "block/qcow2/big_endian.h"

namespace mynah::qcow2 {

namespace {

constexpr u8 kMagic[4] = {'Q', 'F', 'I', 0xFB};
constexpr u32 kV2Length = 72, kV3Length = 104, kOurLength = 112;
constexpr u32 kBackingFormat = 0xE2792ACA;
constexpr u32 kFeatureNames = 0x6803F857;
constexpr u32 kBitmaps = 0x23852875;

Error damaged(std::string_view what) {
    return Error{fmt::format("damaged qcow2 image: {}", what)};
}

bool lies_in(u64 offset, u64 bytes, u64 end) {
    return offset <= end && bytes <= end - offset;
}

// Why an image cannot be read because of its incompatible features; empty: it can.
std::string refused(u64 incompatible) {
    if (incompatible & kDataFile) return "its data is in an external file, which is not supported";
    if (incompatible & kExtendedL2) return "it has subclusters (extended_l2), which are not supported";
    const u64 known = kDirty | kCorrupt | kOtherCompression;
    if (incompatible & ~known)
        return fmt::format("it has unknown incompatible features ({:#x})", incompatible & ~known);
    return {};
}

Status parse_extensions(std::span<const u8> bytes, size_t at, size_t end, Header& h) {
    while (lies_in(at, 8, end)) {
        const u32 type = load_be<u32>(&bytes[at]);
        const u32 length = load_be<u32>(&bytes[at + 4]);
        if (type == 0) break;
        at += 8;
        if (!lies_in(at, length, end)) return damaged("a header extension does not fit");
        if (type == kBackingFormat)
            h.backing_format.assign(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                                    bytes.begin() + static_cast<std::ptrdiff_t>(at + length));
        h.bitmaps |= type == kBitmaps;
        at += align_up(size_t{length}, 8);
    }
    return Ok{};
}

Status check_tables(const Header& h, u64 file_size) {
    const u64 cluster = h.cluster_size();
    if (h.l1_entries > kMaxL1Entries) return damaged("its L1 table is too large");
    if (h.l1_entries < h.l1_needed()) return damaged("its L1 table is too small for the disk");
    if (h.l1_entries != 0 && (h.l1_offset % cluster != 0 || h.l1_offset == 0 ||
                              !lies_in(h.l1_offset, u64{h.l1_entries} * 8, file_size)))
        return damaged("its L1 table is not in the file");
    const u64 table = u64{h.refcount_table_clusters} * cluster;
    if (table == 0 || table > kMaxRefcountTable) return damaged("the size of its refcount table is wrong");
    if (h.refcount_table_offset % cluster != 0 || h.refcount_table_offset == 0 ||
        !lies_in(h.refcount_table_offset, table, align_up(file_size, cluster)))
        return damaged("its refcount table is not in the file");
    if (h.snapshot_count > kMaxSnapshots) return damaged("it has too many snapshots");
    if (h.snapshot_count != 0 && (h.snapshots_offset % cluster != 0 || h.snapshots_offset == 0 ||
                                  !lies_in(h.snapshots_offset, u64{h.snapshot_count} * 40, file_size)))
        return damaged("its snapshot table is not in the file");
    return Ok{};
}

}  // namespace

bool is_magic(std::span<const u8> start) {
    return start.size() >= 4 && std::equal(std::begin(kMagic), std::end(kMagic), start.begin());
}

Result<Header> parse_header(std::span<const u8> bytes, u64 file_size) {
    if (!is_magic(bytes)) return Error{"not a qcow2 image"};
    if (bytes.size() < kV2Length) return damaged("its header is cut off");
    Header h;
    h.version = load_be<u32>(&bytes[4]);
    if (h.version != 2 && h.version != 3)
        return Error{fmt::format("qcow version {} is not supported; 2 and 3 are", h.version)};
    const u64 backing_offset = load_be<u64>(&bytes[8]);
    const u32 backing_size = load_be<u32>(&bytes[16]);
    h.cluster_bits = load_be<u32>(&bytes[20]);
    h.size = load_be<u64>(&bytes[24]);
    const u32 encryption = load_be<u32>(&bytes[32]);
    h.l1_entries = load_be<u32>(&bytes[36]);
    h.l1_offset = load_be<u64>(&bytes[40]);
    h.refcount_table_offset = load_be<u64>(&bytes[48]);
    h.refcount_table_clusters = load_be<u32>(&bytes[56]);
    h.snapshot_count = load_be<u32>(&bytes[60]);
    h.snapshots_offset = load_be<u64>(&bytes[64]);

    if (h.cluster_bits < kMinClusterBits || h.cluster_bits > kMaxClusterBits)
        return damaged(fmt::format("cluster size 2^{}", h.cluster_bits));
    if (encryption != 0) return Error{"it is encrypted, which is not supported"};
    if (h.size > u64{1} << 62) return damaged("the disk's size is out of range");
    size_t length = kV2Length;
    if (h.version == 3) {
        if (bytes.size() < kV3Length) return damaged("its header is cut off");
        h.incompatible = load_be<u64>(&bytes[72]);
        h.compatible = load_be<u64>(&bytes[80]);
        h.autoclear = load_be<u64>(&bytes[88]);
        h.refcount_order = load_be<u32>(&bytes[96]);
        length = load_be<u32>(&bytes[100]);
        if (length < kV3Length || length > h.cluster_size() || length > bytes.size())
            return damaged("the length of its header is wrong");
        if (std::string why = refused(h.incompatible); !why.empty()) return Error{why};
        const u8 compression = length > kV3Length ? bytes[104] : u8{0};
        if (compression > 1) return Error{fmt::format("unknown kind of compression ({})", compression)};
        if ((compression != 0) != ((h.incompatible & kOtherCompression) != 0))
            return damaged("its kind of compression contradicts its features");
        h.compression = static_cast<Compression>(compression);
        if (h.refcount_order > 6) return damaged("reference counts of more than 64 bits");
    }

    const size_t head = std::min<u64>(bytes.size(), h.cluster_size());
    size_t extensions_end = head;
    if (backing_offset != 0) {
        if (backing_size > kMaxBackingName || !lies_in(backing_offset, backing_size, head))
            return damaged("the name of its backing file does not fit");
        h.backing_file.assign(bytes.begin() + static_cast<std::ptrdiff_t>(backing_offset),
                              bytes.begin() + static_cast<std::ptrdiff_t>(backing_offset + backing_size));
        if (h.backing_file.find('\0') != std::string::npos)
            return damaged("the name of its backing file has a zero in it");
        if (backing_offset > length) extensions_end = backing_offset;
    }
    if (Status s = parse_extensions(bytes, length, extensions_end, h); !s) return s.error();
    if (Status s = check_tables(h, file_size); !s) return s.error();
    return h;
}

Result<std::vector<u8>> make_header(const Header& h) {
    std::vector<u8> out(h.version == 2 ? kV2Length : kOurLength);
    std::copy(std::begin(kMagic), std::end(kMagic), out.begin());
    store_be<u32>(&out[4], h.version);
    store_be<u32>(&out[20], h.cluster_bits);
    store_be<u64>(&out[24], h.size);
    store_be<u32>(&out[36], h.l1_entries);
    store_be<u64>(&out[40], h.l1_offset);
    store_be<u64>(&out[48], h.refcount_table_offset);
    store_be<u32>(&out[56], h.refcount_table_clusters);
    if (h.version == 3) {
        store_be<u64>(&out[72], h.incompatible);
        store_be<u64>(&out[80], h.compatible);
        store_be<u64>(&out[88], h.autoclear);
        store_be<u32>(&out[96], h.refcount_order);
        store_be<u32>(&out[100], kOurLength);
        out[104] = static_cast<u8>(h.compression);
    }
    const auto extension = [&out](u32 type, std::string_view text) {
        const size_t at = out.size();
        out.resize(at + 8 + align_up(text.size(), 8));
        store_be<u32>(&out[at], type);
        store_be<u32>(&out[at + 4], static_cast<u32>(text.size()));
        std::copy(text.begin(), text.end(), out.begin() + static_cast<std::ptrdiff_t>(at + 8));
    };
    if (!h.backing_format.empty()) extension(kBackingFormat, h.backing_format);
    if (h.version == 3) {
        std::string names;
        const auto name = [&names](u8 kind, u8 bit, std::string text) {
            text.resize(46);
            names += static_cast<char>(kind);
            names += static_cast<char>(bit);
            names += text;
        };
        name(0, 0, "dirty bit");
        name(0, 1, "corrupt bit");
        name(0, 3, "compression type");
        // They are for people; small clusters have no room for them.
        if (out.size() + names.size() + 16 + h.backing_file.size() <= h.cluster_size())
            extension(kFeatureNames, names);
    }
    extension(0, {});
    if (!h.backing_file.empty()) {
        if (h.backing_file.size() > kMaxBackingName ||
            out.size() + h.backing_file.size() > h.cluster_size()) {
            return Error{"the backing file's name is too long for the image's header"};
        }
        store_be<u64>(&out[8], out.size());
        store_be<u32>(&out[16], static_cast<u32>(h.backing_file.size()));
        out.insert(out.end(), h.backing_file.begin(), h.backing_file.end());
    }
    out.resize(h.cluster_size());
    return out;
}

Status parse_snapshots(std::span<const u8> bytes, Header& h) {
    constexpr size_t kFixed = 40;
    size_t at = 0;
    h.snapshots.clear();
    for (u32 i = 0; i < h.snapshot_count; ++i) {
        if (!lies_in(at, kFixed, bytes.size())) return damaged("its snapshot table is cut off");
        const u8* p = &bytes[at];
        Snapshot s;
        s.l1_offset = load_be<u64>(p);
        s.l1_entries = load_be<u32>(p + 8);
        const size_t id = load_be<u16>(p + 12), name = load_be<u16>(p + 14), extra = load_be<u32>(p + 36);
        if (!lies_in(at + kFixed, extra, bytes.size()) ||
            !lies_in(at + kFixed + extra, id + name, bytes.size()))
            return damaged("its snapshot table is cut off");
        const char* text = reinterpret_cast<const char*>(p) + kFixed + extra;
        s.id.assign(text, id);
        s.name.assign(text + id, name);
        if (s.l1_entries > kMaxL1Entries || s.l1_offset % h.cluster_size() != 0)
            return damaged("a snapshot's L1 table is out of range");
        h.snapshots.push_back(std::move(s));
        at = align_up(at + kFixed + extra + id + name, 8);
    }
    h.snapshots_end = h.snapshots_offset + at;
    return Ok{};
}

}  // namespace mynah::qcow2
