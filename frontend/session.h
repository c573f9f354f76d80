// One run of a machine for a person or a script: machine, terminal, sockets and monitor, until it ends.
#pragma once

#include <memory>

#include "base/log.h"
#include "base/result.h"
#include "frontend/audio_backends.h"
#include "frontend/char_hub.h"
#include "frontend/monitor.h"
#include "machine/machine.h"

namespace mynah {

class Session {
  public:
    // Error: what cannot be opened or built. The terminal is as before once the error is there.
    static Result<std::unique_ptr<Session>> create(const MachineConfig& config);
    // Until the guest, the monitor, the terminal or a signal ends it. Returns the exit code.
    int run();

  private:
    explicit Session(bool may_skip_idle) : may_skip_idle_(may_skip_idle) {}
    void take_input();
    void idle(Nanoseconds time);

    Log log_;
    std::unique_ptr<CharHub> hub_;
    AudioBackends audio_;
    std::unique_ptr<Machine> machine_;
    std::unique_ptr<Monitor> monitor_;
    std::unique_ptr<MonitorConsole> console_;
    // Deterministic clock: nothing outside can wake the guest, so idle time may pass at once.
    bool may_skip_idle_;
    bool skip_next_ = false;
    bool quit_ = false;
    unsigned greeted_ = 0;  // of the monitor's visits
    u64 next_poll_ = 0;     // of the hub, in host nanoseconds
};

}  // namespace mynah
