// The network adapter against a cable in memory: offloads of both directions, filters, buffers.
#include "devices/virtio/net.h"

#include <gtest/gtest.h>

#include "network_bench.h"
#include "virtio_driver.h"

namespace mynah::test {
namespace {

constexpr u8 kTcp = 6;
constexpr size_t kPayload = 54;  // Ethernet, IPv4 and TCP without options

void put16(std::vector<u8>& f, size_t at, u32 v) {
    f[at] = static_cast<u8>(v >> 8);
    f[at + 1] = static_cast<u8>(v);
}
u32 get16(const std::vector<u8>& f, size_t at) {
    return static_cast<u32>(f[at] << 8 | f[at + 1]);
}

// The checksum of RFC 1071, the slow way.
u16 checksum(std::span<const u8> bytes, u32 start = 0) {
    u32 sum = start;
    for (size_t i = 0; i < bytes.size(); ++i) sum += i & 1 ? bytes[i] : u32{bytes[i]} << 8;
    while (sum >> 16) sum = (sum & 0xFFFF) + (sum >> 16);
    return static_cast<u16>(sum);
}
u32 pseudo(const std::vector<u8>& f, u8 protocol) {
    return checksum(std::span(f).subspan(26, 8), protocol + static_cast<u32>(get16(f, 16) - 20));
}

// A TCP frame with right checksums.
std::vector<u8> tcp(u32 sequence, size_t payload, u8 flags = 0x10) {
    std::vector<u8> f(kPayload + payload);
    const u8 start[] = {0x52, 0x54, 0, 0x12, 0x34, 0x56, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0};
    std::copy(std::begin(start), std::end(start), f.begin());
    put16(f, 16, static_cast<u32>(40 + payload));
    put16(f, 18, 0x100 + sequence);
    f[20] = 0x40;
    f[22] = 64;
    f[23] = kTcp;
    const u8 addresses[] = {10, 0, 2, 2, 10, 0, 2, 15};
    std::copy(std::begin(addresses), std::end(addresses), f.begin() + 26);
    put16(f, 24, ~checksum(std::span(f).subspan(14, 20)) & 0xFFFFu);
    put16(f, 34, 80);
    put16(f, 36, 4000);
    put16(f, 38, sequence >> 16);
    put16(f, 40, sequence & 0xFFFF);
    f[46] = 0x50;
    f[47] = flags;
    put16(f, 48, 1000);
    for (size_t i = 0; i < payload; ++i) f[kPayload + i] = static_cast<u8>(sequence + i);
    put16(f, 50, ~checksum(std::span(f).subspan(34), pseudo(f, kTcp)) & 0xFFFFu);
    return f;
}

void expect_right(const std::vector<u8>& f) {
    EXPECT_EQ(get16(f, 16) + 14, f.size());
    EXPECT_EQ(checksum(std::span(f).subspan(14, 20)), 0xFFFF);
    EXPECT_EQ(checksum(std::span(f).subspan(34), pseudo(f, kTcp)), 0xFFFF);
}

struct NetBench : Bench {
    FakeNetwork cable;
    VirtioNet net{"virtio-net0", queue, &cable, kMac};
    VirtioDriver d{*this, net};
    static constexpr u64 kAll =
        VirtioDriver::kVersion1 | 1u << 0 | 1u << 1 | 1u << 7 | 1u << 11 | 1u << 15 | 1u << 17;
    explicit NetBench(u64 features = kAll) { d.start(3, features); }

    void send(std::vector<u8> header, const std::vector<u8>& frame) {
        header.resize(12);
        d.put(0x10000, header);
        d.put(0x20000, frame);
        d.offer(1, {{0x10000, 12}, {0x20000, static_cast<u32>(frame.size())}});
        d.notify(1);
    }
    void arrive(std::vector<u8> frame) {
        cable.waiting.push_back(std::move(frame));
        net.frames_waiting();
        run(1000);
    }
    u8 control(std::vector<u8> bytes) {
        d.put(0x30000, bytes);
        d.offer(2, {{0x30000, static_cast<u32>(bytes.size())}, {0x31000, 1, true}});
        d.notify(2);
        return static_cast<u8>(memory->read(0x31000, 1));
    }
};

TEST(VirtioNet, SendsFramesAndCompletesChecksums) {
    NetBench b;
    const std::vector<u8> right = tcp(7, 101);
    b.send({}, right);
    ASSERT_EQ(b.cable.sent.size(), 1u);
    EXPECT_EQ(b.cable.sent[0], right);
    // As a driver leaves it: the pseudo header's sum in the field.
    std::vector<u8> partial = right;
    put16(partial, 50, checksum({}, pseudo(right, kTcp)));
    b.send({1, 0, 0, 0, 0, 0, 34, 0, 16, 0}, partial);
    ASSERT_EQ(b.cable.sent.size(), 2u);
    EXPECT_EQ(b.cable.sent[1], right);
    // A field outside the frame.
    b.send({1, 0, 0, 0, 0, 0, 0xFF, 0xFF, 16, 0}, partial);
    b.send({1, 0, 0, 0, 0, 0, 34, 0, 0xFF, 0xFF}, partial);
    EXPECT_EQ(b.cable.sent.size(), 2u);
    EXPECT_EQ(b.d.used(1), 4u);
}

TEST(VirtioNet, CutsLongSegments) {
    NetBench b;
    const std::vector<u8> whole = tcp(0x1FFFFF00, 3500, 0x99);  // CWR, ACK, PSH, FIN
    b.send({1, 1, 54, 0, 0xB4, 0x05, 34, 0, 16, 0}, whole);
    ASSERT_EQ(b.cable.sent.size(), 3u);
    std::vector<u8> payload;
    u32 sequence = 0x1FFFFF00;
    for (const std::vector<u8>& f : b.cable.sent) {
        expect_right(f);
        EXPECT_EQ(get16(f, 38) << 16 | get16(f, 40), sequence);
        sequence += static_cast<u32>(f.size() - kPayload);
        payload.insert(payload.end(), f.begin() + kPayload, f.end());
    }
    EXPECT_EQ(b.cable.sent[0].size(), kPayload + 1460);
    EXPECT_EQ(b.cable.sent[0][47], 0x90);
    EXPECT_EQ(b.cable.sent[1][47], 0x10);
    EXPECT_EQ(b.cable.sent[2][47], 0x19);
    EXPECT_TRUE(std::equal(payload.begin(), payload.end(), whole.begin() + kPayload));
    // Nothing to cut, or to nothing.
    b.send({1, 1, 54, 0, 0, 0}, whole);
    b.send({1, 1, 54, 0, 0xB4, 5}, std::vector<u8>(100, 0x45));
    b.send({1, 3, 54, 0, 0xB4, 5}, whole);
    EXPECT_EQ(b.cable.sent.size(), 3u);
}

TEST(VirtioNet, ReceivesIntoSeveralBuffers) {
    NetBench b;
    const std::vector<u8> frame = tcp(1, 400);
    b.arrive(frame);
    b.d.offer(0, {{0x20000, 100, true}}, 0);
    b.d.notify(0);
    EXPECT_EQ(b.d.used(0), 0u) << "not enough";
    const std::vector<u8> saved = save(b.net);
    EXPECT_EQ(load(b.net, saved), "");
    b.d.offer(0, {{0x21000, 200, true}, {0x22000, 100, true}}, 1);
    b.d.offer(0, {{0x23000, 1000, true}}, 4);
    b.d.notify(0);
    EXPECT_EQ(b.d.used(0), 3u);
    EXPECT_EQ(b.d.get_bytes(0x20000, 12), (std::vector<u8>{2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0}));
    std::vector<u8> got = b.d.get_bytes(0x2000C, 88);
    for (const auto& [at, n] : {std::pair{0x21000u, 200u}, {0x22000u, 100u}, {0x23000u, 66u}}) {
        const std::vector<u8> part = b.d.get_bytes(at, n);
        got.insert(got.end(), part.begin(), part.end());
    }
    EXPECT_EQ(got, frame);
    EXPECT_EQ(b.d.written(0, 2), 66u);
}

TEST(VirtioNet, VouchesForRightChecksumsOnly) {
    NetBench b;
    std::vector<u8> wrong = tcp(1, 50);
    wrong.back() ^= 1;
    b.d.offer(0, {{0x20000, 2000, true}}, 0);
    b.d.notify(0);
    b.arrive(wrong);
    EXPECT_EQ(b.memory->read(0x20000, 1), 0u);
    EXPECT_EQ(b.d.used(0), 1u);
}

TEST(VirtioNet, JoinsSegments) {
    NetBench b;
    std::vector<u8> wrong = tcp(4001, 1000);
    wrong[60] ^= 1;
    for (const auto& f :
         {tcp(1, 1000), tcp(1001, 1000), tcp(2001, 1000), tcp(3001, 1000, 0x18), wrong, tcp(9000, 10)})
        b.cable.waiting.push_back(f);
    for (u16 i = 0; i < 3; ++i) b.d.offer(0, {{0x20000 + 0x2000u * i, 0x2000, true}}, i);
    b.d.notify(0);
    EXPECT_EQ(b.d.used(0), 3u);
    const std::vector<u8> header = b.d.get_bytes(0x20000, 12);
    EXPECT_EQ(header, (std::vector<u8>{1, 1, 54, 0, 0xE8, 3, 34, 0, 16, 0, 1, 0}));
    std::vector<u8> joined = b.d.get_bytes(0x2000C, kPayload + 4000);
    EXPECT_EQ(b.d.written(0, 0), 12 + joined.size());
    EXPECT_EQ(joined[47], 0x18);
    // Once completed as the header says it is right as a whole.
    ASSERT_TRUE(complete_checksum(joined, 34, 16));
    expect_right(joined);
    for (size_t i = 0; i < 4000; ++i) ASSERT_EQ(joined[kPayload + i], static_cast<u8>(1 + i));
    EXPECT_EQ(b.d.written(0, 1), 12 + kPayload + 1000);
    EXPECT_EQ(b.memory->read(0x22000, 1), 0u);
    EXPECT_EQ(b.d.written(0, 2), 12 + kPayload + 10);
}

TEST(VirtioNet, Filters) {
    NetBench b;
    for (u16 i = 0; i < 6; ++i) b.d.offer(0, {{0x40000 + 0x1000u * i, 0x1000, true}}, i);
    const auto taken = [&](u8 first, u8 last) {
        std::vector<u8> f = tcp(1, 20);
        f[0] = first;
        f[5] = last;
        b.arrive(f);
        return b.d.used(0) == 1;
    };
    EXPECT_TRUE(taken(0x50, 1)) << "everything at first";
    EXPECT_EQ(b.control({0, 0, 0}), 0);
    EXPECT_FALSE(taken(0x50, 1));
    EXPECT_TRUE(taken(0x52, 0x56));
    EXPECT_FALSE(taken(0x33, 1));
    EXPECT_EQ(b.control({1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x33, 0x54, 0, 0x12, 0x34, 1}), 0);
    EXPECT_TRUE(taken(0x33, 1));
    EXPECT_FALSE(taken(0x33, 2));
    EXPECT_EQ(b.control({0, 1, 1}), 0);
    EXPECT_TRUE(taken(0x33, 2));
    EXPECT_EQ(b.control({1, 1, 0x50, 0x54, 0, 0x12, 0x34, 9}), 0);
    EXPECT_TRUE(taken(0x50, 9));
    EXPECT_EQ(b.memory->read(b.d.at[4] + 5, 1), 9u);
    // Nonsense.
    EXPECT_EQ(b.control({0, 9, 1}), 1);
    EXPECT_EQ(b.control({7, 0, 1}), 1);
    EXPECT_EQ(b.control({1, 0, 0xFF, 0xFF, 0xFF, 0xFF}), 1);
    EXPECT_FALSE(b.d.needs_reset());
}

}  // namespace
}  // namespace mynah::test
