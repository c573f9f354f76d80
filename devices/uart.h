// UART 16550A (National PC16550D data sheet). Sending takes no virtual time; receiving is paced by the
// divisor, and the backend keeps what does not fit, so that input is never lost.
#pragma once

#include <array>
#include <string>

#include "devices/device.h"
#include "devices/event_queue.h"
#include "devices/host.h"
#include "devices/irq_line.h"

namespace mynah {

class Uart final : public Device {
  public:
    // `name` tells the instances apart. `backend` may be null: nothing is connected, and the modem inputs are
    // off. `irq`: INTRPT gated by MCR's OUT2, as PC boards have it. All referred to must outlive the device.
    Uart(std::string name, EventQueue& queue, CharBackend* backend, IrqLine irq);

    // The backend got input. To be called on the machine's thread.
    void input_ready();
    // The line was held in the spacing state for longer than a character.
    void receive_break();

    std::string_view name() const override { return name_; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {8, 1}; }
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  private:
    struct Received {
        u8 byte, errors;  // errors: LSR bits that belong to it
        void visit(Archive& ar) { ar.all(byte, errors); }
    };

    bool fifo_enabled() const { return fcr_ & 1; }
    bool loopback() const { return mcr_ & 0x10; }
    unsigned capacity() const { return fifo_enabled() ? 16 : 1; }
    unsigned trigger() const;
    Nanoseconds byte_time() const;

    void send(u8 byte);
    void push(u8 byte, u8 errors = 0);  // into the receiver
    void reveal_errors();               // of the character that is read next
    u8 pop();
    void receive();       // the next byte from the backend
    void expect_input();  // arms receive() when there may be more
    u8 identification() const;
    u8 line_status() const;
    void set_modem_status();
    void write_mcr(u8 value);
    void write_fcr(u8 value);
    void restart_timeout();
    void update_irq();

    std::string name_;
    CharBackend* backend_;
    IrqLine irq_;

    u8 ier_ = 0, fcr_ = 0, lcr_ = 0, mcr_ = 0, lsr_errors_ = 0, msr_ = 0, scratch_ = 0;
    u16 divisor_ = 0;
    std::array<Received, 16> fifo_{};
    u8 fifo_head_ = 0, fifo_count_ = 0;
    u8 last_received_ = 0;  // what the receiver buffer shows when it is empty
    bool transmitter_empty_irq_ = false;
    bool timeout_irq_ = false;
    bool irq_level_ = false;
    Timer receive_;
    Timer timeout_;
};

}  // namespace mynah
