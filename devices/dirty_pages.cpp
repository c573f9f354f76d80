#include "devices/dirty_pages.h"

#include <algorithm>

namespace mynah {

void DirtyPages::watch_in(PhysicalMap& map, std::optional<PhysicalAddress> base) {
    if (map_ != &map) {
        map_ = &map;
        map.observe_frames(frame_flag::clean, *this);
        mark_all();
    }
    if (base_ == base) return;
    base_ = base;
    mark_all();
}

void DirtyPages::mark(u64 offset, u64 length) {
    if (length == 0) return;
    const u64 end = std::min<u64>(((offset + length - 1) >> kPageShift) + 1, dirty_.size());
    for (u64 page = offset >> kPageShift; page < end; ++page) dirty_[page] = true;
}

bool DirtyPages::take(u64 page) {
    if (page >= dirty_.size() || !dirty_[page]) return false;
    dirty_[page] = false;
    if (map_ != nullptr && base_) map_->set_flag(*base_ + (page << kPageShift), frame_flag::clean);
    return true;
}

void DirtyPages::frame_written(PhysicalAddress address, u64) {
    map_->clear_flag(address, frame_flag::clean);
    // What else is written may be where the frame buffer was before it moved.
    if (!base_ || address < *base_) return;
    const u64 page = (address - *base_) >> kPageShift;
    if (page < dirty_.size()) dirty_[page] = true;
}

}  // namespace mynah
