// Registers and bits of the RTL8139C+ (Realtek RTL8139C+ data sheet, rev. 1.6, ch. 6), as far as the adapter
// acts on them.
#pragma once

#include "base/types.h"

namespace mynah::rtl8139 {

enum Register : u8 {
    IDR = 0x00,
    MAR = 0x08,
    TSD = 0x10,   // C mode: four words; C+ mode: statistics dump at 10h
    TSAD = 0x20,  // C mode: four words; C+ mode: rings at 20h (normal) and 28h (high priority)
    RBSTART = 0x30,
    ERBCR = 0x34,
    ERSR = 0x36,
    CR = 0x37,
    CAPR = 0x38,
    CBR = 0x3A,
    IMR = 0x3C,
    ISR = 0x3E,
    TCR = 0x40,
    RCR = 0x44,
    TCTR = 0x48,
    MPC = 0x4C,
    EE9346CR = 0x50,
    CONFIG0 = 0x51,
    CONFIG1 = 0x52,
    TIMER_INT = 0x54,
    MSR = 0x58,
    CONFIG3 = 0x59,
    CONFIG4 = 0x5A,
    MULINT = 0x5C,
    RERID = 0x5E,
    TSAD_SUMMARY = 0x60,
    BMCR = 0x62,
    BMSR = 0x64,
    ANAR = 0x66,
    ANLPAR = 0x68,
    ANER = 0x6A,
    CSCR = 0x74,
    CONFIG5 = 0xD8,
    TPPOLL = 0xD9,
    CPCR = 0xE0,
    RX_RING = 0xE4,
    ETTHR = 0xEC,
    registers_end = 0xFF,
};

namespace command {
inline constexpr u8 buffer_empty = 1, transmit = 4, receive = 8, reset = 0x10;
}
namespace interrupt {
inline constexpr u16 received = 1, sent = 4, no_descriptor = 0x10, no_tx_descriptor = 0x80, software = 0x100,
                     timer = 0x4000, all = 0xE1FF;
}
namespace tsd {
inline constexpr u32 size = 0x1FFF, own = 1u << 13, ok = 1u << 15;
}
namespace tcr {
inline constexpr u32 loopback = 0x60000, no_fcs = 0x10000, writable = 0x030707F0,
                     version = 0x7480'0000;  // the C+
}
namespace rcr {
inline constexpr u32 all_physical = 1, own = 2, multicast = 4, broadcast = 8, wrap = 0x80,
                     writable = 0x0F03FFBF;
}
namespace cpcr {
inline constexpr u16 transmit = 1, receive = 2, checksum = 0x20, vlan = 0x40, writable = 0x7B;
}
// C+ descriptors (9.1, 9.2): the first word's bits.
namespace cp {
inline constexpr u32 own = 1u << 31, end_of_ring = 1u << 30, first = 1u << 29, last = 1u << 28,
                     large = 1u << 27, ip = 1u << 18, udp = 1u << 17, tcp = 1u << 16;
inline constexpr u32 multicast = 1u << 26, physical = 1u << 25, broadcast = 1u << 24, ip_failed = 1u << 15,
                     udp_failed = 1u << 14, tcp_failed = 1u << 13;
inline constexpr u32 tx_tag = 1u << 17, rx_tag = 1u << 16;  // second word
}  // namespace cp

}  // namespace mynah::rtl8139
