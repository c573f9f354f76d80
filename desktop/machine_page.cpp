#include "desktop/machine_page.h"

#include <fmt/format.h>
#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "desktop/library_page.h"
#include "frontend/screenshot.h"

namespace mynah {

namespace {

constexpr Uint32 kLightTime = 150;  // ms
constexpr float kLogLines = 9;

Result<std::string> told(const Status& status, std::string text = {}) {
    return status ? Result<std::string>(std::move(text)) : status.error();
}

Status make_folder(const std::string& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return Error{fmt::format("cannot make the folder \"{}\": {}", folder, error.message())};
    return Ok{};
}

std::string free_name(const std::string& folder) {
    for (unsigned n = 1;; ++n) {
        const std::string path = fmt::format("{}/screenshot-{:03}.png", folder, n);
        if (std::error_code error; !std::filesystem::exists(path, error)) return path;
    }
}

bool is_key(const SDL_Event& e) {
    return e.type == SDL_KEYDOWN || e.type == SDL_KEYUP || e.type == SDL_TEXTINPUT;
}

bool is_mouse(const SDL_Event& e) {
    return e.type == SDL_MOUSEMOTION || e.type == SDL_MOUSEBUTTONDOWN || e.type == SDL_MOUSEBUTTONUP ||
           e.type == SDL_MOUSEWHEEL;
}

}  // namespace

// What Ctrl+Alt with a key does, and a menu's item.
struct MachinePage::Action {
    std::string_view id;
    const char* label;
    SDL_Scancode key;
    const char* shortcut;
    void (*run)(MachinePage&);
};

const std::vector<MachinePage::Action>& MachinePage::actions() {
    using P = MachinePage;
    static const std::vector<Action> all{
        {"pause", "Pause", SDL_SCANCODE_P, "Ctrl+Alt+P", [](P& p) { p.toggle_pause(); }},
        {"reset", "Reset", SDL_SCANCODE_Z, "Ctrl+Alt+Z",
         [](P& p) {
             p.machine_->post(
                 [](Machine& m) { return m.reset(), Result<std::string>(std::string("Reset.")); });
         }},
        {"power", "Power button", SDL_SCANCODE_O, "Ctrl+Alt+O",
         [](P& p) {
             p.machine_->post([](Machine& m) {
                 return m.power_button(), Result<std::string>(std::string("The power button was pressed."));
             });
         }},
        {"save", "Save state", SDL_SCANCODE_S, "Ctrl+Alt+S", [](P& p) { p.save_state(); }},
        {"restore", "Restore state", SDL_SCANCODE_R, "Ctrl+Alt+R", [](P& p) { p.restore_state(); }},
        {"shot", "Screenshot", SDL_SCANCODE_T, "Ctrl+Alt+T", [](P& p) { p.screenshot(); }},
        {"close", "Close", SDL_SCANCODE_Q, "Ctrl+Alt+Q", [](P& p) { p.ask_to_close(); }},
        {"cd", "Change CD-ROM", SDL_SCANCODE_D, "Ctrl+Alt+D",
         [](P& p) { p.first_medium(DriveMedia::cdrom); }},
        {"floppy", "Change floppy", SDL_SCANCODE_A, "Ctrl+Alt+A",
         [](P& p) { p.first_medium(DriveMedia::disk); }},
        {"fit", "Fit the window", SDL_SCANCODE_0, "Ctrl+Alt+0", [](P& p) { p.set_scaling(Scaling::fit); }},
        {"x1", "Original size", SDL_SCANCODE_1, "Ctrl+Alt+1", [](P& p) { p.set_scaling(Scaling::x1); }},
        {"x2", "Twice the size", SDL_SCANCODE_2, "Ctrl+Alt+2", [](P& p) { p.set_scaling(Scaling::x2); }},
        {"x3", "Three times", SDL_SCANCODE_3, "Ctrl+Alt+3", [](P& p) { p.set_scaling(Scaling::x3); }},
        {"full", "Full screen", SDL_SCANCODE_F, "Ctrl+Alt+F", [](P& p) { p.toggle_fullscreen(); }},
        {"log", "What is not supported", SDL_SCANCODE_L, "Ctrl+Alt+L", [](P& p) { p.toggle_log(); }},
        {"mouse", "Give the mouse to the guest", SDL_SCANCODE_G, "Ctrl+Alt+G",
         [](P& p) { p.toggle_mouse(); }},
        {"paste", "Paste text as keystrokes", SDL_SCANCODE_V, "Ctrl+Alt+V", [](P& p) { p.paste(); }},
        {"cad", "Send Ctrl+Alt+Del", SDL_SCANCODE_K, "Ctrl+Alt+K",
         [](P& p) {
             p.input_.press({"ctrl", "alt", "delete"});
         }},
    };
    return all;
}

bool MachinePage::Light::update(bool blink, Uint32 now) {
    if (blink) until_ = now + kLightTime;
    const bool on = static_cast<Sint32>(until_ - now) > 0;
    return std::exchange(on_, on) != on;
}

int MachinePage::Light::left() const {
    return std::max(1, static_cast<int>(until_ - SDL_GetTicks()));
}

MachinePage::MachinePage(Gui& gui, std::unique_ptr<MachineThread> machine, std::string name,
                         std::string folder)
    : gui_(gui),
      machine_(std::move(machine)),
      name_(std::move(name)),
      folder_(std::move(folder)),
      view_(gui.renderer()),
      input_(*machine_) {
    gui_.set_title(name_ + " - mynah");
}

MachinePage::~MachinePage() {
    if (gui_.fullscreen()) gui_.set_fullscreen(false);
    gui_.set_title("mynah");
}

bool MachinePage::guest_has_keys() const {
    return !popup_is_open();
}

// --- events ---

bool MachinePage::hot_key(const SDL_KeyboardEvent& key) {
    if ((key.keysym.mod & KMOD_CTRL) == 0 || (key.keysym.mod & KMOD_ALT) == 0 || key.repeat != 0)
        return false;
    for (const Action& action : actions()) {
        if (action.key != key.keysym.scancode) continue;
        input_.release_all();
        action.run(*this);
        return true;
    }
    return false;
}

bool MachinePage::handle(const SDL_Event& event) {
    if (event.type == SDL_WINDOWEVENT) {
        if (event.window.event == SDL_WINDOWEVENT_FOCUS_LOST) {
            input_.release_all();
            input_.release_mouse();
        }
        return false;
    }
    if (is_key(event)) {
        if (!guest_has_keys()) {
            if (event.type == SDL_KEYUP) input_.key(event.key);
            return false;
        }
        if (event.type == SDL_KEYDOWN && hot_key(event.key)) return true;
        if (event.type != SDL_TEXTINPUT) input_.key(event.key);
        return true;
    }
    if (!is_mouse(event)) return false;
    if (input_.captured()) {
        input_.mouse(event, view_, false);
        return true;
    }
    // Over menus, log and dialogs it is the window's.
    if (ImGui::GetIO().WantCaptureMouse || popup_is_open()) {
        if (event.type == SDL_MOUSEBUTTONUP) input_.mouse(event, view_, news_.absolute_pointer);
        return false;
    }
    input_.mouse(event, view_, news_.absolute_pointer);
    return false;
}

bool MachinePage::update() {
    input_.flush();
    for (std::string& error : machine_->take_errors()) {
        input_.release_mouse();
        errors_.add(std::move(error));
    }
    MachineNews before = std::exchange(news_, machine_->news());
    const bool resized = view_.show(news_.frame);
    if (resized && scaling_ != Scaling::fit) fit_window();
    if (news_.notes != before.notes) note_ = news_.note;
    const Uint32 now = SDL_GetTicks();
    bool lights = disk_light_.update(news_.disk_accesses != before.disk_accesses, now);
    lights |= network_light_.update(news_.network_frames != before.network_frames, now);
    const u64 log = machine_->log().version();
    const bool changed =
        before.frame != news_.frame || before.state != news_.state || before.mips != news_.mips ||
        before.notes != news_.notes || before.typing != news_.typing || lights ||
        before.absolute_pointer != news_.absolute_pointer || (show_log_ && log != log_version_);
    log_version_ = log;
    return changed;
}

int MachinePage::timeout() const {
    int soonest = -1;
    for (const Light* light : {&disk_light_, &network_light_}) {
        if (light->on()) soonest = soonest < 0 ? light->left() : std::min(soonest, light->left());
    }
    return soonest;
}

// --- actions ---

void MachinePage::toggle_pause() {
    machine_->post([](Machine& m) -> Result<std::string> {
        if (m.run_state() == RunState::paused)
            m.resume();
        else
            m.pause();
        return std::string();
    });
    note_.clear();
}

void MachinePage::toggle_mouse() {
    input_.captured() ? input_.release_mouse() : input_.capture_mouse();
}

void MachinePage::toggle_fullscreen() {
    gui_.set_fullscreen(!gui_.fullscreen());
}

void MachinePage::toggle_log() {
    show_log_ = !show_log_;
    fit_window();
}

void MachinePage::save_state() {
    machine_->post([folder = folder_](Machine& m) -> Result<std::string> {
        if (const Status s = make_folder(folder); !s) return s.error();
        return told(m.save_file(state_file(folder)), "The state is saved.");
    });
}

void MachinePage::restore_state() {
    machine_->post([file = state_file(folder_)](Machine& m) -> Result<std::string> {
        if (std::error_code error; !std::filesystem::exists(file, error))
            return Error{"there is no saved state of this machine; save one first with Ctrl+Alt+S"};
        return told(m.load_file(file), "The state is restored.");
    });
}

void MachinePage::screenshot() {
    machine_->post([folder = folder_](Machine& m) -> Result<std::string> {
        if (const Status s = make_folder(folder); !s) return s.error();
        const std::string path = free_name(folder);
        return told(write_screenshot(m.screen(), path), "The picture is " + path);
    });
}

void MachinePage::paste() {
    char* text = SDL_GetClipboardText();
    if (text != nullptr && *text != 0)
        machine_->type(text);
    else
        errors_.add("there is no text to paste; copy some first");
    SDL_free(text);
}

void MachinePage::change_medium(const std::string& drive, const std::string& now) {
    input_.release_mouse();
    picker_.open("Image for " + drive, now, [this, drive](const std::string& file) {
        machine_->post([drive, file](Machine& m) {
            return told(m.change_medium(drive, file, false),
                        std::filesystem::path(file).filename().string() + " is in " + drive + ".");
        });
    });
}

void MachinePage::first_medium(DriveMedia media) {
    for (const DriveInfo& d : news_.drives) {
        if (d.removable && d.media == media) return change_medium(d.name, d.file);
    }
    errors_.add(media == DriveMedia::cdrom
                    ? "this machine has no CD-ROM drive; give it one with -cdrom when it starts"
                    : "this machine has no floppy drive; give it one with -fda when it starts");
}

void MachinePage::eject(const std::string& drive) {
    machine_->post([drive](Machine& m) { return told(m.eject(drive, false), drive + " is empty."); });
}

void MachinePage::set_scaling(Scaling scaling) {
    scaling_ = scaling;
    fit_window();
}

float MachinePage::bars_height() const {
    const float row = ImGui::GetFrameHeight();
    return (gui_.fullscreen() ? 0 : 2 * row) + (show_log_ ? kLogLines * ImGui::GetFontSize() : 0);
}

void MachinePage::fit_window() {
    if (scaling_ == Scaling::fit || view_.width() == 0) return;
    const int factor = scaling_ == Scaling::x1 ? 1 : scaling_ == Scaling::x2 ? 2 : 3;
    gui_.set_size(view_.width() * factor,
                  view_.height() * factor + static_cast<int>(std::ceil(bars_height())));
}

void MachinePage::ask_to_close() {
    if (news_.ended) {
        closed_ = true;
        return;
    }
    input_.release_mouse();
    question_.ask(
        fmt::format("\"{}\" is running. Switch it off? What it has not written to its disks is lost.", name_),
        {{"Switch off", [this] { closed_ = true; }},
         {"Save state and close",
          [this] {
              machine_->post([folder = folder_](Machine& m) -> Result<std::string> {
                  if (const Status s = make_folder(folder); !s) return s.error();
                  if (const Status s = m.save_file(state_file(folder)); !s) return s.error();
                  m.quit(0);
                  return std::string();
              });
          }},
         {"Go on", nullptr}});
}

// --- drawing ---

void MachinePage::menu_item(std::string_view id) {
    for (const Action& action : actions()) {
        if (action.id != id) continue;
        const bool ticked =
            (id == "pause" && news_.state == RunState::paused) || (id == "full" && gui_.fullscreen()) ||
            (id == "log" && show_log_) || (id == "fit" && scaling_ == Scaling::fit) ||
            (id == "x1" && scaling_ == Scaling::x1) || (id == "x2" && scaling_ == Scaling::x2) ||
            (id == "x3" && scaling_ == Scaling::x3);
        if (ImGui::MenuItem(action.label, action.shortcut, ticked)) action.run(*this);
    }
}

void MachinePage::draw_media_menu() {
    bool any = false;
    for (const DriveInfo& d : news_.drives) {
        if (!d.removable) continue;
        any = true;
        const std::string file = std::filesystem::path(d.file).filename().string();
        const bool cd = d.media == DriveMedia::cdrom;
        ImGui::TextColored(colours::faint, "%s: %s", d.name.c_str(), file.empty() ? "empty" : file.c_str());
        ImGui::PushID(d.name.c_str());
        if (ImGui::MenuItem(cd ? "Change CD-ROM" : "Change floppy", cd ? "Ctrl+Alt+D" : "Ctrl+Alt+A"))
            change_medium(d.name, d.file);
        if (ImGui::MenuItem("Eject", nullptr, false, !file.empty())) eject(d.name);
        ImGui::PopID();
        ImGui::Separator();
    }
    if (!any) ImGui::TextColored(colours::faint, "This machine has no drive whose medium can be changed.");
}

void MachinePage::draw_menus() {
    if (!ImGui::BeginMainMenuBar()) return;
    const auto menu = [this](const char* title, std::initializer_list<const char*> ids) {
        if (!ImGui::BeginMenu(title)) return;
        for (const std::string_view id : ids) id.empty() ? ImGui::Separator() : menu_item(id);
        ImGui::EndMenu();
    };
    menu("Machine", {"pause", "reset", "power", "", "save", "restore", "shot", "", "close"});
    if (ImGui::BeginMenu("Media")) {
        draw_media_menu();
        ImGui::EndMenu();
    }
    menu("View", {"fit", "x1", "x2", "x3", "full", "", "log"});
    menu("Input", {"mouse", "paste", "cad"});
    ImGui::EndMainMenuBar();
}

void MachinePage::draw_log(float height) {
    const ImGuiViewport& viewport = *ImGui::GetMainViewport();
    const float status = gui_.fullscreen() ? 0 : ImGui::GetFrameHeight();
    ImGui::SetNextWindowPos({0, viewport.Size.y - status - height});
    ImGui::SetNextWindowSize({viewport.Size.x, height});
    ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, 0);
    ImGui::Begin("log", nullptr,
                 ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings |
                     ImGuiWindowFlags_NoNav);
    ImGui::PopStyleVar();
    const auto lines = machine_->log().lines();
    ImGui::TextColored(colours::faint, "What the guest used that there is not, or should not do");
    if (ImGui::BeginChild("lines")) {
        if (lines.empty()) ImGui::TextUnformatted("Nothing so far.");
        ImGuiListClipper clipper;
        clipper.Begin(static_cast<int>(lines.size()));
        while (clipper.Step()) {
            for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
                const GuestLog::Line& l = lines[static_cast<size_t>(i)];
                if (l.count > 1)
                    ImGui::Text("%s  (%llu times)", l.text.c_str(), static_cast<unsigned long long>(l.count));
                else
                    ImGui::TextUnformatted(l.text.c_str());
            }
        }
        if (ImGui::GetScrollY() >= ImGui::GetScrollMaxY()) ImGui::SetScrollHereY(1);
    }
    ImGui::EndChild();
    ImGui::End();
}

void MachinePage::draw_light(const char* label, bool on) {
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const float radius = ImGui::GetFontSize() * 0.3F;
    const ImVec4 colour = on ? colours::light : ImVec4{0.30F, 0.32F, 0.36F, 1};
    ImGui::GetWindowDrawList()->AddCircleFilled({at.x + radius, at.y + ImGui::GetFrameHeight() / 2}, radius,
                                                ImGui::GetColorU32(colour));
    ImGui::SetCursorPosX(ImGui::GetCursorPosX() + 3 * radius);
    ImGui::TextColored(on ? colours::light : colours::faint, "%s", label);
}

void MachinePage::draw_status(float height) {
    const ImGuiViewport& viewport = *ImGui::GetMainViewport();
    ImGui::SetNextWindowPos({0, viewport.Size.y - height});
    ImGui::SetNextWindowSize({viewport.Size.x, height});
    ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, 0);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {10, 0});
    ImGui::PushStyleVar(ImGuiStyleVar_WindowMinSize, {1, 1});
    ImGui::PushStyleColor(ImGuiCol_WindowBg, ImGui::GetStyleColorVec4(ImGuiCol_MenuBarBg));
    ImGui::Begin("status", nullptr,
                 ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings |
                     ImGuiWindowFlags_NoNav | ImGuiWindowFlags_NoScrollWithMouse);
    ImGui::AlignTextToFramePadding();
    if (news_.state == RunState::paused)
        ImGui::TextColored(colours::accent, "paused");
    else if (news_.mips == 0)
        ImGui::TextColored(colours::faint, "idle");
    else
        ImGui::Text("%u MIPS", news_.mips);
    ImGui::SameLine(6 * ImGui::GetFontSize());
    draw_light("disk", disk_light_.on());
    if (news_.has_network) {
        ImGui::SameLine(10 * ImGui::GetFontSize());
        draw_light("net", network_light_.on());
    }
    ImGui::SameLine(14 * ImGui::GetFontSize());
    if (news_.typing > 0)
        ImGui::Text("typing, %zu characters left", news_.typing);
    else if (input_.captured())
        ImGui::TextUnformatted("The mouse is the guest's; Ctrl+Alt+G takes it back");
    else if (!note_.empty())
        ImGui::TextUnformatted(note_.c_str());
    else if (news_.absolute_pointer)
        ImGui::TextColored(colours::faint, "The guest follows the mouse");
    else
        ImGui::TextColored(colours::faint, "Click to give the mouse to the guest");
    ImGui::End();
    ImGui::PopStyleColor();
    ImGui::PopStyleVar(3);
}

void MachinePage::draw() {
    if (!gui_.fullscreen()) draw_menus();
    const ImGuiViewport& viewport = *ImGui::GetMainViewport();
    const float bar = gui_.fullscreen() ? 0 : ImGui::GetFrameHeight();
    const float log = show_log_ ? kLogLines * ImGui::GetFontSize() : 0;
    const ImVec2 room{viewport.Size.x, viewport.Size.y - 2 * bar - log};
    view_.draw(*ImGui::GetBackgroundDrawList(), {0, bar}, room, scaling_);
    if (show_log_) draw_log(log);
    if (!gui_.fullscreen()) draw_status(bar);
    picker_.draw();
    question_.draw();
    errors_.draw();
}

}  // namespace mynah
