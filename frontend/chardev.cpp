#include "frontend/chardev.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>

namespace mynah {

namespace {

std::span<const u8> bytes_of(const std::string& s) {
    return {reinterpret_cast<const u8*>(s.data()), s.size()};
}

// Writes all of `output` within the time; false: the stream is gone.
bool drain(HostStream& stream, std::string& output, u64 nanoseconds) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::nanoseconds(nanoseconds);
    while (!output.empty()) {
        const auto t = stream.write(bytes_of(output));
        output.erase(0, t.bytes);
        if (t.closed) return false;
        if (output.empty()) break;
        const auto left = end - Clock::now();
        if (left <= Clock::duration::zero()) break;
        stream.wait_writable(
            static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(left).count()));
    }
    return true;
}

// Takes what has come, up to the room in `input`. False: the peer is gone.
bool take_input(HostStream& stream, std::deque<u8>& input, size_t room) {
    std::array<u8, 4096> block;
    while (input.size() < room) {
        const auto t = stream.read(std::span(block).first(std::min(block.size(), room - input.size())));
        if (t.closed) return false;
        if (t.bytes == 0) return true;
        input.insert(input.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(t.bytes));
    }
    return true;
}

}  // namespace

void HostChar::write(std::span<const u8> data) {
    if (output_.size() + data.size() > kMaxQueued) {
        if (!overflowed_)
            std::fputs("mynah: nobody reads the guest's output; what follows is dropped\n", stderr);
        overflowed_ = true;
        return;
    }
    overflowed_ = false;
    output_.append(data.begin(), data.end());
}

bool HostChar::read(u8& byte) {
    if (input_.empty()) return false;
    byte = input_.front();
    input_.pop_front();
    return true;
}

void StreamChar::push_output() {
    if (output_closed_) return output_.clear();
    const auto t = stream_.write(bytes_of(output_));
    output_.erase(0, t.bytes);
    if (!t.closed) return;
    std::fputs(fmt::format("mynah: cannot write to {}: {}\n", name_, t.error).c_str(), stderr);
    output_closed_ = true;
    output_.clear();
}

void StreamChar::poll() {
    if (!output_.empty()) push_output();
    if (!input_closed_ && !take_input(stream_, input_, kMaxInput)) input_closed_ = true;
}

void StreamChar::add_inputs(std::vector<HostPoll>& polls) const {
    if (!input_closed_ && input_.size() < kMaxInput && stream_.input_fd() >= 0)
        polls.push_back({.fd = stream_.input_fd()});
}

void StreamChar::flush(u64 nanoseconds) {
    if (!output_closed_ && !drain(stream_, output_, nanoseconds)) output_closed_ = true;
}

void SocketServerChar::write(std::span<const u8> data) {
    if (peer_) HostChar::write(data);
}

void SocketServerChar::drop_peer() {
    peer_.reset();
    output_.clear();
}

void SocketServerChar::poll() {
    if (!peer_) {
        peer_ = listener_.accept();
        if (peer_) {
            wait_ = false;
            ++peers_;
        }
    }
    if (!peer_) return;
    const auto t = peer_->write(bytes_of(output_));
    output_.erase(0, t.bytes);
    if (t.closed || !take_input(*peer_, input_, kMaxInput)) drop_peer();
}

void SocketServerChar::add_inputs(std::vector<HostPoll>& polls) const {
    if (!peer_) {
        polls.push_back({.fd = listener_.fd()});
    } else if (input_.size() < kMaxInput) {
        polls.push_back({.fd = peer_->input_fd()});
    }
}

void SocketServerChar::flush(u64 nanoseconds) {
    if (peer_ && !drain(*peer_, output_, nanoseconds)) drop_peer();
}

Result<std::unique_ptr<HostChar>> open_char(const CharSpec& spec) {
    using Pointer = std::unique_ptr<HostChar>;
    switch (spec.kind) {
        case CharSpec::Kind::none:
        case CharSpec::Kind::null:
            return Pointer(std::make_unique<NullChar>());
        case CharSpec::Kind::stdio:
            return Pointer(std::make_unique<StreamChar>(HostStream::standard(), "standard output"));
        case CharSpec::Kind::file: {
            auto stream = HostStream::create_file(spec.path);
            if (!stream.ok()) return stream.error();
            return Pointer(std::make_unique<StreamChar>(std::move(*stream), spec.path));
        }
        case CharSpec::Kind::unix_socket: {
            if (spec.server) {
                auto listener = HostListener::listen_unix(spec.path);
                if (!listener.ok()) return listener.error();
                return Pointer(std::make_unique<SocketServerChar>(std::move(*listener), spec.wait));
            }
            auto stream = HostStream::connect_unix(spec.path);
            if (!stream.ok()) return stream.error();
            return Pointer(std::make_unique<StreamChar>(std::move(*stream), spec.path));
        }
    }
    MYNAH_CHECK(false);
    return Error{};
}

}  // namespace mynah
