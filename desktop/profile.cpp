#include "desktop/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace mynah {

namespace {

constexpr size_t kLongestName = 64;

// A basic string of TOML.
std::string toml_text(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<u8>(c) < 0x20 || c == 0x7F) {
            out += fmt::format("\\u{:04X}", static_cast<u8>(c));
        } else {
            out += c;
        }
    }
    return out + '"';
}

std::string toml_list(const std::vector<std::string>& texts) {
    std::string out = "[";
    for (const std::string& t : texts) out += (out.size() > 1 ? ", " : "") + toml_text(t);
    return out + "]";
}

std::string file_name(const std::string& path) {
    return std::filesystem::path(path).filename().string();
}

std::string resolve(const std::string& file, const std::string& folder) {
    if (file.starts_with("~/")) {
        const char* home = std::getenv("HOME");
        return (home != nullptr ? home : "") + file.substr(1);
    }
    return (std::filesystem::path(folder) / file).string();  // an absolute one stays
}

// An option's name without dashes and value; names that mean one thing become one.
std::string_view option_key(std::string_view word) {
    if (word.size() < 2 || word[0] != '-') return {};
    word.remove_prefix(word.starts_with("--") ? 2 : 1);
    word = word.substr(0, word.find('='));
    return word == "hdc" ? "cdrom" : word;
}

}  // namespace

Status check_profile_name(std::string_view name) {
    if (name.empty()) return Error{"a machine needs a name"};
    if (name.size() > kLongestName)
        return Error{fmt::format("the name is too long; at most {} bytes fit", kLongestName)};
    const auto good = [](char c) {
        return static_cast<u8>(c) >= 0x80 || std::isalnum(static_cast<u8>(c)) != 0 || c == ' ' || c == '.' ||
               c == '_' || c == '-';
    };
    if (!std::all_of(name.begin(), name.end(), good) || name[0] == '.' || name[0] == '-' || name[0] == ' ' ||
        name.back() == ' ')
        return Error{fmt::format(
            "\"{}\" cannot be a name; use letters, digits, blanks, dots, dashes and underscores", name)};
    return Ok{};
}

std::string format_profile(const Profile& p) {
    std::string out =
        fmt::format("# A machine of mynah; `mynah run \"{}\"` starts it. Keys: docs/desktop.md\n", p.name);
    out += fmt::format("memory = {}  # MiB\n", p.memory);
    out += fmt::format("processor = {}\n", toml_text(p.processor));
    const auto text = [&](std::string_view key, const std::string& value) {
        if (!value.empty()) out += fmt::format("{} = {}\n", key, toml_text(value));
    };
    text("boot", p.boot);
    if (!p.disks.empty()) out += fmt::format("disks = {}\n", toml_list(p.disks));
    text("cdrom", p.cdrom);
    text("floppy", p.floppy);
    if (!p.keep_writes) out += "keep_writes = false\n";
    text("kernel", p.kernel);
    text("initrd", p.initrd);
    text("append", p.append);
    if (!p.options.empty()) out += fmt::format("options = {}\n", toml_list(p.options));
    return out;
}

std::vector<std::string> profile_arguments(const Profile& p, const std::string& folder,
                                           std::span<const std::string> typed) {
    std::vector<std::string> out;
    const auto given = [&](std::string_view key) {
        return std::any_of(typed.begin(), typed.end(),
                           [key](const std::string& word) { return option_key(word) == key; });
    };
    const auto add = [&](std::string_view key, const std::string& value) {
        if (value.empty() || given(key)) return;
        out.push_back(fmt::format("-{}", key));
        out.push_back(value);
    };
    const auto file = [&](const std::string& f) { return f.empty() ? f : resolve(f, folder); };
    add("m", fmt::format("{}M", p.memory));
    add("cpu", p.processor);
    add("boot", p.boot);
    static constexpr std::string_view kPlaces[kMostDisks] = {"hda", "hdb", "hdd"};
    for (size_t i = 0; i < std::min(p.disks.size(), kMostDisks); ++i) add(kPlaces[i], file(p.disks[i]));
    // Empty drives are there too, so that a medium can be put in later.
    if (!p.cdrom.empty())
        add("cdrom", file(p.cdrom));
    else if (!given("cdrom"))
        out.insert(out.end(), {"-drive", "if=ide,media=cdrom,index=2"});
    if (!p.floppy.empty())
        add("fda", file(p.floppy));
    else if (!given("fda"))
        out.insert(out.end(), {"-drive", "if=floppy,index=0"});
    if (!p.keep_writes && !given("snapshot")) out.push_back("-snapshot");
    if (!p.kernel.empty()) {
        add("kernel", file(p.kernel));
        add("initrd", file(p.initrd));
        add("append", p.append);
    }
    out.insert(out.end(), p.options.begin(), p.options.end());
    out.insert(out.end(), typed.begin(), typed.end());
    return out;
}

std::string describe_profile(const Profile& p) {
    std::string out =
        p.memory % 1024 == 0 ? fmt::format("{} GiB", p.memory / 1024) : fmt::format("{} MiB", p.memory);
    out += ", " + p.processor;
    for (const std::string& d : p.disks) out += ", " + file_name(d);
    if (!p.cdrom.empty()) out += ", " + file_name(p.cdrom);
    if (!p.floppy.empty()) out += ", " + file_name(p.floppy);
    if (!p.kernel.empty()) out += ", " + file_name(p.kernel);
    return out;
}

const std::vector<ProfileTemplate>& profile_templates() {
    static const std::vector<ProfileTemplate> all = [] {
        const auto make = [](u64 memory, const char* processor, std::vector<std::string> options) {
            Profile p;
            p.memory = memory;
            p.processor = processor;
            p.options = std::move(options);
            return p;
        };
        // Old systems keep local time in the clock chip.
        const std::vector<std::string> local{"-rtc", "base=localtime"};
        std::vector<ProfileTemplate> list;
        list.push_back(
            {"dos", "DOS", "16-bit systems: DOS and what runs on it", make(32, "pentium3", local), 500});
        list.push_back({"old32", "Old 32-bit", "32-bit systems of the 1990s and 2000s",
                        make(256, "pentium3", local), 4096});
        list.push_back(
            {"linux32", "Linux 32", "Linux and BSD for i386 and i686", make(512, "core2duo", {}), 8192});
        list.push_back({"linux64", "Linux 64", "Linux and BSD for x86-64", make(1024, "max", {}), 16384});
        return list;
    }();
    return all;
}

}  // namespace mynah
