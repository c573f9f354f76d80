// The mixer's timeline, the speaker's tones, and the protocol of the Sound Blaster's DSP.
#include <gtest/gtest.h>

#include <cmath>

#include "devices/bench.h"
#include "devices/pc_speaker.h"
#include "devices/sb16.h"

namespace mynah::test {
namespace {

class Recorder final : public AudioBackend {
  public:
    void play(std::span<const StereoFrame> f) override { frames.insert(frames.end(), f.begin(), f.end()); }
    void silence(u64 n) override { frames.resize(frames.size() + n); }
    // By rising zero crossings of the left side.
    double frequency(size_t first, size_t end) const {
        std::vector<size_t> at;
        for (size_t i = first + 1; i < end; ++i) {
            if (frames[i - 1].left < 0 && frames[i].left >= 0) at.push_back(i);
        }
        if (at.size() < 3) return 0;
        return static_cast<double>(at.size() - 1) * kMixRate / static_cast<double>(at.back() - at.front());
    }
    std::vector<StereoFrame> frames;
};

TEST(AudioMixer, KeepsTheTimeline) {
    Recorder out;
    AudioMixer mixer(out);
    const unsigned a = mixer.open(), b = mixer.open();
    mixer.advance(1'020'000'000);  // a second of silence, and what is behind
    EXPECT_EQ(out.frames.size(), kMixRate);
    const std::vector<StereoFrame> ones(480, StereoFrame{1000, -1000});
    mixer.play(a, 1'100'000'000, kMixRate, ones);
    mixer.play(a, 1'110'000'000, kMixRate, ones);
    mixer.play(b, 1'115'000'000, kMixRate, ones);
    mixer.finish(2'000'000'000);
    ASSERT_EQ(out.frames.size(), 2u * kMixRate);
    EXPECT_EQ(out.frames[52'799].left, 0);
    for (size_t i = 52'800; i < 53'520; ++i) ASSERT_EQ(out.frames[i], (StereoFrame{1000, -1000})) << i;
    EXPECT_EQ(out.frames[53'600], (StereoFrame{2000, -2000}));
    EXPECT_EQ(out.frames[53'900], (StereoFrame{1000, -1000}));
    EXPECT_EQ(out.frames[54'100].left, 0);
    // Loud is cut, not wrapped; late is lost.
    const std::vector<StereoFrame> loud(480, StereoFrame{30'000, -30'000});
    mixer.play(a, 2'100'000'000, kMixRate, loud);
    mixer.play(b, 2'100'000'000, kMixRate, loud);
    mixer.play(b, 1'000'000'000, kMixRate, loud);
    mixer.finish(3'000'000'000);
    EXPECT_EQ(out.frames[100'900], (StereoFrame{32'767, -32'768}));
    EXPECT_EQ(out.frames[97'000].left, 0);
    // A snapshot's time goes on where the output is.
    mixer.restart(5'000'000'000);
    mixer.finish(5'500'000'000);
    EXPECT_EQ(out.frames.size(), 3u * kMixRate + kMixRate / 2);
}

TEST(AudioMixer, Resamples) {
    for (const u32 rate : {4'000u, 11'025u, 22'050u, 44'100u, 48'000u}) {
        Recorder out;
        AudioMixer mixer(out);
        const unsigned s = mixer.open();
        std::vector<StereoFrame> tone;
        for (u32 i = 0; i < rate; ++i) {
            const i16 v =
                static_cast<i16>(std::lround(10'000 * std::sin(2 * 3.14159265358979 * 440 * i / rate)));
            tone.push_back({v, v});
        }
        // In pieces, as devices do.
        for (u32 i = 0; i < rate; i += 40) {
            const size_t n = std::min(40u, rate - i);
            mixer.play(s, u64{i} * 1'000'000'000 / rate, rate, std::span(tone).subspan(i, n));
            mixer.advance(u64{i} * 1'000'000'000 / rate);
        }
        mixer.finish(1'000'000'000);
        ASSERT_EQ(out.frames.size(), kMixRate);
        EXPECT_NEAR(out.frequency(0, kMixRate), 440, 0.5) << rate;
        i16 peak = 0;
        for (const StereoFrame& f : out.frames) peak = std::max(peak, f.left);
        EXPECT_NEAR(peak, 10'000, 400) << rate;
    }
}

struct SpeakerBench : Bench {
    Recorder out;
    AudioMixer mixer{out};
    A20Gate a20{IrqLine()};
    Pit pit{queue, IrqLine()};
    SystemControl control{pit, a20, nullptr};
    PcSpeaker speaker{queue, pit, control, mixer};
    SpeakerBench() {
        EXPECT_TRUE(io.map(0x40, pit, 0).ok());
        EXPECT_TRUE(io.map(0x61, control, SystemControl::port_b).ok());
    }
    void tone(u16 count, u8 control_word = 0xB6) {
        out8(0x43, control_word);
        out8(0x42, count & 0xFF);
        out8(0x42, count >> 8);
    }
    void listen() {
        speaker.sync();
        mixer.finish(time.now());
    }
};

TEST(PcSpeaker, PlaysTheSquareWave) {
    SpeakerBench b;
    b.run(100'000'000);
    b.tone(1193);  // 1000.15 Hz
    b.out8(0x61, 3);
    b.run(500'000'000);
    b.out8(0x61, 0);
    b.run(400'000'000);
    b.listen();
    ASSERT_EQ(b.out.frames.size(), kMixRate);
    EXPECT_EQ(b.out.frames[4'700].left, 0);
    EXPECT_NEAR(b.out.frequency(10'000, 28'000), 1000.15, 1);
    EXPECT_GT(std::abs(b.out.frames[20'000].left), 5'000);
    for (size_t i = 32'000; i < kMixRate; ++i) ASSERT_EQ(b.out.frames[i].left, 0) << "at rest";
}

TEST(PcSpeaker, FollowsTheDataBitAndOtherModes) {
    SpeakerBench b;
    // No gate: nothing, and the data bit alone moves the cone.
    b.tone(1193);
    b.out8(0x61, 2);
    b.run(100'000'000);
    for (int i = 0; i < 200; ++i) {
        b.out8(0x61, i & 1 ? 2 : 0);
        b.run(1'250'000);  // 400 Hz
    }
    b.listen();
    EXPECT_NEAR(b.out.frequency(7'000, 16'000), 400, 2);
    // Mode 2: a needle a period.
    b.tone(2386, 0xB4);
    b.out8(0x61, 3);
    const size_t begin = b.out.frames.size();
    b.run(500'000'000);
    b.listen();
    EXPECT_NEAR(b.out.frequency(begin + 5'000, begin + 20'000), 500, 2);
    // Counts of one and two, and a new count while one runs.
    for (const u16 count : {1, 2, 3, 0}) {
        b.tone(count);
        b.run(10'000'000);
        b.listen();
    }
}

struct Sb16Bench : Bench {
    Recorder out;
    AudioMixer mixer{out};
    IsaDma dma{*memory};
    std::vector<unsigned> edges;
    bool level = false;
    Sb16 card{queue,
              dma,
              {},
              [this](unsigned irq, bool l) {
                  if (l) edges.push_back(irq);
                  level = l;
              },
              &mixer};
    Sb16Bench() {
        EXPECT_TRUE(io.map(0x220, card, 0).ok());
        EXPECT_TRUE(io.map(0x00, dma, IsaDma::low_controller).ok());
        EXPECT_TRUE(io.map(0xC0, dma, IsaDma::high_controller).ok());
        EXPECT_TRUE(io.map(0x81, dma, IsaDma::pages, 15, 1).ok());
        card.reset();
    }
    void dsp(std::initializer_list<unsigned> bytes) {
        for (const unsigned b : bytes) {
            EXPECT_EQ(in8(0x22C) & 0x80, 0);
            out8(0x22C, b);
        }
    }
    unsigned answer() { return in8(0x22E) & 0x80 ? in8(0x22A) : 0x100; }
    void mix(u8 index, u8 value) {
        out8(0x224, index);
        out8(0x225, value);
    }
    unsigned mix(u8 index) {
        out8(0x224, index);
        return in8(0x225);
    }
    // Channel 1 from 10000h.
    void program_bytes(unsigned count, bool repeats) {
        out8(0x0A, 5);
        out8(0x0C, 0);
        out8(0x0B, repeats ? 0x59 : 0x49);
        out8(0x02, 0);
        out8(0x02, 0);
        out8(0x83, 1);
        out8(0x03, (count - 1) & 0xFF);
        out8(0x03, (count - 1) >> 8);
        out8(0x0A, 1);
    }
    void tone(unsigned count, unsigned period) {
        for (unsigned i = 0; i < count; ++i)
            memory->write(0x10000 + i, i % period < period / 2 ? 0xC0 : 0x40, 1);
    }
};

TEST(Sb16, ResetVersionAndTests) {
    Sb16Bench b;
    b.out8(0x226, 1);
    EXPECT_EQ(b.in8(0x22C), 0xFF) << "busy while reset is held";
    b.out8(0x226, 0);
    EXPECT_EQ(b.answer(), 0xAAu);
    EXPECT_EQ(b.answer(), 0x100u);
    b.dsp({0xE1});
    EXPECT_EQ(b.answer(), 4u);
    EXPECT_EQ(b.answer(), 5u);
    b.dsp({0xE0, 0x5A});
    EXPECT_EQ(b.answer(), 0xA5u);
    b.dsp({0xE4, 0x77, 0xE8});
    EXPECT_EQ(b.answer(), 0x77u);
    b.dsp({0xE3});
    std::string text;
    for (unsigned c = b.answer(); c != 0 && c != 0x100; c = b.answer()) text += static_cast<char>(c);
    EXPECT_NE(text.find("CREATIVE"), std::string::npos);
    b.dsp({0xD1, 0xD8});
    EXPECT_EQ(b.answer(), 0xFFu);
    b.dsp({0xD3, 0xD8});
    EXPECT_EQ(b.answer(), 0u);
    EXPECT_EQ(b.in8(0x220), 0xFF) << "no synthesizer";
    EXPECT_EQ(b.in8(0x228), 0xFF);
}

TEST(Sb16, InterruptsAndTheirStatus) {
    Sb16Bench b;
    b.dsp({0xF2});
    EXPECT_EQ(b.edges, std::vector<unsigned>{5});
    EXPECT_EQ(b.mix(0x82) & 7, 1u);
    (void)b.in8(0x22F);
    EXPECT_TRUE(b.level) << "that acknowledges the other one";
    (void)b.in8(0x22E);
    EXPECT_FALSE(b.level);
    b.mix(0x80, 0x04);  // interrupt 7
    b.dsp({0xF3});
    EXPECT_EQ(b.edges.back(), 7u);
    EXPECT_EQ(b.mix(0x82) & 7, 2u);
    (void)b.in8(0x22F);
    EXPECT_FALSE(b.level);
    EXPECT_EQ(b.mix(0x81), 0x22u);
}

TEST(Sb16, MixerVolumesOfTwoGenerations) {
    Sb16Bench b;
    b.mix(0x22, 0xA5);
    EXPECT_EQ(b.mix(0x30), 0xA8u);
    EXPECT_EQ(b.mix(0x31), 0x58u);
    b.mix(0x32, 0xFF);
    b.mix(0x33, 0x00);
    EXPECT_EQ(b.mix(0x04), 0xF0u);
    b.mix(0x00, 0);
    EXPECT_EQ(b.mix(0x30), 0xF8u);
}

TEST(Sb16, PlaysASingleBlock) {
    Sb16Bench b;
    b.tone(11'000, 50);
    b.program_bytes(11'000, false);
    b.dsp({0x41, 22'000 >> 8, 22'000 & 0xFF});
    b.dsp({0x14, (11'000 - 1) & 0xFF, (11'000 - 1) >> 8});
    b.run(499'000'000);
    EXPECT_TRUE(b.edges.empty());
    b.run(2'000'000);
    EXPECT_EQ(b.edges.size(), 1u) << "half a second after it began";
    b.run(500'000'000);
    b.mixer.finish(b.time.now());
    EXPECT_EQ(b.edges.size(), 1u);
    EXPECT_NEAR(b.out.frequency(0, 24'000), 440, 1);
    EXPECT_EQ(b.out.frames[12'000].right, b.out.frames[12'000].left);
    EXPECT_EQ(b.out.frames[24'100].left, 0);
}

TEST(Sb16, AutoInitializesPausesAndEnds) {
    Sb16Bench b;
    b.tone(2'000, 50);
    b.program_bytes(2'000, true);
    b.dsp({0x40, 256 - 50, 0x48, (1'000 - 1) & 0xFF, (1'000 - 1) >> 8, 0x1C});  // 20 kHz: 50 ms a block
    const auto blocks = [&b] {
        (void)b.in8(0x22E);
        return b.edges.size();
    };
    for (unsigned i = 1; i <= 4; ++i) {
        b.run(i == 1 ? 51'000'000 : 50'000'000);
        EXPECT_EQ(blocks(), i);
    }
    b.dsp({0xD0});
    b.run(500'000'000);
    EXPECT_EQ(blocks(), 4u) << "paused";
    b.dsp({0xD4});
    b.run(51'000'000);
    EXPECT_EQ(blocks(), 5u);
    b.dsp({0xDA});
    b.run(500'000'000);
    EXPECT_EQ(blocks(), 6u) << "ended with its block";
    b.mixer.finish(b.time.now());
    EXPECT_NEAR(b.out.frequency(0, 9'000), 400, 1);
}

TEST(Sb16, WaitsForTheController) {
    Sb16Bench b;
    b.tone(1'000, 50);
    b.dsp({0x41, 20'000 >> 8, 20'000 & 0xFF, 0xC0, 0x00, (1'000 - 1) & 0xFF, (1'000 - 1) >> 8});
    b.run(200'000'000);
    EXPECT_TRUE(b.edges.empty());
    EXPECT_EQ(b.queue.next_deadline(), EventQueue::kNever) << "an event would keep the machine awake";
    b.program_bytes(1'000, false);
    b.run(52'000'000);
    EXPECT_EQ(b.edges.size(), 1u);
}

TEST(Sb16, RecordsSilence) {
    Sb16Bench b;
    b.out8(0x0A, 5);
    b.out8(0x0C, 0);
    b.out8(0x0B, 0x45);
    for (const unsigned v : {0, 0}) b.out8(0x02, v);
    b.out8(0x83, 1);
    b.out8(0x03, 99);
    b.out8(0x03, 0);
    b.out8(0x0A, 1);
    b.dsp({0x24, 99, 0});
    b.run(100'000'000);
    EXPECT_EQ(b.edges.size(), 1u);
    EXPECT_EQ(b.memory->read(0x10000, 2), 0x8080u);
    EXPECT_EQ(b.memory->read(0x10000 + 99, 2), 0x0080u);
}

TEST(Sb16, DirectOutputByTheSample) {
    Sb16Bench b;
    for (int i = 0; i < 2'000; ++i) {  // 250 us each: 500 Hz
        b.dsp({0x10, i & 4 ? 0xC0u : 0x40u});
        b.run(250'000);
    }
    b.mixer.finish(b.time.now());
    EXPECT_NEAR(b.out.frequency(1'000, 20'000), 500, 2);
}

TEST(Sb16, AStateGoesOn) {
    Sb16Bench a;
    a.tone(2'000, 50);
    a.program_bytes(2'000, true);
    a.dsp({0x40, 206, 0x48, 0xE7, 0x03, 0x1C});
    a.run(75'000'000);
    Sb16Bench b;
    b.time.now_ = a.time.now();
    ASSERT_EQ(load(b.dma, save(a.dma)), "");
    ASSERT_EQ(load(b.card, save(a.card)), "");
    (void)b.in8(0x22E);
    b.edges.clear();
    b.run(24'000'000);
    EXPECT_TRUE(b.edges.empty());
    b.run(2'000'000);
    EXPECT_EQ(b.edges.size(), 1u);
}

}  // namespace
}  // namespace mynah::test
