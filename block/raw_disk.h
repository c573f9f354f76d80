// A disk, CD or floppy image whose bytes are the medium's bytes.
#pragma once

#include <memory>
#include <string>

#include "block/disk_image.h"
#include "block/image_file.h"

namespace mynah {

class RawDisk final : public DiskImage {
  public:
    // `minimum`: the least size in bytes that makes sense (a sector). Error: as HostFile::open(), or too
    // short. A CD is opened read-only; a disk that cannot be written is an error unless asked for as
    // read-only.
    static Result<std::unique_ptr<RawDisk>> open(const std::string& path, HostFile::Access access,
                                                 u64 minimum = 512);
    explicit RawDisk(std::unique_ptr<ImageFile> file);

    // Nobody said that the image is raw: it must not become one of another format, which may name files of
    // the host, by what a guest writes to it.
    void keep_unmistakable() { unmistakable_ = true; }

    const char* format() const override { return "raw"; }
    // Whole sectors: a last partial one reads as if padded with zeroes.
    u64 size() const override { return size_; }
    bool read_only() const override { return file_->read_only(); }
    Status read(u64 offset, std::span<u8> out) override { return file_->read(offset, out); }
    bool read_at_once(u64 offset, std::span<u8> out) override { return file_->read_at_once(offset, out); }
    Status write(u64 offset, std::span<const u8> data) override;
    Status flush() override { return file_->flush(); }
    Status discard(u64 offset, u64 bytes) override { return file_->discard(offset, bytes), Ok{}; }
    u64 zeroes_at(u64 offset) override { return file_->hole(offset); }

  private:
    std::unique_ptr<ImageFile> file_;
    u64 size_;
    bool unmistakable_ = false;
};

}  // namespace mynah
