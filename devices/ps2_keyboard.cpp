#include "devices/ps2_keyboard.h"

#include "base/bits.h"

namespace mynah {

namespace {

constexpr u8 kShift = 1, kCtrl = 2, kAlt = 4;
constexpr u8 kBreak = 0xF0, kExtended = 0xE0;
constexpr u16 kPause = 0xE046, kPrint = 0xE037;

// Held modifiers by set 1 code.
u8 modifier(u16 set1) {
    switch (set1) {
        case 0x2A:
        case 0x36:
            return kShift;
        case 0x1D:
        case 0xE01D:
            return kCtrl;
        case 0x38:
        case 0xE038:
            return kAlt;
        default:
            return 0;
    }
}

}  // namespace

void Ps2Keyboard::defaults() {
    rate_ = 0x2B;
    expecting_ = 0;
    types_.fill(make_only);
    for (u8 code : {0x12, 0x59, 0x11, 0x58, 0x19, 0x39, 0x14}) types_[code] = make_break;
    data_.clear();
}

void Ps2Keyboard::reset() {
    defaults();
    replies_.clear();
    last_ = 0;
    set_ = 2;
    leds_ = 0;
    modifiers_ = 0;
    scanning_ = true;
}

void Ps2Keyboard::visit(Archive& ar) {
    visit_queues(ar);
    ar.all(set_, scanning_, leds_, rate_, expecting_, modifiers_, types_);
}

// --- keys ---

bool Ps2Keyboard::key(std::string_view name, bool down) {
    const Key* k = find_key(name);
    return k && key(k->set1, down);
}

bool Ps2Keyboard::key(u16 set1, bool down) {
    const Key* known = find_key(set1);
    const u8 prefix = static_cast<u8>(set1 >> 8), code = static_cast<u8>(set1);
    if (!known && ((prefix && prefix != kExtended) || code == 0 || code >= 0x80)) return false;
    const u8 held = modifier(set1);
    modifiers_ = static_cast<u8>(down ? modifiers_ | held : modifiers_ & ~held);
    if (!scanning_) return true;

    if (set_ == 3) {
        if (known) send_set3(*known, down);
    } else if (set1 == kPause) {
        send_pause(down);
    } else if (set1 == kPrint) {
        send_print(down);
    } else if (set_ == 1) {
        const u8 last = static_cast<u8>(code | (down ? 0 : 0x80));
        prefix ? send({prefix, last}) : send({last});
    } else {
        const u8 last = set2_of_set1(code);
        if (prefix) {
            down ? send({prefix, last}) : send({prefix, kBreak, last});
        } else {
            down ? send({last}) : send({kBreak, last});
        }
    }
    return true;
}

// A sequence that does not fit makes an overrun code, once.
void Ps2Keyboard::send(std::initializer_list<u8> bytes) {
    if (data_.room() <= bytes.size()) {
        const u8 overrun = set_ == 1 ? 0xFF : 0x00;
        if (data_.room() == 0) {
            data_.replace_last(overrun);
        } else {
            data_.push(overrun);
        }
        return;
    }
    for (u8 byte : bytes) data_.push(byte);
    notify();
}

// Pause has no break code; with Ctrl it is Break, an extended Scroll Lock.
void Ps2Keyboard::send_pause(bool down) {
    if (!down) return;
    if (modifiers_ & kCtrl) {
        set_ == 1 ? send({kExtended, 0x46, kExtended, 0xC6})
                  : send({kExtended, 0x7E, kExtended, kBreak, 0x7E});
    } else {
        set_ == 1 ? send({0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5})
                  : send({0xE1, 0x14, 0x77, 0xE1, kBreak, 0x14, kBreak, 0x77});
    }
}

// Print Screen wraps a shift around an extended keypad asterisk; with Alt it is SysRq.
void Ps2Keyboard::send_print(bool down) {
    const bool one = set_ == 1;
    if (modifiers_ & kAlt) {
        down ? send({static_cast<u8>(one ? 0x54 : 0x84)}) : one ? send({0xD4}) : send({kBreak, 0x84});
    } else if (modifiers_ & (kShift | kCtrl)) {
        if (one) {
            send({kExtended, static_cast<u8>(down ? 0x37 : 0xB7)});
        } else {
            down ? send({kExtended, 0x7C}) : send({kExtended, kBreak, 0x7C});
        }
    } else if (one) {
        down ? send({kExtended, 0x2A, kExtended, 0x37}) : send({kExtended, 0xB7, kExtended, 0xAA});
    } else {
        down ? send({kExtended, 0x12, kExtended, 0x7C})
             : send({kExtended, kBreak, 0x7C, kExtended, kBreak, 0x12});
    }
}

void Ps2Keyboard::send_set3(const Key& key, bool down) {
    if (!key.set3) return;
    if (down) {
        send({key.set3});
    } else if (types_[key.set3] == make_break) {
        send({kBreak, key.set3});
    }
}

// --- commands ---

void Ps2Keyboard::receive(u8 byte) {
    if (expecting_ && byte < 0xED) {
        parameter(byte);
    } else {
        expecting_ = 0;
        command(byte);
    }
    notify();
}

void Ps2Keyboard::parameter(u8 byte) {
    switch (expecting_) {
        case 0xED:
            leds_ = byte & 7;
            reply(kAck);
            break;
        case 0xF0:
            if (byte == 0) {
                reply(kAck, set_);
            } else if (byte <= 3) {
                set_ = byte;
                data_.clear();
                reply(kAck);
            } else {
                reply(kResend);
                return;
            }
            break;
        case 0xF3:
            rate_ = byte & 0x7F;
            reply(kAck);
            break;
        default:  // FBh-FDh: key after key, until the next command
            types_[byte] = expecting_ == 0xFC ? make_break : make_only;
            reply(kAck);
            return;
    }
    expecting_ = 0;
}

void Ps2Keyboard::command(u8 byte) {
    switch (byte) {
        case 0xED:  // set LEDs
        case 0xF0:  // select or read the scan code set
        case 0xF3:  // set the typematic rate
            expecting_ = byte;
            reply(kAck);
            break;
        case 0xFB:  // set the type of single keys
        case 0xFC:
        case 0xFD:
            expecting_ = byte;
            scanning_ = false;
            reply(kAck);
            break;
        case 0xEE:
            reply(0xEE);
            break;
        case 0xF2:
            reply(kAck, 0xAB, 0x83);
            break;
        case 0xF4:
            data_.clear();
            scanning_ = true;
            reply(kAck);
            break;
        case 0xF5:
            defaults();
            scanning_ = false;
            reply(kAck);
            break;
        case 0xF6:
            defaults();
            scanning_ = true;
            reply(kAck);
            break;
        case 0xF7:
        case 0xF9:
            types_.fill(make_only);
            reply(kAck);
            break;
        case 0xF8:
        case 0xFA:
            types_.fill(make_break);
            reply(kAck);
            break;
        case 0xFE:
            reply(last_);
            break;
        case 0xFF: {
            const u8 held = modifiers_;
            reset();
            modifiers_ = held;
            reply(kAck, kTestPassed);
            break;
        }
        default:
            reply(kResend);
    }
}

}  // namespace mynah
