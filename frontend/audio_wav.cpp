#include "frontend/audio_wav.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/bits.h"

namespace mynah {

namespace {

// "Multimedia Programming Interface and Data Specifications 1.0" (IBM, Microsoft 1991), RIFF WAVE.
constexpr u32 kHeader = 44, kFrame = 4, kBits = 16, kChannels = 2;
constexpr u16 kPcm = 1;
// Sizes have 32 bits, and many programs take the last one for a sign: what comes later is left out.
constexpr u64 kMostFrames = (u64{0x7FFFFFFF} - kHeader) / kFrame;
// A header so often, so that the file of a process that was killed is whole but for its end.
constexpr u64 kHeaderEvery = kMixRate / 2;

}  // namespace

Result<std::unique_ptr<WavFile>> WavFile::create(const std::string& path) {
    std::FILE* f = std::fopen(path.c_str(), "wb");
    if (f == nullptr) return Error{fmt::format("cannot write \"{}\": {}", path, std::strerror(errno))};
    std::unique_ptr<WavFile> file(new WavFile(f));
    file->write_header();
    if (std::ferror(f) != 0) return Error{fmt::format("cannot write \"{}\": {}", path, std::strerror(errno))};
    return file;
}

WavFile::~WavFile() {
    write_header();
    std::fclose(file_);
}

void WavFile::write_header() {
    const u32 data = static_cast<u32>(frames_ * kFrame);
    std::array<u8, kHeader> h{};
    std::memcpy(&h[0], "RIFF", 4);
    store_le<u32>(&h[4], kHeader - 8 + data);
    std::memcpy(&h[8], "WAVEfmt ", 8);
    store_le<u32>(&h[16], 16);
    store_le<u16>(&h[20], kPcm);
    store_le<u16>(&h[22], kChannels);
    store_le<u32>(&h[24], kMixRate);
    store_le<u32>(&h[28], kMixRate * kFrame);
    store_le<u16>(&h[32], kFrame);
    store_le<u16>(&h[34], kBits);
    std::memcpy(&h[36], "data", 4);
    store_le<u32>(&h[40], data);
    // Silence at the end is a hole so far: its last byte makes the file as long as it says.
    if (frames_ != 0) {
        std::fseek(file_, static_cast<long>(kHeader) + static_cast<long>(data) - 1, SEEK_SET);
        if (trailing_silence_) std::fputc(0, file_);
    }
    std::fseek(file_, 0, SEEK_SET);
    std::fwrite(h.data(), 1, h.size(), file_);
    std::fflush(file_);
    std::fseek(file_, static_cast<long>(kHeader) + static_cast<long>(data), SEEK_SET);
    in_header_ = frames_;
    trailing_silence_ = false;
}

void WavFile::play(std::span<const StereoFrame> frames) {
    frames = frames.first(static_cast<size_t>(std::min<u64>(frames.size(), kMostFrames - frames_)));
    if (frames.empty()) return;
    std::vector<u8> bytes(frames.size() * kFrame);
    for (size_t i = 0; i < frames.size(); ++i) {
        store_le<i16>(&bytes[kFrame * i], frames[i].left);
        store_le<i16>(&bytes[kFrame * i + 2], frames[i].right);
    }
    // What the disk has no room for is lost; the header says what there is meant to be.
    std::fwrite(bytes.data(), 1, bytes.size(), file_);
    frames_ += frames.size();
    trailing_silence_ = false;
    if (frames_ - in_header_ >= kHeaderEvery) write_header();
}

void WavFile::silence(u64 frames) {
    frames = std::min(frames, kMostFrames - frames_);
    if (frames == 0) return;
    frames_ += frames;
    trailing_silence_ = true;
    std::fseek(file_, static_cast<long>(kHeader + frames_ * kFrame), SEEK_SET);
    if (frames_ - in_header_ >= kHeaderEvery) write_header();
}

}  // namespace mynah
