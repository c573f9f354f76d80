#include "devices/edid.h"

#include <algorithm>
#include <numeric>
#include <string_view>

namespace mynah {

namespace {

// Offsets of the block's parts (table 3.1) and the length of a descriptor.
constexpr size_t kEstablished = 35, kStandard = 38, kFirstDescriptor = 54, kDescriptor = 18;

// Three letters of five bits, "A" is 1; the first is in the high bits of the first byte.
constexpr u16 manufacturer(std::string_view s) {
    return static_cast<u16>((s[0] - '@') << 10 | (s[1] - '@') << 5 | (s[2] - '@'));
}

enum class Aspect : u8 { w16_h10, w4_h3, w5_h4, w16_h9 };

struct Standard {
    u16 width;
    Aspect aspect;
};
constexpr std::array<Standard, 8> kStandardTimings{{{1280, Aspect::w16_h9},
                                                    {1280, Aspect::w16_h10},
                                                    {1280, Aspect::w5_h4},
                                                    {1440, Aspect::w16_h10},
                                                    {1600, Aspect::w4_h3},
                                                    {1680, Aspect::w16_h10},
                                                    {1920, Aspect::w16_h9},
                                                    {1920, Aspect::w16_h10}}};

// Table 3.21. Lengths in pixels and lines.
struct Timing {
    u32 clock;  // units of 10 kHz
    u16 width, horizontal_blank, horizontal_front, horizontal_sync;
    u16 height, vertical_blank, vertical_front, vertical_sync;
};
// 1024x768 at 60 Hz (VESA Display Monitor Timing).
constexpr Timing kPreferred{6500, 1024, 320, 24, 136, 768, 38, 3, 6};
constexpr u8 kWidthCm = 36, kHeightCm = 27;

void put_timing(u8* d, const Timing& t) {
    d[0] = static_cast<u8>(t.clock);
    d[1] = static_cast<u8>(t.clock >> 8);
    d[2] = static_cast<u8>(t.width);
    d[3] = static_cast<u8>(t.horizontal_blank);
    d[4] = static_cast<u8>((t.width >> 8) << 4 | t.horizontal_blank >> 8);
    d[5] = static_cast<u8>(t.height);
    d[6] = static_cast<u8>(t.vertical_blank);
    d[7] = static_cast<u8>((t.height >> 8) << 4 | t.vertical_blank >> 8);
    d[8] = static_cast<u8>(t.horizontal_front);
    d[9] = static_cast<u8>(t.horizontal_sync);
    d[10] = static_cast<u8>((t.vertical_front & 15) << 4 | (t.vertical_sync & 15));
    d[11] = static_cast<u8>((t.horizontal_front >> 8) << 6 | (t.horizontal_sync >> 8) << 4 |
                            (t.vertical_front >> 4) << 2 | t.vertical_sync >> 4);
    constexpr u16 width_mm = kWidthCm * 10, height_mm = kHeightCm * 10;
    d[12] = static_cast<u8>(width_mm);
    d[13] = static_cast<u8>(height_mm);
    d[14] = static_cast<u8>((width_mm >> 8) << 4 | height_mm >> 8);
    d[17] = 0x18;  // separate syncs, both negative
}

// The descriptors that are no timings: their tag, then up to 13 bytes.
void put_text(u8* d, u8 tag, std::string_view text) {
    d[3] = tag;
    std::fill_n(d + 5, 13, u8{' '});
    std::copy(text.begin(), text.end(), d + 5);
    if (text.size() < 13) d[5 + text.size()] = '\n';
}

void put_range(u8* d) {
    d[3] = 0xFD;
    constexpr std::array<u8, 13> limits{50,          // lowest vertical frequency, Hz
                                        75,   30,    // highest; lowest horizontal, kHz
                                        100,  0x1A,  // highest; pixel clock, units of 10 MHz
                                        0x01, '\n', ' ', ' ', ' ', ' ', ' ', ' '};
    std::copy(limits.begin(), limits.end(), d + 5);
}

}  // namespace

Edid make_edid() {
    Edid e{};
    std::fill_n(e.begin() + 1, 6, u8{0xFF});
    constexpr u16 id = manufacturer("MYN");
    e[8] = id >> 8;
    e[9] = id & 0xFF;
    e[10] = 1;            // product
    e[17] = 2024 - 1990;  // made in
    e[18] = 1;            // version and revision
    e[19] = 4;
    e[20] = 0xA0;  // digital, 8 bits a colour
    e[21] = kWidthCm;
    e[22] = kHeightCm;
    e[23] = 120;   // gamma 2.2
    e[24] = 0x06;  // sRGB; the first timing is the preferred one
    // sRGB's primaries and white (IEC 61966-2-1) in 1/1024: two low bits of each, then the high eight.
    constexpr std::array<u16, 8> points{655, 338, 307, 614, 154, 61, 320, 337};
    for (size_t i = 0; i < points.size(); ++i) {
        e[25 + i / 4] = static_cast<u8>(e[25 + i / 4] | (points[i] & 3) << (6 - 2 * (i % 4)));
        e[27 + i] = static_cast<u8>(points[i] >> 2);
    }
    e[kEstablished] = 0x21;      // 640x480 and 800x600 at 60 Hz
    e[kEstablished + 1] = 0x08;  // 1024x768 at 60 Hz
    for (size_t i = 0; i < kStandardTimings.size(); ++i) {
        e[kStandard + 2 * i] = static_cast<u8>(kStandardTimings[i].width / 8 - 31);
        e[kStandard + 2 * i + 1] = static_cast<u8>(static_cast<unsigned>(kStandardTimings[i].aspect) << 6);
    }
    u8* const first = e.data() + kFirstDescriptor;
    put_timing(first, kPreferred);
    put_range(first + kDescriptor);
    put_text(first + 2 * kDescriptor, 0xFC, "mynah");
    first[3 * kDescriptor + 3] = 0x10;  // a dummy
    e[127] = static_cast<u8>(-std::accumulate(e.begin(), e.end() - 1, 0));
    return e;
}

}  // namespace mynah
