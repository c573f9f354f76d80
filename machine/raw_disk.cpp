#include "machine/raw_disk.h"

#include <fmt/format.h>

#include "base/bits.h"

namespace mynah {

Result<std::unique_ptr<RawDisk>> RawDisk::open(const std::string& path, HostFile::Access access,
                                               u64 minimum) {
    Result<HostFile> file = HostFile::open(path, access);
    if (!file) return file.error();
    const u64 bytes = file->size();
    if (bytes < minimum) {
        return Error{
            fmt::format("\"{}\" is too short for an image: {} bytes, {} needed", path, bytes, minimum)};
    }
    return std::unique_ptr<RawDisk>(new RawDisk(std::move(*file), access, align_up(bytes, 512)));
}

Status RawDisk::read(u64 offset, std::span<u8> out) {
    return file_.read_at(offset, out);
}

Status RawDisk::write(u64 offset, std::span<const u8> data) {
    if (read_only()) return Error{"\"" + file_.path() + "\" is read-only"};
    return file_.write_at(offset, data);
}

Status RawDisk::flush() {
    if (read_only()) return Ok{};
    return file_.sync();
}

}  // namespace mynah
