// The engine's making of regions: finds the code at an address, has it translated, enters it in its tables.
#include <algorithm>

#include "jit/engine.h"

namespace mynah {

namespace {

// A region is smaller than this, so that room for one can be told.
constexpr u64 kMostCode = 256 * KiB;

}  // namespace

JitEngine::Found JitEngine::find_unspanned(const u8* host, const Link& l) {
    const RegionKey key{host, l.rip, mode_ | kUnspanned};
    const Found f = found_.find(key);
    if (f.code != nullptr ||
        translate(host, l.from->frame + (l.rip - l.from->page_rip), l.rip, key.mode) == nullptr)
        return f;
    return found_.find(key);
}

const u8* JitEngine::fetch(u64 rip, PhysicalAddress* address) {
    Core& c = core_;
    const u64 linear = c.code_linear(rip);
    const u8* host = c.mmu.fast_fetch(linear);
    if (host != nullptr && address == nullptr) return host;
    if (c.mode.code64() && sign_extend(linear, 48) != linear) return nullptr;
    const Translation t = c.mmu.translate(linear, Access::execute, c.mmu.privilege());
    if (!t.ok) return nullptr;
    if (address != nullptr) *address = t.address;
    const PhysicalMap::Target target = memory_.read_target(t.address & ~kPageMask);
    return target.host == nullptr ? nullptr : target.host + (t.address & kPageMask);
}

bool JitEngine::make_room() {
    if (code_.size() - used_ >= kMostCode) return true;
    // Made before the next run, when no code is running.
    flush_ = true;
    core_.attention = true;
    if (running_) return false;
    flush();
    return true;
}

Region* JitEngine::translate(const u8* host, PhysicalAddress address, u64 rip, u32 mode) {
    if (!make_room()) return nullptr;
    auto region = std::make_unique<Region>();
    const u64 offset = address & kPageMask;
    region->key = {host, rip, mode};
    region->frame = address - offset;
    region->hoist = !unhoisted_.contains(region->frame);
    region->page_rip = rip - offset;
    if (!finder_.find(*region, host - offset, static_cast<u32>(offset), core_.decode_mode, mode_bits(mode)))
        return nullptr;
    return make(std::move(region));
}

Region* JitEngine::translate_straddling(const u8* host, PhysicalAddress address, u64 rip) {
    if (!make_room()) return nullptr;
    Core& c = core_;
    auto region = std::make_unique<Region>();
    const u64 offset = address & kPageMask;
    const u64 here = kPageSize - offset;
    region->key = {host, rip, mode_};
    region->frame = address - offset;
    region->hoist = !unhoisted_.contains(region->frame);
    region->page_rip = rip - offset;
    region->next_linear = c.code_linear(rip + here);
    region->next_host = fetch(rip + here, &region->next_frame);
    if (region->next_host == nullptr || (region->next_linear & kPageMask) != 0) return nullptr;
    std::array<u8, 15> bytes;
    std::copy_n(host, here, bytes.data());
    std::copy_n(region->next_host, bytes.size() - here, bytes.data() + here);
    if (!straddling_region(*region, bytes, static_cast<u32>(offset), c.decode_mode, mode_bits(mode_)))
        return nullptr;
    return make(std::move(region));
}

Region* JitEngine::make(std::unique_ptr<Region> region) {
    encoder_.start(code_.writable() + used_, code_.writable() + used_ + kMostCode);
    const u32 mode = region->key.mode;
    if (!translator_.translate(*region, mode_bits(mode))) return nullptr;
    used_ = align_up(used_ + region->code_bytes, 16);
    const u8* host = region->key.host;
    const u64 rip = region->key.rip;
    for (const Region::Exported& e : region->entries) {
        const RegionKey key{host + static_cast<i64>(e.rip - rip), e.rip, mode};
        // Elsewhere the region that has it already serves as well.
        if (e.rip != rip && found_.find(key).code != nullptr) continue;
        found_.insert(key, Found{region.get(), e.code, e.need});
    }
    const auto belongs_to = [&](PhysicalAddress frame) {
        Page& page = pages_[frame];
        if (page.regions.empty()) memory_.set_flag(frame, frame_flag::translated);
        page.regions.push_back(region.get());
    };
    belongs_to(region->frame);
    if (region->straddles != 0) belongs_to(region->next_frame);
    ++counters_.regions;
    counters_.instructions += region->insns.size();
    if (core_.log.enabled(LogItem::out_asm)) log_code(*region);
    if (perf_map_ != nullptr) name_for_perf(*region);
    regions_.push_back(std::move(region));
    return regions_.back().get();
}

}  // namespace mynah
