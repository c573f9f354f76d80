// A small board to plug a chip into: time, events, recorded lines, a serial line.
#pragma once

#include <deque>
#include <string>

#include "devices/device.h"
#include "devices/host.h"
#include "devices/irq_line.h"
#include "fake_time.h"

namespace mynah::test {

// A line's far end: its level and how often it rose.
struct Pin {
    bool level = false;
    unsigned rises = 0;
    IrqLine line() {
        return IrqLine([this](bool on) {
            rises += on && !level;
            level = on;
        });
    }
};

struct Board {
    FakeTime time;
    EventQueue queue{time};
    void run(Nanoseconds by) { time.advance(queue, by); }
};

inline u8 in(Device& d, BankId bank, u64 offset) {
    return static_cast<u8>(d.read(bank, offset, 1));
}
inline void out(Device& d, BankId bank, u64 offset, u8 value) {
    d.write(bank, offset, value, 1);
}

// A serial line or console kept in memory.
class MemoryChar final : public CharBackend {
  public:
    void write(std::span<const u8> data) override { sent.append(data.begin(), data.end()); }
    bool read(u8& byte) override {
        if (input.empty()) return false;
        byte = input.front();
        input.pop_front();
        return true;
    }
    bool input_waiting() override { return !input.empty(); }

    std::string sent;
    std::deque<u8> input;
};

}  // namespace mynah::test
