// What is at the far end of a PS/2 cable.
#pragma once

#include <functional>

#include "devices/byte_queue.h"

namespace mynah {

class Ps2Device {
  public:
    virtual ~Ps2Device() = default;

    virtual void reset() = 0;
    virtual void visit(Archive& ar) = 0;
    // A byte from the controller: a command or its parameter.
    virtual void receive(u8 byte) = 0;

    // Bytes for the controller: answers go before what the device sends of its own.
    bool pending() const { return answering() || !data_.empty(); }
    bool answering() const { return !replies_.empty(); }
    u8 take() {
        if (answering()) return last_ = replies_.pop();
        last_ = data_.pop();
        if (data_.empty()) drained();
        return last_;
    }
    // Called whenever something may have become pending.
    void on_pending(std::function<void()> f) { on_pending_ = std::move(f); }

  protected:
    static constexpr u8 kAck = 0xFA, kTestPassed = 0xAA, kResend = 0xFE;

    // The last byte of its own was taken.
    virtual void drained() {}

    template <class... T>
    void reply(T... bytes) {
        (replies_.push(static_cast<u8>(bytes)), ...);
    }
    void notify() {
        if (on_pending_) on_pending_();
    }
    void visit_queues(Archive& ar) { ar.all(replies_, data_, last_); }

    ByteQueue<16> replies_;
    ByteQueue<16> data_;
    u8 last_ = 0;  // for the resend command

  private:
    std::function<void()> on_pending_;
};

}  // namespace mynah
