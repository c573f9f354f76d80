// A disk, CD or floppy image whose bytes are the medium's bytes.
#pragma once

#include <memory>

#include "base/host_file.h"
#include "devices/host.h"

namespace mynah {

class RawDisk final : public BlockBackend {
  public:
    // `minimum`: the least size in bytes that makes sense (a sector). Error: as HostFile::open(), or too
    // short. A CD is opened read-only; a disk that cannot be written is an error unless asked for as
    // read-only.
    static Result<std::unique_ptr<RawDisk>> open(const std::string& path, HostFile::Access access,
                                                 u64 minimum = 512);

    // Whole sectors: a last partial one reads as if padded with zeroes.
    u64 size() const override { return size_; }
    bool read_only() const override { return access_ == HostFile::Access::read_only; }
    Status read(u64 offset, std::span<u8> out) override;
    Status write(u64 offset, std::span<const u8> data) override;
    Status flush() override;

  private:
    RawDisk(HostFile file, HostFile::Access access, u64 size)
        : file_(std::move(file)), access_(access), size_(size) {}

    HostFile file_;
    HostFile::Access access_;
    u64 size_;
};

}  // namespace mynah
