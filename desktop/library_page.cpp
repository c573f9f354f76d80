#include "desktop/library_page.h"

#include <SDL_scancode.h>
#include <fmt/format.h>
#include <imgui.h>

#include <algorithm>
#include <filesystem>

namespace mynah {

std::string state_file(const std::string& folder) {
    return folder + "/state.mynah";
}

LibraryPage::LibraryPage(const Gui& gui, const Library& library)
    : gui_(gui), library_(library), dialog_(library) {
    refresh();
}

void LibraryPage::refresh() {
    const std::string name = selected() != nullptr ? selected()->name : "";
    entries_ = library_.list();
    select(name);
}

const Library::Entry* LibraryPage::selected() const {
    return at_ < entries_.size() ? &entries_[at_] : nullptr;
}

void LibraryPage::select(const std::string& name) {
    for (size_t i = 0; i < entries_.size(); ++i) {
        if (entries_[i].name == name) at_ = i;
    }
    if (at_ >= entries_.size()) at_ = entries_.empty() ? 0 : entries_.size() - 1;
}

bool LibraryPage::has_state(const std::string& name) const {
    std::error_code error;
    return std::filesystem::exists(state_file(library_.folder_of(name)), error);
}

void LibraryPage::ask_delete(const std::string& name) {
    question_.ask(fmt::format("Delete the machine \"{}\"? Its disks, states and pictures stay in {}.", name,
                              library_.folder_of(name)),
                  {{"Delete",
                    [this, name] {
                        const Status done = library_.remove(name);
                        if (!done) errors_.add(done.error().message);
                        refresh();
                    }},
                   {"Cancel", nullptr}});
}

void LibraryPage::draw_list() {
    const float line = ImGui::GetFontSize();
    for (size_t i = 0; i < entries_.size(); ++i) {
        const Library::Entry& e = entries_[i];
        ImGui::PushID(static_cast<int>(i));
        const ImVec2 at = ImGui::GetCursorPos();
        if (ImGui::Selectable("##machine", i == at_, 0, {0, 2.9F * line})) at_ = i;
        const ImVec2 after = ImGui::GetCursorPos();
        ImGui::SetCursorPos({at.x + 0.6F * line, at.y + 0.25F * line});
        ImGui::TextUnformatted(e.name.c_str());
        ImGui::SetCursorPos({at.x + 0.6F * line, at.y + 1.5F * line});
        if (e.profile)
            ImGui::TextColored(colours::faint, "%s", describe_profile(*e.profile).c_str());
        else
            ImGui::TextColored(colours::wrong, "its file has an error");
        ImGui::SetCursorPos(after);
        ImGui::PopID();
    }
}

void LibraryPage::draw_details(Wish& wish) {
    const Library::Entry* e = selected();
    if (e == nullptr) {
        ImGui::TextWrapped("There is no machine yet. Make one from a template: New, or Ctrl+N.");
        return;
    }
    ImGui::PushFont(gui_.title_font());
    ImGui::TextUnformatted(e->name.c_str());
    ImGui::PopFont();
    const std::string name = e->name;
    if (!e->profile) {
        ImGui::PushStyleColor(ImGuiCol_Text, colours::wrong);
        ImGui::TextWrapped("%s", e->profile.error().message.c_str());
        ImGui::PopStyleColor();
        ImGui::TextWrapped("Put the file right, then press F5; or delete the machine.");
        if (ImGui::Button("Delete")) ask_delete(name);
        return;
    }
    if (ImGui::Button("Start")) wish = {name, false, false};
    if (has_state(name)) {
        ImGui::SameLine();
        if (ImGui::Button("Resume")) wish = {name, true, false};
    }
    ImGui::SameLine();
    if (ImGui::Button("Change")) dialog_.edit(*e->profile);
    ImGui::SameLine();
    if (ImGui::Button("Delete")) ask_delete(name);
    ImGui::Dummy({0, 6});
    const Profile& p = *e->profile;
    const auto row = [](const char* label, const std::string& value) {
        if (value.empty()) return;
        ImGui::TextColored(colours::faint, "%s", label);
        ImGui::SameLine(8 * ImGui::GetFontSize());
        ImGui::PushTextWrapPos(0);
        ImGui::TextUnformatted(value.c_str());
        ImGui::PopTextWrapPos();
    };
    row("Memory", fmt::format("{} MiB", p.memory));
    row("Processor", p.processor);
    for (const std::string& d : p.disks) row("Hard disk", d);
    row("CD-ROM", p.cdrom);
    row("Floppy", p.floppy);
    row("Kernel", p.kernel);
    row("Options", join_options(p.options));
    row("File", library_.file_of(name));
    row("Folder", library_.folder_of(name));
    row("Command", "mynah run " + join_options({name}));
    ImGui::Dummy({0, 6});
    ImGui::PushStyleColor(ImGuiCol_Text, colours::faint);
    ImGui::TextWrapped(
        "Return starts it%s, Ctrl+E changes it, Delete deletes it; Ctrl+N makes a new one, Ctrl+Q ends "
        "mynah.",
        has_state(name) ? ", Ctrl+R resumes its saved state" : "");
    ImGui::PopStyleColor();
}

void LibraryPage::keys(Wish& wish) {
    const auto pressed = [](SDL_Scancode key) { return ImGui::IsKeyPressed(key, false); };
    const bool ctrl = ImGui::GetIO().KeyCtrl;
    if (ctrl && pressed(SDL_SCANCODE_Q)) wish.quit = true;
    if (ctrl && pressed(SDL_SCANCODE_N)) dialog_.make_new();
    if (pressed(SDL_SCANCODE_F5)) refresh();
    const Library::Entry* e = selected();
    if (e == nullptr) return;
    if (pressed(SDL_SCANCODE_DELETE)) return ask_delete(e->name);
    if (ImGui::IsKeyPressed(SDL_SCANCODE_DOWN)) at_ = std::min(at_ + 1, entries_.size() - 1);
    if (ImGui::IsKeyPressed(SDL_SCANCODE_UP) && at_ > 0) --at_;
    if (!e->profile) return;
    if (ctrl && pressed(SDL_SCANCODE_E)) dialog_.edit(*e->profile);
    if (ctrl && pressed(SDL_SCANCODE_R) && has_state(e->name)) wish = {e->name, true, false};
    if (pressed(SDL_SCANCODE_RETURN) || pressed(SDL_SCANCODE_KP_ENTER)) wish = {e->name, false, false};
}

LibraryPage::Wish LibraryPage::draw() {
    Wish wish;
    const ImGuiViewport& viewport = *ImGui::GetMainViewport();
    ImGui::SetNextWindowPos(viewport.WorkPos);
    ImGui::SetNextWindowSize(viewport.WorkSize);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, 0);
    ImGui::Begin("library", nullptr,
                 ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings |
                     ImGuiWindowFlags_NoBringToFrontOnFocus | ImGuiWindowFlags_NoNav);
    ImGui::PopStyleVar();
    const bool busy = popup_is_open();
    ImGui::PushFont(gui_.title_font());
    ImGui::TextColored(colours::accent, "mynah");
    ImGui::PopFont();
    const float button = 9 * ImGui::GetFontSize();
    ImGui::SameLine(ImGui::GetContentRegionMax().x - button);
    if (ImGui::Button("New machine", {button, 0})) dialog_.make_new();
    ImGui::Dummy({0, 2});
    if (ImGui::BeginChild("list", {ImGui::GetContentRegionAvail().x * 0.42F, 0}, true,
                          ImGuiWindowFlags_NoNav))
        draw_list();
    ImGui::EndChild();
    ImGui::SameLine();
    if (ImGui::BeginChild("details", {0, 0}, true, ImGuiWindowFlags_NoNav)) draw_details(wish);
    ImGui::EndChild();
    ImGui::End();
    if (!busy) keys(wish);
    if (const auto saved = dialog_.draw()) {
        refresh();
        select(*saved);
    }
    question_.draw();
    errors_.draw();
    return wish;
}

}  // namespace mynah
