// A qcow2 image as a medium: versions 2 and 3, backing files, zero and compressed clusters, discard.
//
// What keeps the file right whenever the host dies: data goes to the file at once; metadata stays in memory
// until flush() (or until there is much of it) and goes in the order in which it leans on each other, with a
// flush of the file in between: reference counts, then L2 tables, then the L1 table. Clusters that are given
// up are not used again before the tables that pointed to them have reached the file. So at any moment the
// worst is a cluster that is counted but not used.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <unordered_set>
#include <vector>

#include "block/disk_image.h"
#include "block/image_file.h"
#include "block/qcow2/format.h"
#include "block/qcow2/table_cache.h"

namespace mynah {

class Qcow2 final : public DiskImage {
  public:
    struct CheckResult {
        u64 corruptions = 0, leaks = 0;
        u64 corruptions_fixed = 0, leaks_fixed = 0;
        u64 allocated_clusters = 0, compressed_clusters = 0, total_clusters = 0;
        u64 image_end = 0;                 // behind the last cluster in use
        std::vector<std::string> details;  // the first of them, one line each
    };
    enum class Repair : u8 { no, leaks, all };

    // Reads the header alone; open() goes on from there. Error: not qcow2, damaged, unsupported; one line
    // with the file's name.
    static Result<qcow2::Header> read_header(ImageFile& file);
    // `backing`: of header.backing_file, opened; null: none. An image marked as corrupt or found damaged
    // opens for reading only. `repairing`: opens it nevertheless, for check() alone.
    static Result<std::unique_ptr<Qcow2>> open(std::unique_ptr<ImageFile> file, qcow2::Header header,
                                               std::unique_ptr<DiskImage> backing, bool repairing = false);
    // An empty image of header.size bytes in an empty file; version, cluster_bits, refcount_order,
    // compression and the backing file's names are as in `header`.
    static Status create(ImageFile& file, qcow2::Header header);
    ~Qcow2() override;

    const char* format() const override { return "qcow2"; }
    u64 size() const override;
    bool read_only() const override { return file_->read_only(); }
    Status read(u64 offset, std::span<u8> out) override;
    Status write(u64 offset, std::span<const u8> data) override;
    Status flush() override;
    Status discard(u64 offset, u64 bytes) override;
    u64 zeroes_at(u64 offset) override;
    // Reads as zeroes afterwards, all of it.
    Status write_zeroes(u64 offset, u64 bytes);
    // A whole cluster (the disk's last may be shorter) that was never written. False: it does not get
    // smaller, nothing happened.
    Result<bool> write_compressed(u64 offset, std::span<const u8> data);

    // Compares all references with the counts. Error: a table that cannot be read.
    Result<CheckResult> check(Repair repair);

    const qcow2::Header& header() const { return header_; }

  private:
    using Header = qcow2::Header;
    using Table = qcow2::Table;

    // Where a stretch of the disk is.
    enum class Kind : u8 { absent, zero, data, compressed };
    struct Extent {
        Kind kind = Kind::absent;
        u64 entry = 0;  // L2
        u64 host = 0;   // data: file offset of the byte asked for
        u64 bytes = 0;  // how far this goes
    };

    Qcow2(std::unique_ptr<ImageFile> file, Header header, std::unique_ptr<DiskImage> backing);
    Status load(bool repairing);
    Status load_metadata_map();
    void find_metadata_ranges();

    // --- qcow2.cpp: reading ---
    Result<Table*> l2_table(u64 l1_index);  // null: there is none
    Result<u64> l2_entry(u64 offset);
    Result<Extent> find(u64 offset, u64 bytes);
    Status check_entry(u64 entry);
    Status read_backing(u64 offset, std::span<u8> out);
    Status read_compressed(u64 entry, u64 within, std::span<u8> out);
    u64 cluster_bits() const { return header_.cluster_bits; }
    u64 cluster_size() const { return header_.cluster_size(); }

    // --- write.cpp ---
    Result<Table*> l2_for_write(u64 offset);
    Status set_entry(u64 offset, u64 entry);
    Status write_new_cluster(u64 offset, std::span<const u8> data, u64 old_entry);
    // Gives up what an entry refers to, once nothing in the file does.
    Status give_up(u64 entry);
    // A whole cluster. False: not without writing zeroes.
    Result<bool> zero_cluster(u64 offset);
    Status relieve();
    Status commit();
    Status writable() const;

    // --- refcounts.cpp ---
    Result<Table*> refcount_block(u64 cluster, bool make);  // null: there is none
    Result<u64> refcount(u64 cluster);
    Status set_refcount(u64 cluster, u64 count);
    Status add_reference(u64 cluster);
    Result<u64> drop_reference(u64 cluster);  // what is left
    Status drop_given_up();
    Status release(u64 host);  // what allocate() gave and nothing refers to
    // A number of free clusters in a row; offset in the file. They are counted as used.
    Result<u64> allocate(u64 clusters = 1);
    bool refcount_table_moves() const;
    Status place_refcount_table();
    Status write_refcount_table();

    // --- compressed.cpp ---
    struct CompressedPlace {
        u64 offset, bytes;
    };
    CompressedPlace compressed_place(u64 entry) const;

    // --- check.cpp ---
    class Checker;

    bool in_metadata(u64 cluster) const;
    Error error(std::string_view what) const;
    // Says what is wrong with the image, and writes that it is into it.
    Error corrupt(std::string_view what);

    std::unique_ptr<ImageFile> file_;
    Header header_;
    std::unique_ptr<DiskImage> backing_;
    std::vector<u64> l1_;
    std::set<u64> dirty_l1_;
    qcow2::TableCache l2_;
    std::vector<u64> refcount_table_;
    std::set<u64> dirty_refcount_table_;
    // Where it goes because it has outgrown its place; no clusters: it has not.
    u64 next_table_offset_ = 0, next_table_clusters_ = 0;
    qcow2::TableCache refcounts_;
    // Clusters that no data may be written to, by number: tables alone and in ranges [first, second).
    std::unordered_set<u64> metadata_;
    std::vector<std::pair<u64, u64>> metadata_ranges_;  // sorted, apart
    // Clusters, and how often, whose counts go down with the next commit.
    std::vector<u64> given_up_;
    u64 free_hint_ = 0;       // no free cluster is below
    u64 compressed_end_ = 0;  // where write_compressed() goes on; 0: in a new cluster
    bool corrupt_ = false;
    // The last decompressed cluster.
    u64 decompressed_entry_ = 0;
    std::vector<u8> decompressed_;
};

}  // namespace mynah
