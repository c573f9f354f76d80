#include "devices/net/serial_eeprom.h"

namespace mynah::net {

namespace {
// Start bit, two bits of opcode, six of address.
constexpr u8 kCommandBits = 8;
constexpr u8 kAddressMask = 0x3F;
}  // namespace

void SerialEeprom::reset() {
    state_ = State::idle;
    select_ = clock_ = writable_ = all_ = false;
    out_ = true;
    shift_ = 0;
    count_ = address_ = 0;
}

void SerialEeprom::set_pins(bool select, bool clock, bool data) {
    const bool rising = clock && !clock_;
    clock_ = clock;
    if (!select) {
        select_ = false;
        state_ = State::idle;
        out_ = true;
        return;
    }
    if (!select_) {
        select_ = true;
        count_ = 0;
        shift_ = 0;
    }
    if (rising) rising_edge(data);
}

void SerialEeprom::rising_edge(bool data) {
    switch (state_) {
        case State::idle:
            // Zeroes before the start bit do not count.
            if (!data) return;
            state_ = State::command;
            shift_ = count_ = 0;
            return;
        case State::command:
            shift_ = static_cast<u16>(shift_ << 1 | data);
            if (++count_ == kCommandBits) execute();
            return;
        case State::reading:
            if (count_ == 16) {
                // Held selected, it goes on with the next word.
                address_ = (address_ + 1) & kAddressMask;
                shift_ = words_[address_];
                count_ = 0;
            }
            out_ = (shift_ & 0x8000) != 0;
            shift_ = static_cast<u16>(shift_ << 1);
            ++count_;
            return;
        case State::writing:
            shift_ = static_cast<u16>(shift_ << 1 | data);
            if (++count_ < 16) return;
            if (writable_ && all_) words_.fill(shift_);
            if (writable_ && !all_) words_[address_] = shift_;
            state_ = State::idle;
            out_ = true;  // ready
            return;
    }
}

void SerialEeprom::execute() {
    const unsigned opcode = shift_ >> 6 & 3;
    address_ = shift_ & kAddressMask;
    shift_ = count_ = 0;
    state_ = State::idle;
    switch (opcode) {
        case 2:
            state_ = State::reading;
            shift_ = words_[address_];
            out_ = false;  // a dummy bit comes first
            return;
        case 1:
            state_ = State::writing;
            all_ = false;
            return;
        case 3:
            if (writable_) words_[address_] = 0xFFFF;
            return;
        default:
            // The address's upper two bits choose.
            switch (address_ >> 4) {
                case 3:
                    writable_ = true;
                    return;
                case 2:
                    if (writable_) words_.fill(0xFFFF);
                    return;
                case 1:
                    state_ = State::writing;
                    all_ = true;
                    return;
                default:
                    writable_ = false;
                    return;
            }
    }
}

void SerialEeprom::visit(Archive& ar) {
    ar.all(words_, state_, select_, clock_, out_, writable_, all_, shift_, count_, address_);
    if (!ar.loading()) return;
    if (state_ > State::writing || count_ > 16) return ar.fail("EEPROM state");
    address_ &= kAddressMask;
}

}  // namespace mynah::net
