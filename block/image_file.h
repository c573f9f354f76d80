// The file under an image: what formats read and write, so that tests can put another below them.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/host_file.h"
#include "base/result.h"
#include "base/types.h"

namespace mynah {

class ImageFile {
  public:
    virtual ~ImageFile() = default;
    virtual const std::string& name() const = 0;
    virtual bool read_only() const = 0;
    virtual u64 size() const = 0;  // bytes; grows with writes beyond it
    // Bytes beyond the end read as zeroes.
    virtual Status read(u64 offset, std::span<u8> out) = 0;
    // See BlockBackend::read_at_once().
    virtual bool read_at_once(u64 /*offset*/, std::span<u8> /*out*/) { return false; }
    virtual Status write(u64 offset, std::span<const u8> data) = 0;
    // Gives the range's space back if the host can; it reads as zeroes then, else as it did.
    virtual void discard(u64 offset, u64 bytes) = 0;
    // All writes so far are on the storage; those to come are not before them.
    virtual Status flush() = 0;
    virtual Status resize(u64 bytes) = 0;
    // Bytes from `offset` on that are known to be zeroes without reading them.
    virtual u64 hole(u64 /*offset*/) { return 0; }
    // Of the host's storage, in bytes.
    virtual u64 allocated() { return size(); }
};

// A file of the host, locked.
class HostImageFile final : public ImageFile {
  public:
    HostImageFile(HostFile file, HostFile::Access access) : file_(std::move(file)), access_(access) {}
    static Result<std::unique_ptr<ImageFile>> open(const std::string& path, HostFile::Access access);

    const std::string& name() const override { return file_.path(); }
    bool read_only() const override { return access_ == HostFile::Access::read_only; }
    u64 size() const override { return file_.size(); }
    Status read(u64 offset, std::span<u8> out) override { return file_.read_at(offset, out); }
    bool read_at_once(u64 offset, std::span<u8> out) override { return file_.read_cached(offset, out); }
    Status write(u64 offset, std::span<const u8> data) override;
    void discard(u64 offset, u64 bytes) override;
    Status flush() override { return read_only() ? Status(Ok{}) : file_.sync(); }
    Status resize(u64 bytes) override { return file_.resize(bytes); }
    u64 hole(u64 offset) override { return file_.hole_at(offset); }
    u64 allocated() override { return file_.allocated(); }

  private:
    HostFile file_;
    HostFile::Access access_;
};

}  // namespace mynah
