// The human monitor: QEMU's command names over a character backend or called directly.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "devices/host.h"
#include "machine/machine.h"

namespace mynah {

class Monitor {
  public:
    explicit Monitor(Machine& machine) : machine_(machine) {}

    // What `info network` shows of the network that an adapter is connected to.
    void describe_networks(std::function<std::string(unsigned)> f) { network_ = std::move(f); }
    // Runs one command line; the answer ends in a newline, or is empty.
    std::string execute(std::string_view line);
    // The machine has been told to end.
    bool finished() const { return machine_.run_state() == RunState::finished; }

  private:
    using Words = std::vector<std::string_view>;
    struct Command;
    static const std::vector<Command>& commands();

    std::string help(const Words& words);
    std::string info(const Words& words);
    std::string examine(const Words& words, bool physical);
    std::string screendump(const Words& words);
    std::string sendkey(const Words& words);
    std::string change(Words words);
    std::string eject(Words words);
    std::string snapshot(const Words& words, bool save);
    // A number, a $register, or a sum or difference of them. Error: what was not understood.
    Result<u64> evaluate(std::string_view expression) const;

    Machine& machine_;
    std::function<std::string(unsigned)> network_;
};

// The line editor of one monitor connection: prompt, echo, backspace, history is the terminal's business.
class MonitorConsole {
  public:
    MonitorConsole(Monitor& monitor, CharBackend& console, bool echo)
        : monitor_(monitor), console_(console), echo_(echo) {}
    // Greets with the version and the first prompt. On a terminal shared with a serial port (`shared`) that
    // is done once; after that the prompt and what was typed already are enough.
    void start(bool shared);
    // Takes what has been typed and answers complete lines.
    void poll();

  private:
    void print(std::string_view text);

    Monitor& monitor_;
    CharBackend& console_;
    bool echo_;
    bool greeted_ = false;
    std::string line_;
};

}  // namespace mynah
