// What a network adapter with offloads does to Ethernet frames: checksums (RFC 1071), cutting and joining TCP
// segments. Frames are a guest's or the network's: nothing in them is believed.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/types.h"

namespace mynah {

// Where the headers of a TCP or UDP frame over IPv4 or IPv6 are; no fragments, one VLAN tag at most.
struct FrameLayers {
    bool ipv6 = false;
    bool tcp = false;      // else UDP
    size_t network = 0;    // offset of the IP header
    size_t transport = 0;  // offset of the TCP or UDP header
    size_t payload = 0;    // offset of what it carries
    size_t end = 0;        // of the IP packet: what is behind is padding
};
std::optional<FrameLayers> find_layers(std::span<const u8> frame);

// The one's complement sum of the bytes from `start` on goes to start + offset, where the driver has put the
// pseudo header's. False: the field lies outside.
bool complete_checksum(std::span<u8> frame, size_t start, size_t offset);

// The frame's transport checksum, and the header's of IPv4, are there and right.
bool checksums_right(std::span<const u8> frame, const FrameLayers& layers);

// Cuts a TCP frame, of any length its IP header could not hold, into frames of at most `size` bytes of
// payload, with all checksums. False: it is no TCP frame with a payload.
bool cut_tcp(std::span<const u8> frame, u16 size, const std::function<void(std::span<const u8>)>& send);

// Collects TCP frames of one connection that follow each other, with right checksums, into one of up to 64
// KiB.
class TcpJoiner {
  public:
    bool empty() const { return frame_.empty(); }
    // Takes the frame as the first.
    void begin(std::span<const u8> frame);
    // The first's headers, if it may be continued.
    std::optional<FrameLayers> first_layers() const { return open_ ? layers_ : std::nullopt; }
    // Takes the frame as a continuation; false: it is none, or nothing may be added.
    bool append(std::span<const u8> frame);
    struct Joined {
        std::span<u8> frame;
        FrameLayers layers;  // where segments is not 0
        u16 size = 0;        // payload of each but the last
        unsigned segments = 0;
        bool right = false;  // checksums were looked at, and are right
    };
    // Finishes headers; with more than one segment the transport checksum is the pseudo header's.
    Joined finish();
    void clear() { frame_.clear(); }

  private:
    std::vector<u8> frame_;
    std::optional<FrameLayers> layers_;
    bool right_ = false;
    bool open_ = false;  // more may come
    u16 size_ = 0;
    unsigned segments_ = 0;
};

}  // namespace mynah
