// RTL8139C+, sending: data sheet ch. 7 (C mode) and 9.1 (C+ mode).
#include <algorithm>
#include <utility>

#include "base/bits.h"
#include "devices/net/rtl8139.h"
#include "devices/net/rtl8139_registers.h"

namespace mynah {

using namespace rtl8139;

namespace {

constexpr unsigned kDescriptorsAtOnce = 64;
constexpr Nanoseconds kNextEvent = 10'000;
// A ring has no more (9.1).
constexpr u32 kMostDescriptors = 64;
constexpr u32 kDescriptorSize = 16;
constexpr u32 kStatusBits = 0x03FF0000;

}  // namespace

void Rtl8139::transmit() {
    if (!(registers_[CR] & command::transmit)) return;
    if (!(get<u16>(CPCR) & cpcr::transmit)) {
        // Buffers are sent in turn.
        for (const unsigned first = next_buffer_; const unsigned n : {0u, 1u, 2u, 3u}) {
            const unsigned index = (first + n) & 3;
            if (!std::exchange(pending_[index], false)) continue;
            transmit_buffer(index);
            next_buffer_ = static_cast<u8>((index + 1) & 3);
        }
        return;
    }
    if (!polled_) return;
    for (unsigned n = 0; n < kDescriptorsAtOnce; ++n) {
        if (transmit_descriptor()) continue;
        polled_ = false;
        return raise(interrupt::no_tx_descriptor);
    }
    transmit_timer_.arm_in(kNextEvent);
}

void Rtl8139::transmit_buffer(unsigned index) {
    const u8 at = static_cast<u8>(TSD + 4 * index);
    packet_.resize(get<u32>(at) & tsd::size);
    dma_read(get<u32>(static_cast<u8>(TSAD + 4 * index)), packet_);
    put<u32>(at, get<u32>(at) | tsd::own | tsd::ok);
    raise(interrupt::sent);
    std::span<const u8> frame(packet_);
    // The guest's own FCS.
    if ((get<u32>(TCR) & tcr::no_fcs) && frame.size() >= net::kShortestFrame + net::kFcs)
        frame = frame.first(frame.size() - net::kFcs);
    send(frame, 0);
    packet_.clear();
}

bool Rtl8139::transmit_descriptor() {
    const u64 ring = (get<u32>(TSAD) & ~0xFFu) | u64{get<u32>(TSAD + 4)} << 32;
    const u64 at = ring + u64{tx_index_} * kDescriptorSize;
    std::array<u8, kDescriptorSize> d;
    dma_read(at, d);
    const u32 word = load_le<u32>(d.data()), tag = load_le<u32>(&d[4]);
    if (!(word & cp::own) || !bus_master()) return false;
    if (word & cp::first) {
        packet_.clear();
        first_word_ = word;
        begun_ = true;
        too_long_ = false;
    }
    const size_t have = packet_.size(), length = word & 0xFFFF;
    too_long_ |= have + length > kLongestPacket;
    if (begun_ && !too_long_) {
        packet_.resize(have + length);
        dma_read(load_le<u64>(&d[8]), std::span(packet_).subspan(have));
    }
    tx_index_ = word & cp::end_of_ring ? 0 : (tx_index_ + 1) % kMostDescriptors;
    // With large send the status bits hold the MSS; they are given back as no error either way.
    std::array<u8, 4> done;
    store_le(done.data(), word & ~(cp::own | kStatusBits));
    dma_write(at, done);
    if (!(word & cp::last)) return true;
    raise(interrupt::sent);
    if (begun_ && !too_long_) finish_packet(tag);
    packet_.clear();
    begun_ = false;
    return true;
}

void Rtl8139::finish_packet(u32 tag) {
    const auto layout = net::parse_ip(packet_);
    if (first_word_ & cp::large) {
        // Only TCP over IPv4 (9.1.1).
        if (!layout || !layout->v4 || layout->protocol != 6 || layout->transport + 20 > packet_.size())
            return;
        const size_t header = layout->transport + 4u * (packet_[layout->transport + 12] >> 4);
        const net::LargeSend large{.ip = layout->ip,
                                   .transport = layout->transport,
                                   .header = header,
                                   .mss = bits(first_word_, 26, 16)};
        (void)net::for_each_segment(packet_, large, [&](std::span<u8> frame) {
            const auto own = net::parse_ip(frame);
            if (!own) return;
            net::put_ip_checksum(frame, *own);
            net::put_transport_checksum(frame, *own);
            send(frame, tag);
        });
        return;
    }
    if (layout) {
        if (first_word_ & cp::ip) net::put_ip_checksum(packet_, *layout);
        const bool tcp = (first_word_ & cp::tcp) && layout->protocol == 6;
        const bool udp = (first_word_ & cp::udp) && layout->protocol == 17;
        if (tcp || udp) net::put_transport_checksum(packet_, *layout);
    }
    send(packet_, tag);
}

void Rtl8139::send(std::span<const u8> frame, u32 tag) {
    if (backend_ == nullptr || frame.size() < net::kEthernetHeader || frame.size() > net::kLongestFrame)
        return;
    if (!(tag & cp::tx_tag)) return backend_->send(frame);
    std::vector<u8> tagged(frame.begin(), frame.begin() + 12);
    // The descriptor holds the tag as it is on the cable.
    const u8 bytes[] = {0x81, 0x00, static_cast<u8>(tag), static_cast<u8>(tag >> 8)};
    tagged.insert(tagged.end(), std::begin(bytes), std::end(bytes));
    tagged.insert(tagged.end(), frame.begin() + 12, frame.end());
    backend_->send(tagged);
}

}  // namespace mynah
