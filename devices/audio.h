// Sound between devices and the host.
//
// A device plays samples at virtual times into an AudioMixer, which has a stream for each; the mixer hands
// the sum to a back end, a file or the host's sound system. Nothing here waits for anybody: the guest's sound
// is made at the pace of virtual time, whether somebody hears it or not.
#pragma once

#include <span>

#include "base/types.h"

namespace mynah {

struct StereoFrame {
    i16 left = 0;
    i16 right = 0;
    bool operator==(const StereoFrame&) const = default;
};

inline constexpr u32 kMixRate = 48'000;  // frames a second, of what back ends get

class AudioBackend {
  public:
    virtual ~AudioBackend() = default;
    // The next frames at kMixRate, without gaps. Must not block: what the host cannot take now is its own to
    // drop.
    virtual void play(std::span<const StereoFrame> frames) = 0;
    // So many frames of silence.
    virtual void silence(u64 frames) = 0;
};

}  // namespace mynah
