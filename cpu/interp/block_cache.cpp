#include "cpu/interp/block_cache.h"

#include <algorithm>

#include "cpu/decoder.h"
#include "cpu/interp/select.h"

namespace mynah {

BlockCache::BlockCache(Core& core, PhysicalMap& memory)
    : core_(core),
      memory_(memory),
      entries_(std::make_unique_for_overwrite<Entry[]>(kArenaEntries)),
      blocks_(std::make_unique_for_overwrite<Block[]>(kArenaBlocks)),
      table_(size_t{1} << kTableBits, nullptr) {
    memory_.observe_frames(frame_flag::code, *this);
    memory_.observe_frames(frame_flag::page_table, *this);
    memory_.observe_map(*this);
    core_.blocks = this;
}

Block* BlockCache::build(const u8* host, PhysicalAddress address, u32 key) {
    const u64 offset = address & kPageMask;
    const PhysicalAddress frame = address - offset;
    // It may exist and have lost its place in the table to another.
    if (const auto known = pages_.find(frame); known != pages_.end()) {
        for (Block* b = known->second.blocks; b != nullptr; b = b->next_in_page) {
            if (b->host == host && b->key == key) return table_[hash(host)] = b;
        }
    }
    const u64 room = kPageSize - offset;
    Entry* const first = &entries_[used_entries_];
    Entry* e = first;
    u32 bytes = 0;
    bool ended = false;
    while (!ended && bytes < room && static_cast<u32>(e - first) < kMaxInstructions) {
        const DecodeStatus status =
            decode({host + bytes, static_cast<size_t>(room - bytes)}, core_.decode_mode, e->insn);
        if (status == DecodeStatus::truncated) break;
        e->offset = static_cast<u16>(bytes);
        e->index = static_cast<u16>(e - first);
        Site site{.stack_size = core_.mode.stack_size, .in_page = false};
        const u64 end = offset + bytes + e->insn.length;
        site.in_page = end < kPageSize && end + e->insn.imm < kPageSize;
        ended = select_step(*e, status, site);
        bytes += e->insn.length;
        ++e;
    }
    const u32 count = static_cast<u32>(e - first);
    if (count == 0) return nullptr;
    e->step = fall_through;
    e->offset = static_cast<u16>(bytes);
    e->index = static_cast<u16>(count);
    e->insn.length = 0;

    Page& page = pages_[frame];
    Block* b = &blocks_[used_blocks_++];
    *b = Block{.host = host,
               .entries = first,
               .fallthrough = nullptr,
               .taken = nullptr,
               .next_in_page = page.blocks,
               .key = key,
               .count = count,
               .bytes = bytes,
               .heat = core_.block_heat};
    used_entries_ += count + 1;
    page.blocks = b;
    if (page.granules == 0) memory_.set_flag(frame, frame_flag::code);
    page.granules |= granules_of(offset, offset + bytes - 1);
    table_[hash(host)] = b;
    ++built_;
    return b;
}

void BlockCache::kill(Block& b) {
    Block*& slot = table_[hash(b.host)];
    if (slot == &b) slot = nullptr;
    b.count = Block::kDead;
    b.taken = b.fallthrough = nullptr;
    if (core_.block == &b) core_.attention = true;
    ++killed_;
}

void BlockCache::frame_written(PhysicalAddress address, u64 length) {
    const PhysicalAddress frame = address & ~kPageMask;
    // Links inside a page are followed without a look at the TLB: that ends when its mapping was dropped.
    if (core_.block != nullptr && core_.mmu.fast_fetch(core_.code_linear(core_.block_rip)) == nullptr)
        core_.attention = true;
    if (!(memory_.flags(frame) & frame_flag::code)) return;
    const auto found = pages_.find(frame);
    if (found == pages_.end() || length == 0) return;
    Page& page = found->second;
    const u64 first = address - frame;
    const u64 last = std::min(first + length - 1, kPageMask);
    if ((page.granules & granules_of(first, last)) == 0) return;
    page.granules = 0;
    Block** link = &page.blocks;
    while (Block* b = *link) {
        const u64 begin = reinterpret_cast<u64>(b->host) & kPageMask;
        if (first < begin + b->bytes && begin <= last) {
            kill(*b);
            *link = b->next_in_page;
        } else {
            page.granules |= granules_of(begin, begin + b->bytes - 1);
            link = &b->next_in_page;
        }
    }
    if (page.granules == 0) memory_.clear_flag(frame, frame_flag::code);
}

bool BlockCache::near_code(PhysicalAddress address, u64 length) const {
    const u64 first = address & kPageMask;
    const auto found = pages_.find(address - first);
    return found != pages_.end() && (found->second.granules & granules_of(first, first + length - 1)) != 0;
}

void BlockCache::map_changed() {
    drop_all();
    core_.attention = true;
}

void BlockCache::drop_all() {
    drop_ = true;
    // Nothing may be entered any more without a visit to tidy().
    std::fill(table_.begin(), table_.end(), nullptr);
    for (size_t n = 0; n < used_blocks_; ++n) {
        blocks_[n].count = Block::kDead;
        blocks_[n].taken = blocks_[n].fallthrough = nullptr;
    }
}

void BlockCache::tidy() {
    const bool full =
        used_entries_ + kMaxInstructions + 2 > kArenaEntries || used_blocks_ + 1 >= kArenaBlocks;
    if (!drop_ && !full) [[likely]]
        return;
    if (!drop_) drop_all();
    for (const auto& [frame, page] : pages_) {
        if (page.granules != 0) memory_.clear_flag(frame, frame_flag::code);
    }
    pages_.clear();
    used_entries_ = used_blocks_ = 0;
    pending_link = nullptr;
    core_.block = nullptr;
    drop_ = false;
}

}  // namespace mynah
