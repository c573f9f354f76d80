#include "base/host_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace mynah {

namespace {

Error cannot(const std::string& path, std::string_view what) {
    return Error{"cannot open \"" + path + "\": " + std::string(what)};
}

// The protocol of QEMU's image locks (its block/file-posix.c), so that both see each other. A byte stands for
// a permission: read locks from kUsed on say what an opener does, from kRefused on what it does not allow
// others.
constexpr off_t kUsed = 100;
constexpr off_t kRefused = 200;
constexpr unsigned kRead = 1 << 0, kWrite = 1 << 1, kResize = 1 << 3;

struct flock byte_lock(short type, off_t at) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = at;
    lock.l_len = 1;
    return lock;
}

// Open file description locks: they belong to this descriptor, not to the process. False: somebody is in the
// way. A file system without locks is no obstacle.
bool lock(int fd, bool writes) {
    const unsigned used = kRead | (writes ? kWrite : 0);
    const unsigned refused = kWrite | kResize;
    // Our marks first, then a look at the others': of two that come at once at most one goes on.
    for (unsigned bit = 0; bit < 4; ++bit) {
        for (const auto& [mask, base] : {std::pair{used, kUsed}, {refused, kRefused}}) {
            struct flock mark = byte_lock(F_RDLCK, base + static_cast<off_t>(bit));
            if ((mask >> bit & 1) && ::fcntl(fd, F_OFD_SETLK, &mark) != 0)
                return errno != EAGAIN && errno != EACCES;
        }
    }
    for (unsigned bit = 0; bit < 4; ++bit) {
        for (const auto& [mask, base] : {std::pair{used, kRefused}, {refused, kUsed}}) {
            struct flock probe = byte_lock(F_WRLCK, base + static_cast<off_t>(bit));
            if (!(mask >> bit & 1) || ::fcntl(fd, F_OFD_GETLK, &probe) != 0) continue;
            if (probe.l_type != F_UNLCK) return false;
        }
    }
    return true;
}

}  // namespace

Result<HostFile> HostFile::open(const std::string& path, Access access) {
    const bool writes = access == Access::read_write;
    // O_NONBLOCK: a FIFO must be refused, not waited for.
    const int fd = ::open(path.c_str(), (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        const int number = errno;
        if (number == EISDIR) return cannot(path, "it is a directory");
        return cannot(path, writes && (number == EACCES || number == EROFS)
                                ? std::string(std::strerror(number)) + " (it is opened for writing)"
                                : std::strerror(number));
    }
    HostFile file(fd, path, 0);
    struct stat info {};
    if (::fstat(fd, &info) != 0) return cannot(path, std::strerror(errno));
    if (S_ISDIR(info.st_mode)) return cannot(path, "it is a directory");
    if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode))
        return cannot(path, "it is not a file or block device");
    const off_t end = ::lseek(fd, 0, SEEK_END);
    if (end < 0) return cannot(path, std::strerror(errno));
    file.size_ = static_cast<u64>(end);

    if (!lock(fd, writes)) {
        if (!writes) return cannot(path, "another program writes to it; close that first");
        // Reading beside a reader is possible, beside a writer nothing is.
        return cannot(path, lock(fd, false) ? "another program uses it; close that, or use -snapshot"
                                            : "another program writes to it; close that first");
    }
    return file;
}

Result<HostFile> HostFile::create(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return Error{"cannot create \"" + path + "\": " + std::strerror(errno)};
    HostFile file(fd, path, 0);
    if (!lock(fd, true)) return cannot(path, "another program uses it; close that");
    return file;
}

HostFile::~HostFile() {
    if (fd_ >= 0) ::close(fd_);
}

HostFile::HostFile(HostFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      size_(other.size_),
      lost_(other.lost_) {}

HostFile& HostFile::operator=(HostFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(path_, other.path_);
    std::swap(size_, other.size_);
    std::swap(lost_, other.lost_);
    return *this;
}

Error HostFile::error(const char* doing, int number) const {
    return Error{"cannot " + std::string(doing) + " \"" + path_ + "\": " + std::strerror(number)};
}

Status HostFile::read_at(u64 offset, std::span<u8> out) {
    while (!out.empty()) {
        const ssize_t n = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error("read", errno);
        if (n == 0) {
            std::fill(out.begin(), out.end(), u8{0});
            return Ok{};
        }
        offset += static_cast<u64>(n);
        out = out.subspan(static_cast<size_t>(n));
    }
    return Ok{};
}

bool HostFile::read_cached(u64 offset, std::span<u8> out) {
    while (!out.empty()) {
        const iovec piece{out.data(), out.size()};
        const ssize_t n = ::preadv2(fd_, &piece, 1, static_cast<off_t>(offset), RWF_NOWAIT);
        // The end of the file is left to read_at() as well.
        if (n <= 0) return false;
        offset += static_cast<u64>(n);
        out = out.subspan(static_cast<size_t>(n));
    }
    return true;
}

Status HostFile::write_at(u64 offset, std::span<const u8> data) {
    while (!data.empty()) {
        const ssize_t n = ::pwrite(fd_, data.data(), data.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return error("write", n < 0 ? errno : EIO);
        offset += static_cast<u64>(n);
        size_ = std::max(size_, offset);
        data = data.subspan(static_cast<size_t>(n));
    }
    return Ok{};
}

Status HostFile::sync() {
    if (lost_)
        return Error{"\"" + path_ + "\" could not be flushed before; what was written since may be lost"};
    while (::fdatasync(fd_) != 0) {
        if (errno == EINTR) continue;
        // Devices that cannot be synchronised keep nothing back.
        if (errno == EINVAL || errno == EROFS) break;
        lost_ = true;
        return error("flush", errno);
    }
    return Ok{};
}

Status HostFile::resize(u64 bytes) {
    while (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) {
        if (errno != EINTR) return error("resize", errno);
    }
    size_ = bytes;
    return Ok{};
}

bool HostFile::punch(u64 offset, u64 bytes) {
    return ::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                       static_cast<off_t>(bytes)) == 0;
}

u64 HostFile::hole_at(u64 offset) const {
    if (offset >= size_) return 0;
    const off_t data = ::lseek(fd_, static_cast<off_t>(offset), SEEK_DATA);
    if (data < 0) return errno == ENXIO ? size_ - offset : 0;
    return std::min(static_cast<u64>(data), size_) - offset;
}

u64 HostFile::allocated() const {
    struct stat info {};
    return ::fstat(fd_, &info) == 0 ? static_cast<u64>(info.st_blocks) * 512 : 0;
}

}  // namespace mynah
