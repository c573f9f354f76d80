// An IBM PS/2 (MF II) keyboard: scan code sets 1, 2 and 3 (IBM PS/2 Hardware Interface Technical Reference,
// "Keyboards (101- and 102-key)"). Repeating a held key is left to the host.
#pragma once

#include <array>
#include <string_view>

#include "devices/key_names.h"
#include "devices/ps2_device.h"

namespace mynah {

class Ps2Keyboard final : public Ps2Device {
  public:
    Ps2Keyboard() { reset(); }

    // A key goes down (again: repeats) or up, by set 1 code (E0xxh: extended) or QEMU's name. False: unknown
    // key.
    bool key(u16 set1, bool down);
    bool key(std::string_view name, bool down);
    // Bit 0 scroll lock, 1 num lock, 2 caps lock.
    u8 leds() const { return leds_; }
    // Bytes the keyboard can still buffer: whoever types a text waits while this is low.
    unsigned room() const { return data_.room(); }

    void reset() override;
    void visit(Archive& ar) override;
    void receive(u8 byte) override;

  private:
    enum KeyType : u8 { make_only = 1, make_break = 2 };  // of set 3; typematic is the host's business

    void defaults();
    void send(std::initializer_list<u8> bytes);
    void send_pause(bool down);
    void send_print(bool down);
    void send_set3(const Key& key, bool down);
    void parameter(u8 byte);
    void command(u8 byte);

    u8 set_ = 2;
    bool scanning_ = true;
    u8 leds_ = 0;
    u8 rate_ = 0;
    u8 expecting_ = 0;             // the command whose parameter comes next
    u8 modifiers_ = 0;             // held: bit 0 shift, 1 ctrl, 2 alt
    std::array<u8, 256> types_{};  // KeyType by set 3 code
};

}  // namespace mynah
