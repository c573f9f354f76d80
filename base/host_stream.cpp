#include "base/host_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <vector>

namespace mynah {

namespace {

// After poll() says that output is possible, a pipe takes this much without blocking (POSIX: PIPE_BUF >=
// 512).
constexpr size_t kSafeWrite = 512;

timespec time_of(u64 nanoseconds) {
    return {static_cast<time_t>(nanoseconds / 1'000'000'000), static_cast<long>(nanoseconds % 1'000'000'000)};
}

bool ready(int fd, short events) {
    pollfd p{fd, events, 0};
    return ::poll(&p, 1, 0) > 0 && (p.revents & (events | POLLHUP | POLLERR));
}

Result<sockaddr_un> unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return Error{"socket path \"" + path + "\" is too long; at most " +
                     std::to_string(sizeof address.sun_path - 1) + " characters fit"};
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

Error socket_error(const std::string& path, const char* doing) {
    return Error{std::string("cannot ") + doing + " socket \"" + path + "\": " + std::strerror(errno)};
}

}  // namespace

HostStream HostStream::standard() {
    return {STDIN_FILENO, STDOUT_FILENO, false, false};
}

Result<HostStream> HostStream::create_file(const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);
    if (fd < 0) return Error{"cannot write \"" + path + "\": " + std::strerror(errno)};
    return HostStream{-1, fd, true, false};
}

Result<HostStream> HostStream::connect_unix(const std::string& path) {
    const auto address = unix_address(path);
    if (!address.ok()) return address.error();
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return socket_error(path, "make");
    HostStream stream{fd, fd, true, true};
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) < 0) {
        return socket_error(path, "connect to");
    }
    return stream;
}

HostStream::~HostStream() {
    if (owned_) ::close(out_);
}

HostStream::Transfer HostStream::read(std::span<u8> out) {
    if (in_ < 0 || out.empty() || !ready(in_, POLLIN)) return {};
    const ssize_t n =
        socket_ ? ::recv(in_, out.data(), out.size(), MSG_DONTWAIT) : ::read(in_, out.data(), out.size());
    if (n > 0) return {static_cast<size_t>(n), false, ""};
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return {};
    return {0, true, n < 0 ? std::strerror(errno) : ""};
}

HostStream::Transfer HostStream::write(std::span<const u8> data) {
    Transfer t;
    while (out_ >= 0 && t.bytes < data.size()) {
        const auto rest = data.subspan(t.bytes);
        ssize_t n;
        if (socket_) {
            n = ::send(out_, rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        } else {
            if (!ready(out_, POLLOUT)) break;
            n = ::write(out_, rest.data(), std::min(rest.size(), kSafeWrite));
        }
        if (n >= 0) {
            t.bytes += static_cast<size_t>(n);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) break;
        t.closed = true;
        t.error = std::strerror(errno);
        break;
    }
    return t;
}

void HostStream::wait_writable(u64 nanoseconds) const {
    pollfd p{out_, POLLOUT, 0};
    const timespec limit = time_of(nanoseconds);
    ::ppoll(&p, 1, &limit, nullptr);
}

bool HostStream::is_terminal() const {
    return in_ >= 0 && ::isatty(in_);
}

Result<HostListener> HostListener::listen_unix(const std::string& path) {
    const auto address = unix_address(path);
    if (!address.ok()) return address.error();
    const auto* where = reinterpret_cast<const sockaddr*>(&*address);
    struct stat info;
    if (::stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) {
        // One left behind by a process that is gone is removed; a living one is not.
        const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const bool alive = probe >= 0 && ::connect(probe, where, sizeof *address) == 0;
        if (probe >= 0) ::close(probe);
        if (alive) return Error{"socket \"" + path + "\" is in use by another process; give another path"};
        ::unlink(path.c_str());
    }
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return socket_error(path, "make");
    if (::bind(fd, where, sizeof *address) < 0 || ::listen(fd, 1) < 0) {
        const Error error = socket_error(path, "listen on");
        ::close(fd);
        return error;
    }
    return HostListener(fd, path);
}

HostListener::~HostListener() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(path_.c_str());
}

std::optional<HostStream> HostListener::accept() {
    const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return std::nullopt;
    return HostStream{fd, fd, true, true};
}

bool host_wait(std::span<HostPoll> polls, u64 nanoseconds) {
    static constexpr std::pair<u8, short> kEvents[] = {{HostPoll::input, POLLIN},
                                                       {HostPoll::output, POLLOUT},
                                                       {HostPoll::urgent, POLLPRI},
                                                       {HostPoll::error, POLLERR},
                                                       {HostPoll::hangup, POLLHUP}};
    std::vector<pollfd> polled;
    polled.reserve(polls.size());
    for (HostPoll& p : polls) {
        p.came = 0;
        short events = 0;
        for (const auto& [ours, theirs] : kEvents) {
            if (p.wanted & ours) events = static_cast<short>(events | theirs);
        }
        polled.push_back({p.fd, events, 0});  // one below 0 is passed over
    }
    const timespec limit = time_of(nanoseconds);
    if (::ppoll(polled.data(), polled.size(), &limit, nullptr) <= 0) return false;
    for (size_t i = 0; i < polls.size(); ++i) {
        for (const auto& [ours, theirs] : kEvents) {
            if (polled[i].revents & theirs) polls[i].came = static_cast<u8>(polls[i].came | ours);
        }
    }
    return true;
}

}  // namespace mynah
