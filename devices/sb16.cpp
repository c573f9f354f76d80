#include "devices/sb16.h"

#include <algorithm>

#include "base/bits.h"

namespace mynah {

namespace {

constexpr u64 kSecond = 1'000'000'000;
// Samples are fetched for so long at once, and never for less than one frame.
constexpr u32 kPiecesPerSecond = 1000;
// A host that was busy for longer has the transfer go on from now instead of catching up.
constexpr Nanoseconds kTooLate = AudioMixer::kLatency;
constexpr u8 kPending8 = 1, kPending16 = 2;

i16 scale(i32 sample, u32 gain) {
    return static_cast<i16>(std::clamp<i64>(i64{sample} * gain >> 16, -32768, 32767));
}

}  // namespace

void Sb16::Transfer::visit(Archive& ar) {
    ar.all(active, paused, words, stereo, is_signed, records, repeats, last, waits, rate, block, left,
           channel, base, frames);
    if (rate < kLowestRate || rate > kHighestRate || channel > 7 || block == 0) {
        ar.fail("transfer out of range");
        *this = Transfer{};
    }
}

Sb16::Sb16(EventQueue& queue, IsaDma& dma, const Sb16Mixer::Resources& resources,
           std::function<void(unsigned irq, bool level)> set_irq, AudioMixer* output)
    : queue_(queue),
      dma_(dma),
      set_irq_(std::move(set_irq)),
      output_(output),
      mixer_(resources),
      timer_(queue, [this] { fire(); }),
      silence_(queue, [this] { request(false); }) {
    if (output_ != nullptr) {
        stream_ = output_->open();
        direct_stream_ = output_->open();
    }
    for (const u8 n : {0, 1, 3, 5, 6, 7}) {
        dma_.channel(n).on_ready([this, n] {
            if (transfer_.waits && transfer_.channel == n) resume();
        });
    }
}

void Sb16::reset() {
    mixer_.reset();
    in_reset_ = false;
    test_ = 0;
    asp_ = {};
    identification_ = 0xAA;
    identifications_ = 0;
    time_constant_ = 0;
    by_time_constant_ = false;
    rate_ = Transfer{}.rate;
    block_samples_ = 1;
    last_answer_ = 0;
    level_ = 0;
    level_since_ = 0;
    reset_dsp();
    answers_.clear();
}

void Sb16::visit(Archive& ar) {
    ar.section(name());
    ar.all(mixer_, pending_, driven_irq_, in_reset_, command_, argument_count_, arguments_wanted_, arguments_,
           answers_, last_answer_, speaker_, test_, identification_, identifications_, asp_, time_constant_,
           by_time_constant_, rate_, block_samples_, transfer_, timer_, silence_, level_, level_since_);
    if (argument_count_ > arguments_.size() || arguments_wanted_ > arguments_.size() || rate_ < kLowestRate ||
        rate_ > kHighestRate || block_samples_ == 0) {
        ar.fail("DSP state out of range");
        reset();
    }
}

u64 Sb16::read(BankId, u64 offset, unsigned) {
    switch (offset) {
        case 0x4:
            return mixer_.index();
        case 0x5:
            return mixer_.read(pending_);
        case 0xA:
            if (!answers_.empty()) last_answer_ = answers_.pop();
            return last_answer_;
        case 0xC:  // bit 7: not ready for a command
            return in_reset_ ? 0xFF : 0x7F;
        case 0xE:  // bit 7: there is an answer
            acknowledge(kPending8);
            return answers_.empty() ? 0x7F : 0xFF;
        case 0xF:
            acknowledge(kPending16);
            return 0xFF;
        default:
            return 0xFF;
    }
}

void Sb16::write(BankId, u64 offset, u64 value, unsigned) {
    const u8 byte = static_cast<u8>(value);
    switch (offset) {
        case 0x4:
            return mixer_.set_index(byte);
        case 0x5:
            mixer_.write(byte);
            return update_irq();  // it may have got another line
        case 0x6:
            if (byte & 1) {
                in_reset_ = true;
            } else if (in_reset_) {
                in_reset_ = false;
                reset_dsp();
                answer({0xAA});
            }
            return;
        case 0xC:
            return in_reset_ ? void() : write_command(byte);
        default:
            return;
    }
}

// --- interrupts ---

void Sb16::request(bool words) {
    pending_ |= words ? kPending16 : kPending8;
    update_irq();
}

void Sb16::acknowledge(u8 which) {
    pending_ = static_cast<u8>(pending_ & ~which);
    update_irq();
}

void Sb16::update_irq() {
    const u8 wanted = pending_ != 0 ? mixer_.irq() : u8{0};
    if (wanted == driven_irq_) return;
    if (driven_irq_ != 0) set_irq_(driven_irq_, false);
    driven_irq_ = wanted;
    if (wanted != 0) set_irq_(wanted, true);
}

// --- the transfer ---

u32 Sb16::rate_of(bool stereo) const {
    // The time constant is about bytes on the line, which two sides share.
    const u32 rate = by_time_constant_ ? 1'000'000 / (256u - time_constant_) / (stereo ? 2 : 1) : rate_;
    return std::clamp(rate, kLowestRate, kHighestRate);
}

void Sb16::begin(const Transfer& t) {
    pause();
    transfer_ = t;
    transfer_.active = true;
    transfer_.channel = t.words ? mixer_.dma16() : mixer_.dma();
    transfer_.rate = rate_of(t.stereo);
    transfer_.left = transfer_.block;
    resume();
}

void Sb16::resume() {
    if (!transfer_.active) return;
    transfer_.paused = transfer_.waits = false;
    transfer_.base = queue_.now();
    transfer_.frames = 0;
    dma_.channel(transfer_.channel).set_request(true);
    timer_.arm(transfer_.base);
}

void Sb16::pause() {
    timer_.cancel();
    if (!transfer_.active) return;
    transfer_.paused = true;
    transfer_.waits = false;
    dma_.channel(transfer_.channel).set_request(false);
}

void Sb16::block_done() {
    request(transfer_.words);
    if (transfer_.repeats && !transfer_.last) {
        transfer_.left = transfer_.block;
        return;
    }
    pause();
    transfer_.active = false;
}

void Sb16::fire() {
    Transfer& t = transfer_;
    if (!t.active || t.paused) return;
    if (t.left == 0) block_done();
    if (!t.active) return;
    if (const Nanoseconds now = queue_.now(); now > timer_.deadline() + kTooLate) {
        t.base = now;
        t.frames = 0;
    }
    const u32 piece = std::max(1u, t.rate / kPiecesPerSecond) * t.samples_per_frame();
    const u32 moved = move(std::min(t.left, piece));
    if (moved == 0) {
        // Until the guest has programmed the controller.
        t.waits = true;
        return;
    }
    t.left -= moved;
    t.frames += (moved + t.samples_per_frame() - 1) / t.samples_per_frame();
    timer_.arm(t.base + static_cast<Nanoseconds>(u128{t.frames} * kSecond / t.rate));
}

// Samples that came from memory or went there.
u32 Sb16::move(u32 samples) {
    const Transfer& t = transfer_;
    DmaChannel& channel = dma_.channel(t.channel);
    std::array<u8, 4 * (kHighestRate / kPiecesPerSecond + 1)> bytes;
    const size_t wanted = std::min<size_t>(size_t{samples} * t.bytes(), bytes.size());
    if (t.records) std::fill(bytes.begin(), bytes.end(), t.words || t.is_signed ? u8{0} : u8{0x80});
    size_t got = 0;
    while (got < wanted) {
        const auto part = std::span(bytes).subspan(got, wanted - got);
        const size_t n = t.records ? channel.write(part).bytes : channel.read(part).bytes;
        if (n == 0) break;
        got += n;
    }
    const u32 moved = static_cast<u32>(got / t.bytes());
    if (!t.records && output_ != nullptr) play(std::span(bytes).first(moved * t.bytes()));
    return moved;
}

void Sb16::play(std::span<const u8> bytes) {
    const Transfer& t = transfer_;
    const auto [left_gain, right_gain] = mixer_.voice_gain();
    const auto sample = [&](size_t i) -> i32 {
        if (t.words) {
            const u16 raw = load_le<u16>(&bytes[2 * i]);
            return t.is_signed ? static_cast<i16>(raw) : static_cast<i32>(raw) - 0x8000;
        }
        return (t.is_signed ? static_cast<i8>(bytes[i]) : static_cast<i32>(bytes[i]) - 0x80) * 256;
    };
    std::array<StereoFrame, kHighestRate / kPiecesPerSecond + 1> frames;
    const size_t samples = bytes.size() / t.bytes();
    size_t count = 0;
    for (size_t i = 0; i < samples && count < frames.size(); i += t.samples_per_frame()) {
        const i32 left = sample(i), right = t.stereo && i + 1 < samples ? sample(i + 1) : left;
        frames[count++] = {scale(left, left_gain), scale(right, right_gain)};
    }
    const Nanoseconds at = t.base + static_cast<Nanoseconds>(u128{t.frames} * kSecond / t.rate);
    output_->play(stream_, at, t.rate, std::span(frames).first(count));
}

// The converter keeps its level until it gets another: what has passed is played now.
void Sb16::direct_output(u8 value) {
    const Nanoseconds now = queue_.now();
    const auto frame_of = [](Nanoseconds t) { return static_cast<u64>(u128{t} * kMixRate / kSecond); };
    // A level that has stood for long is no sound.
    const u64 first =
        std::max(frame_of(level_since_), frame_of(now) - std::min<u64>(frame_of(now), kMixRate / 50));
    if (output_ != nullptr) {
        std::array<StereoFrame, kMixRate / 50> frames;
        const size_t count = std::min<u64>(frame_of(now) - first, frames.size());
        const auto [left, right] = mixer_.voice_gain();
        std::fill_n(frames.begin(), count, StereoFrame{scale(level_, left), scale(level_, right)});
        const Nanoseconds at = static_cast<Nanoseconds>((u128{first} * kSecond + kMixRate - 1) / kMixRate);
        if (count != 0) output_->play(direct_stream_, at, kMixRate, std::span(frames).first(count));
    }
    level_ = static_cast<i16>((static_cast<i32>(value) - 0x80) * 256);
    level_since_ = now;
}

}  // namespace mynah
