// The picture as it was last drawn, and when each of its rows last changed: so that several viewers with
// frames of their own each get what is new to them, and only that.
#pragma once

#include <span>
#include <vector>

#include "devices/frame.h"

namespace mynah {

class Picture {
  public:
    u32 width() const { return frame_.width; }
    u32 height() const { return frame_.height; }
    // Another size makes all rows new and black.
    void resize(u32 width, u32 height);
    // 3 * width bytes. A row that is what it was counts as unchanged.
    void put_row(u32 y, std::span<const u8> rgb);
    // Of one drawing; ends with this, which makes what changed a new version.
    void finish();
    // DisplayAdapter::update().
    bool copy_to(Frame& frame) const;

  private:
    Frame frame_;
    u64 version_ = 1;
    bool changed_ = false;
    std::vector<u64> row_versions_;
};

}  // namespace mynah
