// The list of machines and what can be done with one.
#pragma once

#include <string>

#include "desktop/dialogs.h"
#include "desktop/gui.h"
#include "desktop/library.h"
#include "desktop/profile_dialog.h"

namespace mynah {

class LibraryPage {
  public:
    LibraryPage(const Gui& gui, const Library& library);

    struct Wish {
        std::string start;    // name of a machine; empty: nothing
        bool resume = false;  // from its saved state
        bool quit = false;
    };
    // A frame of it.
    Wish draw();
    // Reads the folder again.
    void refresh();
    void show_error(std::string message) { errors_.add(std::move(message)); }

  private:
    const Library::Entry* selected() const;
    void select(const std::string& name);
    void draw_list();
    void draw_details(Wish& wish);
    void keys(Wish& wish);
    bool has_state(const std::string& name) const;
    void ask_delete(const std::string& name);

    const Gui& gui_;
    const Library& library_;
    std::vector<Library::Entry> entries_;
    size_t at_ = 0;
    ProfileDialog dialog_;
    ErrorDialog errors_;
    QuestionDialog question_;
};

// Where a machine's saved state is.
std::string state_file(const std::string& folder);

}  // namespace mynah
