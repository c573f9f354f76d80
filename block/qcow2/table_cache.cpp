#include "block/qcow2/table_cache.h"

#include <algorithm>

#include "base/bits.h"
#include "block/qcow2/big_endian.h"

namespace mynah::qcow2 {

u64 Table::entry(u64 index) const {
    return load_be<u64>(&bytes_[index * 8]);
}

void Table::set_entry(u64 index, u64 value) {
    store_be<u64>(&bytes_[index * 8], value);
    touched(index * 8, index * 8 + 8);
}

u64 Table::count(u64 index, u32 order) const {
    switch (order) {
        case 3:
            return bytes_[index];
        case 4:
            return load_be<u16>(&bytes_[index * 2]);
        case 5:
            return load_be<u32>(&bytes_[index * 4]);
        case 6:
            return load_be<u64>(&bytes_[index * 8]);
        default: {
            const u64 bit = index << order;
            return bytes_[bit / 8] >> bit % 8 & ((1u << (1u << order)) - 1);
        }
    }
}

void Table::set_count(u64 index, u32 order, u64 value) {
    switch (order) {
        case 3:
            bytes_[index] = static_cast<u8>(value);
            break;
        case 4:
            store_be<u16>(&bytes_[index * 2], static_cast<u16>(value));
            break;
        case 5:
            store_be<u32>(&bytes_[index * 4], static_cast<u32>(value));
            break;
        case 6:
            store_be<u64>(&bytes_[index * 8], value);
            break;
        default: {
            const u64 at = index << order;
            const u32 mask = ((1u << (1u << order)) - 1) << at % 8;
            bytes_[at / 8] = static_cast<u8>((bytes_[at / 8] & ~mask) | (value << at % 8 & mask));
        }
    }
    const u64 first = (index << order) / 8;
    touched(first, first + std::max<u64>((u64{1} << order) / 8, 1));
}

void Table::replace(std::vector<u8> bytes) {
    bytes_ = std::move(bytes);
    touched(0, bytes_.size());
}

void Table::touched(u64 begin, u64 end) {
    dirty_begin_ = dirty() ? std::min(dirty_begin_, begin) : begin;
    dirty_end_ = std::max(dirty_end_, end);
}

TableCache::TableCache(ImageFile& file, u64 table_bytes, u64 bytes)
    : file_(file), table_bytes_(table_bytes), limit_(std::max<size_t>(bytes / table_bytes, 8)) {}

void TableCache::make_room() {
    for (auto it = tables_.begin(); it != tables_.end() && tables_.size() >= limit_;) {
        if (it->dirty()) {
            ++it;
            continue;
        }
        by_offset_.erase(it->offset());
        it = tables_.erase(it);
    }
}

Result<Table*> TableCache::get(u64 offset) {
    if (const auto found = by_offset_.find(offset); found != by_offset_.end()) {
        tables_.splice(tables_.end(), tables_, found->second);
        return &*found->second;
    }
    make_room();
    Table table(offset, table_bytes_);
    if (Status s = file_.read(offset, table.bytes_); !s) return s.error();
    tables_.push_back(std::move(table));
    by_offset_[offset] = std::prev(tables_.end());
    return &tables_.back();
}

Table& TableCache::add(u64 offset) {
    drop(offset);
    make_room();
    tables_.emplace_back(offset, table_bytes_);
    by_offset_[offset] = std::prev(tables_.end());
    tables_.back().touched(0, table_bytes_);
    changed(tables_.back());
    return tables_.back();
}

void TableCache::drop(u64 offset) {
    const auto found = by_offset_.find(offset);
    if (found == by_offset_.end()) return;
    dirty_.erase(offset);
    tables_.erase(found->second);
    by_offset_.erase(found);
}

void TableCache::changed(Table& table) {
    dirty_[table.offset()] = &table;
}

Status TableCache::write_back() {
    // In the order of the file.
    std::vector<Table*> order;
    for (const auto& [offset, table] : dirty_) order.push_back(table);
    std::sort(order.begin(), order.end(), [](Table* a, Table* b) { return a->offset() < b->offset(); });
    for (Table* t : order) {
        // Sectors reach the storage whole.
        const u64 begin = align_down(t->dirty_begin_, 512), end = align_up(t->dirty_end_, 512);
        if (Status s = file_.write(t->offset() + begin, std::span(t->bytes_).subspan(begin, end - begin)); !s)
            return s;
        t->dirty_begin_ = t->dirty_end_ = 0;
        dirty_.erase(t->offset());
    }
    return Ok{};
}

}  // namespace mynah::qcow2
