#include "block/raw_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bits.h"
#include "block/qcow2/format.h"

namespace mynah {

RawDisk::RawDisk(std::unique_ptr<ImageFile> file)
    : file_(std::move(file)), size_(align_up(file_->size(), 512)) {}

Result<std::unique_ptr<RawDisk>> RawDisk::open(const std::string& path, HostFile::Access access,
                                               u64 minimum) {
    auto file = HostImageFile::open(path, access);
    if (!file) return file.error();
    const u64 bytes = (*file)->size();
    if (bytes < minimum) {
        return Error{
            fmt::format("\"{}\" is too short for an image: {} bytes, {} needed", path, bytes, minimum)};
    }
    return std::make_unique<RawDisk>(std::move(*file));
}

Status RawDisk::write(u64 offset, std::span<const u8> data) {
    if (unmistakable_ && offset < 4 && !data.empty()) {
        std::array<u8, 4> start{};
        if (Status s = file_->read(0, start); !s) return s;
        std::copy_n(data.begin(), std::min<size_t>(data.size(), 4 - offset),
                    start.begin() + static_cast<std::ptrdiff_t>(offset));
        if (qcow2::is_magic(start)) {
            return Error{
                fmt::format("\"{}\": a qcow2 header was about to be written into a raw image; if that is "
                            "right, give format=raw",
                            file_->name())};
        }
    }
    return file_->write(offset, data);
}

}  // namespace mynah
