// The guest's picture in the window: a texture that is filled when the picture changes, and where it is.
#pragma once

#include <SDL.h>
#include <imgui.h>

#include <memory>

#include "devices/frame.h"

namespace mynah {

enum class Scaling : u8 { fit, x1, x2, x3 };

class ScreenView {
  public:
    explicit ScreenView(SDL_Renderer* renderer) : renderer_(renderer) {}
    ~ScreenView();
    ScreenView(const ScreenView&) = delete;
    ScreenView& operator=(const ScreenView&) = delete;

    // Takes a new picture; the same object again costs nothing. True: its size is another.
    bool show(const std::shared_ptr<const Frame>& frame);
    // Draws it into a list, centred in this rectangle.
    void draw(ImDrawList& list, ImVec2 corner, ImVec2 size, Scaling scaling);

    int width() const { return width_; }
    int height() const { return height_; }
    // Whether a point of the window is on the picture, and where there, 0 to 65,535 in each direction.
    bool locate(int x, int y, u16& across, u16& down) const;

  private:
    SDL_Renderer* renderer_;
    SDL_Texture* texture_ = nullptr;
    std::shared_ptr<const Frame> frame_;
    int width_ = 0, height_ = 0;
    SDL_FRect place_{};
};

// The factor between a picture's dots and the window's.
float scale_of(Scaling scaling, int width, int height, ImVec2 room);

}  // namespace mynah
