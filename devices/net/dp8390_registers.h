// Bits of the DP8390's registers (data sheet 10.3), as far as the adapter acts on them.
#pragma once

#include "base/types.h"

namespace mynah::dp8390 {

namespace command {
inline constexpr u8 stop = 1, start = 2, transmit = 4, dma = 0x38, dma_read = 0x08, dma_write = 0x10,
                    dma_send_packet = 0x18, dma_none = 0x20;
}
namespace interrupt {
inline constexpr u8 received = 1, sent = 2, overwritten = 0x10, dma_done = 0x40, reset = 0x80;
}
namespace data_config {
inline constexpr u8 words = 1;
}
namespace receive_config {
inline constexpr u8 runts = 2, broadcast = 4, multicast = 8, promiscuous = 0x10, monitor = 0x20;
}
namespace transmit_config {
inline constexpr u8 no_crc = 1, loopback = 6;
}
namespace receive_status {
inline constexpr u8 intact = 1, group = 0x20, disabled = 0x40;
}
namespace transmit_status {
inline constexpr u8 sent = 1;
}

}  // namespace mynah::dp8390
