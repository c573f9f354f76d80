// What network adapters compute over frames: FCS, Internet checksums, large-send segmentation.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/types.h"

namespace mynah::net {

using MacAddress = std::array<u8, 6>;

// The shortest frame on a cable and the longest without jumbo frames, FCS not counted; header of a frame.
inline constexpr size_t kShortestFrame = 60;
inline constexpr size_t kEthernetHeader = 14;
inline constexpr size_t kFcs = 4;
// No adapter here sends or takes longer ones.
inline constexpr size_t kLongestFrame = 16 * KiB;

inline u16 load_be16(const u8* p) {
    return static_cast<u16>(p[0] << 8 | p[1]);
}
inline void store_be16(u8* p, u32 v) {
    p[0] = static_cast<u8>(v >> 8);
    p[1] = static_cast<u8>(v);
}
inline u32 load_be32(const u8* p) {
    return u32{load_be16(p)} << 16 | load_be16(p + 2);
}
inline void store_be32(u8* p, u32 v) {
    store_be16(p, v >> 16);
    store_be16(p + 2, v & 0xFFFF);
}

inline bool is_broadcast(std::span<const u8> frame) {
    for (size_t i = 0; i < 6; ++i) {
        if (frame[i] != 0xFF) return false;
    }
    return true;
}
inline bool is_multicast(std::span<const u8> frame) {
    return (frame[0] & 1) != 0;
}

// The FCS (IEEE 802.3, 3.2.9), to be sent low byte first.
u32 frame_check(std::span<const u8> data);
// The upper six bits of the CRC before inversion, which DP8390 and RTL8139 take as their multicast hash.
unsigned multicast_hash(std::span<const u8> address);
// Fills up to 60 bytes and appends the FCS: the frame as it is on the cable.
void pad(std::vector<u8>& frame);
void append_fcs(std::vector<u8>& frame);

// The ones' complement sum (RFC 1071) of big-endian words on top of `start`, folded to 16 bits; an odd last
// byte counts as a high one. A checksum is its complement.
u16 ones_sum(std::span<const u8> data, u32 start = 0);

// Where an IP packet's parts lie in a frame; everything up to `end` is inside it.
struct IpLayout {
    bool v4 = false;
    bool fragment = false;
    u8 protocol = 0;       // 6 TCP, 17 UDP
    size_t ip = 0;         // offset of the IP header
    size_t transport = 0;  // of the header behind it
    size_t end = 0;        // of the packet, by its own length
};
// Nothing: no IP, or lengths that contradict each other. VLAN tags are stepped over; IPv6 extension headers
// are not.
std::optional<IpLayout> parse_ip(std::span<const u8> frame);
bool ip_checksum_good(std::span<const u8> frame, const IpLayout& layout);
// Of TCP or UDP. Nothing: there is none to be checked (other protocols, fragments, UDP without one).
std::optional<bool> transport_checksum_good(std::span<const u8> frame, const IpLayout& layout);
// The sum of the pseudo header's words, `length` being that of the transport part.
u16 pseudo_header_sum(std::span<const u8> frame, const IpLayout& layout, size_t length);
// Put right checksums in.
void put_ip_checksum(std::span<u8> frame, const IpLayout& layout);
void put_transport_checksum(std::span<u8> frame, const IpLayout& layout);

// A large packet that the adapter is to cut into frames.
struct LargeSend {
    size_t ip = 0, transport = 0;  // offsets of the headers
    size_t header = 0;             // bytes that every frame begins with
    size_t mss = 0;                // bytes of payload in a frame
    bool v4 = true, tcp = true;
};
// Calls `emit` with each frame: lengths, IPv4 identification, TCP sequence number and flags are right,
// checksums are as in the packet's header. False: the layout does not fit the packet, or would make more than
// 1,024 frames; nothing was emitted.
bool for_each_segment(std::span<const u8> packet, const LargeSend& layout,
                      const std::function<void(std::span<u8>)>& emit);

}  // namespace mynah::net
