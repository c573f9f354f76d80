// Sound into a WAV file: 48 kHz, 16 bits, stereo, as long as virtual time when the machine has ended. Until
// then it ends with the last sound: what an idle guest sleeps through, days in a second if its clock allows
// it, is only counted.
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
    // The header for the first `frames`; the file is valid behind it.
    void write_header(u64 frames);
    // A header now and then for the sound that has come since the last one.
    void note_sound();

    std::FILE* file_;
    u64 frames_ = 0;     // so far, with the silence
    u64 written_ = 0;    // up to the end of the last sound
    u64 in_header_ = 0;  // of these
    u64 noted_ = 0;      // frames_ at the last header
};

}  // namespace mynah
