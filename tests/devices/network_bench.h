// What network adapters' tests plug into: a board with a cable, and frames to put on it.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <utility>
#include <vector>

#include "base/bits.h"
#include "devices/bench.h"
#include "devices/net/packet.h"
#include "devices/network.h"

namespace mynah::test {

inline constexpr net::MacAddress kMac{0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

class FakeNetwork final : public NetBackend {
  public:
    void send(std::span<const u8> frame) override { sent.emplace_back(frame.begin(), frame.end()); }
    bool receive(std::vector<u8>& frame) override {
        if (waiting.empty()) return false;
        frame = std::move(waiting.front());
        waiting.pop_front();
        return true;
    }

    std::vector<std::vector<u8>> sent;
    std::deque<std::vector<u8>> waiting;
};

// A board with one adapter.
template <class Adapter>
struct NetworkBench : testing::Test, Bench {
    FakeNetwork network;
    Adapter nic;

    // `last`: what the adapter's kind takes beside name, queue, network and address.
    template <class Last>
    explicit NetworkBench(Last last) : nic("nic0", queue, &network, kMac, std::move(last)) {}

    // A frame comes, and the adapter has time for it.
    void put(std::vector<u8> frame) {
        network.waiting.push_back(std::move(frame));
        nic.frames_waiting();
        run(100'000);
    }
    std::vector<u8> bytes(u64 at, size_t size) {
        std::vector<u8> out(size);
        memory->read(at, out);
        return out;
    }
    // Of a PCI adapter's interrupt, as its status register says.
    unsigned line() { return nic.config_read(6, 1) >> 3 & 1; }
};

// `size` bytes to `to`; what follows the header counts up.
inline std::vector<u8> frame_to(const net::MacAddress& to, size_t size) {
    std::vector<u8> f(size);
    std::copy(to.begin(), to.end(), f.begin());
    for (size_t i = 6; i < 12; ++i) f[i] = 0x02;
    f[12] = 0x88, f[13] = 0xB5;
    for (size_t i = 14; i < size; ++i) f[i] = static_cast<u8>(i);
    return f;
}

// IPv4 with TCP: 54 bytes of headers and `payload` bytes, checksums right.
inline std::vector<u8> tcp_frame(size_t payload) {
    std::vector<u8> f = frame_to(kMac, 54 + payload);
    f[12] = 0x08, f[13] = 0x00;
    std::fill(f.begin() + 14, f.begin() + 54, u8{0});
    f[14] = 0x45;
    net::store_be16(&f[16], static_cast<u32>(40 + payload));
    net::store_be16(&f[18], 0x1234);
    f[22] = 64, f[23] = 6;
    const u8 addresses[] = {10, 0, 2, 15, 10, 0, 2, 2};
    std::copy(std::begin(addresses), std::end(addresses), f.begin() + 26);
    net::store_be32(&f[38], 1000);
    f[46] = 0x50, f[47] = 0x19;  // FIN, PSH, ACK
    const auto layout = net::parse_ip(f);
    net::put_ip_checksum(f, *layout);
    net::put_transport_checksum(f, *layout);
    return f;
}

inline bool checksums_good(std::span<const u8> frame) {
    const auto layout = net::parse_ip(frame);
    return layout && net::ip_checksum_good(frame, *layout) &&
           net::transport_checksum_good(frame, *layout).value_or(false);
}

}  // namespace mynah::test
