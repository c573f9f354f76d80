// Byte streams of the host that never block the caller: terminal, pipes, files, Unix sockets.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/types.h"

namespace mynah {

class HostStream {
  public:
    // Standard input and output as one stream; they stay open when it goes.
    static HostStream standard();
    // For writing; an older file is cut to nothing. Error: why the host refuses.
    static Result<HostStream> create_file(const std::string& path);
    static Result<HostStream> connect_unix(const std::string& path);

    HostStream() = default;
    HostStream(HostStream&& other) noexcept { swap(other); }
    HostStream& operator=(HostStream&& other) noexcept {
        swap(other);
        return *this;
    }
    HostStream(const HostStream&) = delete;
    HostStream& operator=(const HostStream&) = delete;
    ~HostStream();

    // What moved at once; `closed`: the other end is gone, or an error that will stay (`error` says which).
    struct Transfer {
        size_t bytes = 0;
        bool closed = false;
        std::string error;
    };
    Transfer read(std::span<u8> out);
    Transfer write(std::span<const u8> data);
    // Waits up to the given time until output can move.
    void wait_writable(u64 nanoseconds) const;

    int input_fd() const { return in_; }  // for HostWait
    bool is_terminal() const;             // its input is one

  private:
    friend class HostListener;
    HostStream(int in, int out, bool owned, bool socket)
        : in_(in), out_(out), owned_(owned), socket_(socket) {}
    void swap(HostStream& other) noexcept {
        std::swap(in_, other.in_);
        std::swap(out_, other.out_);
        std::swap(owned_, other.owned_);
        std::swap(socket_, other.socket_);
    }

    int in_ = -1, out_ = -1;
    bool owned_ = false, socket_ = false;
};

// A listening Unix socket; its file goes with it.
class HostListener {
  public:
    // Error: the path is too long, in use, or not writable.
    static Result<HostListener> listen_unix(const std::string& path);
    HostListener(HostListener&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
    HostListener& operator=(HostListener&& other) noexcept {
        std::swap(fd_, other.fd_);
        std::swap(path_, other.path_);
        return *this;
    }
    ~HostListener();

    // A peer, if one is waiting.
    std::optional<HostStream> accept();
    int fd() const { return fd_; }

  private:
    HostListener(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
    int fd_ = -1;
    std::string path_;
};

// A descriptor and what is wanted of it, as a set of events.
struct HostPoll {
    static constexpr u8 input = 1, output = 2, urgent = 4, error = 8, hangup = 16;
    int fd = -1;
    u8 wanted = input;  // of input, output, urgent; the other two are always told
    u8 came = 0;
};

// Sleeps until something that is wanted has come, a signal comes or the time (0: do not sleep) is over.
// False: nothing came.
bool host_wait(std::span<HostPoll> polls, u64 nanoseconds);

}  // namespace mynah
