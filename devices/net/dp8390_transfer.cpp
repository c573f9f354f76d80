// DP8390, frames: data sheet 7.0 (receive ring), 8.0 (transmission).
#include <algorithm>

#include "base/bits.h"
#include "devices/net/dp8390.h"
#include "devices/net/dp8390_registers.h"

namespace mynah {

using namespace dp8390;

namespace {

constexpr unsigned kFramesAtOnce = 16;
constexpr Nanoseconds kNextEvent = 10'000;
constexpr Nanoseconds kTryAgain = 300'000;
constexpr u8 kMostTries = 100;
constexpr u32 kPage = 256, kRingHeader = 4;
constexpr size_t kLongest = 1522;

}  // namespace

void Dp8390::transmit() {
    std::vector<u8> frame(std::min<size_t>(transmit_count_, kLongest));
    const u32 at = u32{transmit_page_} << 8;
    for (u32 i = 0; i < frame.size(); ++i) frame[i] = read_memory(at + i);
    if ((transmit_config_ & transmit_config::no_crc) && frame.size() >= net::kShortestFrame + net::kFcs)
        frame.resize(frame.size() - net::kFcs);
    command_ &= static_cast<u8>(~command::transmit);
    transmit_status_ = transmit_status::sent;
    raise(interrupt::sent);
    if (backend_ == nullptr || frame.size() < net::kEthernetHeader) return;
    if (!(transmit_config_ & transmit_config::loopback)) backend_->send(frame);
}

bool Dp8390::running() const {
    return (command_ & (command::start | command::stop)) == command::start &&
           !(transmit_config_ & transmit_config::loopback) && !(receive_config_ & receive_config::monitor);
}

bool Dp8390::accept(std::span<const u8> frame) const {
    if (net::is_broadcast(frame)) return (receive_config_ & receive_config::broadcast) != 0;
    if (net::is_multicast(frame)) {
        const unsigned hash = net::multicast_hash(frame.first(6));
        return (receive_config_ & receive_config::multicast) && bit(multicast_[hash / 8], hash & 7);
    }
    if (receive_config_ & receive_config::promiscuous) return true;
    return std::equal(physical_.begin(), physical_.end(), frame.begin());
}

void Dp8390::receive() {
    if (backend_ == nullptr) return;
    for (unsigned n = 0; n < kFramesAtOnce; ++n) {
        if (waiting_.empty() && !backend_->receive(waiting_)) return;
        if (!running() || waiting_.size() < net::kEthernetHeader || waiting_.size() > kLongest ||
            !accept(waiting_)) {
            waiting_.clear();
            continue;
        }
        net::pad(waiting_);
        if (!deliver(waiting_)) {
            // The chip would lose it. Here it waits for the boundary to move, and says so now and then:
            // drivers clear the cause after they have read some frames of many, as more are sure to come.
            raise(interrupt::received);
            if (++tries_ < kMostTries) return receive_timer_.arm_in(kTryAgain);
            if (counters_[2] != 0xFF) ++counters_[2];
        }
        tries_ = 0;
        waiting_.clear();
    }
    receive_timer_.arm_in(kNextEvent);
}

bool Dp8390::deliver(std::span<const u8> frame) {
    const unsigned ring = page_stop_ > page_start_ ? page_stop_ - page_start_ : 0u;
    // A ring that is not set up takes nothing.
    if (ring < 2 || current_ < page_start_ || current_ >= page_stop_) return false;
    const u32 length = static_cast<u32>(frame.size() + net::kFcs);
    const unsigned pages = (kRingHeader + length + kPage - 1) / kPage;
    // The chip stops where the next page is the boundary. Drivers keep that one behind what they read next,
    // which may be the page before the ring.
    unsigned room = (256 * ring + boundary_ - current_) % ring;
    if (room == 0) room = ring;  // the guest has read everything
    if (pages >= room) return false;

    const u8 next = static_cast<u8>(page_start_ + (current_ - page_start_ + pages) % ring);
    receive_status_ = receive_status::intact | (net::is_multicast(frame) ? receive_status::group : 0);
    u32 at = u32{current_} << 8;
    const auto put = [&](u8 byte) {
        write_memory(at, byte);
        if (++at == u32{page_stop_} << 8) at = u32{page_start_} << 8;
    };
    const u32 fcs = net::frame_check(frame);
    for (const u8 byte : {receive_status_, next, static_cast<u8>(length), static_cast<u8>(length >> 8)})
        put(byte);
    for (const u8 byte : frame) put(byte);
    for (unsigned i = 0; i < net::kFcs; ++i) put(static_cast<u8>(fcs >> 8 * i));
    current_ = next;
    raise(interrupt::received);
    return true;
}

}  // namespace mynah
