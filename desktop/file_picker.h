// Chooses a file of the host. A path can be typed; the list goes with it.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace mynah {

class FilePicker {
  public:
    // `chosen` gets the path. `now`: where to begin; may be empty.
    void open(std::string title, const std::string& now, std::function<void(const std::string&)> chosen);
    // At the level where open() was called: in the dialog that opened it, or outside of all.
    void draw();

  private:
    struct Item {
        std::string name;
        bool folder;
    };
    void list();
    void take();
    void enter(const std::string& name);

    std::string title_;
    std::function<void(const std::string&)> chosen_;
    std::string path_;
    std::string listed_;  // the folder whose items these are
    std::vector<Item> items_;
    bool asked_ = false;
    bool refocus_ = false;
};

}  // namespace mynah
