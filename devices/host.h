// What devices need of the host, as interfaces. Implementations live in machine/ and frontend/.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "base/types.h"

namespace mynah {

// A disk image, CD image or floppy. Byte-addressed; calls are synchronous (the device completes them later,
// at a virtual time of its own).
class BlockBackend {
  public:
    virtual ~BlockBackend() = default;
    virtual u64 size() const = 0;  // bytes
    virtual bool read_only() const = 0;
    // Error: a host I/O error, which the guest sees as one. The range lies within size().
    virtual Status read(u64 offset, std::span<u8> out) = 0;
    virtual Status write(u64 offset, std::span<const u8> data) = 0;
    virtual Status flush() = 0;
    // Content is part of the machine's state only for overlays held in memory (-snapshot).
};

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
