// A 93C46 Microwire EEPROM of 64 words, as it lies beside network adapters: four pins, clocked by software.
//
// Microchip 93C46B data sheet (DS21794), 2.0 and table 2-2.
#pragma once

#include <array>

#include "base/archive.h"
#include "base/types.h"

namespace mynah::net {

class SerialEeprom {
  public:
    static constexpr size_t kWords = 64;
    using Words = std::array<u16, kWords>;

    explicit SerialEeprom(const Words& content) : words_(content) {}

    // The levels of chip select, clock and data in.
    void set_pins(bool select, bool clock, bool data);
    // Data out; high when nothing drives it.
    bool data_out() const { return out_; }
    u16 word(size_t index) const { return words_[index % kWords]; }

    // Pins as after power-on. The words stay: they are not volatile.
    void reset();
    void visit(Archive& ar);

  private:
    enum class State : u8 { idle, command, reading, writing };
    void rising_edge(bool data);
    void execute();

    Words words_;
    State state_ = State::idle;
    bool select_ = false, clock_ = false, out_ = true;
    bool writable_ = false;
    bool all_ = false;  // the write goes to every word
    u16 shift_ = 0;     // bits taken in so far, or to be given out
    u8 count_ = 0;      // how many
    u8 address_ = 0;
};

}  // namespace mynah::net
