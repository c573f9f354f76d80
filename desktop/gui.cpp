#include "desktop/gui.h"

#include <backends/imgui_impl_sdl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace mynah {

namespace {

constexpr int kWidth = 960, kHeight = 680;
constexpr float kFontSize = 16, kTitleSize = 26;

// fonts-dejavu-core, or what else may be there; ImGui's own pixel font is the last resort.
constexpr std::array kFonts = {
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
    "/usr/share/fonts/truetype/freefont/FreeSans.ttf",
};

Error sdl_error(const char* doing) {
    return Error{fmt::format("cannot {}: {}; check DISPLAY, or use -nographic", doing, SDL_GetError())};
}

void choose_style(float scale) {
    ImGui::StyleColorsDark();
    ImGuiStyle& style = ImGui::GetStyle();
    style.WindowRounding = 6;
    style.ChildRounding = 6;
    style.FrameRounding = 4;
    style.PopupRounding = 6;
    style.GrabRounding = 4;
    style.FramePadding = {10, 6};
    style.ItemSpacing = {10, 8};
    style.WindowPadding = {16, 14};
    style.WindowTitleAlign = {0.02F, 0.5F};
    style.WindowBorderSize = 0;
    style.PopupBorderSize = 1;
    ImVec4* c = style.Colors;
    c[ImGuiCol_WindowBg] = {0.11F, 0.12F, 0.14F, 1};
    c[ImGuiCol_ChildBg] = {0.14F, 0.15F, 0.18F, 1};
    c[ImGuiCol_PopupBg] = {0.15F, 0.16F, 0.19F, 1};
    c[ImGuiCol_MenuBarBg] = {0.15F, 0.16F, 0.19F, 1};
    c[ImGuiCol_Border] = {0.27F, 0.29F, 0.34F, 1};
    c[ImGuiCol_FrameBg] = {0.20F, 0.22F, 0.26F, 1};
    c[ImGuiCol_FrameBgHovered] = {0.25F, 0.27F, 0.32F, 1};
    c[ImGuiCol_FrameBgActive] = {0.28F, 0.31F, 0.37F, 1};
    c[ImGuiCol_TitleBgActive] = {0.18F, 0.29F, 0.43F, 1};
    c[ImGuiCol_Button] = {0.22F, 0.36F, 0.54F, 1};
    c[ImGuiCol_ButtonHovered] = {0.27F, 0.45F, 0.67F, 1};
    c[ImGuiCol_ButtonActive] = {0.20F, 0.33F, 0.50F, 1};
    c[ImGuiCol_Header] = {0.22F, 0.36F, 0.54F, 0.8F};
    c[ImGuiCol_HeaderHovered] = {0.27F, 0.45F, 0.67F, 0.6F};
    c[ImGuiCol_HeaderActive] = {0.27F, 0.45F, 0.67F, 0.9F};
    c[ImGuiCol_CheckMark] = colours::accent;
    c[ImGuiCol_ModalWindowDimBg] = {0, 0, 0, 0.45F};
    c[ImGuiCol_NavHighlight] = colours::accent;
    style.ScaleAllSizes(scale);
}

}  // namespace

Result<std::unique_ptr<Gui>> Gui::open(const std::string& title) {
    std::unique_ptr<Gui> gui(new Gui);
    if (Status s = gui->make_window(title); !s) return s.error();
    IMGUI_CHECKVERSION();
    ImGui::CreateContext();
    gui->context_ = true;
    ImGuiIO& io = ImGui::GetIO();
    io.IniFilename = nullptr;
    io.LogFilename = nullptr;
    io.ConfigFlags |= ImGuiConfigFlags_NavEnableKeyboard;
    io.ConfigInputTextCursorBlink = false;  // nothing is drawn while nothing happens
    io.BackendFlags |= ImGuiBackendFlags_RendererHasVtxOffset;
    io.BackendRendererName = "mynah_sdl_renderer";
    choose_style(gui->scale_);
    gui->load_fonts();
    ImGui_ImplSDL2_InitForSDLRenderer(gui->window_);
    return gui;
}

Status Gui::make_window(const std::string& title) {
    // SIGINT and SIGTERM are handled by the program.
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
    SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
    SDL_SetHint(SDL_HINT_MOUSE_FOCUS_CLICKTHROUGH, "1");
    // Alt+F4 and the like are the guest's.
    SDL_SetHint(SDL_HINT_GRAB_KEYBOARD, "0");
    if (SDL_InitSubSystem(SDL_INIT_VIDEO) != 0) return sdl_error("open a window");
    video_ = true;
    float dpi = 96;
    if (SDL_GetDisplayDPI(0, nullptr, &dpi, nullptr) == 0) scale_ = std::clamp(dpi / 96, 1.0F, 3.0F);
    window_ = SDL_CreateWindow(title.c_str(), SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED,
                               static_cast<int>(kWidth * scale_), static_cast<int>(kHeight * scale_),
                               SDL_WINDOW_RESIZABLE);
    if (window_ == nullptr) return sdl_error("open a window");
    SDL_SetWindowMinimumSize(window_, 480, 360);
    renderer_ = SDL_CreateRenderer(window_, -1, SDL_RENDERER_PRESENTVSYNC);
    if (renderer_ == nullptr) renderer_ = SDL_CreateRenderer(window_, -1, SDL_RENDERER_SOFTWARE);
    if (renderer_ == nullptr) return sdl_error("draw in a window");
    SDL_StartTextInput();
    return Ok{};
}

void Gui::load_fonts() {
    ImFontAtlas& fonts = *ImGui::GetIO().Fonts;
    static constexpr ImWchar kRanges[] = {0x20, 0x17F, 0x2010, 0x2026, 0x2190, 0x2193, 0x25A0, 0x25CF, 0};
    for (const char* file : kFonts) {
        if (std::error_code error; !std::filesystem::exists(file, error)) continue;
        fonts.AddFontFromFileTTF(file, kFontSize * scale_, nullptr, kRanges);
        title_font_ = fonts.AddFontFromFileTTF(file, kTitleSize * scale_, nullptr, kRanges);
        break;
    }
    if (title_font_ == nullptr) title_font_ = fonts.AddFontDefault();
    unsigned char* pixels = nullptr;
    int width = 0, height = 0;
    fonts.GetTexDataAsRGBA32(&pixels, &width, &height);
    font_texture_ =
        SDL_CreateTexture(renderer_, SDL_PIXELFORMAT_ABGR8888, SDL_TEXTUREACCESS_STATIC, width, height);
    if (font_texture_ == nullptr) return;
    SDL_UpdateTexture(font_texture_, nullptr, pixels, 4 * width);
    SDL_SetTextureBlendMode(font_texture_, SDL_BLENDMODE_BLEND);
    fonts.SetTexID(font_texture_);
}

Gui::~Gui() {
    if (context_) {
        if (ImGui::GetIO().BackendPlatformUserData != nullptr) ImGui_ImplSDL2_Shutdown();
        ImGui::DestroyContext();
    }
    if (font_texture_ != nullptr) SDL_DestroyTexture(font_texture_);
    if (renderer_ != nullptr) SDL_DestroyRenderer(renderer_);
    if (window_ != nullptr) SDL_DestroyWindow(window_);
    if (video_) SDL_QuitSubSystem(SDL_INIT_VIDEO);
}

bool Gui::process(const SDL_Event& event) {
    ImGui_ImplSDL2_ProcessEvent(&event);
    if (event.type == SDL_KEYDOWN || event.type == SDL_KEYUP) {
        // As they were then: ImGui's backend asks for the present, and the keys may be up by now.
        const auto held = static_cast<unsigned>(event.key.keysym.mod);
        ImGuiIO& io = ImGui::GetIO();
        io.KeyCtrl = (held & KMOD_CTRL) != 0;
        io.KeyShift = (held & KMOD_SHIFT) != 0;
        io.KeyAlt = false;  // it would move the focus to the menus; nothing here wants it
    }
    // ImGui looks at the keys' and buttons' present state once a frame.
    return event.type == SDL_KEYDOWN || event.type == SDL_KEYUP || event.type == SDL_MOUSEBUTTONDOWN ||
           event.type == SDL_MOUSEBUTTONUP;
}

void Gui::begin_frame() {
    ImGui_ImplSDL2_NewFrame();
    ImGui::NewFrame();
}

void Gui::end_frame() {
    ImGui::Render();
    SDL_SetRenderDrawColor(renderer_, 0, 0, 0, 255);
    SDL_RenderClear(renderer_);
    if (const ImDrawData* data = ImGui::GetDrawData()) draw(*data);
    SDL_RenderPresent(renderer_);
}

void Gui::draw(const ImDrawData& data) {
    for (int n = 0; n < data.CmdListsCount; ++n) {
        const ImDrawList& list = *data.CmdLists[n];
        for (const ImDrawCmd& command : list.CmdBuffer) {
            if (command.UserCallback != nullptr) continue;
            const SDL_Rect clip = {static_cast<int>(command.ClipRect.x), static_cast<int>(command.ClipRect.y),
                                   static_cast<int>(command.ClipRect.z - command.ClipRect.x),
                                   static_cast<int>(command.ClipRect.w - command.ClipRect.y)};
            if (clip.w <= 0 || clip.h <= 0) continue;
            SDL_RenderSetClipRect(renderer_, &clip);
            const ImDrawVert* vertices = list.VtxBuffer.Data + command.VtxOffset;
            const auto count = list.VtxBuffer.Size - static_cast<int>(command.VtxOffset);
            static_assert(sizeof(SDL_Color) == sizeof vertices->col);
            SDL_RenderGeometryRaw(renderer_, static_cast<SDL_Texture*>(command.GetTexID()), &vertices->pos.x,
                                  sizeof(ImDrawVert), reinterpret_cast<const SDL_Color*>(&vertices->col),
                                  sizeof(ImDrawVert), &vertices->uv.x, sizeof(ImDrawVert), count,
                                  list.IdxBuffer.Data + command.IdxOffset,
                                  static_cast<int>(command.ElemCount), sizeof(ImDrawIdx));
        }
    }
    SDL_RenderSetClipRect(renderer_, nullptr);
}

void Gui::set_fullscreen(bool on) {
    if (SDL_SetWindowFullscreen(window_, on ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0) == 0) fullscreen_ = on;
}

void Gui::set_size(int width, int height) {
    if (fullscreen_) return;
    SDL_Rect room{};
    const int display = SDL_GetWindowDisplayIndex(window_);
    if (display >= 0 && SDL_GetDisplayUsableBounds(display, &room) == 0) {
        width = std::min(width, room.w);
        height = std::min(height, room.h);
    }
    SDL_SetWindowSize(window_, width, height);
    SDL_SetWindowPosition(window_, SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED);
}

void Gui::set_title(const std::string& title) {
    SDL_SetWindowTitle(window_, title.c_str());
}

}  // namespace mynah
