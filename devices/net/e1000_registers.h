// Registers and bits of the 82540EM ("PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's
// Manual", 317453, ch. 13), as far as the adapter acts on them.
#pragma once

#include "base/types.h"

namespace mynah::e1000 {

enum Register : u32 {
    CTRL = 0x0000,
    STATUS = 0x0008,
    EECD = 0x0010,
    EERD = 0x0014,
    CTRL_EXT = 0x0018,
    MDIC = 0x0020,
    FCAL = 0x0028,
    VET = 0x0038,
    ICR = 0x00C0,
    ITR = 0x00C4,
    ICS = 0x00C8,
    IMS = 0x00D0,
    IMC = 0x00D8,
    RCTL = 0x0100,
    TCTL = 0x0400,
    TIPG = 0x0410,
    AIFS = 0x0458,
    LEDCTL = 0x0E00,
    PBA = 0x1000,
    FCRTL = 0x2160,
    RDBAL = 0x2800,
    RDBAH = 0x2804,
    RDLEN = 0x2808,
    RDH = 0x2810,
    RDT = 0x2818,
    RDTR = 0x2820,
    TDBAL = 0x3800,
    TDBAH = 0x3804,
    TDLEN = 0x3808,
    TDH = 0x3810,
    TDT = 0x3818,
    TIDV = 0x3820,
    statistics = 0x4000,
    MPC = 0x4010,
    GPRC = 0x4074,
    BPRC = 0x4078,
    MPRC = 0x407C,
    GPTC = 0x4080,
    GORCL = 0x4088,
    GOTCL = 0x4090,
    TORL = 0x40C0,
    TOTL = 0x40C8,
    TPR = 0x40D0,
    TPT = 0x40D4,
    MPTC = 0x40F0,
    BPTC = 0x40F4,
    statistics_end = 0x4100,
    RXCSUM = 0x5000,
    MTA = 0x5200,
    RA = 0x5400,
    VFTA = 0x5600,
    WUC = 0x5800,
    registers_end = 0x5A00,
};

namespace ctrl {
inline constexpr u32 reset = 1u << 26, vlan_mode = 1u << 30, phy_reset = 1u << 31;
}
namespace status {
// Full duplex at 1000 Mb/s.
inline constexpr u32 fixed = 0x281, link_up = 2;
}  // namespace status
namespace eecd {
inline constexpr u32 clock = 1, select = 2, data_in = 4, data_out = 8, request = 0x40, grant = 0x80,
                     present = 0x100, writable = clock | select | data_in | 0x30 | request;
}
namespace cause {
inline constexpr u32 tx_written = 1, tx_empty = 2, link = 4, rx_threshold = 0x10, rx_timer = 0x80,
                     mdio = 0x200, all = 0x1FFFF;
}
namespace rctl {
inline constexpr u32 enable = 2, unicast_all = 8, multicast_all = 0x10, long_packets = 0x20,
                     broadcast = 0x8000, vlan_filter = 0x40000, canonical_enable = 0x80000,
                     canonical = 0x100000, extended_size = 0x2000000, strip_fcs = 0x4000000;
}
namespace tctl {
inline constexpr u32 enable = 2;
}
namespace rxcsum {
inline constexpr u32 start = 0xFF, ip = 0x100, tcp_udp = 0x200;
}
namespace tx_command {
inline constexpr u32 end = 1, fcs = 2, checksum = 4, segment = 4, report = 8, extended = 0x20, vlan = 0x40;
}
namespace tu_command {
inline constexpr u32 tcp = 1, ipv4 = 2;
}
namespace rx_status {
inline constexpr u8 done = 1, end = 2, no_checksum = 4, vlan = 8, udp = 0x10, tcp = 0x20, ip = 0x40,
                    inexact = 0x80;
inline constexpr u8 tcp_error = 0x20, ip_error = 0x40;
}  // namespace rx_status

}  // namespace mynah::e1000
