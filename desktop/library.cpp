#include "desktop/library.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace mynah {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".toml";
// Nobody writes a longer one.
constexpr std::uintmax_t kLongestFile = 1 * MiB;

Result<std::string> read_file(const std::string& path) {
    std::error_code error;
    const auto size = fs::file_size(path, error);
    if (!error && size > kLongestFile)
        return Error{fmt::format("{}: the file is too long to be a machine's", path)};
    std::ifstream in(path, std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(in), {});
    if (error || !in.good()) return Error{fmt::format("cannot read \"{}\": {}", path, std::strerror(errno))};
    return text;
}

Status write_file(const std::string& path, const std::string& text) {
    const std::string aside = path + ".part";
    std::FILE* f = std::fopen(aside.c_str(), "wb");
    if (f == nullptr) return Error{fmt::format("cannot write \"{}\": {}", path, std::strerror(errno))};
    const bool written = std::fwrite(text.data(), 1, text.size(), f) == text.size();
    const bool closed = std::fclose(f) == 0;
    if (written && closed && std::rename(aside.c_str(), path.c_str()) == 0) return Ok{};
    const int reason = errno;
    std::remove(aside.c_str());
    return Error{fmt::format("cannot write \"{}\": {}", path, std::strerror(reason))};
}

Status make_folders(const std::string& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) return Error{fmt::format("cannot make the folder \"{}\": {}", path, error.message())};
    return Ok{};
}

// An XDG folder: the variable, or a folder in the home; relative ones do not count.
std::string xdg_folder(const char* variable, std::string_view in_home) {
    const char* value = std::getenv(variable);
    if (value != nullptr && value[0] == '/') return fmt::format("{}/mynah", value);
    const char* home = std::getenv("HOME");
    return home != nullptr && home[0] == '/' ? fmt::format("{}/{}/mynah", home, in_home) : std::string();
}

}  // namespace

Result<Library> Library::of_user() {
    const std::string config = xdg_folder("XDG_CONFIG_HOME", ".config");
    const std::string data = xdg_folder("XDG_DATA_HOME", ".local/share");
    if (config.empty() || data.empty())
        return Error{
            "there is no place for the library of machines: set HOME, or XDG_CONFIG_HOME and XDG_DATA_HOME"};
    return Library(config + "/machines", data);
}

std::string Library::file_of(std::string_view name) const {
    return fmt::format("{}/{}{}", machines_, name, kEnding);
}

std::string Library::folder_of(std::string_view name) const {
    return fmt::format("{}/{}", data_, name);
}

std::vector<Library::Entry> Library::list() const {
    std::vector<Entry> out;
    std::error_code error;
    for (auto it = fs::directory_iterator(machines_, error); !error && it != fs::directory_iterator();
         it.increment(error)) {
        const fs::path& path = it->path();
        if (path.extension() != kEnding || !check_profile_name(path.stem().string())) continue;
        const std::string name = path.stem().string();
        out.push_back({name, load(name)});
    }
    std::sort(out.begin(), out.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
    return out;
}

Result<Profile> Library::load(std::string_view name) const {
    if (Status s = check_profile_name(name); !s) return s.error();
    const std::string file = file_of(name);
    if (std::error_code error; !fs::exists(file, error)) {
        std::string known;
        if (fs::exists(machines_, error)) {
            for (const auto& entry : fs::directory_iterator(machines_, error)) {
                if (entry.path().extension() == kEnding)
                    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.path().stem().string());
            }
        }
        return Error{known.empty()
                         ? fmt::format("there is no machine \"{}\", the library is empty; make one with "
                                       "mynah without options, or write {}",
                                       name, file)
                         : fmt::format("there is no machine \"{}\"; there are {}", name, known)};
    }
    const auto text = read_file(file);
    if (!text) return text.error();
    return parse_profile(*text, name, file);
}

Status Library::save(const Profile& profile, bool must_be_new) const {
    if (Status s = check_profile_name(profile.name); !s) return s;
    const std::string file = file_of(profile.name);
    std::error_code error;
    if (must_be_new && fs::exists(file, error))
        return Error{
            fmt::format("there is a machine \"{}\" already; give this one another name", profile.name)};
    if (Status s = make_folders(machines_); !s) return s;
    return write_file(file, format_profile(profile));
}

Status Library::remove(std::string_view name) const {
    if (Status s = check_profile_name(name); !s) return s;
    std::error_code error;
    if (fs::remove(file_of(name), error)) return Ok{};
    return Error{fmt::format("cannot delete \"{}\": {}", file_of(name),
                             error ? error.message() : std::string("it is gone already"))};
}

Status Library::make_folder(std::string_view name) const {
    return make_folders(folder_of(name));
}

Status Library::create_disk(std::string_view name, const std::string& file, u64 mib) const {
    if (Status s = make_folder(name); !s) return s;
    const std::string path = folder_of(name) + "/" + file;
    std::FILE* f = std::fopen(path.c_str(), "wbx");
    if (f == nullptr && errno == EEXIST)
        return Error{fmt::format(
            "the disk \"{}\" exists already; choose it as the image file, or take another name", path)};
    if (f == nullptr)
        return Error{fmt::format("cannot make the disk \"{}\": {}", path, std::strerror(errno))};
    std::fclose(f);
    std::error_code error;
    fs::resize_file(path, mib * MiB, error);
    if (!error) return Ok{};
    std::remove(path.c_str());
    return Error{fmt::format("cannot make the disk \"{}\" of {} MiB: {}", path, mib, error.message())};
}

}  // namespace mynah
