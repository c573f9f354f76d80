// IDENTIFY DEVICE data of disks (ATA/ATAPI-6 table 27; T13 1410D 8.15).
#include <algorithm>
#include <cstring>

#include "devices/ata_disk.h"

namespace mynah {

void AtaDisk::fill_identify() {
    std::array<u16, 256> w{};
    const auto put32 = [&w](unsigned at, u64 v) {
        w[at] = static_cast<u16>(v);
        w[at + 1] = static_cast<u16>(v >> 16);
    };
    w[0] = 0x0040;  // fixed disk
    w[1] = static_cast<u16>(cylinders_);
    w[3] = kHeads;
    w[4] = kSectorsPerTrack * kSectorSize;  // obsolete; old drivers divide by it
    w[5] = kSectorSize;
    w[6] = kSectorsPerTrack;
    put_string(std::span(w).subspan(10, 10), serial_);
    w[20] = 3;    // dual-ported cache
    w[21] = 512;  // of 256 KiB
    w[22] = 4;
    put_string(std::span(w).subspan(23, 4), "0.1");
    put_string(std::span(w).subspan(27, 20), model_);
    w[47] = 0x8000 | kMaxMultiple;
    w[48] = 1;       // 32-bit data port accesses
    w[49] = 0x0F00;  // IORDY, LBA, DMA
    w[50] = 0x4000;
    w[51] = 0x0200;
    w[52] = 0x0200;
    w[53] = 7;  // words 54-58, 64-70 and 88 are valid
    // The current translation; cylinders as many as fit.
    const u64 capacity = std::min<u64>(sectors_, u64{16383} * kHeads * kSectorsPerTrack);
    const u64 current_cylinders = std::min<u64>(capacity / (current_heads_ * current_sectors_), 65535);
    w[54] = static_cast<u16>(current_cylinders);
    w[55] = static_cast<u16>(current_heads_);
    w[56] = static_cast<u16>(current_sectors_);
    put32(57, current_cylinders * current_heads_ * current_sectors_);
    w[59] = multiple_ != 0 ? static_cast<u16>(0x100 | multiple_) : u16{0};
    put32(60, std::min<u64>(sectors_, 0x0FFFFFFF));
    const auto selected = [this](u8 first) {
        return (dma_mode_ & 0xF8) == first ? static_cast<u16>(0x100u << (dma_mode_ & 7)) : u16{0};
    };
    w[63] = 0x0007 | selected(0x20);
    w[64] = 3;  // PIO modes 3 and 4
    w[65] = w[66] = w[67] = w[68] = 120;
    w[80] = 0x00F0;  // ATA-4 to ATA-7
    w[81] = 0x0016;
    w[82] = 0x7068;  // NOP, READ/WRITE BUFFER, look-ahead, write cache, power management
    w[83] = 0x7400;  // FLUSH CACHE and EXT, 48-bit addresses
    w[84] = 0x4000;
    w[85] = static_cast<u16>(0x7008 | (write_cache_ ? 0x20 : 0) | (look_ahead_ ? 0x40 : 0));
    w[86] = 0x3400;
    w[87] = 0x4000;
    w[88] = 0x003F | selected(0x40);
    w[93] = static_cast<u16>(0x6001 | (unit_ == 0 ? 0x000A : 0x0A00));  // 80-wire cable, result of the reset
    put32(100, sectors_);
    put32(102, sectors_ >> 32);
    if (medium_.can_discard()) {
        w[105] = kMaxTrimBlocks;
        w[169] = 1;  // TRIM; what is trimmed may read as before
    }
    w[255] = 0xA5;
    u8 sum = 0;
    for (const u16 word : w) sum = static_cast<u8>(sum + (word & 0xFF) + (word >> 8));
    w[255] |= static_cast<u16>(static_cast<u8>(-sum) << 8);
    buffer_.resize(kSectorSize);
    std::memcpy(buffer_.data(), w.data(), kSectorSize);
}

}  // namespace mynah
