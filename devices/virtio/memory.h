// Guest memory for virtio devices. What is not plain memory there reads as ones and swallows writes: a
// device's access to registers, its own perhaps, would have effects in the midst of its work.
#pragma once

#include <span>

#include "base/bits.h"
#include "mmu/physical_map.h"

namespace mynah {

class VirtioMemory {
  public:
    explicit VirtioMemory(PhysicalMap& map) : map_(map) {}

    void read(u64 address, std::span<u8> out) const;
    void write(u64 address, std::span<const u8> data);
    template <class T>
    T load(u64 address) const {
        u8 bytes[sizeof(T)];
        read(address, bytes);
        return load_le<T>(bytes);
    }
    template <class T>
    void store(u64 address, T value) {
        u8 bytes[sizeof(T)];
        store_le(bytes, value);
        write(address, bytes);
    }

    // The memory at `address` in place, at most `length` bytes, as far as the host has it in one piece; empty
    // where it is not plain readable and writable memory. Who writes there says so with wrote() at once.
    std::span<u8> in_place(u64 address, u64 length) const;
    void wrote(u64 address, u64 length);

  private:
    PhysicalMap& map_;
};

}  // namespace mynah
