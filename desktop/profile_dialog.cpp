#include "desktop/profile_dialog.h"

#include <SDL_scancode.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>

#include "cpu/system/cpu_model.h"
#include "desktop/dialogs.h"
#include "desktop/gui.h"
#include "frontend/options.h"

namespace mynah {

namespace {

constexpr const char* kDiskName = "disk.img";
constexpr int kMostDisk = 2 * 1024 * 1024;  // MiB

struct BootOrder {
    const char* letters;
    const char* label;
};
constexpr BootOrder kBootOrders[] = {{"", "Disk, floppy, CD-ROM"},
                                     {"d", "CD-ROM"},
                                     {"a", "Floppy"},
                                     {"c", "Disk"},
                                     {"dca", "CD-ROM, disk, floppy"}};

}  // namespace

std::vector<std::string> split_options(const std::string& text) {
    std::vector<std::string> words;
    bool in_word = false, quoted = false;
    for (const char c : text) {
        if (c == '"') {
            quoted = !quoted;
            if (!in_word) words.emplace_back();
            in_word = true;
        } else if (!quoted && (c == ' ' || c == '\t')) {
            in_word = false;
        } else {
            if (!in_word) words.emplace_back();
            in_word = true;
            words.back() += c;
        }
    }
    return words;
}

std::string join_options(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& w : words) {
        if (!out.empty()) out += ' ';
        const bool plain = !w.empty() && w.find_first_of(" \t") == std::string::npos;
        out += plain ? w : '"' + w + '"';
    }
    return out;
}

void ProfileDialog::start(const Profile& profile, bool is_new) {
    draft_ = profile;
    new_ = is_new;
    memory_ = static_cast<int>(draft_.memory);
    options_ = join_options(draft_.options);
    problem_.clear();
    asked_ = true;
}

void ProfileDialog::make_new() {
    start({}, true);
    use_template(0);
}

void ProfileDialog::edit(const Profile& profile) {
    start(profile, false);
    disk_ = profile.disks.empty() ? Disk::none : Disk::file;
    disk_file_ = profile.disks.empty() ? "" : profile.disks[0];
    disk_mib_ = 4096;
}

// What was typed already stays.
void ProfileDialog::use_template(size_t index) {
    const ProfileTemplate& t = profile_templates()[index];
    template_ = index;
    draft_.processor = t.profile.processor;
    draft_.options = t.profile.options;
    options_ = join_options(draft_.options);
    memory_ = static_cast<int>(t.profile.memory);
    disk_mib_ = static_cast<int>(t.disk_mib);
    disk_ = Disk::create;
}

void ProfileDialog::row(const char* label, float reserve) {
    ImGui::AlignTextToFramePadding();
    ImGui::TextUnformatted(label);
    ImGui::SameLine(9 * ImGui::GetFontSize());
    ImGui::SetNextItemWidth(-1 - reserve);
}

void ProfileDialog::file_row(const char* label, const char* id, std::string& path) {
    const float button = 6 * ImGui::GetFontSize();
    ImGui::PushID(id);
    row(label, button);
    ImGui::InputTextWithHint("##path", "none", &path);
    ImGui::SameLine();
    if (ImGui::Button("Browse"))
        picker_.open(std::string("Choose: ") + label, path, [&path](const std::string& p) { path = p; });
    ImGui::PopID();
}

void ProfileDialog::draw_templates() {
    const auto& all = profile_templates();
    row("Template");
    for (size_t i = 0; i < all.size(); ++i) {
        if (i > 0) ImGui::SameLine();
        if (ImGui::RadioButton(all[i].title.data(), template_ == i)) use_template(i);
        if (ImGui::GetIO().KeyCtrl && ImGui::IsKeyPressed(SDL_SCANCODE_1 + static_cast<int>(i), false))
            use_template(i);
    }
    ImGui::SetCursorPosX(9 * ImGui::GetFontSize());
    ImGui::TextColored(colours::faint, "%s", all[template_].what.data());
}

void ProfileDialog::draw_disk() {
    row("Hard disk");
    const auto choice = [this](const char* label, Disk d) {
        if (ImGui::RadioButton(label, disk_ == d)) disk_ = d;
    };
    choice("None", Disk::none);
    ImGui::SameLine();
    choice("New", Disk::create);
    ImGui::SameLine();
    choice("Image file", Disk::file);
    if (disk_ == Disk::create) {
        row("Size, MiB");
        ImGui::InputInt("##size", &disk_mib_, 256, 1024);
        disk_mib_ = std::clamp(disk_mib_, 1, kMostDisk);
    } else if (disk_ == Disk::file) {
        file_row("Disk image", "disk", disk_file_);
    }
}

std::optional<std::string> ProfileDialog::draw() {
    const char* title = new_ ? "New machine" : "Change machine";
    if (asked_) ImGui::OpenPopup(title);
    place_dialog(std::min(42 * ImGui::GetFontSize(), ImGui::GetMainViewport()->Size.x - 20));
    if (!ImGui::BeginPopupModal(
            title, nullptr,
            ImGuiWindowFlags_NoMove | ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoSavedSettings))
        return std::nullopt;
    const bool appearing = std::exchange(asked_, false);
    if (new_) {
        draw_templates();
        row("Name");
        if (appearing) ImGui::SetKeyboardFocusHere();
        ImGui::InputText("##name", &draft_.name);
    } else {
        row("Name");
        ImGui::TextUnformatted(draft_.name.c_str());
    }
    row("Memory, MiB");
    if (!new_ && appearing) ImGui::SetKeyboardFocusHere();
    ImGui::InputInt("##memory", &memory_, 16, 256);
    memory_ = std::clamp(memory_, 1, 512 * 1024);
    draft_.memory = static_cast<u64>(memory_);
    file_row("CD-ROM", "cdrom", draft_.cdrom);
    file_row("Floppy", "floppy", draft_.floppy);
    draw_disk();
    row("Processor");
    if (ImGui::BeginCombo("##processor", draft_.processor.c_str())) {
        for (const CpuModel& m : cpu_models()) {
            const std::string name(m.name);
            if (ImGui::Selectable(name.c_str(), name == draft_.processor)) draft_.processor = name;
        }
        ImGui::EndCombo();
    }
    row("Boots from");
    const auto* order = std::find_if(std::begin(kBootOrders), std::end(kBootOrders),
                                     [this](const BootOrder& b) { return draft_.boot == b.letters; });
    if (ImGui::BeginCombo("##boot", order != std::end(kBootOrders) ? order->label : draft_.boot.c_str())) {
        for (const BootOrder& b : kBootOrders) {
            if (ImGui::Selectable(b.label, draft_.boot == b.letters)) draft_.boot = b.letters;
        }
        ImGui::EndCombo();
    }
    if (ImGui::CollapsingHeader("More")) {
        file_row("Kernel", "kernel", draft_.kernel);
        file_row("Initrd", "initrd", draft_.initrd);
        row("Kernel options");
        ImGui::InputText("##append", &draft_.append);
        row("Options");
        ImGui::InputText("##options", &options_);
        bool discard = !draft_.keep_writes;
        row("");
        if (ImGui::Checkbox("Forget what is written to disks when it ends", &discard))
            draft_.keep_writes = !discard;
    }
    if (!problem_.empty()) {
        ImGui::PushStyleColor(ImGuiCol_Text, colours::wrong);
        ImGui::TextWrapped("%s", problem_.c_str());
        ImGui::PopStyleColor();
    }
    ImGui::Dummy({0, 2});
    std::optional<std::string> saved;
    picker_.draw();
    const bool picking = ImGui::IsPopupOpen("", ImGuiPopupFlags_AnyPopupId);
    const bool save_clicked = ImGui::Button(new_ ? "Create" : "Save");
    ImGui::SameLine();
    const bool cancelled = ImGui::Button("Cancel");
    if (new_) {
        ImGui::SameLine();
        ImGui::TextColored(colours::faint, "Return creates, Escape leaves, Ctrl+1 to 4 choose the template");
    }
    if (save_clicked || (!picking && return_pressed())) {
        const Status done = save();
        problem_ = done ? "" : done.error().message;
        if (done) {
            saved = draft_.name;
            ImGui::CloseCurrentPopup();
        }
    } else if (cancelled || (!picking && escape_pressed())) {
        ImGui::CloseCurrentPopup();
    }
    ImGui::EndPopup();
    return saved;
}

Status ProfileDialog::check() const {
    if (Status s = check_profile_name(draft_.name); !s) return s;
    const auto words = profile_arguments(draft_, library_.folder_of(draft_.name));
    const auto line = parse_command_line(words, host_time(), WindowSupport::ready);
    if (!line) return line.error();
    if (line->action != CommandLine::Action::run) return Error{"the options ask for a list; take that out"};
    return Ok{};
}

Status ProfileDialog::save() {
    draft_.options = split_options(options_);
    // Further disks come from the file and stay.
    if (!draft_.disks.empty()) draft_.disks.erase(draft_.disks.begin());
    const std::string first = disk_ == Disk::create ? kDiskName : disk_ == Disk::file ? disk_file_ : "";
    if (!first.empty()) draft_.disks.insert(draft_.disks.begin(), first);
    if (Status s = check(); !s) return s;
    if (Status s = library_.save(draft_, new_); !s) return s;
    if (disk_ != Disk::create) return Ok{};
    const Status made = library_.create_disk(draft_.name, kDiskName, static_cast<u64>(disk_mib_));
    if (made) return Ok{};
    if (new_) (void)library_.remove(draft_.name).ok();
    return made;
}

}  // namespace mynah
