// Dropping what was translated: its code was written, the map changed, the cache is full.
#include <algorithm>

#include "cpu/interp/block_cache.h"
#include "jit/engine.h"

namespace mynah {

namespace {

// Do the region's bytes in the frame include one of first..last?
bool overlaps(const Region& r, PhysicalAddress frame, u64 first, u64 last) {
    if (r.straddles != 0 && frame == r.next_frame && first < r.straddles) return true;
    if (frame != r.frame) return false;
    return std::ranges::any_of(r.blocks,
                               [&](const RegionBlock& b) { return first < b.end && b.begin <= last; });
}

}  // namespace

bool JitEngine::near_code(PhysicalAddress address, u64 length) const {
    if (core_.blocks->near_code(address, length)) return true;
    const u64 first = address & kPageMask;
    const auto found = pages_.find(address - first);
    if (found == pages_.end()) return false;
    return std::ranges::any_of(found->second.regions, [&](const Region* r) {
        return overlaps(*r, address - first, first, first + length - 1);
    });
}

void JitEngine::kill(Region& region) {
    region.dead = true;
    ++counters_.invalidated;
    for (Link* l : region.incoming) {
        if (l->to == &region) unpatch(*l);
    }
    region.incoming.clear();
    const u64 first = region.key.rip;
    for (const Region::Exported& e : region.entries) {
        const RegionKey key{region.key.host + static_cast<i64>(e.rip - first), e.rip, region.key.mode};
        if (found_.find(key).region == &region) found_.erase(key);
        for (size_t n = 0; n < kSpaces; ++n) {
            for (const u32 index : {x64::target_index(e.rip), x64::victim_index(e.rip)}) {
                x64::Target& t = targets_[n * x64::kTable + index];
                if (t.code == e.code) t = {};
            }
        }
    }
    // The host's stack may lead back to it.
    if (running_) core_.attention = unwind_ = true;
}

void JitEngine::frame_written(PhysicalAddress address, u64 length) {
    const PhysicalAddress frame = address & ~kPageMask;
    const auto found = pages_.find(frame);
    if (found == pages_.end() || length == 0) return;
    Page& page = found->second;
    const u64 first = address - frame;
    const u64 last = std::min(first + length - 1, kPageMask);
    bool any = false;
    std::erase_if(page.regions, [&](Region* r) {
        if (!r->dead && !overlaps(*r, frame, first, last)) return false;
        if (!r->dead) kill(*r);
        any = true;
        return true;
    });
    if (any && length != kPageSize) ++page.kills;
    if (page.regions.empty()) memory_.clear_flag(frame, frame_flag::translated);
}

void JitEngine::map_changed() {
    drop_all();
}

void JitEngine::drop_all() {
    flush_ = true;
    core_.attention = true;
    // Nothing may be entered any more.
    found_.clear();
    std::ranges::fill(targets_, x64::Target{});
    for (Link& l : links_) {
        if (l.to != nullptr) unpatch(l);
    }
}

void JitEngine::flush() {
    flush_ = false;
    ++counters_.flushes;
    for (const auto& [frame, page] : pages_) {
        if (!page.regions.empty()) memory_.clear_flag(frame, frame_flag::translated);
    }
    pages_.clear();
    unhoisted_.clear();
    found_.clear();
    std::ranges::fill(targets_, x64::Target{});
    links_.clear();
    sites_.assign(1, {});  // 0 is none
    regions_.clear();
    used_ = thunk_end_;
}

}  // namespace mynah
