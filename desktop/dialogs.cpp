#include "desktop/dialogs.h"

#include <SDL_scancode.h>
#include <imgui.h>

#include <utility>

#include "desktop/gui.h"

namespace mynah {

namespace {

constexpr float kWidth = 480;
constexpr ImGuiWindowFlags kModal = ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoMove |
                                    ImGuiWindowFlags_NoResize | ImGuiWindowFlags_NoSavedSettings;

void wrapped_text(const std::string& text) {
    ImGui::PushTextWrapPos(ImGui::GetCursorPosX() + kWidth * ImGui::GetFontSize() / 16);
    ImGui::TextUnformatted(text.c_str());
    ImGui::PopTextWrapPos();
    ImGui::Dummy({0, 4});
}

}  // namespace

bool popup_is_open() {
    return ImGui::IsPopupOpen("", ImGuiPopupFlags_AnyPopupId | ImGuiPopupFlags_AnyPopupLevel);
}

bool return_pressed() {
    return !ImGui::IsWindowAppearing() && (ImGui::IsKeyPressed(SDL_SCANCODE_RETURN, false) ||
                                           ImGui::IsKeyPressed(SDL_SCANCODE_KP_ENTER, false));
}

bool escape_pressed() {
    return !ImGui::IsWindowAppearing() && ImGui::IsKeyPressed(SDL_SCANCODE_ESCAPE, false);
}

void place_dialog(float width) {
    const ImVec2 centre = ImGui::GetMainViewport()->GetCenter();
    ImGui::SetNextWindowPos(centre, ImGuiCond_Always, {0.5F, 0.5F});
    if (width > 0) ImGui::SetNextWindowSize({width, 0});
}

void ErrorDialog::draw() {
    static constexpr const char* kTitle = "That did not work";
    if (messages_.empty()) return;
    if (!popup_is_open()) ImGui::OpenPopup(kTitle);
    place_dialog(0);
    if (!ImGui::BeginPopupModal(kTitle, nullptr, kModal)) return;
    wrapped_text(messages_.front());
    const bool clicked = ImGui::Button("OK", {120, 0});
    ImGui::SetItemDefaultFocus();
    if (clicked || return_pressed() || escape_pressed()) {
        messages_.pop_front();
        ImGui::CloseCurrentPopup();
    }
    ImGui::EndPopup();
}

void QuestionDialog::ask(std::string text, std::vector<Answer> answers) {
    text_ = std::move(text);
    answers_ = std::move(answers);
}

void QuestionDialog::draw() {
    static constexpr const char* kTitle = "mynah";
    if (answers_.empty()) return;
    if (!popup_is_open()) ImGui::OpenPopup(kTitle);
    place_dialog(0);
    if (!ImGui::BeginPopupModal(kTitle, nullptr, kModal)) return;
    wrapped_text(text_);
    const Answer* chosen = nullptr;
    for (const Answer& answer : answers_) {
        if (&answer != &answers_.front()) ImGui::SameLine();
        if (ImGui::Button(answer.label.c_str())) chosen = &answer;
        if (&answer == &answers_.front()) ImGui::SetItemDefaultFocus();
    }
    if (chosen == nullptr && return_pressed()) chosen = &answers_.front();
    if (chosen == nullptr && escape_pressed()) chosen = &answers_.back();
    if (chosen != nullptr) {
        const auto action = chosen->action;
        answers_.clear();
        ImGui::CloseCurrentPopup();
        if (action) action();
    }
    ImGui::EndPopup();
}

}  // namespace mynah
