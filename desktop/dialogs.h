// Questions and bad news in the middle of the window. Return and Escape answer them.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace mynah {

// A dialog or a menu is open: keys are not the guest's.
bool popup_is_open();
// The key went down since the last frame, and not just to open this window.
bool return_pressed();
bool escape_pressed();
// A title in the middle of the window, for the next modal; as wide as texts need.
void place_dialog(float width);

// One sentence and what to do, one after the other.
class ErrorDialog {
  public:
    void add(std::string message) { messages_.push_back(std::move(message)); }
    void draw();

  private:
    std::deque<std::string> messages_;
};

class QuestionDialog {
  public:
    struct Answer {
        std::string label;
        std::function<void()> action;  // may be null
    };
    // The first answer is Return's, the last Escape's.
    void ask(std::string text, std::vector<Answer> answers);
    void draw();

  private:
    std::string text_;
    std::vector<Answer> answers_;
};

}  // namespace mynah
