// One of the three counters of an 8254, as a function of the number of CLK pulses (Intel 8254 data sheet).
#pragma once

#include "base/archive.h"
#include "base/types.h"

namespace mynah {

class PitCounter {
  public:
    static constexpr u64 kNever = ~u64{0};

    // `tick` is the number of CLK pulses since time began; it never decreases from call to call.
    void write_control(u8 control, u64 tick);
    void write(u8 byte, u64 tick);
    u8 read(u64 tick);
    void latch_count(u64 tick);
    void latch_status(u64 tick);
    void set_gate(bool level, u64 tick);

    bool gate() const { return gate_; }
    bool out(u64 tick);
    u8 mode() const { return mode_; }
    // The next tick at which OUT changes; in mode 2 the next at which it rises (it falls one tick before).
    u64 next_edge(u64 tick);

    void visit(Archive& ar);

  private:
    enum class State : u8 {
        idle,     // control word written, no count yet
        waiting,  // modes 1 and 5: a count, no trigger yet
        counting,
    };

    void sync(u64 tick);
    void load(u32 count, u64 tick);
    u64 elapsed(u64 tick) const;
    u32 value(u64 tick) const;
    u16 readable(u64 tick) const;
    u32 modulus() const { return bcd_ ? 10000 : 65536; }
    u32 high_half() const { return (count_ + 1) / 2; }
    bool stops_when_gate_low() const { return mode_ != 1 && mode_ != 5; }

    u8 mode_ = 3;
    u8 access_ = 3;  // RW1-RW0: 1 low byte, 2 high byte, 3 low then high
    bool bcd_ = false;
    bool gate_ = true;
    State state_ = State::idle;

    u32 count_ = 65536;  // N of the running count
    i64 start_ = 0;  // tick at which N was in the counting element; before 0 after a mode 3 half-cycle switch
    bool frozen_ = false;  // by GATE
    u64 frozen_elapsed_ = 0;

    bool pending_ = false;  // a new N waits for the end of the cycle, or for a trigger
    u32 pending_count_ = 0;
    i64 switch_tick_ = 0;

    u8 write_low_ = 0;
    bool write_high_next_ = false, read_high_next_ = false;
    bool count_latched_ = false, status_latched_ = false;
    u16 latched_count_ = 0;
    u8 latched_status_ = 0;
};

}  // namespace mynah
