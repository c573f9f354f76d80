// The window: SDL2 with its renderer, Dear ImGui drawn through it. Draws when it is told to, not otherwise.
#pragma once

#include <SDL.h>
#include <imgui.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace mynah {

class Gui {
  public:
    // Error: what SDL says. One at a time.
    static Result<std::unique_ptr<Gui>> open(const std::string& title);
    ~Gui();
    Gui(const Gui&) = delete;
    Gui& operator=(const Gui&) = delete;

    // For ImGui. True: it should see a frame before the next event, or it would miss this one.
    bool process(const SDL_Event& event);
    void begin_frame();
    void end_frame();

    SDL_Window* window() const { return window_; }
    SDL_Renderer* renderer() const { return renderer_; }
    ImFont* title_font() const { return title_font_; }
    float scale() const { return scale_; }  // of texts and distances

    bool fullscreen() const { return fullscreen_; }
    void set_fullscreen(bool on);
    // Of the inside; no effect in full screen.
    void set_size(int width, int height);
    void set_title(const std::string& title);

  private:
    Gui() = default;
    Status make_window(const std::string& title);
    void load_fonts();
    void draw(const ImDrawData& data);

    SDL_Window* window_ = nullptr;
    SDL_Renderer* renderer_ = nullptr;
    SDL_Texture* font_texture_ = nullptr;
    ImFont* title_font_ = nullptr;
    float scale_ = 1;
    bool fullscreen_ = false;
    bool video_ = false, context_ = false;
};

// The colours beside ImGui's.
namespace colours {
inline const ImVec4 accent{0.36F, 0.66F, 0.98F, 1};
inline const ImVec4 faint{0.62F, 0.65F, 0.70F, 1};
inline const ImVec4 wrong{1.0F, 0.45F, 0.42F, 1};
inline const ImVec4 light{0.40F, 0.90F, 0.45F, 1};
}  // namespace colours

}  // namespace mynah
