#include "bios/files.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

namespace mynah {

Result<Bytes> read_file(const std::string& path, std::string_view what, u64 limit) {
    const auto fail = [&](std::string_view why) {
        return Error{fmt::format("cannot read {} \"{}\": {}", what, path, why)};
    };
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return fail("it is a directory");
    struct Close {
        void operator()(std::FILE* f) const { std::fclose(f); }
    };
    const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rb"));
    if (!file) return fail(std::strerror(errno));
    Bytes data;
    const u64 size = std::filesystem::file_size(path, error);
    if (!error && size > limit) return fail(fmt::format("it is larger than {} MiB", limit / MiB));
    if (!error) data.reserve(static_cast<size_t>(size));
    u8 block[65536];
    while (const size_t n = std::fread(block, 1, sizeof block, file.get())) {
        if (data.size() + n > limit) return fail(fmt::format("it is larger than {} MiB", limit / MiB));
        data.insert(data.end(), block, block + n);
    }
    if (std::ferror(file.get())) return fail(std::strerror(errno));
    return data;
}

Result<std::string> find_firmware(const std::string& name, std::span<const std::string> folders) {
    std::error_code error;
    if (name.find('/') != std::string::npos || std::filesystem::exists(name, error)) return name;
    std::string tried;
    for (const std::string& folder : folders) {
        const std::string path = folder + "/" + name;
        if (std::filesystem::exists(path, error)) return path;
        tried += (tried.empty() ? "" : ", ") + folder;
    }
    return Error{fmt::format(
        "firmware file \"{}\" not found (looked in {}); install Debian's package seabios, or give its "
        "path with -bios",
        name, tried)};
}

}  // namespace mynah
