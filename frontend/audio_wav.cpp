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
    file->write_header(0);
    if (std::ferror(f) != 0) return Error{fmt::format("cannot write \"{}\": {}", path, std::strerror(errno))};
    return file;
}

WavFile::~WavFile() {
    if (frames_ != written_) {
        // A hole; its last byte makes the file as long as it says.
        std::fseek(file_, static_cast<long>(kHeader + frames_ * kFrame) - 1, SEEK_SET);
        std::fputc(0, file_);
    }
    write_header(frames_);
    std::fclose(file_);
}

void WavFile::write_header(u64 frames) {
    const u32 data = static_cast<u32>(frames * kFrame);
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
    std::fseek(file_, 0, SEEK_SET);
    std::fwrite(h.data(), 1, h.size(), file_);
    std::fflush(file_);
    std::fseek(file_, static_cast<long>(kHeader + written_ * kFrame), SEEK_SET);
    in_header_ = frames;
    noted_ = frames_;
}

void WavFile::note_sound() {
    if (written_ != in_header_ && frames_ - noted_ >= kHeaderEvery) write_header(written_);
}

void WavFile::play(std::span<const StereoFrame> frames) {
    frames = frames.first(static_cast<size_t>(std::min<u64>(frames.size(), kMostFrames - frames_)));
    if (frames.empty()) return;
    std::vector<u8> bytes(frames.size() * kFrame);
    for (size_t i = 0; i < frames.size(); ++i) {
        store_le<i16>(&bytes[kFrame * i], frames[i].left);
        store_le<i16>(&bytes[kFrame * i + 2], frames[i].right);
    }
    // Silence before it becomes a hole.
    if (frames_ != written_) std::fseek(file_, static_cast<long>(kHeader + frames_ * kFrame), SEEK_SET);
    // What the disk has no room for is lost; the header says what there is meant to be.
    std::fwrite(bytes.data(), 1, bytes.size(), file_);
    frames_ += frames.size();
    written_ = frames_;
    note_sound();
}

void WavFile::silence(u64 frames) {
    frames_ += std::min(frames, kMostFrames - frames_);
    note_sound();
}

}  // namespace mynah
