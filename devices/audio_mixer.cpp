#include "devices/audio_mixer.h"

#include <algorithm>

#include "base/check.h"

namespace mynah {

namespace {

constexpr u64 kSecond = 1'000'000'000;
constexpr u32 kHighestRate = 192'000;
// Handed over at once; the rest of a long sound in several pieces.
constexpr size_t kPiece = 4096;

i16 limit(i32 v) {
    return static_cast<i16>(std::clamp(v, -32768, 32767));
}

// Between two samples, at `phase` of kMixRate.
i32 between(i32 a, i32 b, u64 phase) {
    return a + static_cast<i32>(i64{b - a} * static_cast<i64>(phase) / i64{kMixRate});
}

}  // namespace

unsigned AudioMixer::open() {
    MYNAH_CHECK(open_ < kStreams);
    return open_++;
}

u64 AudioMixer::frame_at(Nanoseconds time) const {
    if (time <= origin_) return first_;
    return first_ + static_cast<u64>((u128{time - origin_} * kMixRate + kSecond - 1) / kSecond);
}

void AudioMixer::add(u64 frame, i32 left, i32 right) {
    if (frame < emitted_ || frame - emitted_ >= kFarthest) return;
    const size_t at = static_cast<size_t>(frame - emitted_);
    if (at >= ahead_.size()) ahead_.resize(at + 1);
    ahead_[at].left += left;
    ahead_[at].right += right;
}

void AudioMixer::play(unsigned stream, Nanoseconds at, u32 rate, std::span<const StereoFrame> frames) {
    Stream& s = streams_[stream];
    rate = std::clamp(rate, 1u, kHighestRate);
    const Nanoseconds period = kSecond / rate;
    const Nanoseconds expected = s.start + static_cast<u64>(u128{s.count} * kSecond / rate);
    const bool goes_on = s.count != 0 && s.rate == rate && at + period >= expected && at <= expected + period;
    if (!goes_on) {
        s.rate = rate;
        s.start = std::max(at, origin_);
        s.count = 0;
    }
    for (const StereoFrame& f : frames) {
        if (s.count == 0) {
            s.next_out = frame_at(s.start);
            // (its time - start) * rate, in frames of 1/kMixRate.
            const u128 after = u128{s.next_out - first_} * kSecond - u128{s.start - origin_} * kMixRate;
            s.phase = static_cast<u64>(after * rate / kSecond);
        } else {
            for (; s.phase < kMixRate; s.phase += rate) {
                add(s.next_out++, between(s.last.left, f.left, s.phase),
                    between(s.last.right, f.right, s.phase));
            }
            s.phase -= kMixRate;
        }
        s.last = f;
        ++s.count;
    }
}

void AudioMixer::emit_up_to(Nanoseconds time) {
    const u64 end = frame_at(time);
    if (end <= emitted_) return;
    const size_t sounding = static_cast<size_t>(std::min<u64>(end - emitted_, ahead_.size()));
    for (size_t done = 0; done < sounding; done += out_.size()) {
        out_.resize(std::min(sounding - done, kPiece));
        for (size_t i = 0; i < out_.size(); ++i)
            out_[i] = {limit(ahead_[done + i].left), limit(ahead_[done + i].right)};
        backend_.play(out_);
    }
    ahead_.erase(ahead_.begin(), ahead_.begin() + static_cast<std::ptrdiff_t>(sounding));
    emitted_ += sounding;
    if (end > emitted_) backend_.silence(end - emitted_);
    emitted_ = end;
}

void AudioMixer::restart(Nanoseconds now) {
    origin_ = now;
    first_ = emitted_;
    ahead_.clear();
    for (Stream& s : streams_) s.count = 0;
}

}  // namespace mynah
