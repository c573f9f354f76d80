// A machine of the library as its TOML file says it, and what that means on the command line.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace mynah {

// Empty texts are "none" or the command line's default. Files without a folder are in the machine's own.
struct Profile {
    std::string name;  // also the file's; see check_profile_name()
    u64 memory = 256;  // MiB
    std::string processor = "max";
    std::string boot;  // letters of -boot
    std::vector<std::string> disks;
    std::string cdrom, floppy;
    bool keep_writes = true;  // false: disks are as before at the next start (-snapshot)
    std::string kernel, initrd, append;
    std::vector<std::string> options;  // further ones, as typed
};

// Three of the four IDE places; the third is the CD-ROM's.
inline constexpr size_t kMostDisks = 3;

// Error: empty, too long, or characters that a file name or a command line would not like.
Status check_profile_name(std::string_view name);

// Error: "FILE:LINE: what is wrong", also for unknown keys and wrong types. `file` is for messages. Only
// where toml++ is there; else an error that says so.
Result<Profile> parse_profile(std::string_view text, std::string_view name, const std::string& file);
std::string format_profile(const Profile& profile);

// The command line of a machine, to which `typed` is added: what it gives goes before the profile's. `folder`
// is the machine's own.
std::vector<std::string> profile_arguments(const Profile& profile, const std::string& folder,
                                           std::span<const std::string> typed = {});

// "256 MiB, pentium3, disk.img": for lists.
std::string describe_profile(const Profile& profile);

// Where a new machine starts.
struct ProfileTemplate {
    std::string_view id, title, what;
    Profile profile;
    u64 disk_mib;  // a new disk's size that suits it
};
const std::vector<ProfileTemplate>& profile_templates();

}  // namespace mynah
