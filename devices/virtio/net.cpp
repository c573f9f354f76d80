#include "devices/virtio/net.h"

#include <algorithm>

namespace mynah {

namespace {

constexpr u16 kType = 1;
constexpr u32 kClass = 0x020000;
constexpr u16 kQueueSize = 256, kControlQueueSize = 64;
constexpr unsigned kReceive = 0, kTransmit = 1, kControl = 2;

// Features (5.1.3).
constexpr unsigned kChecksum = 0, kGuestChecksum = 1, kMac = 5, kGuestTso4 = 7, kGuestTso6 = 8,
                   kHostTso4 = 11, kHostTso6 = 12, kHostEcn = 13, kMergeBuffers = 15, kStatus = 16,
                   kControlQueue = 17, kControlRx = 18, kControlRxExtra = 20, kControlMac = 23;
// Device configuration.
constexpr u32 kMacAt = 0, kStatusAt = 6, kConfigBytes = 8;
constexpr u16 kLinkUp = 1;
// Header (5.1.6): offsets and values.
constexpr unsigned kFlagsAt = 0, kSegmentTypeAt = 1, kHeaderLengthAt = 2, kSegmentSizeAt = 4, kStartAt = 6,
                   kOffsetAt = 8, kBuffersAt = 10;
constexpr u8 kNeedsChecksum = 1, kDataValid = 2;
constexpr u8 kNoSegments = 0, kTcp4 = 1, kTcp6 = 4, kEcn = 0x80;
constexpr u16 kTcpChecksum = 16;

constexpr size_t kEthernetHeader = 14;
// The longest frame a driver may send: 64 KiB of IP packet behind Ethernet's header with a VLAN tag.
constexpr size_t kMostFrame = 18 + 65535 + 40;
// A segment this short is nothing that TCP makes.
constexpr u16 kLeastSegment = 8;
// Of one event.
constexpr u64 kBytesAnEvent = 1 * MiB;
constexpr size_t kMostAddresses = 64;

}  // namespace

void VirtioNet::Filter::visit(Archive& ar) {
    ar.all(promiscuous, all_multicast, all_unicast, no_multicast, no_unicast, no_broadcast);
    ar(addresses, kMostAddresses);
}

VirtioNet::VirtioNet(std::string name, EventQueue& events, NetBackend* backend, const Mac& mac)
    : VirtioPci(std::move(name), {kType, kClass}, events, {kQueueSize, kQueueSize, kControlQueueSize},
                kConfigBytes),
      backend_(backend),
      own_mac_(mac) {
    for (const unsigned f :
         {kChecksum, kGuestChecksum, kMac, kGuestTso4, kGuestTso6, kHostTso4, kHostTso6, kHostEcn,
          kMergeBuffers, kStatus, kControlQueue, kControlRx, kControlRxExtra, kControlMac})
        offer(f);
    VirtioNet::reset();
}

void VirtioNet::reset_device() {
    put_config(kStatusAt, static_cast<u16>(backend_ != nullptr ? kLinkUp : 0));
    for (u32 i = 0; i < own_mac_.size(); ++i) put_config(kMacAt + i, own_mac_[i]);
    filter_ = {};
    frame_.clear();
    ahead_.clear();
    joiner_.clear();
}

void VirtioNet::visit_device(Archive& ar) {
    ar(filter_);
    ar(frame_, kHeader + kMostFrame);
    ar(ahead_, kMostFrame);
    if (!frame_.empty() && frame_.size() < kHeader) {
        ar.fail("frame out of range");
        frame_.clear();
    }
}

void VirtioNet::frames_waiting() {
    if (live()) schedule(kReceive);
}

void VirtioNet::work(unsigned queue) {
    if (queue == kReceive) return receive();
    if (queue == kTransmit) return transmit();
    control();
}

// --- to the network ---

void VirtioNet::transmit() {
    VirtioChain chain;
    u64 moved = 0;
    while (pop(kTransmit, chain)) {
        send(chain);
        push(kTransmit, chain, 0);
        moved += std::min<u64>(chain.readable_bytes, kMostFrame) + kHeader;
        if (moved < kBytesAnEvent) continue;
        schedule(kTransmit);
        return;
    }
}

void VirtioNet::send(const VirtioChain& chain) {
    if (backend_ == nullptr || chain.readable_bytes < kHeader + kEthernetHeader ||
        chain.readable_bytes > kHeader + kMostFrame)
        return;
    sending_.resize(chain.readable_bytes);
    VirtioMemory ram = memory();
    VirtioCursor(ram, chain.readable).read(sending_);
    const std::span<const u8> header = std::span(sending_).first(kHeader);
    const std::span<u8> frame = std::span(sending_).subspan(kHeader);
    const u8 type = header[kSegmentTypeAt] & static_cast<u8>(~kEcn);
    if (type == kTcp4 || type == kTcp6) {
        const u16 size = load_le<u16>(&header[kSegmentSizeAt]);
        if (size < kLeastSegment) return;
        cut_tcp(frame, size, [this](std::span<const u8> one) { backend_->send(one); });
        return;
    }
    if (type != kNoSegments) return;
    if ((header[kFlagsAt] & kNeedsChecksum) &&
        !complete_checksum(frame, load_le<u16>(&header[kStartAt]), load_le<u16>(&header[kOffsetAt])))
        return;
    backend_->send(frame);
}

// --- from the network ---

bool VirtioNet::wanted(std::span<const u8> frame) const {
    if (frame.size() < kEthernetHeader || frame.size() > kMostFrame) return false;
    if (filter_.promiscuous) return true;
    Mac to;
    std::copy_n(frame.begin(), to.size(), to.begin());
    const bool broadcast = std::all_of(to.begin(), to.end(), [](u8 b) { return b == 0xFF; });
    if (broadcast) return !filter_.no_broadcast;
    const bool listed =
        std::find(filter_.addresses.begin(), filter_.addresses.end(), to) != filter_.addresses.end();
    if (to[0] & 1) return !filter_.no_multicast && (filter_.all_multicast || listed);
    if (filter_.no_unicast) return false;
    if (filter_.all_unicast || listed) return true;
    for (u32 i = 0; i < to.size(); ++i) {
        if (to[i] != config_structure(kMacAt + i)) return false;
    }
    return true;
}

bool VirtioNet::take_from_backend() {
    if (!ahead_.empty()) return true;
    while (backend_ != nullptr && backend_->receive(ahead_)) {
        if (wanted(ahead_)) return true;
    }
    ahead_.clear();
    return false;
}

bool VirtioNet::next_frame() {
    if (!frame_.empty()) return true;
    if (!take_from_backend()) return false;
    joiner_.begin(ahead_);
    ahead_.clear();
    const std::optional<FrameLayers> layers =
        negotiated(kMergeBuffers) ? joiner_.first_layers() : std::nullopt;
    if (layers && negotiated(layers->ipv6 ? kGuestTso6 : kGuestTso4)) {
        while (take_from_backend() && joiner_.append(ahead_)) ahead_.clear();
    }
    const TcpJoiner::Joined joined = joiner_.finish();
    frame_.assign(kHeader, 0);
    if (joined.segments > 1) {
        frame_[kFlagsAt] = kNeedsChecksum;
        frame_[kSegmentTypeAt] = joined.layers.ipv6 ? kTcp6 : kTcp4;
        store_le(&frame_[kHeaderLengthAt], static_cast<u16>(joined.layers.payload));
        store_le(&frame_[kSegmentSizeAt], joined.size);
        store_le(&frame_[kStartAt], static_cast<u16>(joined.layers.transport));
        store_le(&frame_[kOffsetAt], kTcpChecksum);
    } else if (joined.right && negotiated(kGuestChecksum)) {
        frame_[kFlagsAt] = kDataValid;
    }
    frame_.insert(frame_.end(), joined.frame.begin(), joined.frame.end());
    joiner_.clear();
    return true;
}

// Into one buffer, or several where the driver joins them.
VirtioNet::Delivered VirtioNet::deliver() {
    std::vector<VirtioChain> chains;
    u64 room = 0;
    const auto put_back = [&] {
        for (size_t i = 0; i < chains.size(); ++i) unpop(kReceive);
    };
    while (room < frame_.size() && (chains.empty() || negotiated(kMergeBuffers))) {
        VirtioChain chain;
        if (!pop(kReceive, chain)) {
            put_back();
            return Delivered::no_room;
        }
        if (chain.writable_bytes == 0 || (chains.empty() && chain.writable_bytes < kHeader)) {
            put_back();
            fail("a receive buffer is too short");
            return Delivered::no_room;
        }
        room += chain.writable_bytes;
        chains.push_back(std::move(chain));
    }
    store_le(&frame_[kBuffersAt], static_cast<u16>(room < frame_.size() ? 1 : chains.size()));
    std::span<const u8> rest = frame_;
    // Without joined buffers a frame that does not fit is lost; its buffer stays.
    if (room < frame_.size()) {
        put_back();
        return Delivered::lost;
    }
    for (const VirtioChain& chain : chains) {
        VirtioMemory ram = memory();
        VirtioCursor out(ram, chain.writable);
        const u64 n = out.write(rest);
        rest = rest.subspan(n);
        push(kReceive, chain, static_cast<u32>(n));
    }
    return Delivered::yes;
}

void VirtioNet::receive() {
    u64 moved = 0;
    while (next_frame()) {
        if (deliver() == Delivered::no_room) return want_more(kReceive);
        moved += frame_.size();
        frame_.clear();
        if (moved < kBytesAnEvent) continue;
        schedule(kReceive);
        return;
    }
}

// --- the control queue (5.1.6.5) ---

void VirtioNet::control() {
    VirtioChain chain;
    while (pop(kControl, chain)) {
        VirtioMemory ram = memory();
        VirtioCursor in(ram, chain.readable), out(ram, chain.writable);
        u8 head[2];
        const bool good = in.read(head) == sizeof head && command(head[0], head[1], in);
        const u8 answer = good ? 0 : 1;
        push(kControl, chain, static_cast<u32>(out.write(std::span(&answer, 1))));
    }
}

bool VirtioNet::command(u8 group, u8 what, VirtioCursor& in) {
    constexpr u8 rx_group = 0, mac_group = 1;
    if (group == rx_group) {
        bool* const modes[] = {&filter_.promiscuous,  &filter_.all_multicast, &filter_.all_unicast,
                               &filter_.no_multicast, &filter_.no_unicast,    &filter_.no_broadcast};
        u8 on = 0;
        if (what >= std::size(modes) || in.read(std::span(&on, 1)) != 1) return false;
        *modes[what] = on != 0;
        return true;
    }
    if (group != mac_group) return false;
    if (what == 1) {
        Mac mac;
        if (in.read(mac) != mac.size()) return false;
        for (u32 i = 0; i < mac.size(); ++i) put_config(kMacAt + i, mac[i]);
        return true;
    }
    return what == 0 && read_addresses(in);
}

// Two tables, unicast and multicast, each a count and as many addresses.
bool VirtioNet::read_addresses(VirtioCursor& in) {
    filter_.addresses.clear();
    for (const bool multicast : {false, true}) {
        u8 count[4];
        if (in.read(count) != sizeof count) return false;
        const u32 n = load_le<u32>(count);
        if (in.left() < u64{n} * std::tuple_size_v<Mac>) return false;
        if (filter_.addresses.size() + n > kMostAddresses) {
            // More than are kept: all of the kind.
            (multicast ? filter_.all_multicast : filter_.all_unicast) = true;
            in.skip(u64{n} * std::tuple_size_v<Mac>);
            continue;
        }
        for (u32 i = 0; i < n; ++i) {
            Mac mac;
            in.read(mac);
            filter_.addresses.push_back(mac);
        }
    }
    return true;
}

}  // namespace mynah
