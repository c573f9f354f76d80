// A file that is only there in memory.
#pragma once

#include <algorithm>
#include <vector>

#include "block/image_file.h"

namespace mynah::test {

class MemoryFile final : public ImageFile {
  public:
    explicit MemoryFile(std::vector<u8> bytes = {}, bool read_only = false)
        : bytes_(std::move(bytes)), read_only_(read_only) {}

    const std::string& name() const override { return name_; }
    bool read_only() const override { return read_only_; }
    u64 size() const override { return bytes_.size(); }
    Status read(u64 offset, std::span<u8> out) override {
        const u64 n = offset >= size() ? 0 : std::min<u64>(out.size(), size() - offset);
        std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(n == 0 ? 0 : offset), n, out.begin());
        std::fill(out.begin() + static_cast<std::ptrdiff_t>(n), out.end(), u8{0});
        return Ok{};
    }
    Status write(u64 offset, std::span<const u8> data) override {
        if (read_only_) return Error{"read-only"};
        if (offset > limit || data.size() > limit - offset) return Error{"the disk is full"};
        if (offset + data.size() > size()) bytes_.resize(offset + data.size());
        std::copy(data.begin(), data.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
        return Ok{};
    }
    void discard(u64 offset, u64 bytes) override {
        if (offset >= size()) return;
        std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), std::min(bytes, size() - offset),
                    u8{0});
    }
    Status flush() override { return Ok{}; }
    Status resize(u64 bytes) override { return bytes_.resize(bytes), Ok{}; }

    const std::vector<u8>& bytes() const { return bytes_; }
    u64 limit = 64 * MiB;

  private:
    std::vector<u8> bytes_;
    bool read_only_;
    std::string name_ = "memory";
};

}  // namespace mynah::test
