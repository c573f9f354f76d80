// Between network adapters and what they are connected to.
#pragma once

#include <span>
#include <vector>

#include "base/types.h"

namespace mynah {

// The host's end of a network cable. Frames are Ethernet's from the destination's address to the payload's
// end: no preamble, no FCS, and not padded to 60 bytes. Implementations live in frontend/.
class NetBackend {
  public:
    virtual ~NetBackend() = default;
    // From the guest; copied before it returns. Never blocks: what cannot be taken is lost, as on a cable.
    virtual void send(std::span<const u8> frame) = 0;
    // Moves the next frame for the guest into `frame`; false: none waits. What the adapter does not take
    // waits.
    virtual bool receive(std::vector<u8>& frame) = 0;
};

// A network adapter, as the machine sees it.
class Nic {
  public:
    virtual ~Nic() = default;
    // Its back end has frames. The adapter takes those for which it has room now, and the rest when it has.
    virtual void frames_waiting() = 0;
};

}  // namespace mynah
