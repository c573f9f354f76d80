// A PS/2 mouse with the IntelliMouse extensions: wheel (ID 3) and five buttons (ID 4). IBM PS/2 Hardware
// Interface Technical Reference, "Mouse"; Microsoft IntelliMouse protocol.
#pragma once

#include <array>

#include "devices/ps2_device.h"

namespace mynah {

class Ps2Mouse final : public Ps2Device {
  public:
    // Bits of `buttons`.
    enum Button : u8 { left = 1, right = 2, middle = 4, side = 8, extra = 16 };

    Ps2Mouse() { reset(); }

    // A movement in counts (dx to the right, dy downwards, wheel towards the user) and the buttons now held.
    void move(int dx, int dy, u8 buttons, int wheel);
    // Sends a packet though nothing has moved: where the pointer is can be read elsewhere.
    void announce();
    // Whether the guest listens.
    bool enabled() const { return reporting_; }

    void reset() override;
    void visit(Archive& ar) override;
    void receive(u8 byte) override;

  protected:
    void drained() override { report(); }

  private:
    enum class Mode : u8 { stream, remote, wrap };

    void defaults();
    void send_packet(bool as_reply);
    void report();
    void command(u8 byte);
    void sample_rate(u8 rate);
    bool changed() const { return x_ || y_ || z_ || buttons_ != reported_buttons_; }

    Mode mode_ = Mode::stream, before_wrap_ = Mode::stream;
    bool reporting_ = false;
    bool scaling_ = false;  // 2:1
    u8 resolution_ = 2;
    u8 rate_ = 100;
    u8 id_ = 0;
    u8 expecting_ = 0;
    u8 knock_ = 0;  // how far the sequence of sample rates that unlocks the extensions has come
    i32 x_ = 0, y_ = 0, z_ = 0;
    u8 buttons_ = 0, reported_buttons_ = 0;
};

}  // namespace mynah
