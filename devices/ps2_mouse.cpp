#include "devices/ps2_mouse.h"

#include <algorithm>
#include <cstdlib>

#include "base/bits.h"

namespace mynah {

namespace {

constexpr i32 kLimit = 1 << 20;  // of movement not yet reported

i32 scale_2_to_1(i32 v) {
    constexpr i32 small[] = {0, 1, 1, 3, 6, 9};
    const i32 size = std::abs(v);
    const i32 scaled = size < 6 ? small[size] : 2 * size;
    return v < 0 ? -scaled : scaled;
}

}  // namespace

void Ps2Mouse::defaults() {
    mode_ = before_wrap_ = Mode::stream;
    reporting_ = scaling_ = false;
    resolution_ = 2;
    rate_ = 100;
    expecting_ = knock_ = 0;
    x_ = y_ = z_ = 0;
    data_.clear();
}

void Ps2Mouse::reset() {
    defaults();
    replies_.clear();
    last_ = 0;
    id_ = 0;
    buttons_ = reported_buttons_ = 0;
}

void Ps2Mouse::visit(Archive& ar) {
    visit_queues(ar);
    ar.all(mode_, before_wrap_, reporting_, scaling_, resolution_, rate_, id_, expecting_, knock_, x_, y_, z_,
           buttons_, reported_buttons_);
    x_ = std::clamp(x_, -kLimit, kLimit);
    y_ = std::clamp(y_, -kLimit, kLimit);
    z_ = std::clamp(z_, -kLimit, kLimit);
}

void Ps2Mouse::move(int dx, int dy, u8 buttons, int wheel) {
    const auto add = [](i32& sum, i64 v) {
        sum = static_cast<i32>(std::clamp<i64>(sum + v, -kLimit, kLimit));
    };
    add(x_, dx);
    add(y_, -i64{dy});  // PS/2 counts upwards
    add(z_, wheel);
    buttons_ = buttons & 0x1F;
    report();
}

void Ps2Mouse::announce() {
    if (mode_ != Mode::stream || !reporting_ || !data_.empty()) return;
    send_packet(false);
    notify();
}

// In stream mode a packet goes out when the last one is gone; until then movement adds up.
void Ps2Mouse::report() {
    if (mode_ != Mode::stream || !reporting_ || !changed() || !data_.empty()) return;
    send_packet(false);
    notify();
}

void Ps2Mouse::send_packet(bool as_reply) {
    const auto take = [](i32& sum, i32 low, i32 high) {
        const i32 v = std::clamp(sum, low, high);
        sum -= v;
        return v;
    };
    i32 x = take(x_, -255, 255), y = take(y_, -255, 255);
    if (scaling_ && !as_reply) {
        x = std::clamp(scale_2_to_1(x), -255, 255);
        y = std::clamp(scale_2_to_1(y), -255, 255);
    }
    const i32 z = id_ ? take(z_, -8, 7) : take(z_, -kLimit, kLimit);
    const u8 packet[4] = {
        static_cast<u8>((buttons_ & 7) | 8 | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0)),
        static_cast<u8>(x),
        static_cast<u8>(y),
        static_cast<u8>(id_ == 4 ? (z & 0xF) | (buttons_ & 0x18) << 1 : z),
    };
    for (unsigned i = 0; i < (id_ ? 4u : 3u); ++i)
        as_reply ? replies_.push(packet[i]) : data_.push(packet[i]);
    reported_buttons_ = buttons_;
}

void Ps2Mouse::receive(u8 byte) {
    if (mode_ == Mode::wrap && byte != 0xFF && byte != 0xEC) {
        reply(byte);
    } else if (expecting_) {
        if (expecting_ == 0xE8) {
            resolution_ = byte & 3;
        } else {
            sample_rate(byte);
        }
        expecting_ = 0;
        reply(kAck);
    } else {
        command(byte);
    }
    notify();
}

// Three sample rates in a row knock: 200, 100, 80 for the wheel, then 200, 200, 80 for five buttons.
void Ps2Mouse::sample_rate(u8 rate) {
    rate_ = rate;
    if (rate == 200) {
        knock_ = knock_ == 1 ? 3 : 1;
    } else if (rate == 100 && knock_ == 1) {
        knock_ = 2;
    } else {
        if (rate == 80 && knock_ == 2) id_ = std::max<u8>(id_, 3);
        if (rate == 80 && knock_ == 3 && id_ >= 3) id_ = 4;
        knock_ = 0;
    }
}

void Ps2Mouse::command(u8 byte) {
    switch (byte) {
        case 0xE6:
        case 0xE7:
            scaling_ = byte & 1;
            reply(kAck);
            break;
        case 0xE8:  // set resolution
        case 0xF3:  // set sample rate
            expecting_ = byte;
            reply(kAck);
            break;
        case 0xE9:
            reply(kAck,
                  (mode_ == Mode::remote) << 6 | reporting_ << 5 | scaling_ << 4 | bit(buttons_, 0) << 2 |
                      bit(buttons_, 2) << 1 | int{bit(buttons_, 1)},
                  resolution_, rate_);
            break;
        case 0xEA:
            mode_ = Mode::stream;
            data_.clear();
            reply(kAck);
            break;
        case 0xEB:
            data_.clear();
            reply(kAck);
            send_packet(true);
            break;
        case 0xEC:
            if (mode_ == Mode::wrap) mode_ = before_wrap_;
            reply(kAck);
            break;
        case 0xEE:
            before_wrap_ = mode_;
            mode_ = Mode::wrap;
            data_.clear();
            reply(kAck);
            break;
        case 0xF0:
            mode_ = Mode::remote;
            data_.clear();
            reply(kAck);
            break;
        case 0xF2:
            reply(kAck, id_);
            break;
        case 0xF4:
            reporting_ = true;
            x_ = y_ = z_ = 0;
            reply(kAck);
            break;
        case 0xF5:
            reporting_ = false;
            data_.clear();
            reply(kAck);
            break;
        case 0xF6:
            defaults();
            reply(kAck);
            break;
        case 0xFE:
            reply(last_);
            break;
        case 0xFF: {
            const u8 held = buttons_;
            reset();
            buttons_ = reported_buttons_ = held;
            reply(kAck, kTestPassed, id_);
            break;
        }
        default:
            reply(kResend);
    }
}

}  // namespace mynah
