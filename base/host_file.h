// A locked file of the host, accessed by offset. The only place where disk images meet system calls.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "base/types.h"

namespace mynah {

class HostFile {
  public:
    enum class Access : u8 { read_only, read_write };

    // Opens a regular file or a block device and locks it: shared for reading, exclusive for writing. The
    // lock is advisory, ends with the object and is seen by QEMU too. Error: missing, no permission, a
    // directory, locked.
    static Result<HostFile> open(const std::string& path, Access access);
    // Makes a file that is not there yet, for reading and writing, and locks it.
    static Result<HostFile> create(const std::string& path);
    ~HostFile();
    HostFile(HostFile&& other) noexcept;
    HostFile& operator=(HostFile&& other) noexcept;
    HostFile(const HostFile&) = delete;
    HostFile& operator=(const HostFile&) = delete;

    u64 size() const { return size_; }  // bytes; writes beyond it make it more
    const std::string& path() const { return path_; }
    // Bytes beyond the end read as zeroes.
    Status read_at(u64 offset, std::span<u8> out);
    // What the host has in memory; false: not all of it, or it cannot tell, and `out` may hold anything.
    bool read_cached(u64 offset, std::span<u8> out);
    Status write_at(u64 offset, std::span<const u8> data);
    // Returns when the content has reached the storage. Once that has failed it fails for good: what the host
    // could not write it may have forgotten.
    Status sync();
    // Regular files only.
    Status resize(u64 bytes);
    // Makes a range within the file zeroes by giving its blocks back. False: the host cannot.
    bool punch(u64 offset, u64 bytes);
    // Bytes from `offset` on that the host keeps no blocks for, and so are zeroes.
    u64 hole_at(u64 offset) const;
    // Bytes of storage the file takes.
    u64 allocated() const;

  private:
    HostFile(int fd, std::string path, u64 size) : fd_(fd), path_(std::move(path)), size_(size) {}
    Error error(const char* doing, int number) const;

    int fd_ = -1;
    std::string path_;
    u64 size_ = 0;
    bool lost_ = false;  // a sync() failed
};

}  // namespace mynah
