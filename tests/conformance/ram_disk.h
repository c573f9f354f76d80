// A disk kept in memory, for boards.
#pragma once

#include <cstring>
#include <vector>

#include "devices/host.h"

namespace mynah::test {

class RamDisk final : public BlockBackend {
  public:
    explicit RamDisk(u64 size, bool read_only = false) : bytes(size), read_only_(read_only) {}
    u64 size() const override { return bytes.size(); }
    bool read_only() const override { return read_only_; }
    Status read(u64 offset, std::span<u8> data) override {
        if (offset + data.size() > bytes.size()) return Error{"behind the end"};
        std::memcpy(data.data(), &bytes[offset], data.size());
        return Ok{};
    }
    Status write(u64 offset, std::span<const u8> data) override {
        if (read_only_ || offset + data.size() > bytes.size()) return Error{"behind the end"};
        std::memcpy(&bytes[offset], data.data(), data.size());
        return Ok{};
    }
    Status flush() override { return Ok{}; }
    bool can_discard() const override { return !read_only_; }
    Status discard(u64 offset, u64 n) override {
        if (read_only_ || offset + n > bytes.size()) return Error{"behind the end"};
        std::memset(&bytes[offset], 0, n);
        return Ok{};
    }

    std::vector<u8> bytes;

  private:
    bool read_only_;
};

}  // namespace mynah::test
