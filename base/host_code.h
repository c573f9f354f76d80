// Memory for generated host code, mapped twice: written through one mapping, executed through the other, so
// that no page is ever writable and executable at one address.
#pragma once

#include <utility>

#include "base/result.h"
#include "base/types.h"

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

    u8* writable() const { return writable_; }
    const u8* executable() const { return executable_; }
    u64 size() const { return size_; }

  private:
    void swap(HostCode& other) noexcept {
        std::swap(writable_, other.writable_);
        std::swap(executable_, other.executable_);
        std::swap(size_, other.size_);
    }

    u8* writable_ = nullptr;
    u8* executable_ = nullptr;
    u64 size_ = 0;
};

}  // namespace mynah
