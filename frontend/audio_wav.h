// Sound into a WAV file: 48 kHz, 16 bits, stereo, as long as virtual time.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "base/result.h"
#include "devices/audio.h"

namespace mynah {

class WavFile final : public AudioBackend {
  public:
    // Creates or empties the file. Error: what the host says.
    static Result<std::unique_ptr<WavFile>> create(const std::string& path);
    ~WavFile() override;

    void play(std::span<const StereoFrame> frames) override;
    void silence(u64 frames) override;

  private:
    explicit WavFile(std::FILE* file) : file_(file) {}
    // The header for what is there; the file is valid behind it.
    void write_header();

    std::FILE* file_;
    u64 frames_ = 0;
    u64 in_header_ = 0;
    bool trailing_silence_ = false;
};

}  // namespace mynah
