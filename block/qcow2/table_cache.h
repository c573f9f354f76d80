// Tables of one cluster each (L2 tables, blocks of reference counts), held in memory as they are in the file.
//
// Changed ones stay until write_back(): when they reach the file is the image's business. Unchanged ones go
// when there are more than fit.
#pragma once

#include <list>
#include <unordered_map>
#include <vector>

#include "block/image_file.h"

namespace mynah::qcow2 {

class Table {
  public:
    Table(u64 offset, size_t bytes) : offset_(offset), bytes_(bytes) {}

    u64 offset() const { return offset_; }  // in the file
    const std::vector<u8>& bytes() const { return bytes_; }
    u64 entry(u64 index) const;  // 64 bits
    void set_entry(u64 index, u64 value);
    // Of `1 << order` bits.
    u64 count(u64 index, u32 order) const;
    void set_count(u64 index, u32 order, u64 value);
    void replace(std::vector<u8> bytes);  // all of it changed

    bool dirty() const { return dirty_end_ != 0; }

  private:
    friend class TableCache;
    void touched(u64 begin, u64 end);

    u64 offset_;
    std::vector<u8> bytes_;
    u64 dirty_begin_ = 0, dirty_end_ = 0;
};

class TableCache {
  public:
    // About `bytes` of memory, but for changed tables.
    TableCache(ImageFile& file, u64 table_bytes, u64 bytes);

    // Valid until the next get() or add(). Error: the host's.
    Result<Table*> get(u64 offset);
    // A new table, all zeroes and changed: what the file has there does not matter.
    Table& add(u64 offset);
    // Forgets a table, changed or not.
    void drop(u64 offset);

    size_t dirty_tables() const { return dirty_.size(); }
    // So many that somebody should write them back.
    bool crowded() const { return dirty_.size() * 2 >= limit_; }
    // Call after a change.
    void changed(Table& table);
    Status write_back();

  private:
    using Order = std::list<Table>;  // least recently used first

    void make_room();

    ImageFile& file_;
    u64 table_bytes_;
    size_t limit_;
    Order tables_;
    std::unordered_map<u64, Order::iterator> by_offset_;
    std::unordered_map<u64, Table*> dirty_;
};

}  // namespace mynah::qcow2
