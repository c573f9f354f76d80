#include "base/host_wake.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

namespace mynah {

HostWake::HostWake() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    MYNAH_CHECK(fd_ >= 0);
}

HostWake::~HostWake() {
    ::close(fd_);
}

void HostWake::raise() {
    const u64 one = 1;
    // It fails only when the counter is full: the flag is up then.
    [[maybe_unused]] const ssize_t n = ::write(fd_, &one, sizeof one);
}

void HostWake::clear() {
    u64 count;
    [[maybe_unused]] const ssize_t n = ::read(fd_, &count, sizeof count);
}

}  // namespace mynah
