#include "block/image.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>

#include "block/raw_disk.h"

namespace mynah {

namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxChain = 64;

// The images above the one that is being opened.
using Chain = std::vector<std::string>;

Result<bool> is_qcow2(ImageFile& file) {
    std::array<u8, 4> start{};
    if (Status s = file.read(0, start); !s) return s.error();
    return qcow2::is_magic(start);
}

Result<std::unique_ptr<DiskImage>> open_backing(const std::string& image, const qcow2::Header& header,
                                                Chain& chain);

Result<std::unique_ptr<Qcow2>> open_qcow2_file(std::unique_ptr<ImageFile> file, Chain& chain,
                                               bool may_have_backing, bool with_backing, bool repairing) {
    auto header = Qcow2::read_header(*file);
    if (!header) return header.error();
    std::unique_ptr<DiskImage> backing;
    if (!header->backing_file.empty() && with_backing) {
        const std::string path = file->name();
        if (!may_have_backing) {
            // A guest with a raw disk may write a header into it that names any file of the host.
            return Error{
                fmt::format("\"{}\": it is a backing file of no stated format and refers to other "
                            "files; state it with qemu-img rebase -u -F qcow2",
                            path)};
        }
        auto below = open_backing(path, *header, chain);
        if (!below) return Error{fmt::format("\"{}\": its backing file: {}", path, below.error().message)};
        backing = std::move(*below);
    }
    return Qcow2::open(std::move(file), std::move(*header), std::move(backing), repairing);
}

Result<std::unique_ptr<DiskImage>> open_backing(const std::string& image, const qcow2::Header& header,
                                                Chain& chain) {
    auto path = backing_path(image, header.backing_file);
    if (!path) return path.error();
    chain.push_back(image);
    if (chain.size() > kMaxChain) return Error{fmt::format("more than {} images in a chain", kMaxChain)};
    for (const std::string& above : chain) {
        std::error_code ignored;
        if (fs::equivalent(above, *path, ignored))
            return Error{fmt::format("\"{}\" is its own backing file", *path)};
    }
    const std::string& name = header.backing_format;
    const auto format = name.empty() ? Result<ImageFormat>(ImageFormat::probe) : parse_image_format(name);
    if (!format) return Error{fmt::format("\"{}\": {}", *path, format.error().message)};
    auto file = HostImageFile::open(*path, HostFile::Access::read_only);
    if (!file) return file.error();
    bool qcow2 = *format == ImageFormat::qcow2;
    if (*format == ImageFormat::probe) {
        const auto probed = is_qcow2(**file);
        if (!probed) return probed.error();
        qcow2 = *probed;
    }
    if (!qcow2) return std::unique_ptr<DiskImage>(new RawDisk(std::move(*file)));
    auto opened = open_qcow2_file(std::move(*file), chain, *format == ImageFormat::qcow2, true, false);
    if (!opened) return opened.error();
    return std::unique_ptr<DiskImage>(std::move(*opened));
}

}  // namespace

Result<ImageFormat> parse_image_format(std::string_view name) {
    if (name == "raw") return ImageFormat::raw;
    if (name == "qcow2") return ImageFormat::qcow2;
    return Error{fmt::format("format \"{}\" is not supported; there are raw and qcow2", name)};
}

Result<std::string> backing_path(const std::string& image, const std::string& backing) {
    std::string name = backing;
    if (name.starts_with("file:")) {
        name.erase(0, 5);
    } else if (const size_t colon = name.find(':'); colon != std::string::npos && name.find('/') > colon) {
        return Error{fmt::format("\"{}\" is not a file; only files are supported", backing)};
    }
    return (fs::path(image).parent_path() / name).string();
}

Result<std::unique_ptr<Qcow2>> open_qcow2(const std::string& path, HostFile::Access access, bool with_backing,
                                          bool repairing) {
    auto file = HostImageFile::open(path, access);
    if (!file) return file.error();
    Chain chain;
    return open_qcow2_file(std::move(*file), chain, true, with_backing, repairing);
}

Result<std::unique_ptr<DiskImage>> open_image(const std::string& path, const ImageUse& use) {
    auto file = HostImageFile::open(path, use.access);
    if (!file) return file.error();
    bool qcow2 = use.format == ImageFormat::qcow2;
    if (use.format == ImageFormat::probe) {
        const auto probed = is_qcow2(**file);
        if (!probed) return probed.error();
        qcow2 = *probed;
    }
    std::unique_ptr<DiskImage> image;
    u64 bytes = (*file)->size();
    if (qcow2) {
        Chain chain;
        auto opened = open_qcow2_file(std::move(*file), chain, true, true, false);
        if (!opened) return opened.error();
        bytes = (*opened)->size();
        image = std::move(*opened);
    } else {
        auto raw = std::make_unique<RawDisk>(std::move(*file));
        if (use.format == ImageFormat::probe) raw->keep_unmistakable();
        image = std::move(raw);
    }
    if (bytes < use.minimum) {
        return Error{
            fmt::format("\"{}\" is too short for an image: {} bytes, {} needed", path, bytes, use.minimum)};
    }
    return image;
}

}  // namespace mynah
