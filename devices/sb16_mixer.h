// The CT1745 mixer chip of a Sound Blaster 16: volumes, and which interrupt and DMA channels the card uses
// (Creative, "Sound Blaster Series Hardware Programming Guide", ch. 4).
#pragma once

#include <array>

#include "base/archive.h"
#include "base/types.h"

namespace mynah {

class Sb16Mixer {
  public:
    // What the card's interrupt and channels are at power-on.
    struct Resources {
        u8 irq = 5;    // 2 (which is line 9), 5, 7 or 10
        u8 dma = 1;    // 0, 1 or 3
        u8 dma16 = 5;  // 5, 6 or 7
    };
    explicit Sb16Mixer(const Resources& resources) : power_on_(resources) { reset(); }

    void reset();
    void visit(Archive& ar) { ar.all(index_, registers_); }

    void set_index(u8 index) { index_ = index; }
    u8 index() const { return index_; }
    // `pending`: the interrupt status, register 82h.
    u8 read(u8 pending) const;
    void write(u8 value);

    // The line that is selected; 0: none.
    u8 irq() const;
    u8 dma() const;
    u8 dma16() const;
    // The SB Pro's stereo switch.
    bool stereo() const { return (registers_[0x0E] & 2) != 0; }
    // What is left of a sample of the digitised voice, in 1/65536.
    std::array<u32, 2> voice_gain() const;

  private:
    void reset_volumes();

    Resources power_on_;
    u8 index_ = 0;
    std::array<u8, 0x83> registers_{};
};

}  // namespace mynah
