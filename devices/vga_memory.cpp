// The graphics controller's and the sequencer's part in memory accesses.
#include "base/bits.h"
#include "devices/vga_core.h"

namespace mynah {

namespace {

constexpr u32 kPlaneMask = 0xFFFF;

u32 spread(unsigned planes) {
    u32 out = 0;
    for (unsigned p = 0; p < 4; ++p) {
        if (bit(planes, p)) out |= 0xFFu << (8 * p);
    }
    return out;
}

}  // namespace

// Window to address, by GR6's memory map select; false: not decoded.
bool VgaCore::window_address(u32& offset) const {
    if (!(regs_.misc_output & 2) || !(regs_.enable & 1)) return false;
    switch (bits(regs_.graphics[6], 3, 2)) {
        case 0:
            return true;
        case 1:
            return offset < 0x10000;
        case 2:
            offset -= 0x10000;
            return offset < 0x8000;
        default:
            offset -= 0x18000;
            return offset < 0x8000;
    }
}

void VgaCore::load_latches(u32 address) {
    for (unsigned p = 0; p < 4; ++p) regs_.latches[p] = plane(address, p);
}

u8 VgaCore::read_window(u32 offset, u32 bank) {
    if (!window_address(offset)) return 0xFF;
    const auto& gr = regs_.graphics;
    u32 address = offset;
    unsigned selected = gr[4] & 3;
    if (regs_.sequencer[4] & 8) {
        // Chain 4: the low address bits choose the plane and stay in the address as zeroes.
        selected = address & 3;
        address &= ~3u;
    } else if (gr[5] & 0x10) {
        selected = (selected & 2) | (address & 1);
        address &= ~1u;
    }
    address = bank + (address & kPlaneMask);
    load_latches(address);
    if (!(gr[5] & 8)) return regs_.latches[selected];
    // Read mode 1: a one for each pixel whose planes equal the colour compare, don't-care planes left out.
    u8 differs = 0;
    for (unsigned p = 0; p < 4; ++p) {
        if (bit(gr[7], p)) differs |= regs_.latches[p] ^ (bit(gr[2], p) ? 0xFF : 0x00);
    }
    return static_cast<u8>(~differs);
}

void VgaCore::write_window(u32 offset, u8 value, u32 bank) {
    if (!window_address(offset)) return;
    const auto& gr = regs_.graphics;
    u32 address = offset;
    unsigned planes = regs_.sequencer[2] & 0xF;
    if (regs_.sequencer[4] & 8) {
        planes &= 1u << (address & 3);
        address &= ~3u;
    } else if (!(regs_.sequencer[4] & 4)) {
        planes &= address & 1 ? 0xA : 0x5;
        address &= ~1u;
    }
    address = bank + (address & kPlaneMask);

    const u32 latch = load_le<u32>(regs_.latches.data());
    const u8 rotated = std::rotr(value, gr[3] & 7);
    u32 data = 0;
    u8 mask = gr[8];
    switch (gr[5] & 3) {
        case 0: {
            const u32 enable = spread(gr[1]);
            data = (rotated * 0x01010101u & ~enable) | (spread(gr[0]) & enable);
            break;
        }
        case 1:
            data = latch;
            break;
        case 2:
            data = spread(value & 0xFu);
            break;
        default:
            data = spread(gr[0]);
            mask &= rotated;
            break;
    }
    if ((gr[5] & 3) != 1) {
        switch (bits(gr[3], 4, 3)) {
            case 1:
                data &= latch;
                break;
            case 2:
                data |= latch;
                break;
            case 3:
                data ^= latch;
                break;
            default:
                break;
        }
        const u32 wide_mask = mask * 0x01010101u;
        data = (data & wide_mask) | (latch & ~wide_mask);
    }
    const u64 place = (u64{address} * 4) & (vram_.size() - 1);
    u8* at = &vram_[place];
    const u32 writable = spread(planes);
    dirty_.mark(place);
    store_le<u32>(at, (load_le<u32>(at) & ~writable) | (data & writable));
}

}  // namespace mynah
