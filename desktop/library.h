// The library of machines: one TOML file each in $XDG_CONFIG_HOME/mynah/machines, and a folder for each
// machine's disks, states and pictures in $XDG_DATA_HOME/mynah.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "desktop/profile.h"

namespace mynah {

class Library {
  public:
    struct Entry {
        std::string name;
        Result<Profile> profile;  // or why the file cannot be used
    };

    // Folders are made when something is first written to them.
    Library(std::string machines, std::string data)
        : machines_(std::move(machines)), data_(std::move(data)) {}
    // The user's, as the XDG Base Directory Specification places it. Error: there is no home.
    static Result<Library> of_user();

    // By name.
    std::vector<Entry> list() const;
    // Error: no such machine (with those there are), or what is wrong with its file.
    Result<Profile> load(std::string_view name) const;
    // Whole or not at all. Error: a bad name, the host, or, for `must_be_new`, that there is one of the name.
    Status save(const Profile& profile, bool must_be_new) const;
    // The file; the machine's folder stays.
    Status remove(std::string_view name) const;

    std::string file_of(std::string_view name) const;
    // Where a machine's disks, states and pictures are. Not made.
    std::string folder_of(std::string_view name) const;
    // Makes that folder. Error: the host.
    Status make_folder(std::string_view name) const;
    // An empty disk image in the machine's folder that takes room only as it is written. Error: it exists, or
    // the host.
    Status create_disk(std::string_view name, const std::string& file, u64 mib) const;

  private:
    std::string machines_, data_;
};

}  // namespace mynah
