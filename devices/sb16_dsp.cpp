// The commands of the DSP (Hardware Programming Guide, ch. 6).
#include <algorithm>
#include <string_view>

#include "devices/sb16.h"

namespace mynah {

namespace {

constexpr std::string_view kCopyright = "COPYRIGHT (C) CREATIVE TECHNOLOGY LTD, 1992.";
constexpr u8 kMajor = 4, kMinor = 5;

// The bytes behind a command.
u8 arguments_of(u8 command) {
    if (command >= 0xB0 && command <= 0xCF) return 3;
    switch (command) {
        case 0x04:
        case 0x0F:
        case 0x10:
        case 0x38:
        case 0x40:
        case 0xE0:
        case 0xE2:
        case 0xE4:
        case 0xF9:
            return 1;
        case 0x05:
        case 0x0E:
        case 0x14:
        case 0x15:
        case 0x16:
        case 0x17:
        case 0x24:
        case 0x41:
        case 0x42:
        case 0x48:
        case 0x74:
        case 0x75:
        case 0x76:
        case 0x77:
        case 0x80:
            return 2;
        default:
            return 0;
    }
}

}  // namespace

void Sb16::reset_dsp() {
    pause();
    transfer_ = Transfer{};
    silence_.cancel();
    pending_ = 0;
    update_irq();
    command_ = argument_count_ = arguments_wanted_ = 0;
    arguments_ = {};
    answers_.clear();
    speaker_ = false;
}

void Sb16::answer(std::initializer_list<u8> bytes) {
    for (const u8 b : bytes) answers_.push(b);
}

void Sb16::write_command(u8 value) {
    if (argument_count_ < arguments_wanted_) {
        arguments_[argument_count_++] = value;
    } else {
        command_ = value;
        argument_count_ = 0;
        arguments_wanted_ = arguments_of(value);
        arguments_ = {};
    }
    if (argument_count_ < arguments_wanted_) return;
    argument_count_ = arguments_wanted_ = 0;
    execute();
}

void Sb16::start_8bit(bool repeats, bool records, u32 samples) {
    Transfer t;
    t.repeats = repeats;
    t.records = records;
    t.stereo = mixer_.stereo();
    t.block = samples;
    begin(t);
}

// Commands Bxh and Cxh: bit 1 FIFO, bit 2 auto-initialize, bit 3 input; then the mode and a length.
void Sb16::start(u8 command) {
    Transfer t;
    t.words = command < 0xC0;
    t.repeats = (command & 4) != 0;
    t.records = (command & 8) != 0;
    t.is_signed = (arguments_[0] & 0x10) != 0;
    t.stereo = (arguments_[0] & 0x20) != 0;
    t.block = argument_word(1) + 1;
    begin(t);
}

// E2h: a byte goes to memory from which software tells the card; each makes the next one.
void Sb16::identify_dma(u8 value) {
    static constexpr std::array<u8, 4> kKeys{0x96, 0xA5, 0x69, 0x5A};
    identification_ = static_cast<u8>(identification_ + (value ^ kKeys[identifications_++ & 3]));
    (void)dma_.channel(mixer_.dma()).write({&identification_, 1});
}

void Sb16::execute() {
    if (command_ >= 0xB0 && command_ <= 0xCF) return start(command_);
    switch (command_) {
        case 0x0E:
            asp_[arguments_[0]] = arguments_[1];
            return;
        case 0x0F:
            return answer({asp_[arguments_[0]]});
        case 0x10:
            return direct_output(arguments_[0]);
        case 0x14:
        case 0x15:
            return start_8bit(false, false, argument_word(0) + 1);
        case 0x1C:
        case 0x90:
            return start_8bit(true, false, block_samples_);
        case 0x91:
            return start_8bit(false, false, block_samples_);
        case 0x20:
            return answer({0x80});
        case 0x24:
            return start_8bit(false, true, argument_word(0) + 1);
        case 0x2C:
        case 0x98:
            return start_8bit(true, true, block_samples_);
        case 0x99:
            return start_8bit(false, true, block_samples_);
        case 0x40:
            time_constant_ = arguments_[0];
            by_time_constant_ = true;
            return;
        case 0x41:
        case 0x42:  // high byte first
            rate_ = std::clamp<u32>(static_cast<u32>(arguments_[0] << 8 | arguments_[1]), kLowestRate,
                                    kHighestRate);
            by_time_constant_ = false;
            return;
        case 0x45:
        case 0x47:
            if (transfer_.words == (command_ == 0x47)) {
                transfer_.last = false;
                if (transfer_.paused) resume();
            }
            return;
        case 0x48:
            block_samples_ = argument_word(0) + 1;
            return;
        case 0x80:
            silence_.arm_in(
                static_cast<Nanoseconds>(u64{argument_word(0) + 1} * 1'000'000'000 / rate_of(false)));
            return;
        case 0xD0:
        case 0xD5:
            if (transfer_.words == (command_ == 0xD5)) pause();
            return;
        case 0xD4:
        case 0xD6:
            if (transfer_.words == (command_ == 0xD6) && transfer_.paused) resume();
            return;
        case 0xD1:  // since the SB16 this only shows in D8h
        case 0xD3:
            speaker_ = command_ == 0xD1;
            return;
        case 0xD8:
            return answer({speaker_ ? u8{0xFF} : u8{0}});
        case 0xD9:
        case 0xDA:
            if (transfer_.words == (command_ == 0xD9)) transfer_.last = true;
            return;
        case 0xE0:
            return answer({static_cast<u8>(~arguments_[0])});
        case 0xE1:
            answers_.clear();
            return answer({kMajor, kMinor});
        case 0xE2:
            return identify_dma(arguments_[0]);
        case 0xE3:
            answers_.clear();
            for (const char c : kCopyright) answers_.push(static_cast<u8>(c));
            return answer({0});
        case 0xE4:
            test_ = arguments_[0];
            return;
        case 0xE8:
            return answer({test_});
        case 0xF2:
            return request(false);
        case 0xF3:
            return request(true);
        case 0xF8:
        case 0xF9:
        case 0xFB:  // nothing runs
            return answer({0});
        default:
            return;  // MIDI, ADPCM and what there never was
    }
}

}  // namespace mynah
