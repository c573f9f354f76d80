#include "block/image_file.h"

#include <algorithm>

namespace mynah {

Result<std::unique_ptr<ImageFile>> HostImageFile::open(const std::string& path, HostFile::Access access) {
    auto file = HostFile::open(path, access);
    if (!file) return file.error();
    return std::unique_ptr<ImageFile>(new HostImageFile(std::move(*file), access));
}

Status HostImageFile::write(u64 offset, std::span<const u8> data) {
    if (read_only()) return Error{"\"" + name() + "\" is read-only"};
    return file_.write_at(offset, data);
}

void HostImageFile::discard(u64 offset, u64 bytes) {
    if (read_only() || offset >= size() || bytes == 0) return;
    (void)file_.punch(offset, std::min(bytes, size() - offset));
}

}  // namespace mynah
