#include "devices/sb16_mixer.h"

namespace mynah {

namespace {

// Registers. Volumes of the SB16 have five bits at the top of a byte, one register a side; those of the SB
// Pro four for the left side and four for the right, and are the same volumes.
constexpr u8 kReset = 0x00, kMaster = 0x30, kVoice = 0x32, kMidi = 0x34, kCd = 0x36, kLine = 0x38,
             kMic = 0x3A, kSpeaker = 0x3B, kOutputGain = 0x41, kIrqSelect = 0x80, kDmaSelect = 0x81,
             kIrqStatus = 0x82;

constexpr std::array<u8, 4> kIrqs{9, 5, 7, 10};

// The SB16's register of an SB Pro's; 0: it has none.
u8 left_of(u8 index) {
    switch (index) {
        case 0x04:
            return kVoice;
        case 0x22:
            return kMaster;
        case 0x26:
            return kMidi;
        case 0x28:
            return kCd;
        case 0x2E:
            return kLine;
        default:
            return 0;
    }
}

u8 lowest_bit(u8 v) {
    for (u8 i = 0; i < 8; ++i) {
        if (v >> i & 1) return i;
    }
    return 8;
}

}  // namespace

void Sb16Mixer::reset_volumes() {
    const u8 irqs = registers_[kIrqSelect], channels = registers_[kDmaSelect];
    registers_ = {};
    // The chip comes up at -14 dB each; here nothing stands behind it to make up for that.
    for (u8 r : {kMaster, kVoice, kMidi, kCd}) registers_[r] = registers_[r + 1] = 0xF8;
    registers_[0x3C] = 0x1F;
    registers_[0x3D] = 0x15;
    registers_[0x3E] = 0x0B;
    for (u8 r = 0x44; r <= 0x47; ++r) registers_[r] = 0x80;
    registers_[kIrqSelect] = irqs;
    registers_[kDmaSelect] = channels;
}

void Sb16Mixer::reset() {
    index_ = 0;
    registers_ = {};
    for (size_t i = 0; i < kIrqs.size(); ++i) {
        if (kIrqs[i] == power_on_.irq) registers_[kIrqSelect] = static_cast<u8>(1 << i);
    }
    registers_[kDmaSelect] = static_cast<u8>(1 << (power_on_.dma & 7) | 1 << (power_on_.dma16 & 7));
    reset_volumes();
}

u8 Sb16Mixer::read(u8 pending) const {
    if (index_ == kIrqStatus) return pending;
    if (const u8 left = left_of(index_))
        return static_cast<u8>((registers_[left] & 0xF0) | registers_[left + 1] >> 4);
    if (index_ == 0x0A) return registers_[kMic] >> 5;
    return index_ < registers_.size() ? registers_[index_] : 0xFF;
}

void Sb16Mixer::write(u8 value) {
    if (index_ == kReset) return reset_volumes();
    if (const u8 left = left_of(index_)) {
        registers_[left] = static_cast<u8>((value & 0xF0) | 0x08);
        registers_[left + 1] = static_cast<u8>(value << 4 | 0x08);
        return;
    }
    switch (index_) {
        case 0x0A:
            registers_[kMic] = static_cast<u8>((value & 7) << 5);
            return;
        case kIrqSelect:
            registers_[index_] = value & 0x0F;
            return;
        case kDmaSelect:
            registers_[index_] = value & 0xEB;
            return;
        case kIrqStatus:
            return;
        default:
            break;
    }
    if (index_ >= kMaster && index_ <= kMic)
        value &= 0xF8;
    else if (index_ == kSpeaker || (index_ >= 0x3F && index_ <= 0x42))
        value &= 0xC0;
    if (index_ < registers_.size()) registers_[index_] = value;
}

u8 Sb16Mixer::irq() const {
    const u8 n = lowest_bit(registers_[kIrqSelect]);
    return n < kIrqs.size() ? kIrqs[n] : u8{0};
}

u8 Sb16Mixer::dma() const {
    const u8 n = lowest_bit(registers_[kDmaSelect] & 0x0B);
    return n < 8 ? n : u8{1};
}

u8 Sb16Mixer::dma16() const {
    // Without a 16-bit channel words go over the other one.
    const u8 n = lowest_bit(registers_[kDmaSelect] & 0xE0);
    return n < 8 ? n : dma();
}

std::array<u32, 2> Sb16Mixer::voice_gain() const {
    // 2 dB a step, 31 is 0 dB; output gain is 6 dB a step.
    static constexpr std::array<u32, 5> kStep{65536, 52057, 41350, 32846, 26090};  // 0 to -8 dB
    const auto gain = [this](u8 side) {
        const unsigned down =
            (31 - (registers_[kMaster + side] >> 3)) + (31u - (registers_[kVoice + side] >> 3));
        u64 g = kStep[down % 5];
        for (unsigned i = 0; i < down / 5; ++i) g = g * 20724 >> 16;  // -10 dB
        if (registers_[kVoice + side] >> 3 == 0 || registers_[kMaster + side] >> 3 == 0) g = 0;
        return static_cast<u32>(g << (registers_[kOutputGain + side] >> 6));
    };
    return {gain(0), gain(1)};
}

}  // namespace mynah
