// A buffer that a driver made available: pieces of guest memory to read, then pieces to write.
#pragma once

#include <vector>

#include "devices/virtio/memory.h"

namespace mynah {

struct VirtioSegment {
    u64 address = 0;
    u32 length = 0;  // not 0; address + length does not wrap
};

struct VirtioChain {
    u16 head = 0;
    std::vector<VirtioSegment> readable, writable;
    u64 readable_bytes = 0, writable_bytes = 0;
};

// A place in one half of a chain that moves along as bytes are taken or put.
class VirtioCursor {
  public:
    VirtioCursor(VirtioMemory& memory, std::span<const VirtioSegment> segments);

    u64 left() const { return left_; }
    // Moves at most out.size() or data.size() bytes; returns how many.
    u64 read(std::span<u8> out);
    u64 write(std::span<const u8> data);
    u64 skip(u64 bytes);
    // The memory here in place, at most `most` bytes of it: see VirtioMemory::in_place(). Does not move.
    std::span<u8> in_place(u64 most) const;
    // Moves over bytes that were written in place.
    void wrote_in_place(u64 bytes);

  private:
    template <class Each>
    u64 walk(u64 bytes, Each each);

    VirtioMemory& memory_;
    std::span<const VirtioSegment> segments_;
    u64 offset_ = 0;  // in the first segment
    u64 left_ = 0;
};

}  // namespace mynah
