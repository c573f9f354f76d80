// Memory of the host that can be mapped more than once: a memfd and one shared mapping of it.
//
// The only place of the project (with the engines' code cache) that makes memory calls to the host.
#pragma once

#include <utility>

#include "base/result.h"
#include "base/types.h"

namespace mynah {

class HostMemory {
  public:
    // `size` bytes, zeroed, page-aligned; pages are taken from the host when first touched. Error: host
    // memory.
    static Result<HostMemory> create(u64 size, const char* name);

    HostMemory() = default;
    HostMemory(HostMemory&& other) noexcept { swap(other); }
    HostMemory& operator=(HostMemory&& other) noexcept {
        swap(other);
        return *this;
    }
    HostMemory(const HostMemory&) = delete;
    HostMemory& operator=(const HostMemory&) = delete;
    ~HostMemory();

    u8* data() const { return data_; }
    u64 size() const { return size_; }
    // For further mappings of the same bytes. Owned by this object.
    int fd() const { return fd_; }
    // Makes all bytes zero and gives the pages back to the host.
    void zero();

  private:
    void swap(HostMemory& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(fd_, other.fd_);
    }

    u8* data_ = nullptr;
    u64 size_ = 0;
    int fd_ = -1;
};

}  // namespace mynah
