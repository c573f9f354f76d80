// The host's ends of serial ports, monitor and debug port: queues between the machine, which never waits, and
// streams of the host, which poll() moves.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/host_stream.h"
#include "base/result.h"
#include "devices/host.h"
#include "frontend/char_spec.h"

namespace mynah {

// A backend with a queue on each side. The owner calls poll() between slices of the machine.
class HostChar : public CharBackend {
  public:
    // More unread output than this is dropped, with one line on stderr.
    static constexpr size_t kMaxQueued = 64 * MiB;

    void write(std::span<const u8> data) override;
    bool read(u8& byte) override;
    bool input_waiting() override { return !input_.empty(); }

    // Moves what can be moved now; never waits.
    virtual void poll() {}
    // Where input may come from; appended to `polls`.
    virtual void add_inputs(std::vector<HostPoll>& polls) const { (void)polls; }
    // True once a peer is there (or none is needed): the machine may start.
    virtual bool connected() const { return true; }
    // How many peers there have been, so that a monitor can greet each.
    virtual unsigned peers() const { return 1; }
    // Writes the rest of the output, for at most the given time.
    virtual void flush(u64 nanoseconds) { (void)nanoseconds; }

  protected:
    static constexpr size_t kMaxInput = 64 * KiB;
    std::string output_;
    std::deque<u8> input_;

  private:
    bool overflowed_ = false;
};

// Takes output and forgets it; has no input.
class NullChar final : public HostChar {
  public:
    void write(std::span<const u8>) override {}
};

// The terminal, a file, or a connected socket.
class StreamChar final : public HostChar {
  public:
    StreamChar(HostStream stream, std::string name) : stream_(std::move(stream)), name_(std::move(name)) {}
    ~StreamChar() override { flush(0); }
    void poll() override;
    void add_inputs(std::vector<HostPoll>& polls) const override;
    void flush(u64 nanoseconds) override;
    bool is_terminal() const { return stream_.is_terminal(); }

  private:
    void push_output();

    HostStream stream_;
    std::string name_;
    bool input_closed_ = false, output_closed_ = false;
};

// A listening socket with one peer at a time. Output without a peer is lost, as on a serial line with no
// cable.
class SocketServerChar final : public HostChar {
  public:
    SocketServerChar(HostListener listener, bool wait) : listener_(std::move(listener)), wait_(wait) {}
    void write(std::span<const u8> data) override;
    void poll() override;
    void add_inputs(std::vector<HostPoll>& polls) const override;
    bool connected() const override { return !wait_ || peer_.has_value(); }
    void flush(u64 nanoseconds) override;
    unsigned peers() const override { return peers_; }

  private:
    void drop_peer();

    HostListener listener_;
    std::optional<HostStream> peer_;
    bool wait_;
    unsigned peers_ = 0;
};

// Opens what a spec names. Error: one line for the user.
Result<std::unique_ptr<HostChar>> open_char(const CharSpec& spec);

}  // namespace mynah
