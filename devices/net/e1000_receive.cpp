// 82540EM, receiving: manual 3.2 (filters, descriptors), 3.2.9 (checksum offload).
#include <algorithm>

#include "base/bits.h"
#include "devices/net/e1000.h"
#include "devices/net/e1000_registers.h"

namespace mynah {

using namespace e1000;

namespace {

constexpr u32 kDescriptorSize = 16;
constexpr unsigned kFramesAtOnce = 64;
constexpr Nanoseconds kNextEvent = 10'000;
// With a VLAN tag, without and with the FCS; beyond, RCTL.LPE decides.
constexpr size_t kLongestStandard = 1522 - net::kFcs;

}  // namespace

size_t E1000::buffer_size() const {
    const u32 control = registers_[RCTL / 4];
    const unsigned code = bits(control, 17, 16);
    if (!(control & rctl::extended_size)) return size_t{2048} >> code;
    return code == 0 ? 2048 : size_t{32768} >> code;
}

bool E1000::room_for(size_t bytes) const {
    const u32 count = registers_[RDLEN / 4] / kDescriptorSize;
    const u32 head = registers_[RDH / 4], tail = registers_[RDT / 4];
    if (count == 0 || head >= count || tail >= count) return false;
    const u32 free = (tail + count - head) % count;
    return u64{free} * buffer_size() >= bytes;
}

void E1000::receive() {
    if (backend_ == nullptr) return;
    unsigned budget = kFramesAtOnce;
    for (; budget > 0; --budget) {
        const bool listens = (reg(RCTL) & rctl::enable) && link_up_;
        // Who does not listen misses what is sent; who has no room lets it wait.
        if (listens && !room_for(1)) return;
        if (waiting_.empty() && !backend_->receive(waiting_)) return;
        u8 status = 0;
        if (!listens || waiting_.size() < net::kEthernetHeader || waiting_.size() > net::kLongestFrame ||
            !accept(waiting_, status)) {
            waiting_.clear();
            continue;
        }
        net::pad(waiting_);
        if (!room_for(waiting_.size() + net::kFcs)) return;
        deliver(waiting_);
        waiting_.clear();
    }
    receive_timer_.arm_in(kNextEvent);
}

bool E1000::accept(std::span<const u8> frame, u8& status) const {
    const auto value = [this](u32 offset) { return registers_[offset / 4]; };
    const u32 control = value(RCTL);
    if (frame.size() > kLongestStandard && !(control & rctl::long_packets)) return false;
    if ((control & rctl::vlan_filter) && net::load_be16(&frame[12]) == value(VET) && frame.size() >= 16) {
        const u16 tag = net::load_be16(&frame[14]);
        if (!bit(value(VFTA + 4 * bits(tag, 11, 5)), tag & 31)) return false;
    }
    if (net::is_broadcast(frame)) return (control & (rctl::broadcast | rctl::multicast_all)) != 0;
    for (u32 i = 0; i < 16; ++i) {
        const u32 low = value(RA + 8 * i), high = value(RA + 8 * i + 4);
        if (bit(high, 31) && bits(high, 17, 16) == 0 && low == load_le<u32>(frame.data()) &&
            (high & 0xFFFF) == load_le<u16>(&frame[4]))
            return true;
    }
    if (!net::is_multicast(frame)) return (control & rctl::unicast_all) != 0;
    if (control & rctl::multicast_all) return true;
    // Twelve of the address's upper bits, chosen by RCTL.MO (13.5.1).
    static constexpr unsigned shifts[] = {4, 3, 2, 0};
    const u32 upper = load_le<u16>(&frame[4]);
    const u32 hash = upper >> shifts[bits(control, 13, 12)] & 0xFFF;
    status |= rx_status::inexact;
    return bit(value(MTA + 4 * (hash >> 5)), hash & 31);
}

void E1000::check_sums(std::span<const u8> frame, u8& status, u8& errors, u16& checksum) {
    const u32 control = reg(RXCSUM);
    const size_t start = control & rxcsum::start;
    if (start < frame.size()) checksum = net::ones_sum(frame.subspan(start));
    const auto layout = control & (rxcsum::ip | rxcsum::tcp_udp) ? net::parse_ip(frame) : std::nullopt;
    if (!layout) {
        status |= rx_status::no_checksum;
        return;
    }
    if ((control & rxcsum::ip) && layout->v4) {
        status |= rx_status::ip;
        if (!net::ip_checksum_good(frame, *layout)) errors |= rx_status::ip_error;
    }
    if (!(control & rxcsum::tcp_udp)) return;
    if (const auto good = net::transport_checksum_good(frame, *layout)) {
        status |= rx_status::tcp;
        if (layout->protocol == 17) status |= rx_status::udp;
        if (!*good) errors |= rx_status::tcp_error;
    }
}

void E1000::deliver(std::vector<u8>& frame) {
    count(TPR, TORL, frame.size() + net::kFcs);
    count(GPRC, GORCL, frame.size() + net::kFcs);
    u8 status = rx_status::done, errors = 0;
    (void)accept(frame, status);
    if (net::is_broadcast(frame)) {
        ++reg(BPRC);
    } else if (net::is_multicast(frame)) {
        ++reg(MPRC);
    }
    u16 tag = 0, checksum = 0;
    check_sums(frame, status, errors, checksum);
    if ((reg(CTRL) & ctrl::vlan_mode) && net::load_be16(&frame[12]) == reg(VET)) {
        tag = net::load_be16(&frame[14]);
        status |= rx_status::vlan;
        frame.erase(frame.begin() + 12, frame.begin() + 16);
        net::pad(frame);
    }
    if (!(reg(RCTL) & rctl::strip_fcs)) net::append_fcs(frame);

    const u64 ring = reg(RDBAL) | u64{reg(RDBAH)} << 32;
    const u32 count = reg(RDLEN) / kDescriptorSize;
    const size_t size = buffer_size();
    u32 head = reg(RDH);
    for (size_t done = 0; done < frame.size();) {
        const u64 at = ring + u64{head} * kDescriptorSize;
        std::array<u8, kDescriptorSize> d{};
        dma_read(at, std::span(d).first(8));
        const size_t n = std::min(size, frame.size() - done);
        dma_write(load_le<u64>(d.data()), std::span(frame).subspan(done, n));
        done += n;
        const bool last = done == frame.size();
        store_le(&d[8], static_cast<u16>(n));
        store_le(&d[10], checksum);
        d[12] = last ? static_cast<u8>(status | rx_status::end) : rx_status::done;
        d[13] = last ? errors : u8{0};
        store_le(&d[14], tag);
        // Status last: a guest that looks at it finds the rest there.
        dma_write(at + 8, std::span(d).subspan(8, 4));
        dma_write(at + 13, std::span(d).subspan(13, 3));
        dma_write(at + 12, std::span(d).subspan(12, 1));
        head = (head + 1) % count;
    }
    reg(RDH) = head;
    u32 causes = cause::rx_timer;
    // 1/2, 1/4 or 1/8 of the descriptors are left (13.4.22, RDMTS).
    const u32 left = (reg(RDT) + count - head) % count;
    if (left <= count >> (1 + bits(reg(RCTL), 9, 8))) causes |= cause::rx_threshold;
    raise(causes);
}

}  // namespace mynah
