#include "base/host_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace mynah {

Result<HostMemory> HostMemory::create(u64 size, const char* name) {
    const auto failed = [&](const char* what) {
        return Error{"cannot get " + std::to_string(size / MiB) +
                     " MiB of host memory for the guest: " + what + ": " + std::strerror(errno)};
    };
    HostMemory memory;
    memory.fd_ = memfd_create(name, MFD_CLOEXEC);
    if (memory.fd_ < 0) return failed("memfd_create");
    if (ftruncate(memory.fd_, static_cast<off_t>(size)) != 0) return failed("ftruncate");
    void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memory.fd_, 0);
    if (p == MAP_FAILED) return failed("mmap");
    memory.data_ = static_cast<u8*>(p);
    memory.size_ = size;
    return memory;
}

HostMemory::~HostMemory() {
    if (data_ != nullptr) munmap(data_, size_);
    if (fd_ >= 0) close(fd_);
}

void HostMemory::zero() {
    if (size_ == 0) return;
    // Not every kernel (or emulator of one) can punch holes in a memfd.
    if (fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size_)) != 0) {
        std::memset(data_, 0, size_);
    }
}

}  // namespace mynah
