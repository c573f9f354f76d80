#include "devices/virtio/net_frames.h"

#include <algorithm>
#include <cstring>

#include "base/bits.h"

namespace mynah {

namespace {

constexpr size_t kEthernet = 14, kVlanTag = 4;
constexpr u16 kIpv4Type = 0x0800, kIpv6Type = 0x86DD, kVlanType = 0x8100;
constexpr u8 kTcp = 6, kUdp = 17;
constexpr size_t kIpv4Least = 20, kIpv6Header = 40, kTcpLeast = 20, kUdpHeader = 8;
constexpr u8 kFin = 0x01, kPsh = 0x08, kAck = 0x10, kCwr = 0x80;
// TCP header fields.
constexpr size_t kSequence = 4, kAcknowledged = 8, kFlags = 13, kWindow = 14, kTcpChecksum = 16,
                 kUdpChecksum = 6;
constexpr size_t kMostPacket = 65535;

u16 load_be16(const u8* p) {
    return static_cast<u16>(p[0] << 8 | p[1]);
}
u32 load_be32(const u8* p) {
    return u32{load_be16(p)} << 16 | load_be16(p + 2);
}
void store_be16(u8* p, size_t v) {
    p[0] = static_cast<u8>(v >> 8);
    p[1] = static_cast<u8>(v);
}
void store_be32(u8* p, u32 v) {
    store_be16(p, v >> 16);
    store_be16(p + 2, v & 0xFFFF);
}

// Sums of 16-bit words in the order of memory: a checksum is the same in either order of bytes (RFC
// 1071, 2.B).
u64 sum(std::span<const u8> bytes) {
    u64 total = 0;
    size_t i = 0;
    for (; i + 4 <= bytes.size(); i += 4) total += load_le<u32>(&bytes[i]);
    if (i + 2 <= bytes.size()) {
        total += load_le<u16>(&bytes[i]);
        i += 2;
    }
    if (i < bytes.size()) total += bytes[i];
    return total;
}

u16 fold(u64 total) {
    while (total >> 16) total = (total & 0xFFFF) + (total >> 16);
    return static_cast<u16>(total);
}

u64 pseudo_header(std::span<const u8> frame, const FrameLayers& l) {
    const u8* ip = &frame[l.network];
    const u64 addresses = l.ipv6 ? sum({ip + 8, 32}) : sum({ip + 12, 8});
    u8 rest[4] = {0, l.tcp ? kTcp : kUdp, 0, 0};
    store_be16(rest + 2, l.end - l.transport);
    return addresses + sum(rest);
}

void set_ip_length(std::span<u8> frame, const FrameLayers& l) {
    u8* ip = &frame[l.network];
    if (l.ipv6) return store_be16(ip + 4, l.end - l.network - kIpv6Header);
    store_be16(ip + 2, l.end - l.network);
    store_le<u16>(ip + 10, 0);
    store_le(ip + 10, static_cast<u16>(~fold(sum({ip, l.transport - l.network}))));
}

void set_tcp_checksum(std::span<u8> frame, const FrameLayers& l) {
    u8* field = &frame[l.transport + kTcpChecksum];
    store_le<u16>(field, 0);
    const u64 total = pseudo_header(frame, l) + sum(frame.subspan(l.transport, l.end - l.transport));
    store_le(field, static_cast<u16>(~fold(total)));
}

// `whole`: the IP length is believed; else the packet reaches to the frame's end, as it does before it is
// cut.
std::optional<FrameLayers> layers_of(std::span<const u8> frame, bool whole) {
    if (frame.size() < kEthernet + kVlanTag) return std::nullopt;
    FrameLayers l;
    l.network = kEthernet;
    u16 type = load_be16(&frame[kEthernet - 2]);
    if (type == kVlanType) {
        type = load_be16(&frame[kEthernet + 2]);
        l.network += kVlanTag;
    }
    const std::span<const u8> ip = frame.subspan(l.network);
    u8 protocol = 0;
    if (type == kIpv4Type) {
        if (ip.size() < kIpv4Least || ip[0] >> 4 != 4) return std::nullopt;
        const size_t header = size_t{ip[0] & 0xFu} * 4;
        if (header < kIpv4Least || (load_be16(&ip[6]) & 0x3FFF) != 0) return std::nullopt;
        protocol = ip[9];
        l.transport = l.network + header;
        l.end = whole ? l.network + load_be16(&ip[2]) : frame.size();
    } else if (type == kIpv6Type) {
        if (ip.size() < kIpv6Header || ip[0] >> 4 != 6) return std::nullopt;
        l.ipv6 = true;
        protocol = ip[6];
        l.transport = l.network + kIpv6Header;
        l.end = whole ? l.transport + load_be16(&ip[4]) : frame.size();
    } else {
        return std::nullopt;
    }
    if ((protocol != kTcp && protocol != kUdp) || l.end > frame.size()) return std::nullopt;
    l.tcp = protocol == kTcp;
    size_t header = kUdpHeader;
    if (l.tcp) {
        if (l.transport + kTcpLeast > l.end) return std::nullopt;
        header = size_t{frame[l.transport + 12]} / 16 * 4;
        if (header < kTcpLeast) return std::nullopt;
    }
    l.payload = l.transport + header;
    if (l.payload > l.end) return std::nullopt;
    return l;
}

}  // namespace

std::optional<FrameLayers> find_layers(std::span<const u8> frame) {
    return layers_of(frame, true);
}

bool complete_checksum(std::span<u8> frame, size_t start, size_t offset) {
    if (start > frame.size() || frame.size() - start < 2 || offset > frame.size() - start - 2) return false;
    u16 result = static_cast<u16>(~fold(sum(frame.subspan(start))));
    // All zeros would mean "none" in UDP; all ones are the same number.
    if (result == 0) result = 0xFFFF;
    store_le(&frame[start + offset], result);
    return true;
}

bool checksums_right(std::span<const u8> frame, const FrameLayers& l) {
    if (!l.ipv6 && fold(sum(frame.subspan(l.network, l.transport - l.network))) != 0xFFFF) return false;
    if (!l.tcp && load_le<u16>(&frame[l.transport + kUdpChecksum]) == 0) return !l.ipv6;
    return fold(pseudo_header(frame, l) + sum(frame.subspan(l.transport, l.end - l.transport))) == 0xFFFF;
}

bool cut_tcp(std::span<const u8> frame, u16 size, const std::function<void(std::span<const u8>)>& send) {
    const std::optional<FrameLayers> whole = layers_of(frame, false);
    if (!whole || !whole->tcp || size == 0 || whole->payload == whole->end) return false;
    const std::span<const u8> headers = frame.first(whole->payload);
    std::span<const u8> payload = frame.subspan(whole->payload, whole->end - whole->payload);
    const u32 sequence = load_be32(&frame[whole->transport + kSequence]);
    const u16 identification = load_be16(&frame[whole->network + 4]);
    std::vector<u8> one;
    u32 sent = 0;
    for (u16 n = 0; !payload.empty(); ++n) {
        const std::span<const u8> part = payload.first(std::min<size_t>(size, payload.size()));
        payload = payload.subspan(part.size());
        one.assign(headers.begin(), headers.end());
        one.insert(one.end(), part.begin(), part.end());
        FrameLayers l = *whole;
        l.end = one.size();
        u8* tcp = &one[l.transport];
        store_be32(tcp + kSequence, sequence + sent);
        if (!payload.empty()) tcp[kFlags] &= static_cast<u8>(~(kFin | kPsh));
        if (n != 0) tcp[kFlags] &= static_cast<u8>(~kCwr);
        if (!l.ipv6) store_be16(&one[l.network + 4], static_cast<u16>(identification + n));
        set_ip_length(one, l);
        set_tcp_checksum(one, l);
        send(one);
        sent += static_cast<u32>(part.size());
    }
    return true;
}

void TcpJoiner::begin(std::span<const u8> frame) {
    frame_.assign(frame.begin(), frame.end());
    layers_ = find_layers(frame);
    right_ = layers_ && checksums_right(frame, *layers_);
    segments_ = 1;
    open_ = right_ && layers_->tcp && layers_->payload < layers_->end &&
            layers_->transport - layers_->network == (layers_->ipv6 ? kIpv6Header : kIpv4Least) &&
            frame[layers_->transport + kFlags] == kAck;
    if (!open_) return;
    size_ = static_cast<u16>(layers_->end - layers_->payload);
    frame_.resize(layers_->end);  // no padding in the middle
}

bool TcpJoiner::append(std::span<const u8> frame) {
    if (!open_) return false;
    const std::optional<FrameLayers> next = find_layers(frame);
    if (!next || !next->tcp || next->network != layers_->network || next->transport != layers_->transport ||
        next->payload != layers_->payload || next->payload == next->end)
        return false;
    const FrameLayers& l = *layers_;
    const size_t more = next->end - next->payload, have = frame_.size() - l.payload;
    if (more > size_ || frame_.size() - l.network + more > kMostPacket) return false;
    const auto alike = [&](size_t from, size_t to) {
        return std::memcmp(&frame_[from], &frame[from], to - from) == 0;
    };
    // Ethernet; IP but for length, identification and header checksum; ports; acknowledgement; options.
    const size_t n = l.network, t = l.transport;
    if (!alike(0, n)) return false;
    if (l.ipv6 ? !alike(n, n + 4) || !alike(n + 6, t)
               : !alike(n, n + 2) || !alike(n + 6, n + 10) || !alike(n + 12, t))
        return false;
    if (!alike(t, t + kSequence) || !alike(t + kAcknowledged, t + kFlags) ||
        !alike(t + kWindow, t + kTcpChecksum) || !alike(t + kTcpChecksum + 2, l.payload))
        return false;
    const u8 flags = frame[t + kFlags];
    if ((flags & ~kPsh) != kAck) return false;
    if (load_be32(&frame[t + kSequence]) != load_be32(&frame_[t + kSequence]) + static_cast<u32>(have))
        return false;
    if (!checksums_right(frame, *next)) return false;
    const auto from = frame.begin() + static_cast<std::ptrdiff_t>(next->payload);
    frame_.insert(frame_.end(), from, from + static_cast<std::ptrdiff_t>(more));
    frame_[t + kFlags] |= flags;
    ++segments_;
    open_ = more == size_ && !(flags & kPsh);
    return true;
}

TcpJoiner::Joined TcpJoiner::finish() {
    Joined joined{.frame = frame_,
                  .layers = layers_.value_or(FrameLayers{}),
                  .size = size_,
                  .segments = segments_,
                  .right = right_};
    if (segments_ < 2) return joined;
    layers_->end = frame_.size();
    joined.layers = *layers_;
    set_ip_length(frame_, *layers_);
    store_le(&frame_[layers_->transport + kTcpChecksum], fold(pseudo_header(frame_, *layers_)));
    return joined;
}

}  // namespace mynah
