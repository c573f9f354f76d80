// A saved machine on disk: a header that says what it belongs to, then the compressed archive.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace mynah {

// 64-bit FNV-1a over 8-byte words (the tail byte-wise): quick enough for all of RAM, the same on every host.
u64 hash_bytes(std::span<const u8> data, u64 seed = 0xCBF29CE484222325);

// Writes aside and renames. Error: what the host said.
Status write_snapshot_file(const std::string& path, std::span<const u8> archive);
// Error: not a snapshot, damaged, made by another version, or what the host said.
Result<std::vector<u8>> read_snapshot_file(const std::string& path);

}  // namespace mynah
