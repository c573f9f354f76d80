#include "desktop/screen_view.h"

#include <algorithm>
#include <cmath>

namespace mynah {

ScreenView::~ScreenView() {
    if (texture_ != nullptr) SDL_DestroyTexture(texture_);
}

bool ScreenView::show(const std::shared_ptr<const Frame>& frame) {
    if (!frame || frame == frame_ || frame->width == 0 || frame->height == 0) return false;
    frame_ = frame;
    const int width = static_cast<int>(frame->width), height = static_cast<int>(frame->height);
    const bool resized = width != width_ || height != height_;
    if (resized) {
        if (texture_ != nullptr) SDL_DestroyTexture(texture_);
        texture_ =
            SDL_CreateTexture(renderer_, SDL_PIXELFORMAT_RGB24, SDL_TEXTUREACCESS_STREAMING, width, height);
        width_ = width;
        height_ = height;
    }
    if (texture_ != nullptr) SDL_UpdateTexture(texture_, nullptr, frame->rgb.data(), 3 * width);
    return resized;
}

float scale_of(Scaling scaling, int width, int height, ImVec2 room) {
    const float fit = std::min(room.x / static_cast<float>(width), room.y / static_cast<float>(height));
    switch (scaling) {
        case Scaling::fit:
            return fit;
        case Scaling::x1:
            return std::min(1.0F, fit);
        case Scaling::x2:
            return std::min(2.0F, fit);
        case Scaling::x3:
            return std::min(3.0F, fit);
    }
    return fit;
}

void ScreenView::draw(ImDrawList& list, ImVec2 corner, ImVec2 size, Scaling scaling) {
    if (texture_ == nullptr || size.x < 1 || size.y < 1) return;
    const float scale = scale_of(scaling, width_, height_, size);
    const float w = std::round(static_cast<float>(width_) * scale);
    const float h = std::round(static_cast<float>(height_) * scale);
    place_ = {std::floor(corner.x + (size.x - w) / 2), std::floor(corner.y + (size.y - h) / 2), w, h};
    SDL_SetTextureScaleMode(texture_,
                            scale == std::floor(scale) ? SDL_ScaleModeNearest : SDL_ScaleModeLinear);
    list.AddImage(texture_, {place_.x, place_.y}, {place_.x + w, place_.y + h});
}

bool ScreenView::locate(int x, int y, u16& across, u16& down) const {
    const float fx = (static_cast<float>(x) - place_.x) / std::max(1.0F, place_.w - 1);
    const float fy = (static_cast<float>(y) - place_.y) / std::max(1.0F, place_.h - 1);
    across = static_cast<u16>(std::clamp(fx, 0.0F, 1.0F) * 65535);
    down = static_cast<u16>(std::clamp(fy, 0.0F, 1.0F) * 65535);
    return fx >= 0 && fx <= 1 && fy >= 0 && fy <= 1;
}

}  // namespace mynah
