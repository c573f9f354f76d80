#include "devices/pc_speaker.h"

#include <algorithm>
#include <array>

namespace mynah {

namespace {

// Peak of a square wave, of 32,767: about -10 dB, as two devices should fit beside each other.
constexpr i64 kLoudness = 10'000;
// The filter forgets 1/2^kForget of its output a frame: a high pass at about 30 Hz.
constexpr unsigned kForget = 8;
// Of a longer time without sync() (an idle guest's time was skipped) only the end is heard.
constexpr u64 kMostFrames = 60 * kMixRate;

u64 tick_of(u64 frame) {
    return static_cast<u64>(u128{frame} * Pit::kHz / kMixRate);
}

}  // namespace

PcSpeaker::PcSpeaker(EventQueue& queue, Pit& pit, SystemControl& control, AudioMixer& mixer)
    : queue_(queue), pit_(pit), control_(control), mixer_(mixer), stream_(mixer.open()) {
    pit_.on_speaker_change([this] { changed(); });
    control_.on_speaker_change([this] { changed(); });
    restart();
}

void PcSpeaker::restart() {
    counter_ = pit_.counter(2);
    enabled_ = control_.speaker_enabled();
    next_frame_ = frame_of(queue_.now());
    input_ = output_ = 0;
}

void PcSpeaker::changed() {
    sync();
    counter_ = pit_.counter(2);
    enabled_ = control_.speaker_enabled();
}

// 65536 for a frame all high.
i32 PcSpeaker::mean_level(u64 tick, u64 end) {
    if (!enabled_) return 0;
    const u64 length = std::max<u64>(end - tick, 1);
    u64 high = 0;
    while (tick < end) {
        const u64 edge = counter_.next_edge(tick);
        u64 until = std::min(edge, end);
        bool level = counter_.out(tick);
        // Mode 2 goes low for the last tick before that edge.
        if (counter_.mode() == 2 && edge != PitCounter::kNever) {
            level = tick + 1 < edge;
            if (level) until = std::min(edge - 1, end);
        }
        if (level) high += until - tick;
        tick = std::max(until, tick + 1);
    }
    return static_cast<i32>((std::min(high, length) << 16) / length);
}

void PcSpeaker::sync() {
    const u64 end = frame_of(queue_.now());
    if (end <= next_frame_) return;
    // A constant level is silence once the filter has forgotten the step.
    const bool constant = !enabled_ || counter_.next_edge(tick_of(next_frame_)) == PitCounter::kNever;
    if (constant && output_ == 0 && mean_level(tick_of(next_frame_), tick_of(next_frame_ + 1)) == input_) {
        next_frame_ = end;
        return;
    }
    std::array<StereoFrame, 512> frames;
    if (end - next_frame_ > kMostFrames) next_frame_ = end - kMostFrames;
    while (next_frame_ < end) {
        const size_t count = std::min<u64>(frames.size(), end - next_frame_);
        for (size_t i = 0; i < count; ++i) {
            const u64 n = next_frame_ + i;
            const i32 level = mean_level(tick_of(n), tick_of(n + 1));
            output_ += level - input_ - output_ / (1 << kForget);
            if (level == input_ && output_ > -(1 << kForget) && output_ < 1 << kForget) output_ = 0;
            input_ = level;
            const i16 sample =
                static_cast<i16>(std::clamp<i64>(2 * kLoudness * output_ >> 16, -32768, 32767));
            frames[i] = {sample, sample};
        }
        const Nanoseconds at =
            static_cast<Nanoseconds>((u128{next_frame_} * 1'000'000'000 + kMixRate - 1) / kMixRate);
        mixer_.play(stream_, at, kMixRate, std::span(frames).first(count));
        mixer_.advance(at);
        next_frame_ += count;
    }
}

}  // namespace mynah
