// The header of a qcow2 image, versions 2 and 3, as numbers that have been checked.
//
// Source: QEMU's docs/interop/qcow2.txt. All numbers in the file are big-endian.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace mynah::qcow2 {

// Bits of L1 and L2 entries.
inline constexpr u64 kCopied = u64{1} << 63;      // the reference count is exactly 1: write in place
inline constexpr u64 kCompressed = u64{1} << 62;  // L2
inline constexpr u64 kZero = 1;                   // L2, version 3: reads as zeroes
inline constexpr u64 kOffsetMask = 0x00FF'FFFF'FFFF'FE00;
inline constexpr u64 kReservedL2 = 0x3F00'0000'0000'01FE;

// Incompatible features: who does not know one must not touch the image.
inline constexpr u64 kDirty = 1 << 0;    // reference counts may be wrong
inline constexpr u64 kCorrupt = 1 << 1;  // not to be written before a repair
inline constexpr u64 kDataFile = 1 << 2;
inline constexpr u64 kOtherCompression = 1 << 3;
inline constexpr u64 kExtendedL2 = 1 << 4;

// Header fields that are written later, by their offset.
inline constexpr u64 kRefcountTableField = 48;  // u64 offset, u32 clusters
inline constexpr u64 kIncompatibleField = 72;
inline constexpr u64 kAutoclearField = 88;

enum class Compression : u8 { zlib = 0, zstd = 1 };

struct Snapshot {
    u64 l1_offset = 0;
    u32 l1_entries = 0;
    std::string id, name;
};

struct Header {
    u32 version = 3;
    u32 cluster_bits = 16;
    u64 size = 0;  // of the disk, in bytes
    u32 l1_entries = 0;
    u64 l1_offset = 0;
    u64 refcount_table_offset = 0;
    u32 refcount_table_clusters = 0;
    u32 snapshot_count = 0;
    u64 snapshots_offset = 0;
    u64 incompatible = 0, compatible = 0, autoclear = 0;
    u32 refcount_order = 4;  // a count has 1 << refcount_order bits
    Compression compression = Compression::zlib;
    std::string backing_file, backing_format;  // format: empty when the header does not say
    bool bitmaps = false;                      // there are some; they are left alone

    // Read separately, by read_snapshots().
    std::vector<Snapshot> snapshots;
    u64 snapshots_end = 0;

    u64 cluster_size() const { return u64{1} << cluster_bits; }
    u64 l2_entries() const { return cluster_size() / 8; }
    u64 refcounts_per_block() const { return cluster_size() * 8 >> refcount_order; }
    // Bytes of the disk that one L2 table maps.
    u64 l2_span() const { return cluster_size() * l2_entries(); }
    u64 l1_needed() const { return size / l2_span() + (size % l2_span() != 0); }
};

// Limits that QEMU has too; images beyond them are refused.
inline constexpr u32 kMaxL1Entries = 4 << 20;
inline constexpr u64 kMaxRefcountTable = 8 * MiB;
inline constexpr u32 kMaxSnapshots = 65536;
inline constexpr u32 kMinClusterBits = 9, kMaxClusterBits = 21;
inline constexpr size_t kMaxBackingName = 1023;

bool is_magic(std::span<const u8> start);

// `bytes`: the file's first cluster, or all of a shorter file (at least what there is of 2 MiB).
// Error: not qcow2, damaged, or features that are not known; without the file's name.
Result<Header> parse_header(std::span<const u8> bytes, u64 file_size);
// One cluster.
Result<std::vector<u8>> make_header(const Header& header);
// `bytes`: the snapshot table and what follows. Error: damaged.
Status parse_snapshots(std::span<const u8> bytes, Header& header);

}  // namespace mynah::qcow2
