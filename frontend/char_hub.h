// All character streams of one machine, opened from its configuration: what serial ports, debug port and
// monitor talk to, the terminal's mode, and one place to wait for input.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/host_terminal.h"
#include "base/result.h"
#include "frontend/chardev.h"
#include "frontend/terminal.h"
#include "machine/config.h"

namespace mynah {

class CharHub {
  public:
    // Error: a file or socket cannot be opened, named by its option.
    static Result<std::unique_ptr<CharHub>> create(const MachineConfig& config,
                                                   const TerminalActions& actions);
    ~CharHub();

    // For MachineHost. Null: nothing attached.
    const std::vector<CharBackend*>& serials() const { return serials_; }
    CharBackend* debugcon() const { return debugcon_; }
    CharBackend* monitor() const { return monitor_; }
    // How many peers the monitor has had, or, on a shared terminal, how often it was switched to: each time
    // it is to show itself.
    unsigned monitor_visits() const {
        return monitor_stream_ != nullptr ? monitor_stream_->peers() : mux_ ? mux_->monitor_visits() : 0;
    }
    // The monitor shares its terminal with a serial port.
    bool monitor_is_shared() const { return mux_ && monitor_stream_ == nullptr; }
    // The serial port on the shared terminal.
    unsigned shared_serial() const { return shared_serial_; }
    // What is typed to the monitor must be echoed: its stream is a raw terminal or a socket.
    bool monitor_echo() const { return monitor_echo_; }

    // Moves bytes between host and queues; never waits.
    void poll();
    // Some backend has input.
    bool input_waiting() const;
    // Sleeps until input may have come, also on `other` (-1: none), a signal or the end of the time.
    void wait(u64 nanoseconds, int other = -1) const;
    // False while a "server,wait" socket has no peer yet.
    bool ready() const;
    // What ready() waits for, for the user: the sockets' specs.
    const std::string& waiting_for() const { return waiting_for_; }
    // Before the end: gives slow readers a moment.
    void flush();

  private:
    CharHub() = default;
    Result<HostChar*> open(std::string_view option, const std::string& text);

    std::vector<std::unique_ptr<HostChar>> streams_;
    std::unique_ptr<TerminalMux> mux_;
    std::unique_ptr<HostTerminal> terminal_;
    std::vector<CharBackend*> serials_;
    CharBackend* debugcon_ = nullptr;
    CharBackend* monitor_ = nullptr;
    const HostChar* monitor_stream_ = nullptr;  // null: shares a stream with a serial port
    std::string waiting_for_;
    unsigned shared_serial_ = 0;
    bool monitor_echo_ = false;
    bool uses_terminal_ = false;
};

}  // namespace mynah
