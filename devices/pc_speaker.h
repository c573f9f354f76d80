// The PC's speaker as sound: port 61h's data bit and counter 2 of the 8254, each output frame the mean of
// what drives the cone in its time, without the constant part.
//
// It has no registers and no state that a guest sees; PIT and port 61h tell it before anything changes.
#pragma once

#include "devices/audio_mixer.h"
#include "devices/pit.h"
#include "devices/system_control.h"

namespace mynah {

class PcSpeaker {
  public:
    // Connects itself to both. All must outlive it.
    PcSpeaker(EventQueue& queue, Pit& pit, SystemControl& control, AudioMixer& mixer);

    // Plays what has passed. Whenever somebody wants to hear it, and before a change.
    void sync();
    // After a snapshot was loaded.
    void restart();

  private:
    void changed();
    i32 mean_level(u64 first_tick, u64 end_tick);
    static u64 frame_of(Nanoseconds t) { return static_cast<u64>(u128{t} * kMixRate / 1'000'000'000); }

    EventQueue& queue_;
    Pit& pit_;
    SystemControl& control_;
    AudioMixer& mixer_;
    unsigned stream_;
    PitCounter counter_;  // as it was when it last changed
    bool enabled_ = false;
    u64 next_frame_ = 0;
    i32 input_ = 0, output_ = 0;  // of the filter, 1/65536
};

}  // namespace mynah
