// Reads whole files from the host, and finds firmware files.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bios/bytes.h"

namespace mynah {

// Error: 'cannot read <what> "<path>": <reason>', also when the file is longer than `limit`.
Result<Bytes> read_file(const std::string& path, std::string_view what, u64 limit);

// Debian's `seabios` package.
inline constexpr std::string_view kFirmwareFolder = "/usr/share/seabios";

// The path itself when it has a slash or exists; else the first of `folders` that has it. Error: names the
// folders.
Result<std::string> find_firmware(const std::string& name, std::span<const std::string> folders);

}  // namespace mynah
