// A disk, CD or floppy as devices see it. What makes one of image files is in block/.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace mynah {

// A piece of work for BlockBackend::start(). Who starts it leaves it alone until it has ended.
struct DiskRequest {
    enum class Kind : u8 { read, write, zero, flush };
    Kind kind = Kind::read;
    bool then_flush = false;  // behind a write
    u64 offset = 0, bytes = 0;
    std::vector<u8> data{};  // at least `bytes` where some are read or written
    Status result = Ok{};
    std::atomic<bool> ended = false;
};

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

    // For devices with several requests at a time. Requests are carried out in the order in which they are
    // started; start() itself never waits for them. Here: at once.
    virtual void start(const std::shared_ptr<DiskRequest>& request);
    // Whether it has ended. Where the host's pace must not show, waits(), this waits until it has, and is to
    // be asked at a moment that is the device's own.
    virtual bool ended(const DiskRequest& request) { return request.ended; }
    virtual bool waits() const { return false; }
    // Until all has ended that was started.
    virtual void wait_for_started() {}
    // Reads what can be had without waiting for the host's storage, or for requests; false: use start(), and
    // `out` may hold anything.
    virtual bool read_at_once(u64 /*offset*/, std::span<u8> /*out*/) { return false; }
    // Does what a request asks for, now; `ended` is left to the caller.
    void carry_out(DiskRequest& request);
};

}  // namespace mynah
