#include "block/new_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "block/raw_disk.h"

namespace mynah {

namespace {

namespace fs = std::filesystem;

bool all_zero(std::span<const u8> bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](u8 b) { return b == 0; });
}

// Makes an empty image in `file` and opens it.
Result<std::unique_ptr<DiskImage>> format(std::unique_ptr<ImageFile> file, u64 bytes,
                                          const NewImageOptions& options) {
    if (options.format != ImageFormat::qcow2) {
        if (Status s = file->resize(bytes); !s) return s.error();
        return std::unique_ptr<DiskImage>(new RawDisk(std::move(file)));
    }
    qcow2::Header header = options.header;
    header.size = bytes;
    if (Status s = Qcow2::create(*file, header); !s) return s.error();
    auto made = Qcow2::read_header(*file);
    if (!made) return made.error();
    auto image = Qcow2::open(std::move(file), std::move(*made), nullptr);
    if (!image) return image.error();
    return std::unique_ptr<DiskImage>(std::move(*image));
}

// Stretches that are not zeroes, in pieces of `grain`.
template <class Put>
Status put_data(u64 offset, std::span<const u8> data, u64 grain, const Put& put) {
    for (size_t at = 0; at < data.size();) {
        size_t end = at;
        while (end < data.size() && !all_zero(data.subspan(end, std::min<u64>(grain, data.size() - end))))
            end = std::min<u64>(end + grain, data.size());
        if (end != at) {
            if (Status s = put(offset + at, data.subspan(at, end - at)); !s) return s;
        }
        at = std::min<u64>(end + grain, data.size());
    }
    return Ok{};
}

Status copy(DiskImage& from, DiskImage& to, const NewImageOptions& options) {
    constexpr u64 kPart = 2 * MiB;  // whole clusters of any size
    Qcow2* qcow2 = options.format == ImageFormat::qcow2 ? static_cast<Qcow2*>(&to) : nullptr;
    const u64 cluster = qcow2 != nullptr ? qcow2->header().cluster_size() : 4096;
    const auto put = [&](u64 offset, std::span<const u8> data) -> Status {
        if (!options.compressed) return to.write(offset, data);
        while (!data.empty()) {
            const auto part = data.first(std::min<u64>(cluster, data.size()));
            const auto smaller = qcow2->write_compressed(offset, part);
            if (!smaller) return smaller.error();
            if (!*smaller) {
                if (Status s = to.write(offset, part); !s) return s;
            }
            offset += part.size();
            data = data.subspan(part.size());
        }
        return Ok{};
    };
    std::vector<u8> buffer;
    for (u64 at = 0; at < from.size();) {
        // From a border between parts to another.
        if (const u64 zeroes = from.zeroes_at(at); zeroes >= kPart) {
            at += zeroes / kPart * kPart;
            continue;
        }
        buffer.resize(std::min(kPart, from.size() - at));
        if (Status s = from.read(at, buffer); !s) return s;
        if (Status s = put_data(at, buffer, cluster, put); !s) return s;
        at += buffer.size();
    }
    return to.flush();
}

}  // namespace

Result<NewImage> NewImage::begin(const std::string& path) {
    std::error_code error;
    // A link's target is replaced, not the link.
    std::string target = fs::weakly_canonical(path, error).string();
    if (error) target = path;
    std::optional<HostFile> replaced;
    if (fs::exists(target, error)) {
        if (!fs::is_regular_file(target, error))
            return Error{fmt::format("\"{}\" is not a regular file; give another name", path)};
        auto file = HostFile::open(target, HostFile::Access::read_write);
        if (!file) return file.error();
        replaced = std::move(*file);
    }
    for (unsigned n = 0; n < 100; ++n) {
        std::string aside = fmt::format("{}.new{}", target, n);
        if (fs::exists(aside, error)) continue;
        auto file = HostFile::create(aside);
        if (!file) return file.error();
        std::unique_ptr<ImageFile> image(new HostImageFile(std::move(*file), HostFile::Access::read_write));
        return NewImage(std::move(target), std::move(aside), std::move(image), std::move(replaced));
    }
    return Error{fmt::format("\"{}.new0\" and many more are in the way; remove them", path)};
}

NewImage::NewImage(NewImage&& other) noexcept
    : target_(std::move(other.target_)),
      aside_(std::exchange(other.aside_, {})),
      file_(std::move(other.file_)),
      replaced_(std::move(other.replaced_)) {}

NewImage::~NewImage() {
    std::error_code ignored;
    if (!aside_.empty()) fs::remove(aside_, ignored);
}

Status NewImage::commit() {
    std::error_code error;
    if (replaced_) fs::permissions(aside_, fs::status(target_, error).permissions(), error);
    fs::rename(aside_, target_, error);
    if (error) return Error{fmt::format("cannot put \"{}\" in place: {}", target_, error.message())};
    aside_.clear();
    return Ok{};
}

Status create_image(const std::string& path, u64 bytes, const NewImageOptions& options) {
    auto place = NewImage::begin(path);
    if (!place) return place.error();
    auto image = format(place->take_file(), bytes, options);
    if (!image) return image.error();
    if (Status s = (*image)->flush(); !s) return s;
    image->reset();
    return place->commit();
}

Status convert_image(DiskImage& source, const std::string& path, const NewImageOptions& options) {
    auto place = NewImage::begin(path);
    if (!place) return place.error();
    auto image = format(place->take_file(), source.size(), options);
    if (!image) return image.error();
    if (Status s = copy(source, **image, options); !s) return s;
    // Closing writes what only waited.
    image->reset();
    return place->commit();
}

}  // namespace mynah
