#include "frontend/screenshot.h"

#include <fmt/format.h>
#include <png.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

namespace mynah {

namespace {

std::vector<u8> encode_ppm(const Frame& frame) {
    const std::string header = fmt::format("P6\n{} {}\n255\n", frame.width, frame.height);
    std::vector<u8> out(header.begin(), header.end());
    out.insert(out.end(), frame.rgb.begin(), frame.rgb.end());
    return out;
}

std::vector<u8> encode_png(const Frame& frame) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = frame.width;
    image.height = frame.height;
    image.format = PNG_FORMAT_RGB;
    png_alloc_size_t size = 0;
    if (png_image_write_to_memory(&image, nullptr, &size, 0, frame.rgb.data(), 0, nullptr) == 0) return {};
    std::vector<u8> out(size);
    if (png_image_write_to_memory(&image, out.data(), &size, 0, frame.rgb.data(), 0, nullptr) == 0) return {};
    out.resize(size);
    return out;
}

}  // namespace

Status write_screenshot(const Frame& frame, const std::string& path) {
    if (frame.width == 0 || frame.height == 0)
        return Error{"the screen is off: there is no picture to write"};
    const bool png = path.ends_with(".png");
    if (!png && !path.ends_with(".ppm"))
        return Error{fmt::format("\"{}\": the name must end in .png or .ppm", path)};
    const std::vector<u8> bytes = png ? encode_png(frame) : encode_ppm(frame);
    if (bytes.empty()) return Error{fmt::format("cannot encode the picture for \"{}\"", path)};
    const std::string aside = path + ".part";
    std::FILE* f = std::fopen(aside.c_str(), "wb");
    if (f == nullptr) return Error{fmt::format("cannot write \"{}\": {}", path, std::strerror(errno))};
    const bool written = std::fwrite(bytes.data(), 1, bytes.size(), f) == bytes.size();
    const bool closed = std::fclose(f) == 0;
    if (written && closed && std::rename(aside.c_str(), path.c_str()) == 0) return Ok{};
    const int reason = errno;
    std::remove(aside.c_str());
    return Error{fmt::format("cannot write \"{}\": {}", path, std::strerror(reason))};
}

}  // namespace mynah
