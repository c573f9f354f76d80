#include "devices/net/packet.h"

#include <algorithm>

#include "base/bits.h"

namespace mynah::net {

namespace {

constexpr size_t kMostSegments = 1024;
constexpr u8 kTcp = 6, kUdp = 17;
constexpr u16 kIpv4 = 0x0800, kIpv6 = 0x86DD, kVlan = 0x8100;
constexpr u8 kFin = 1, kPush = 8;

// Four bytes a step: table[n] advances a byte past n further ones.
constexpr std::array<std::array<u32, 256>, 4> make_crc_tables() {
    std::array<std::array<u32, 256>, 4> t{};
    for (u32 i = 0; i < 256; ++i) {
        u32 c = i;
        for (unsigned k = 0; k < 8; ++k) c = (c >> 1) ^ (c & 1 ? 0xEDB88320 : 0);
        t[0][i] = c;
    }
    for (unsigned n = 1; n < 4; ++n) {
        for (u32 i = 0; i < 256; ++i) t[n][i] = (t[n - 1][i] >> 8) ^ t[0][t[n - 1][i] & 0xFF];
    }
    return t;
}
constexpr auto kCrc = make_crc_tables();

u32 crc_state(std::span<const u8> data) {
    u32 c = ~u32{0};
    size_t i = 0;
    for (; i + 4 <= data.size(); i += 4) {
        c ^= load_le<u32>(data.data() + i);
        c = kCrc[3][c & 0xFF] ^ kCrc[2][c >> 8 & 0xFF] ^ kCrc[1][c >> 16 & 0xFF] ^ kCrc[0][c >> 24];
    }
    for (; i < data.size(); ++i) c = (c >> 8) ^ kCrc[0][(c ^ data[i]) & 0xFF];
    return c;
}

size_t checksum_offset(u8 protocol) {
    return protocol == kTcp ? 16 : 6;
}

}  // namespace

u32 frame_check(std::span<const u8> data) {
    return ~crc_state(data);
}

unsigned multicast_hash(std::span<const u8> address) {
    // The register shifts the other way round in the data sheets: its upper bits are our lower ones,
    // mirrored.
    const u32 c = crc_state(address);
    unsigned hash = 0;
    for (unsigned i = 0; i < 6; ++i) hash = hash << 1 | (c >> i & 1);
    return hash;
}

void pad(std::vector<u8>& frame) {
    if (frame.size() < kShortestFrame) frame.resize(kShortestFrame);
}

void append_fcs(std::vector<u8>& frame) {
    const u32 fcs = frame_check(frame);
    for (unsigned i = 0; i < kFcs; ++i) frame.push_back(static_cast<u8>(fcs >> 8 * i));
}

u16 ones_sum(std::span<const u8> data, u32 start) {
    // The sum of words does not care for their byte order but by a swap of the result (RFC 1071, 2 (B)).
    u64 sum = 0;
    size_t i = 0;
    for (; i + 4 <= data.size(); i += 4) sum += load_le<u32>(data.data() + i);
    for (; i + 2 <= data.size(); i += 2) sum += load_le<u16>(data.data() + i);
    if (i < data.size()) sum += data[i];
    while (sum >> 16) sum = (sum & 0xFFFF) + (sum >> 16);
    u32 folded = static_cast<u32>((sum & 0xFF) << 8 | sum >> 8);
    u64 total = u64{folded} + start;
    while (total >> 16) total = (total & 0xFFFF) + (total >> 16);
    return static_cast<u16>(total);
}

std::optional<IpLayout> parse_ip(std::span<const u8> frame) {
    IpLayout l;
    size_t at = 12;
    while (at + 2 <= frame.size() && load_be16(&frame[at]) == kVlan && at < 20) at += 4;
    if (at + 2 > frame.size()) return std::nullopt;
    const u16 type = load_be16(&frame[at]);
    l.ip = at + 2;
    const size_t room = frame.size() - l.ip;
    if (type == kIpv4) {
        if (room < 20) return std::nullopt;
        const u8* h = &frame[l.ip];
        const size_t header = 4u * (h[0] & 15), total = load_be16(h + 2);
        if (h[0] >> 4 != 4 || header < 20 || total < header || total > room) return std::nullopt;
        l.v4 = true;
        l.fragment = (load_be16(h + 6) & 0x3FFF) != 0;
        l.protocol = h[9];
        l.transport = l.ip + header;
        l.end = l.ip + total;
        return l;
    }
    if (type != kIpv6 || room < 40) return std::nullopt;
    const u8* h = &frame[l.ip];
    const size_t length = load_be16(h + 4);
    if (h[0] >> 4 != 6 || length > room - 40) return std::nullopt;
    l.protocol = h[6];
    l.transport = l.ip + 40;
    l.end = l.transport + length;
    return l;
}

bool ip_checksum_good(std::span<const u8> frame, const IpLayout& l) {
    return !l.v4 || ones_sum(frame.subspan(l.ip, l.transport - l.ip)) == 0xFFFF;
}

u16 pseudo_header_sum(std::span<const u8> frame, const IpLayout& l, size_t length) {
    const auto addresses = l.v4 ? frame.subspan(l.ip + 12, 8) : frame.subspan(l.ip + 8, 32);
    return ones_sum(addresses, static_cast<u32>((length & 0xFFFF) + (length >> 16) + l.protocol));
}

std::optional<bool> transport_checksum_good(std::span<const u8> frame, const IpLayout& l) {
    const size_t length = l.end - l.transport;
    if (l.fragment || (l.protocol != kTcp && l.protocol != kUdp)) return std::nullopt;
    if (length < (l.protocol == kTcp ? 20u : 8u)) return std::nullopt;
    if (l.protocol == kUdp && load_be16(&frame[l.transport + 6]) == 0) return std::nullopt;
    const auto part = frame.subspan(l.transport, length);
    return ones_sum(part, pseudo_header_sum(frame, l, length)) == 0xFFFF;
}

void put_ip_checksum(std::span<u8> frame, const IpLayout& l) {
    if (!l.v4) return;
    store_be16(&frame[l.ip + 10], 0);
    store_be16(&frame[l.ip + 10], static_cast<u16>(~ones_sum(frame.subspan(l.ip, l.transport - l.ip))));
}

void put_transport_checksum(std::span<u8> frame, const IpLayout& l) {
    const size_t length = l.end - l.transport;
    if (l.fragment || (l.protocol != kTcp && l.protocol != kUdp)) return;
    if (length < (l.protocol == kTcp ? 20u : 8u)) return;
    u8* field = &frame[l.transport + checksum_offset(l.protocol)];
    store_be16(field, 0);
    const auto part = frame.subspan(l.transport, length);
    u16 sum = static_cast<u16>(~ones_sum(part, pseudo_header_sum(frame, l, length)));
    if (sum == 0 && l.protocol == kUdp) sum = 0xFFFF;  // 0 would mean "none" (RFC 768)
    store_be16(field, sum);
}

bool for_each_segment(std::span<const u8> packet, const LargeSend& l,
                      const std::function<void(std::span<u8>)>& emit) {
    const size_t ip_header = l.v4 ? 20 : 40, transport_header = l.tcp ? 20 : 8;
    if (l.mss == 0 || l.header > packet.size() || l.ip < kEthernetHeader) return false;
    if (l.transport < l.ip + ip_header || l.header < l.transport + transport_header) return false;
    const std::span<const u8> payload = packet.subspan(l.header);
    if (l.header + std::min(l.mss, payload.size()) > kLongestFrame) return false;
    if (payload.size() / l.mss >= kMostSegments) return false;
    const u16 first_id = l.v4 ? load_be16(&packet[l.ip + 4]) : 0;
    const u32 first_sequence = l.tcp ? load_be32(&packet[l.transport + 4]) : 0;
    std::vector<u8> frame;
    size_t done = 0;
    unsigned number = 0;
    do {
        const size_t n = std::min(l.mss, payload.size() - done);
        const bool last = done + n == payload.size();
        frame.assign(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(l.header));
        frame.insert(frame.end(), payload.begin() + static_cast<std::ptrdiff_t>(done),
                     payload.begin() + static_cast<std::ptrdiff_t>(done + n));
        u8* ip = &frame[l.ip];
        if (l.v4) {
            store_be16(ip + 2, static_cast<u32>(frame.size() - l.ip));
            store_be16(ip + 4, first_id + number);
        } else {
            store_be16(ip + 4, static_cast<u32>(frame.size() - l.ip - 40));
        }
        u8* transport = &frame[l.transport];
        if (l.tcp) {
            store_be32(transport + 4, first_sequence + static_cast<u32>(done));
            if (!last) transport[13] &= static_cast<u8>(~(kFin | kPush));
        } else {
            store_be16(transport + 4, static_cast<u32>(frame.size() - l.transport));
        }
        emit(frame);
        done += n;
        ++number;
    } while (done < payload.size());
    return true;
}

}  // namespace mynah::net
