// One run of a machine for a person or a script: machine, terminal, sockets and monitor, until it ends.
#pragma once

#include <memory>
#include <string_view>

#include "base/host_wake.h"
#include "base/log.h"
#include "base/result.h"
#include "frontend/audio_backends.h"
#include "frontend/char_hub.h"
#include "frontend/monitor.h"
#include "frontend/network_hub.h"
#include "machine/machine.h"

namespace mynah {

// Who works the machine beside terminal and sockets: a window. Called on the thread that runs the session.
class SessionPeer {
  public:
    virtual ~SessionPeer() = default;
    // After every slice and every sleep.
    virtual void attend(Machine& machine) = 0;
    // How long the machine may sleep before attend() is wanted again, ns.
    virtual u64 patience() = 0;
    // Has input when attend() is wanted sooner.
    virtual int wake_fd() const = 0;
    // A line about what the guest uses and there is not, or should not do.
    virtual void logged(std::string_view line) = 0;
};

class Session {
  public:
    // Error: what cannot be opened or built. The terminal is as before once the error is there. `peer` may be
    // null; it must outlive the session.
    static Result<std::unique_ptr<Session>> create(const MachineConfig& config, SessionPeer* peer = nullptr);
    // Until the guest, the monitor, the terminal or a signal ends it. Returns the exit code.
    int run();

  private:
    Session(bool may_skip_idle, SessionPeer* peer) : peer_(peer), may_skip_idle_(may_skip_idle) {}
    // True: the guest has got frames from a network.
    bool take_input();
    void idle(Nanoseconds time);

    SessionPeer* peer_;
    Log log_;
    std::unique_ptr<CharHub> hub_;
    std::unique_ptr<NetworkHub> networks_;
    AudioBackends audio_;
    HostWake wake_;  // by the machine's own threads
    std::unique_ptr<Machine> machine_;
    std::unique_ptr<Monitor> monitor_;
    std::unique_ptr<MonitorConsole> console_;
    // Deterministic clock: nothing outside can wake the guest, so idle time may pass at once.
    bool may_skip_idle_;
    bool skip_next_ = false;
    bool quit_ = false;
    unsigned greeted_ = 0;  // of the monitor's visits
    u64 idled_ = 0;         // since the guest last ran, in host nanoseconds
    u64 next_poll_ = 0;     // of the hub, in host nanoseconds
};

}  // namespace mynah
