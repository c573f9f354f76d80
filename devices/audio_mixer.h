// Brings the sound of several devices to one rate and one timeline.
//
// Virtual time t is frame t * 48,000 / 10^9 of the output. Samples between frames are interpolated linearly.
#pragma once

#include <array>
#include <vector>

#include "devices/audio.h"

namespace mynah {

class AudioMixer {
  public:
    // How late devices may play what is due: the output is so much behind.
    static constexpr Nanoseconds kLatency = 20'000'000;

    // `backend` must outlive the mixer. The timeline begins at virtual time 0.
    explicit AudioMixer(AudioBackend& backend) : backend_(backend) {}

    // A new stream of sound; at most kStreams.
    unsigned open();
    // Frames of a stream at `rate` (1..192,000) Hz, the first at virtual time `at`. What follows the end of
    // the frames before within a sample's length goes on from them; anything else starts anew. What is too
    // late is lost, and so is what is more than a second ahead.
    void play(unsigned stream, Nanoseconds at, u32 rate, std::span<const StereoFrame> frames);
    // Hands over what can no longer change: all up to `now` less kLatency.
    void advance(Nanoseconds now) { emit_up_to(now > kLatency ? now - kLatency : 0); }
    // The rest, at the end.
    void finish(Nanoseconds now) { emit_up_to(now); }
    // Virtual time is `now` from here on (a snapshot was loaded): the output goes on without a gap.
    void restart(Nanoseconds now);

  private:
    static constexpr unsigned kStreams = 4;
    static constexpr u64 kFarthest = kMixRate;  // frames ahead of what was handed over

    struct Stream {
        u32 rate = 0;
        Nanoseconds start = 0;  // of the first frame of an unbroken sequence
        u64 count = 0;          // frames of it so far
        StereoFrame last;
        u64 next_out = 0;  // output frame to be made next
        u64 phase = 0;     // its place behind `last`, in 1/kMixRate of an input frame
    };
    struct Sum {
        i32 left = 0;
        i32 right = 0;
    };

    void emit_up_to(Nanoseconds time);
    void add(u64 frame, i32 left, i32 right);
    // The first output frame that is not before `time`.
    u64 frame_at(Nanoseconds time) const;

    AudioBackend& backend_;
    std::array<Stream, kStreams> streams_;
    unsigned open_ = 0;
    Nanoseconds origin_ = 0;  // when frame first_ was
    u64 first_ = 0;
    u64 emitted_ = 0;         // frames handed over
    std::vector<Sum> ahead_;  // from emitted_ on
    std::vector<StereoFrame> out_;
};

}  // namespace mynah
