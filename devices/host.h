// What devices need of the host, as interfaces. Implementations live in block/, machine/ and frontend/.
#pragma once

#include <span>
#include <string>

#include "base/block_backend.h"
#include "base/result.h"
#include "base/types.h"

namespace mynah {

// The host's end of a serial line, debug console or similar. Output never blocks the machine.
class CharBackend {
  public:
    virtual ~CharBackend() = default;
    virtual void write(std::span<const u8> data) = 0;
    // True, and one byte, when input is waiting. Devices poll at virtual times or when notified.
    virtual bool read(u8& byte) = 0;
    virtual bool input_waiting() = 0;
};

}  // namespace mynah
