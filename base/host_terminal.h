// The terminal in raw mode, and the signals that end the program: both need to be undone whatever happens.
#pragma once

#include <memory>

#include "base/result.h"

namespace mynah {

// Puts standard input's terminal into raw mode; puts it back when destroyed, and before the program dies of a
// signal. One at a time.
class HostTerminal {
  public:
    // `keep_signals`: Ctrl-C and Ctrl-Z still act on the program. Null when standard input is no terminal.
    static std::unique_ptr<HostTerminal> make_raw(bool keep_signals);
    ~HostTerminal();
    HostTerminal(const HostTerminal&) = delete;
    HostTerminal& operator=(const HostTerminal&) = delete;

  private:
    HostTerminal() = default;
};

// Makes SIGINT, SIGTERM and SIGHUP ask for an orderly end instead of killing at once, and ignores SIGPIPE. A
// second SIGINT or SIGTERM kills.
void catch_stop_signals();
// The signal that asked, or 0.
int stop_signal();

}  // namespace mynah
