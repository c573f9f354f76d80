// 82540EM, sending: manual 3.3 (descriptors), 3.5 (segmentation), 3.6 (checksum offload).
#include <algorithm>

#include "base/bits.h"
#include "devices/net/e1000.h"
#include "devices/net/e1000_registers.h"

namespace mynah {

using namespace e1000;

namespace {

constexpr u32 kDescriptorSize = 16;
// What one event does at most, and when the next one comes.
constexpr unsigned kDescriptorsAtOnce = 128;
constexpr size_t kBytesAtOnce = 256 * KiB;
constexpr Nanoseconds kNextEvent = 10'000;

constexpr u8 kDone = 1;

}  // namespace

struct E1000::TxDescriptor {
    std::array<u8, 16> raw;

    u64 address() const { return load_le<u64>(raw.data()); }
    u32 word(unsigned n) const { return load_le<u32>(raw.data() + 4 * n); }
    u32 command() const { return word(2) >> 24; }
    bool extended() const { return command() & tx_command::extended; }
    bool is_context() const { return extended() && bits(word(2), 23, 20) == 0; }
    size_t length() const { return word(2) & (extended() ? 0xFFFFF : 0xFFFF); }
    u16 special() const { return static_cast<u16>(word(3) >> 16); }
    // Legacy: where the checksum begins and where it goes.
    u8 checksum_start() const { return raw[13]; }
    u8 checksum_offset() const { return raw[10]; }
    // Extended data.
    u8 options() const { return raw[13]; }
};

void E1000::transmit() {
    const u32 count = reg(TDLEN) / kDescriptorSize;
    if (!(reg(TCTL) & tctl::enable) || count == 0) return;
    if (reg(TDH) >= count || reg(TDT) >= count) return;
    const u64 ring = reg(TDBAL) | u64{reg(TDBAH)} << 32;
    u32 causes = 0;
    size_t bytes = 0;
    for (unsigned n = 0; reg(TDH) != reg(TDT); ++n) {
        if (n == kDescriptorsAtOnce || bytes >= kBytesAtOnce) {
            transmit_timer_.arm_in(kNextEvent);
            break;
        }
        const u64 at = ring + u64{reg(TDH)} * kDescriptorSize;
        TxDescriptor d;
        dma_read(at, d.raw);
        if (d.is_context()) {
            take_context(d);
        } else {
            bytes += d.length();
            take_data(d);
            if (d.command() & tx_command::end) finish_packet(d);
        }
        if (d.command() & tx_command::report) {
            const u8 done[] = {static_cast<u8>(d.raw[12] | kDone)};
            dma_write(at + 12, done);
            causes |= cause::tx_written;
        }
        reg(TDH) = (reg(TDH) + 1) % count;
        // The write above may have reached our own registers.
        if (reg(TDLEN) / kDescriptorSize != count || reg(TDT) >= count || reg(TDH) >= count) break;
    }
    if (reg(TDH) == reg(TDT)) causes |= cause::tx_empty;
    raise(causes);
}

void E1000::take_context(const TxDescriptor& d) {
    Offload o;
    o.ip_start = d.raw[0];
    o.ip_offset = d.raw[1];
    o.ip_end = load_le<u16>(&d.raw[2]);
    o.tu_start = d.raw[4];
    o.tu_offset = d.raw[5];
    o.tu_end = load_le<u16>(&d.raw[6]);
    o.payload = d.word(2) & 0xFFFFF;
    o.header = d.raw[13];
    o.mss = load_le<u16>(&d.raw[14]);
    o.tcp = d.command() & tu_command::tcp;
    o.v4 = d.command() & tu_command::ipv4;
    (d.command() & tx_command::segment ? segment_context_ : checksum_context_) = o;
}

void E1000::take_data(const TxDescriptor& d) {
    if (!packet_.begun) {
        packet_.begun = true;
        if (d.extended()) {
            // Only the first descriptor's options count (3.3.7.2).
            packet_.ip_checksum = d.options() & 1;
            packet_.tu_checksum = d.options() & 2;
            packet_.segment = d.command() & tx_command::segment;
        }
    }
    const size_t length = d.length(), have = packet_.bytes.size();
    if (packet_.too_long || have + length > kLongestPacket) {
        packet_.too_long = true;
        return;
    }
    packet_.bytes.resize(have + length);
    dma_read(d.address(), std::span(packet_.bytes).subspan(have));
}

// `large`: one of the frames of a large packet, whose checksum field holds the pseudo header's sum without
// the length.
void E1000::put_checksums(std::span<u8> frame, bool large) {
    const Offload& o = large ? segment_context_ : checksum_context_;
    const auto put = [&](size_t start, size_t offset, size_t end, u32 more) {
        if (end == 0 || end >= frame.size()) end = frame.size() - 1;
        if (start > end || offset + 2 > frame.size()) return;
        const u16 sum = net::ones_sum(frame.subspan(start, end + 1 - start), more);
        net::store_be16(&frame[offset], static_cast<u16>(~sum));
    };
    if (packet_.ip_checksum && (o.v4 || !large)) put(o.ip_start, o.ip_offset, o.ip_end, 0);
    if (packet_.tu_checksum) {
        const u32 length = large ? static_cast<u32>(frame.size() - o.tu_start) : 0;
        put(o.tu_start, o.tu_offset, o.tu_end, length);
    }
}

void E1000::finish_packet(const TxDescriptor& last) {
    const bool with_vlan = (last.command() & tx_command::vlan) && (reg(CTRL) & ctrl::vlan_mode);
    std::vector<u8>& bytes = packet_.bytes;
    const auto give_back = [this] {
        const size_t kept = packet_.bytes.capacity();
        std::vector<u8> empty = std::move(packet_.bytes);
        empty.clear();
        packet_ = {};
        if (kept <= kLongestPacket) packet_.bytes = std::move(empty);
    };
    if (packet_.too_long || bytes.size() < net::kEthernetHeader) return give_back();
    if (packet_.segment) {
        const Offload& o = segment_context_;
        const net::LargeSend layout{.ip = o.ip_start,
                                    .transport = o.tu_start,
                                    .header = o.header,
                                    .mss = o.mss,
                                    .v4 = o.v4,
                                    .tcp = o.tcp};
        (void)net::for_each_segment(bytes, layout, [&](std::span<u8> frame) {
            put_checksums(frame, true);
            send(frame, with_vlan, last.special());
        });
        return give_back();
    }
    if (!last.extended()) {
        const size_t start = last.checksum_start(), offset = last.checksum_offset();
        if ((last.command() & tx_command::checksum) && start < bytes.size() && offset + 2 <= bytes.size()) {
            const u16 sum = net::ones_sum(std::span(bytes).subspan(start));
            net::store_be16(&bytes[offset], static_cast<u16>(~sum));
        }
    } else {
        put_checksums(bytes, false);
    }
    // Without IFCS the guest's own four bytes are the FCS.
    std::span<u8> frame(bytes);
    if (!(last.command() & tx_command::fcs) && frame.size() >= net::kShortestFrame + net::kFcs)
        frame = frame.first(frame.size() - net::kFcs);
    send(frame, with_vlan, last.special());
    give_back();
}

void E1000::send(std::span<u8> frame, bool with_vlan, u16 tag) {
    if (frame.size() > net::kLongestFrame) return;
    count(TPT, TOTL, frame.size() + net::kFcs);
    count(GPTC, GOTCL, frame.size() + net::kFcs);
    if (net::is_broadcast(frame)) {
        ++reg(BPTC);
    } else if (net::is_multicast(frame)) {
        ++reg(MPTC);
    }
    if (backend_ == nullptr || !link_up_) return;
    if (!with_vlan) return backend_->send(frame);
    std::vector<u8> tagged(frame.begin(), frame.begin() + 12);
    tagged.resize(16);
    net::store_be16(&tagged[12], reg(VET));
    net::store_be16(&tagged[14], tag);
    tagged.insert(tagged.end(), frame.begin() + 12, frame.end());
    backend_->send(tagged);
}

}  // namespace mynah
