#include "devices/picture.h"

#include <algorithm>
#include <cstring>

namespace mynah {

void Picture::resize(u32 width, u32 height) {
    if (width == frame_.width && height == frame_.height) return;
    frame_.width = width;
    frame_.height = height;
    frame_.rgb.assign(size_t{3} * width * height, 0);
    row_versions_.assign(height, version_ + 1);
    changed_ = true;
}

void Picture::put_row(u32 y, std::span<const u8> rgb) {
    u8* row = frame_.rgb.data() + size_t{3} * frame_.width * y;
    if (std::memcmp(row, rgb.data(), rgb.size()) == 0) return;
    std::memcpy(row, rgb.data(), rgb.size());
    row_versions_[y] = version_ + 1;
    changed_ = true;
}

void Picture::finish() {
    if (changed_) ++version_;
    changed_ = false;
}

bool Picture::copy_to(Frame& frame) const {
    frame.first_row = frame.end_row = 0;
    if (frame.version == version_) return false;
    if (frame.version == 0 || frame.version > version_ || frame.width != frame_.width ||
        frame.height != frame_.height) {
        frame = frame_;
        frame.end_row = frame_.height;
        frame.version = version_;
        return true;
    }
    const size_t pitch = size_t{3} * frame_.width;
    bool any = false;
    for (u32 y = 0; y < frame_.height; ++y) {
        if (row_versions_[y] <= frame.version) continue;
        std::copy_n(frame_.rgb.begin() + static_cast<std::ptrdiff_t>(y * pitch), pitch,
                    frame.rgb.begin() + static_cast<std::ptrdiff_t>(y * pitch));
        if (!any) frame.first_row = y;
        any = true;
        frame.end_row = y + 1;
    }
    frame.version = version_;
    return any;
}

}  // namespace mynah
