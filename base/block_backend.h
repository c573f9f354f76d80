// A disk, CD or floppy as devices see it. What makes one of image files is in block/.
#pragma once

#include <span>

#include "base/result.h"
#include "base/types.h"

namespace mynah {

// Byte-addressed; calls are synchronous (the device completes them later, at a virtual time of its own).
// Ranges lie within size(). An error is a host's I/O error or a damaged image: the guest sees it as an I/O
// error.
class BlockBackend {
  public:
    virtual ~BlockBackend() = default;
    virtual u64 size() const = 0;  // bytes
    virtual bool read_only() const = 0;
    virtual Status read(u64 offset, std::span<u8> out) = 0;
    virtual Status write(u64 offset, std::span<const u8> data) = 0;
    // Returns when all that was written has reached the storage.
    virtual Status flush() = 0;

    // Whether discard() does anything; a device offers it to the guest then.
    virtual bool can_discard() const { return false; }
    // The content is not needed any more: as much of it as can be given back is, and reads as zeroes.
    virtual Status discard(u64 /*offset*/, u64 /*bytes*/) { return Ok{}; }

    // For media that work beside the machine's thread (block/async_disk.h). A device says what it is going to
    // ask for, and better comes back when busy() is false; it may also just ask, and wait.
    virtual void will_read(u64 /*offset*/, u64 /*bytes*/) {}
    virtual void will_flush() {}
    virtual bool busy() const { return false; }
    // The result of what was written or discarded since the last call, once all of that is done.
    virtual Status settle() { return Ok{}; }
};

}  // namespace mynah
