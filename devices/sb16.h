// A Sound Blaster 16 without its synthesizer: DSP 4.05 with 8- and 16-bit PCM by DMA, and the CT1745 mixer
// (Creative, "Sound Blaster Series Hardware Programming Guide", 1996).
//
// The FM ports read as if nothing were there, and so does the MPU-401. Recording gives silence. A transfer is
// paced by virtual time: every millisecond the samples of the next one are fetched and played.
#pragma once

#include <functional>

#include "devices/audio_mixer.h"
#include "devices/byte_queue.h"
#include "devices/device.h"
#include "devices/event_queue.h"
#include "devices/isa_dma.h"
#include "devices/sb16_mixer.h"

namespace mynah {

class Sb16 final : public Device {
  public:
    // `set_irq` drives an interrupt line by number. `output` may be null: nobody listens. All must outlive
    // it.
    Sb16(EventQueue& queue, IsaDma& dma, const Sb16Mixer::Resources& resources,
         std::function<void(unsigned irq, bool level)> set_irq, AudioMixer* output);

    std::string_view name() const override { return "sb16"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {16, 1}; }  // ports 220h-22Fh
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  private:
    static constexpr u32 kLowestRate = 2'000, kHighestRate = 48'000;  // Hz

    // What goes between memory and converters, and how much until the next interrupt.
    struct Transfer {
        bool active = false;
        bool paused = false;
        bool words = false;  // 16-bit samples
        bool stereo = false;
        bool is_signed = false;
        bool records = false;
        bool repeats = false;     // auto-initialize
        bool last = false;        // ends with the block
        bool waits = false;       // for the DMA controller to be programmed
        u32 rate = 11'025;        // frames a second
        u32 block = 1, left = 0;  // samples
        u8 channel = 1;
        Nanoseconds base = 0;  // when it began or went on, and frames since
        u64 frames = 0;

        void visit(Archive& ar);
        unsigned bytes() const { return words ? 2 : 1; }
        unsigned samples_per_frame() const { return stereo ? 2 : 1; }
    };

    // --- sb16_dsp.cpp ---
    void reset_dsp();
    void write_command(u8 value);
    void execute();
    void answer(std::initializer_list<u8> bytes);
    u32 argument_word(unsigned at) const {
        return static_cast<u32>(arguments_[at] | arguments_[at + 1] << 8);
    }
    void start_8bit(bool repeats, bool records, u32 samples);
    void start(u8 command);
    void identify_dma(u8 value);
    void direct_output(u8 value);

    // --- sb16.cpp: interrupts and transfer ---
    void begin(const Transfer& t);
    void resume();
    void pause();
    void fire();
    u32 move(u32 samples);
    void play(std::span<const u8> bytes);
    void block_done();
    void request(bool words);
    void acknowledge(u8 which);
    void update_irq();
    u32 rate_of(bool stereo) const;

    EventQueue& queue_;
    IsaDma& dma_;
    std::function<void(unsigned, bool)> set_irq_;
    AudioMixer* output_;
    unsigned stream_ = 0, direct_stream_ = 0;

    Sb16Mixer mixer_;
    u8 pending_ = 0;     // interrupts: 1 8-bit, 2 16-bit
    u8 driven_irq_ = 0;  // the line that is high; 0: none
    bool in_reset_ = false;
    u8 command_ = 0;
    u8 argument_count_ = 0, arguments_wanted_ = 0;
    std::array<u8, 3> arguments_{};
    ByteQueue<64> answers_;
    u8 last_answer_ = 0;
    bool speaker_ = false;
    u8 test_ = 0;
    u8 identification_ = 0xAA, identifications_ = 0;
    std::array<u8, 256> asp_{};  // registers of the signal processor that is not there
    u8 time_constant_ = 0;
    bool by_time_constant_ = false;
    u32 rate_ = 11'025;
    u32 block_samples_ = 1;
    Transfer transfer_;
    Timer timer_;
    Timer silence_;
    // Of command 10h: the level that the converter keeps.
    i16 level_ = 0;
    Nanoseconds level_since_ = 0;
};

}  // namespace mynah
