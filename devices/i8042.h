// The keyboard controller of a PC/AT with a PS/2 mouse port (IBM PS/2 Hardware Interface Technical Reference,
// "Keyboard and Auxiliary Device Controller"). Its own answers come at once; bytes from the devices take
// virtual time, so that a program that reads port 60h twice in one interrupt sees one byte.
#pragma once

#include <array>
#include <functional>

#include "devices/a20_gate.h"
#include "devices/device.h"
#include "devices/event_queue.h"
#include "devices/irq_line.h"
#include "devices/ps2_keyboard.h"
#include "devices/ps2_mouse.h"

namespace mynah {

class I8042 final : public Device {
  public:
    enum Bank : BankId { data, command };  // ports 60h and 64h

    // `reset`: the CPU reset pin was pulsed. All referred to must outlive the device.
    I8042(EventQueue& queue, A20Gate& a20, IrqLine irq1, IrqLine irq12, std::function<void()> reset);

    // What is plugged in; the host's input goes to these.
    Ps2Keyboard& keyboard() { return keyboard_; }
    const Ps2Keyboard& keyboard() const { return keyboard_; }
    Ps2Mouse& mouse() { return mouse_; }

    std::string_view name() const override { return "i8042"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {1, 1}; }
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  private:
    enum class Source : u8 { none, controller, keyboard, mouse };

    u8 status() const;
    u8 output_port() const;
    void write_output_port(u8 value);
    void write_command(u8 value);
    void write_data(u8 value);
    void respond(u8 byte, Source source = Source::controller);
    // Moves the next byte into the empty output buffer, or arms the event that will.
    void pump();
    void deliver();
    bool deliver_from_keyboard();
    void put(u8 byte, Source source);
    void update_irqs();
    bool keyboard_waiting() const;
    bool mouse_waiting() const;

    EventQueue& queue_;
    A20Gate& a20_;
    IrqLine irq1_, irq12_;
    std::function<void()> reset_;
    Ps2Keyboard keyboard_;
    Ps2Mouse mouse_;

    std::array<u8, 32> ram_{};    // byte 0 is the command byte
    Source full_ = Source::none;  // who filled the output buffer
    u8 output_ = 0;               // what port 60h shows
    bool system_flag_ = false;
    bool last_write_command_ = false;
    u8 expecting_ = 0;           // the command whose parameter comes next
    bool break_prefix_ = false;  // translation has swallowed an F0h
    ByteQueue<8> answers_;       // the controller's, waiting for the output buffer
    ByteQueue<8> answer_sources_;
    bool irq1_level_ = false, irq12_level_ = false;
    Timer arrival_;
};

}  // namespace mynah
