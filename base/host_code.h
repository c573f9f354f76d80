// Memory for generated host code, mapped twice: written through one mapping, executed through the other, so
// that no page is ever writable and executable at one address.
#pragma once

#include "base/host_memory.h"

namespace mynah {

class HostCode {
  public:
    // Error: host memory, or a policy against executable memory.
    static Result<HostCode> create(u64 size);

    HostCode() = default;
    HostCode(HostCode&& other) noexcept { swap(other); }
    HostCode& operator=(HostCode&& other) noexcept {
        swap(other);
        return *this;
    }
    HostCode(const HostCode&) = delete;
    HostCode& operator=(const HostCode&) = delete;
    ~HostCode();

    u8* writable() const { return memory_.data(); }
    const u8* executable() const { return executable_; }
    u64 size() const { return memory_.size(); }

  private:
    void swap(HostCode& other) noexcept {
        std::swap(memory_, other.memory_);
        std::swap(executable_, other.executable_);
    }

    HostMemory memory_;
    const u8* executable_ = nullptr;
};

}  // namespace mynah
