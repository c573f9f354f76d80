// Makes or changes a machine of the library.
#pragma once

#include <optional>
#include <string>

#include "desktop/file_picker.h"
#include "desktop/library.h"

namespace mynah {

class ProfileDialog {
  public:
    explicit ProfileDialog(const Library& library) : library_(library) {}

    void make_new();
    void edit(const Profile& profile);
    // The name of what was saved, once.
    std::optional<std::string> draw();

  private:
    enum class Disk : int { none, create, file };

    void start(const Profile& profile, bool is_new);
    void use_template(size_t index);
    void draw_templates();
    void draw_disk();
    // A row: the label, and a field as wide as there is room, less `reserve`.
    void row(const char* label, float reserve = 0);
    void file_row(const char* label, const char* id, std::string& path);
    // Error: what the machine's command line would say.
    Status check() const;
    Status save();

    const Library& library_;
    FilePicker picker_;
    bool asked_ = false, new_ = false;
    size_t template_ = 0;
    Profile draft_;
    std::string options_;
    Disk disk_ = Disk::none;
    int disk_mib_ = 0;
    int memory_ = 0;
    std::string disk_file_;
    std::string problem_;
};

// Words separated by blanks; "..." keeps blanks. The other way round where a word has some.
std::vector<std::string> split_options(const std::string& text);
std::string join_options(const std::vector<std::string>& words);

}  // namespace mynah
