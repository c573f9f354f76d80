// Ctrl-A keys: shares one stream between a serial port and the monitor, as QEMU's mon:stdio does.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "frontend/chardev.h"

namespace mynah {

// What the keys ask of whoever runs the machine; unset ones do nothing.
struct TerminalActions {
    std::function<void()> quit;        // Ctrl-A X
    std::function<void()> send_break;  // Ctrl-A B
};

// Ctrl-A C switches input between the two sides, Ctrl-A H shows help, Ctrl-A Ctrl-A sends Ctrl-A. Output of
// both goes to the stream.
class TerminalMux {
  public:
    TerminalMux(HostChar& stream, TerminalActions actions);

    CharBackend& serial() { return serial_; }
    CharBackend& monitor() { return monitor_; }
    bool monitor_has_input_focus() const { return focus_ == &monitor_; }
    // How often input went to the monitor: its prompt is to be shown each time, and not before.
    unsigned monitor_visits() const { return monitor_visits_; }
    // Distributes what the stream has read.
    void poll();

  private:
    class Side final : public CharBackend {
      public:
        explicit Side(HostChar& stream) : stream_(stream) {}
        void write(std::span<const u8> data) override { stream_.write(data); }
        bool read(u8& byte) override;
        bool input_waiting() override { return !queue.empty(); }
        std::deque<u8> queue;

      private:
        HostChar& stream_;
    };

    void key(u8 byte);
    void print(std::string_view text);

    HostChar& stream_;
    TerminalActions actions_;
    Side serial_, monitor_;
    Side* focus_;
    unsigned monitor_visits_ = 0;
    bool escaped_ = false;
};

}  // namespace mynah
