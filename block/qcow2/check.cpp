// All references of an image against its reference counts.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/bits.h"
#include "block/qcow2/big_endian.h"
#include "block/qcow2/qcow2.h"

namespace mynah {

using namespace qcow2;

class Qcow2::Checker {
  public:
    Checker(Qcow2& image, Repair repair)
        : q_(image), repair_(repair), end_(align_up(q_.file_->size(), q_.cluster_size())) {}

    Result<CheckResult> run() {
        if (q_.header_.bitmaps) note("it has bitmaps, whose clusters are not looked at: leaks are not told");
        fixed_tables();
        collect_l1(q_.l1_, true);
        for (const Snapshot& s : q_.header_.snapshots) {
            std::vector<u8> bytes(u64{s.l1_entries} * 8);
            if (Status status = q_.file_->read(s.l1_offset, bytes); !status) return status.error();
            std::vector<u64> l1(s.l1_entries);
            for (size_t i = 0; i < l1.size(); ++i) l1[i] = load_be<u64>(&bytes[i * 8]);
            collect_l1(l1, false);
        }
        for (const auto& [offset, table] : l2_tables_) {
            if (Status s = count_l2(offset, table); !s) return s.error();
        }
        if (Status s = compare(); !s) return s.error();
        if (Status s = check_copied(); !s) return s.error();
        r_.total_clusters = (q_.header_.size + q_.cluster_size() - 1) >> q_.cluster_bits();
        if (repair_ != Repair::no) {
            if (Status s = finish_repair(); !s) return s.error();
        }
        return r_;
    }

  private:
    struct L2Table {
        u64 references = 0;
        bool active = false;
    };
    static constexpr u64 kPage = 1024;

    template <class... T>
    void corruption(bool fixed, fmt::format_string<T...> text, T&&... arguments) {
        ++r_.corruptions;
        r_.corruptions_fixed += fixed;
        note((fixed ? "repaired: " : "ERROR ") + fmt::format(text, std::forward<T>(arguments)...));
    }
    void note(std::string line) {
        constexpr size_t kMost = 100;
        if (r_.details.size() < kMost)
            r_.details.push_back(std::move(line));
        else if (r_.details.size() == kMost)
            r_.details.emplace_back("and more");
    }

    // False: not in the file.
    bool refer(u64 offset, u64 bytes, u64 times, const char* what) {
        if (bytes == 0) return true;
        if (offset > end_ || bytes > end_ - offset) {
            corruption(false, "{} at {:#x} is behind the file's end", what, offset);
            return false;
        }
        for (u64 c = offset >> q_.cluster_bits(); c <= (offset + bytes - 1) >> q_.cluster_bits(); ++c) {
            auto& page = references_[c / kPage];
            if (page.empty()) page.resize(kPage);
            page[c % kPage] += times;
            r_.image_end = std::max(r_.image_end, (c + 1) << q_.cluster_bits());
        }
        return true;
    }
    u64 references(u64 cluster) const {
        const auto found = references_.find(cluster / kPage);
        return found == references_.end() ? 0 : found->second[cluster % kPage];
    }

    void fixed_tables() {
        const Header& h = q_.header_;
        const u64 cluster = q_.cluster_size();
        refer(0, cluster, 1, "the header");
        refer(h.l1_offset, u64{h.l1_entries} * 8, 1, "the L1 table");
        refer(h.refcount_table_offset, u64{h.refcount_table_clusters} * cluster, 1, "the refcount table");
        if (h.snapshot_count != 0)
            refer(h.snapshots_offset, h.snapshots_end - h.snapshots_offset, 1, "the snapshot table");
        for (const Snapshot& s : h.snapshots)
            refer(s.l1_offset, u64{s.l1_entries} * 8, 1, "a snapshot's L1 table");
        for (size_t i = 0; i < q_.refcount_table_.size(); ++i) {
            const u64 offset = q_.refcount_table_[i];
            if (offset == 0) continue;
            if (offset % cluster != 0) {
                corruption(false, "block {} of reference counts at {:#x}", i, offset);
            } else if (refer(offset, cluster, 1, "a block of reference counts")) {
                blocks_[i] = offset;
            }
        }
    }

    void collect_l1(const std::vector<u64>& l1, bool active) {
        for (const u64 entry : l1) {
            const u64 offset = entry & kOffsetMask;
            if (offset == 0) continue;
            if (offset % q_.cluster_size() != 0) {
                corruption(false, "an L2 table at {:#x}", offset);
                continue;
            }
            if (!refer(offset, q_.cluster_size(), 1, "an L2 table")) continue;
            L2Table& table = l2_tables_[offset];
            ++table.references;
            table.active |= active;
        }
    }

    Status count_l2(u64 offset, const L2Table& l2) {
        const auto table = q_.l2_.get(offset);
        if (!table) return table.error();
        for (u64 i = 0; i < q_.header_.l2_entries(); ++i) {
            const u64 entry = (*table)->entry(i);
            if (entry == 0) continue;
            if (entry & kCompressed) {
                const CompressedPlace place = q_.compressed_place(entry);
                // The last sectors of a file need not be there.
                if (refer(place.offset, place.bytes, l2.references, "a compressed cluster") && l2.active)
                    ++r_.compressed_clusters, ++r_.allocated_clusters;
                if (entry & kCopied)
                    corruption(false, "a compressed cluster at {:#x} is marked as to be written in place",
                               place.offset);
                continue;
            }
            const u64 data = entry & kOffsetMask;
            if (data == 0) continue;
            if (data % q_.cluster_size() != 0) {
                corruption(false, "a cluster at {:#x}", data);
            } else if (refer(data, q_.cluster_size(), l2.references, "a cluster") && l2.active) {
                ++r_.allocated_clusters;
            }
        }
        return Ok{};
    }

    Status compare() {
        const u64 per_block = q_.header_.refcounts_per_block();
        for (const auto& [index, offset] : blocks_) {
            for (u64 i = 0; i < per_block; ++i) {
                const u64 cluster = index * per_block + i;
                const auto counted = q_.refcount(cluster);
                if (!counted) return counted.error();
                if (Status s = compare(cluster, *counted); !s) return s;
            }
        }
        // Pages of references in the order of the file; what has no block is counted as free.
        std::map<u64, const std::vector<u64>*> pages;
        for (const auto& [number, page] : references_) pages[number] = &page;
        for (const auto& [number, page] : pages) {
            for (u64 i = 0; i < kPage; ++i) {
                const u64 cluster = number * kPage + i;
                if ((*page)[i] == 0 || blocks_.count(cluster / per_block) != 0) continue;
                if (Status s = compare(cluster, 0); !s) return s;
            }
        }
        return Ok{};
    }

    Status compare(u64 cluster, u64 counted) {
        const u64 used = references(cluster);
        if (counted == used) return Ok{};
        const u64 at = cluster << q_.cluster_bits();
        if (counted > used && q_.header_.bitmaps) return Ok{};
        // A new block of counts could come to lie on something that is in use.
        const bool can = !q_.corrupt_ && blocks_.count(cluster / q_.header_.refcounts_per_block()) != 0 &&
                         used <= ~u64{0} >> (64 - (u64{1} << q_.header_.refcount_order));
        const bool fixes = can && (counted > used ? repair_ != Repair::no : repair_ == Repair::all);
        if (fixes) {
            if (Status s = q_.set_refcount(cluster, used); !s) return s;
        }
        if (counted > used) {
            ++r_.leaks;
            r_.leaks_fixed += fixes;
            note(fmt::format("{}cluster at {:#x}: counted {}, used {}", fixes ? "repaired: " : "leaked ", at,
                             counted, used));
        } else {
            corruption(fixes, "cluster at {:#x}: counted {}, used {}", at, counted, used);
        }
        return Ok{};
    }

    // The mark says that the count is 1.
    Status check_copied() {
        const bool fixes = repair_ == Repair::all && !q_.corrupt_;
        for (size_t i = 0; i < q_.l1_.size(); ++i) {
            const u64 offset = q_.l1_[i] & kOffsetMask;
            const auto known = l2_tables_.find(offset);
            if (offset == 0 || known == l2_tables_.end()) continue;
            const bool sole = references(offset >> q_.cluster_bits()) == 1;
            if (sole != ((q_.l1_[i] & kCopied) != 0)) {
                corruption(fixes, "the L2 table at {:#x}: its mark contradicts its count", offset);
                if (fixes) {
                    q_.l1_[i] ^= kCopied;
                    q_.dirty_l1_.insert(i);
                }
            }
        }
        for (const auto& [offset, l2] : l2_tables_) {
            if (!l2.active) continue;
            const auto table = q_.l2_.get(offset);
            if (!table) return table.error();
            for (u64 i = 0; i < q_.header_.l2_entries(); ++i) {
                const u64 entry = (*table)->entry(i), data = entry & kOffsetMask;
                if ((entry & kCompressed) || data == 0 || data % q_.cluster_size() != 0) continue;
                const u64 used = references(data >> q_.cluster_bits());
                if (used == 0 || (used == 1) == ((entry & kCopied) != 0)) continue;
                corruption(fixes, "the cluster at {:#x}: its mark contradicts its count", data);
                if (fixes) {
                    (*table)->set_entry(i, entry ^ kCopied);
                    q_.l2_.changed(**table);
                }
            }
        }
        return Ok{};
    }

    Status finish_repair() {
        if (q_.corrupt_) return Ok{};
        if (Status s = q_.commit(); !s) return s;
        q_.free_hint_ = 0;
        const u64 marks = q_.header_.incompatible & (kDirty | kCorrupt);
        if (repair_ != Repair::all || r_.corruptions != r_.corruptions_fixed || marks == 0) return Ok{};
        q_.header_.incompatible &= ~marks;
        std::vector<u8> bytes(8);
        store_be<u64>(bytes.data(), q_.header_.incompatible);
        if (Status s = q_.file_->write(kIncompatibleField, bytes); !s) return s;
        return q_.file_->flush();
    }

    Qcow2& q_;
    Repair repair_;
    u64 end_;
    CheckResult r_;
    std::unordered_map<u64, std::vector<u64>> references_;  // pages of clusters
    std::map<u64, L2Table> l2_tables_;
    std::map<u64, u64> blocks_;  // of reference counts: place in the table, offset
};

Result<Qcow2::CheckResult> Qcow2::check(Repair repair) {
    if (repair != Repair::no && read_only()) return error("it is open for reading only");
    // What is in memory belongs to what is looked at.
    if (!read_only() && !corrupt_) {
        if (Status s = commit(); !s) return s.error();
        if (Status s = commit(); !s) return s.error();
    }
    return Checker(*this, repair).run();
}

}  // namespace mynah
