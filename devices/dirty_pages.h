// Which pages of a frame buffer were written since somebody last looked.
//
// The device marks what goes through its own registers. The processor writes to memory behind a BAR directly:
// there a page that was looked at gets frame_flag::clean, so that its first store takes the slow path and is
// heard of, and those behind it are as fast as ever. Nothing is watched before the first look.
#pragma once

#include <optional>
#include <vector>

#include "mmu/physical_map.h"

namespace mynah {

class DirtyPages final : public FrameObserver {
  public:
    // All of it counts as written. `bytes`: of the frame buffer, whole pages.
    explicit DirtyPages(u64 bytes) : dirty_(bytes >> kPageShift, true) {}

    // The map that the frame buffer is seen through, which must outlive the last store; asked for at each
    // look, and where in it: nothing, nowhere.
    void watch_in(PhysicalMap& map, std::optional<PhysicalAddress> base);

    void mark(u64 offset) { dirty_[offset >> kPageShift] = true; }
    void mark(u64 offset, u64 length);
    void mark_all() { dirty_.assign(dirty_.size(), true); }
    // Whether the page was written since this was last asked; it is watched from now on.
    bool take(u64 page);

    void frame_written(PhysicalAddress address, u64 length) override;

  private:
    std::vector<bool> dirty_;
    PhysicalMap* map_ = nullptr;
    std::optional<PhysicalAddress> base_;
};

}  // namespace mynah
