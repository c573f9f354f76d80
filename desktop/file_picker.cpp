#include "desktop/file_picker.h"

#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <filesystem>

#include "desktop/dialogs.h"
#include "desktop/gui.h"

namespace mynah {

namespace {

namespace fs = std::filesystem;

// More than anybody scrolls through.
constexpr size_t kMostItems = 2000;

std::string folder_part(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

void FilePicker::open(std::string title, const std::string& now,
                      std::function<void(const std::string&)> chosen) {
    title_ = std::move(title);
    chosen_ = std::move(chosen);
    std::error_code error;
    path_ = now;
    if (path_.empty() || path_[0] != '/') {
        const char* home = std::getenv("HOME");
        path_ = home != nullptr ? home : fs::current_path(error).string();
        path_ += '/';
    }
    listed_.clear();
    asked_ = true;
}

void FilePicker::list() {
    const std::string folder = folder_part(path_);
    if (folder == listed_) return;
    listed_ = folder;
    items_.clear();
    std::error_code error;
    for (auto it = fs::directory_iterator(folder, fs::directory_options::skip_permission_denied, error);
         !error && it != fs::directory_iterator() && items_.size() < kMostItems; it.increment(error)) {
        std::error_code ignored;
        const std::string name = it->path().filename().string();
        if (!name.starts_with('.')) items_.push_back({name, it->is_directory(ignored)});
    }
    std::sort(items_.begin(), items_.end(),
              [](const Item& a, const Item& b) { return a.folder != b.folder ? a.folder : a.name < b.name; });
}

void FilePicker::enter(const std::string& name) {
    const std::string folder = folder_part(path_);
    if (name == "..")
        path_ = (fs::path(folder).parent_path() / "").string();
    else
        path_ = (fs::path(folder) / name / "").string();
    refocus_ = true;
}

void FilePicker::take() {
    std::error_code error;
    if (fs::is_directory(path_, error)) {
        if (!path_.ends_with('/')) path_ += '/';
        refocus_ = true;
        return;
    }
    chosen_(path_);
    ImGui::CloseCurrentPopup();
}

void FilePicker::draw() {
    if (asked_) ImGui::OpenPopup(title_.c_str());
    if (title_.empty()) return;
    const float unit = ImGui::GetFontSize();
    place_dialog(36 * unit);
    if (!ImGui::BeginPopupModal(
            title_.c_str(), nullptr,
            ImGuiWindowFlags_NoMove | ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoSavedSettings))
        return;
    if (asked_ || refocus_) ImGui::SetKeyboardFocusHere();
    asked_ = refocus_ = false;
    ImGui::SetNextItemWidth(-1);
    const bool entered = ImGui::InputText("##path", &path_, ImGuiInputTextFlags_EnterReturnsTrue);
    list();
    const std::string begins = path_.substr(path_.rfind('/') + 1);
    if (ImGui::BeginChild("items", {0, 18 * unit}, true)) {
        if (ImGui::Selectable("../")) enter("..");
        for (const Item& item : items_) {
            if (!item.name.starts_with(begins)) continue;
            const std::string label = item.name + (item.folder ? "/" : "");
            const bool same = item.name == begins;
            if (!ImGui::Selectable(label.c_str(), same, ImGuiSelectableFlags_AllowDoubleClick)) continue;
            if (item.folder) {
                enter(item.name);
                break;
            }
            path_ = (fs::path(folder_part(path_)) / item.name).string();
            if (ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left)) {
                take();
                break;
            }
        }
    }
    ImGui::EndChild();
    const bool clicked = ImGui::Button("Choose");
    ImGui::SameLine();
    const bool cancelled = ImGui::Button("Cancel");
    if (entered || clicked)
        take();
    else if (cancelled || escape_pressed())
        ImGui::CloseCurrentPopup();
    ImGui::EndPopup();
}

}  // namespace mynah
