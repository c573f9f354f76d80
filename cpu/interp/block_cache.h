// The predecoded blocks, found by the host address of their first byte. Bounded: when the arena is full,
// everything is dropped. Blocks overlapping written bytes die at once; their memory stays until then, as it
// may be running.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "cpu/interp/block.h"
#include "mmu/physical_map.h"

namespace mynah {

class BlockCache final : public FrameObserver, public MapObserver {
  public:
    static constexpr u32 kMaxInstructions = 64;

    BlockCache(Core& core, PhysicalMap& memory);

    Block* find(const u8* host, u32 key) const {
        Block* b = table_[hash(host)];
        return b != nullptr && b->host == host && b->key == key ? b : nullptr;
    }
    // Decodes the block at `host`, physical address `address`; null when its first instruction leaves the
    // page.
    Block* build(const u8* host, PhysicalAddress address, u32 key);
    // To be called when nothing runs: makes room if dropping was asked for or the arena is nearly full.
    void tidy();
    // The next tidy() drops everything.
    void drop_all();
    // A link that was found open: the run loop sets it to the block at `pending_rip` if that is in the page
    // of `pending_host`.
    Block** pending_link = nullptr;
    const u8* pending_host = nullptr;
    u64 pending_rip = 0;

    // Do the bytes, within one frame, lie in a 128-byte granule of a block?
    bool near_code(PhysicalAddress address, u64 length) const;

    void frame_written(PhysicalAddress address, u64 length) override;
    void map_changed() override;
    void frame_protected(PhysicalAddress) override {}

    u64 blocks_built() const { return built_; }
    u64 blocks_killed() const { return killed_; }

  private:
    static constexpr unsigned kTableBits = 16;
    static constexpr size_t kArenaEntries = size_t{1} << 19;
    static constexpr size_t kArenaBlocks = size_t{1} << 16;
    static constexpr unsigned kGranuleShift = 7;

    struct Page {
        Block* blocks = nullptr;
        u32 granules = 0;  // bit per 128 bytes: overlapped by a block
    };
    static u32 granules_of(u64 first, u64 last) {
        const u64 upto = (u64{2} << (last >> kGranuleShift)) - 1;
        return static_cast<u32>(upto & ~((u64{1} << (first >> kGranuleShift)) - 1));
    }
    static size_t hash(const u8* host) {
        const u64 v = reinterpret_cast<u64>(host);
        return (v ^ v >> kTableBits) & ((size_t{1} << kTableBits) - 1);
    }
    void kill(Block& block);

    Core& core_;
    PhysicalMap& memory_;
    std::unique_ptr<Entry[]> entries_;
    std::unique_ptr<Block[]> blocks_;
    size_t used_entries_ = 0;
    size_t used_blocks_ = 0;
    std::vector<Block*> table_;
    std::unordered_map<PhysicalAddress, Page> pages_;
    bool drop_ = false;
    u64 built_ = 0;
    u64 killed_ = 0;
};

}  // namespace mynah
