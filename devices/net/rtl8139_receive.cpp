// RTL8139C+, receiving: data sheet 7.2 (C mode: a ring of bytes) and 9.2 (C+ mode: descriptors).
#include <algorithm>

#include "base/bits.h"
#include "devices/net/rtl8139.h"
#include "devices/net/rtl8139_registers.h"

namespace mynah {

using namespace rtl8139;

namespace {

constexpr unsigned kFramesAtOnce = 64;
constexpr Nanoseconds kNextEvent = 10'000;
// In C+ mode nobody says when there are descriptors again: it is tried a few times, then the frame is lost.
constexpr Nanoseconds kTryAgain = 200'000;
constexpr u8 kMostTries = 100;
constexpr u32 kMostDescriptors = 64;
constexpr u32 kDescriptorSize = 16;
constexpr u32 kRingHeader = 4;
constexpr size_t kLongest = 4096;

constexpr u32 kTcp = 1u << 16, kUdp = 2u << 16, kIp = 3u << 16;

}  // namespace

bool Rtl8139::listens() const {
    return (registers_[CR] & command::receive) != 0;
}

bool Rtl8139::accept(std::span<const u8> frame, u32& kind) const {
    const u32 control = get<u32>(RCR);
    if (net::is_broadcast(frame)) {
        kind = cp::broadcast;
        return (control & (rcr::broadcast | rcr::all_physical)) != 0;
    }
    if (net::is_multicast(frame)) {
        kind = cp::multicast;
        const unsigned hash = net::multicast_hash(frame.first(6));
        return (control & rcr::all_physical) ||
               ((control & rcr::multicast) && bit(registers_[MAR + hash / 8], hash & 7));
    }
    const bool own = std::equal(frame.begin(), frame.begin() + 6, registers_.begin() + IDR);
    kind = own ? cp::physical : 0;
    return (control & rcr::all_physical) || (own && (control & rcr::own));
}

void Rtl8139::receive() {
    if (backend_ == nullptr) return;
    for (unsigned n = 0; n < kFramesAtOnce; ++n) {
        if (waiting_.empty() && !backend_->receive(waiting_)) return;
        u32 kind = 0;
        if (!listens() || waiting_.size() < net::kEthernetHeader || waiting_.size() > kLongest ||
            !accept(waiting_, kind)) {
            waiting_.clear();
            continue;
        }
        net::pad(waiting_);
        const bool descriptors = get<u16>(CPCR) & cpcr::receive;
        const bool taken =
            descriptors ? deliver_to_descriptor(waiting_, kind) : deliver_to_ring(waiting_, kind);
        if (!taken) {
            if (tries_ == 0) raise(interrupt::no_descriptor);
            if (!descriptors) {
                tries_ = 1;  // until CAPR is written
                return;
            }
            if (++tries_ < kMostTries) return receive_timer_.arm_in(kTryAgain);
        }
        tries_ = 0;
        waiting_.clear();
    }
    receive_timer_.arm_in(kNextEvent);
}

bool Rtl8139::deliver_to_ring(std::span<const u8> frame, u32 kind) {
    const u32 size = ring_size(), at = get<u16>(CBR) % size;
    const u32 length = static_cast<u32>(frame.size() + net::kFcs);
    const u32 need = align_up(kRingHeader + length, 4);
    const u32 room = (read_offset() + size - at - 1) % size;
    if (need >= room) return false;
    std::vector<u8> bytes(kRingHeader);
    // The status word's kinds are the descriptor's, eleven bits lower (7.2).
    store_le(bytes.data(), static_cast<u16>(1u | kind >> 11));
    store_le(bytes.data() + 2, static_cast<u16>(length));
    bytes.insert(bytes.end(), frame.begin(), frame.end());
    const u32 fcs = net::frame_check(frame);
    for (unsigned i = 0; i < net::kFcs; ++i) bytes.push_back(static_cast<u8>(fcs >> 8 * i));
    const u64 start = get<u32>(RBSTART);
    // With WRAP the rest goes on behind the end, where the guest has room; the 64 KiB ring wraps regardless.
    const bool beyond = (get<u32>(RCR) & rcr::wrap) && size < 64 * KiB;
    const size_t first = beyond ? bytes.size() : std::min<size_t>(bytes.size(), size - at);
    dma_write(start + at, std::span(bytes).first(first));
    dma_write(start, std::span(bytes).subspan(first));
    put<u16>(CBR, static_cast<u16>((at + need) % size));
    raise(interrupt::received);
    return true;
}

bool Rtl8139::deliver_to_descriptor(std::span<const u8> frame, u32 kind) {
    const u64 ring = (get<u32>(RX_RING) & ~0xFFu) | u64{get<u32>(RX_RING + 4)} << 32;
    const u64 at = ring + u64{rx_index_} * kDescriptorSize;
    std::array<u8, kDescriptorSize> d;
    dma_read(at, d);
    const u32 word = load_le<u32>(d.data());
    if (!(word & cp::own) || !bus_master()) return false;
    std::vector<u8> bytes(frame.begin(), frame.end());
    u32 tag = 0;
    if ((get<u16>(CPCR) & cpcr::vlan) && net::load_be16(&bytes[12]) == 0x8100) {
        tag = cp::rx_tag | bytes[14] | u32{bytes[15]} << 8;
        bytes.erase(bytes.begin() + 12, bytes.begin() + 16);
        net::pad(bytes);
    }
    net::append_fcs(bytes);
    if (bytes.size() > (word & 0x1FFF)) return true;  // the buffer is too short for any such frame
    u32 status = (word & cp::end_of_ring) | cp::first | cp::last | kind | static_cast<u32>(bytes.size());
    const auto layout = get<u16>(CPCR) & cpcr::checksum ? net::parse_ip(frame) : std::nullopt;
    if (layout && layout->v4) {
        status |= layout->protocol == 6 ? kTcp : layout->protocol == 17 ? kUdp : kIp;
        if (!net::ip_checksum_good(frame, *layout)) status |= cp::ip_failed;
        if (const auto good = net::transport_checksum_good(frame, *layout); good && !*good)
            status |= layout->protocol == 6 ? cp::tcp_failed : cp::udp_failed;
    }
    dma_write(load_le<u64>(&d[8]), bytes);
    rx_index_ = word & cp::end_of_ring ? 0 : (rx_index_ + 1) % kMostDescriptors;
    store_le(&d[4], tag);
    dma_write(at + 4, std::span(d).subspan(4, 4));
    store_le(d.data(), status);
    dma_write(at, std::span(d).first(4));
    raise(interrupt::received);
    return true;
}

}  // namespace mynah
