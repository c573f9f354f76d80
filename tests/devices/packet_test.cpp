#include "devices/net/packet.h"

#include <gtest/gtest.h>

#include "network_bench.h"

namespace mynah::test {
namespace {

TEST(Packet, FcsIsCrc32) {
    // The check value of CRC-32/ISO-HDLC.
    const std::string_view text = "123456789";
    EXPECT_EQ(net::frame_check({reinterpret_cast<const u8*>(text.data()), text.size()}), 0xCBF43926u);
}

TEST(Packet, MulticastHashIsTheUpperBitsOfTheCrc) {
    // All hosts, 224.0.0.1; and bit by bit, as the data sheets draw the register.
    for (u8 last : {u8{1}, u8{2}, u8{0xFB}}) {
        const net::MacAddress group{0x01, 0x00, 0x5E, 0x00, 0x00, last};
        u32 crc = ~u32{0};
        for (u8 byte : group) {
            for (unsigned i = 0; i < 8; ++i, byte = static_cast<u8>(byte >> 1)) {
                const bool carry = (crc >> 31) ^ (byte & 1);
                crc = (crc << 1) ^ (carry ? 0x04C11DB7 : 0);
            }
        }
        EXPECT_EQ(net::multicast_hash(group), crc >> 26);
    }
}

TEST(Packet, OnesSumOfRfc1071) {
    const u8 data[] = {0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7};
    EXPECT_EQ(net::ones_sum(data), 0xDDF2u);
    EXPECT_EQ(net::ones_sum(std::span(data).first(3)), 0xF201u);  // an odd byte counts as a high one
    EXPECT_EQ(net::ones_sum({}, 0x1FFFE), 0xFFFFu);
}

TEST(Packet, ParsesOnlyWhatFits) {
    std::vector<u8> f = tcp_frame(10);
    ASSERT_TRUE(net::parse_ip(f));
    EXPECT_EQ(net::parse_ip(f)->transport, 34u);
    EXPECT_TRUE(checksums_good(f));
    for (size_t size = 0; size < f.size(); ++size)
        EXPECT_FALSE(net::parse_ip(std::span(f).first(size))) << size;
    f[14] = 0x4F;  // a header longer than the packet
    EXPECT_FALSE(net::parse_ip(f));
    f[14] = 0x44;
    EXPECT_FALSE(net::parse_ip(f));
}

TEST(Packet, SegmentsCountUp) {
    const std::vector<u8> big = tcp_frame(3000);
    std::vector<std::vector<u8>> out;
    ASSERT_TRUE(net::for_each_segment(big, {.ip = 14, .transport = 34, .header = 54, .mss = 1400},
                                      [&](std::span<u8> f) { out.emplace_back(f.begin(), f.end()); }));
    ASSERT_EQ(out.size(), 3u);
    EXPECT_EQ(out[2].size(), 54u + 200);
    for (unsigned i = 0; i < 3; ++i) {
        EXPECT_EQ(net::load_be16(&out[i][18]), 0x1234 + i);
        EXPECT_EQ(net::load_be32(&out[i][38]), 1000 + 1400 * i);
        EXPECT_EQ(net::load_be16(&out[i][16]), out[i].size() - 14);
        EXPECT_EQ(out[i][47], i == 2 ? 0x19 : 0x10) << "FIN and PSH belong to the last one";
        EXPECT_EQ(out[i][54], big[54 + 1400 * i]);
    }
}

TEST(Packet, SegmentsRefuseLayoutsThatDoNotFit) {
    const std::vector<u8> big = tcp_frame(3000);
    const auto never = [](std::span<u8>) { FAIL(); };
    EXPECT_FALSE(net::for_each_segment(big, {.ip = 14, .transport = 34, .header = 54, .mss = 0}, never));
    EXPECT_FALSE(net::for_each_segment(big, {.ip = 14, .transport = 34, .header = 5000, .mss = 9}, never));
    EXPECT_FALSE(net::for_each_segment(big, {.ip = 14, .transport = 34, .header = 40, .mss = 9}, never));
    EXPECT_FALSE(net::for_each_segment(big, {.ip = 0, .transport = 34, .header = 54, .mss = 9}, never));
    EXPECT_FALSE(net::for_each_segment(big, {.ip = 14, .transport = 34, .header = 54, .mss = 1}, never));
}

}  // namespace
}  // namespace mynah::test
