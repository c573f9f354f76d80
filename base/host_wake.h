// A flag that one thread raises and another can sleep on together with descriptors (host_wait).
#pragma once

#include "base/types.h"

namespace mynah {

class HostWake {
  public:
    HostWake();
    ~HostWake();
    HostWake(const HostWake&) = delete;
    HostWake& operator=(const HostWake&) = delete;

    // From any thread; never blocks.
    void raise();
    // Takes the flag down again.
    void clear();
    // Has input while the flag is up.
    int fd() const { return fd_; }

  private:
    int fd_;
};

}  // namespace mynah
