#include "devices/net/dp8390.h"

#include "base/bits.h"
#include "devices/net/dp8390_registers.h"

namespace mynah {

using namespace dp8390;

namespace {

constexpr u64 kDataPort = 0x10, kResetPort = 0x18;
// How long a frame is on the cable: 100 Mb/s, ten times what the chip has.
constexpr Nanoseconds kByteTime = 80, kFrameGap = 960;

}  // namespace

Dp8390::Dp8390(EventQueue& queue, NetBackend* backend, const net::MacAddress& mac, bool pci, IrqLine irq)
    : backend_(backend),
      pci_(pci),
      irq_(std::move(irq)),
      transmit_timer_(queue, [this] { transmit(); }),
      receive_timer_(queue, [this] { receive(); }) {
    // Each byte stands twice, for the sake of words; 57h says that the card has 16-bit memory.
    for (size_t i = 0; i < 6; ++i) prom_[2 * i] = prom_[2 * i + 1] = mac[i];
    for (size_t i = 28; i < 32; ++i) prom_[i] = 0x57;
}

void Dp8390::reset() {
    memory_.fill(0);
    page_start_ = page_stop_ = boundary_ = current_ = 0;
    transmit_page_ = transmit_status_ = receive_status_ = 0;
    receive_config_ = transmit_config_ = data_config_ = 0;
    transmit_count_ = dma_address_ = dma_count_ = 0;
    physical_.fill(0);
    multicast_.fill(0);
    counters_.fill(0);
    config_3_ = 0;
    stop_and_reset();
}

// What the reset port reaches (10.2).
void Dp8390::stop_and_reset() {
    transmit_timer_.cancel();
    receive_timer_.cancel();
    command_ = command::stop | command::dma_none;
    interrupt_status_ = interrupt::reset;
    interrupt_mask_ = 0;
    waiting_.clear();
    tries_ = 0;
    update_interrupt();
}

void Dp8390::raise(u8 causes) {
    interrupt_status_ |= causes;
    update_interrupt();
}

void Dp8390::update_interrupt() {
    irq_.set((interrupt_status_ & interrupt_mask_ & 0x7F) != 0);
}

void Dp8390::write_command(u8 value) {
    const bool was_sending = command_ & command::transmit;
    // Neither start nor stop: it goes on as it was, which drivers use to switch pages.
    constexpr u8 state = command::start | command::stop;
    if (!(value & state)) value |= command_ & state;
    command_ = value & static_cast<u8>(~command::transmit);
    if (was_sending) command_ |= command::transmit;
    if (value & command::stop) {
        // What is being sent is sent to its end.
        interrupt_status_ |= interrupt::reset;
    } else if (value & command::start) {
        interrupt_status_ &= static_cast<u8>(~interrupt::reset);
        receive_timer_.arm_in(0);
    }
    const u8 dma = value & command::dma;
    if (dma == command::dma_send_packet) {
        // The packet at the boundary, whose length its header has (6.2).
        const u32 page = u32{boundary_} << 8;
        dma_address_ = static_cast<u16>(page);
        dma_count_ = static_cast<u16>(read_memory(page + 2) | read_memory(page + 3) << 8);
    } else if ((dma == command::dma_read || dma == command::dma_write) && dma_count_ == 0) {
        raise(interrupt::dma_done);
    }
    if ((value & command::transmit) && (value & command::start) && !was_sending) {
        command_ |= command::transmit;
        transmit_timer_.arm_in(transmit_count_ * kByteTime + kFrameGap);
    }
}

u8 Dp8390::read_register(u8 offset) {
    if (offset == 0) return command_;
    switch (command_ >> 6) {
        case 0:
            switch (offset) {
                case 0x1:
                    return static_cast<u8>(dma_address_);  // local DMA; nobody can tell
                case 0x2:
                    return static_cast<u8>(dma_address_ >> 8);
                case 0x3:
                    return boundary_;
                case 0x4:
                    return transmit_status_;
                case 0x7:
                    return interrupt_status_;
                case 0x8:
                    return static_cast<u8>(dma_address_);
                case 0x9:
                    return static_cast<u8>(dma_address_ >> 8);
                case 0xA:
                    return pci_ ? 'P' : 0xFF;
                case 0xB:
                    return pci_ ? 'C' : 0xFF;
                case 0xC:
                    return receive_status_;
                case 0xD:
                case 0xE:
                case 0xF:
                    return std::exchange(counters_[offset - 0xDu], u8{0});
                default:
                    return 0;
            }
        case 1:
            if (offset <= 6) return physical_[offset - 1u];
            return offset == 7 ? current_ : multicast_[offset - 8u];
        case 2:
            switch (offset) {
                case 0x1:
                    return page_start_;
                case 0x2:
                    return page_stop_;
                case 0x4:
                    return transmit_page_;
                case 0xC:
                    return receive_config_ | 0xC0;
                case 0xD:
                    return transmit_config_ | 0xE0;
                case 0xE:
                    return data_config_ | 0x80;
                case 0xF:
                    return interrupt_mask_ | 0x80;
                default:
                    return 0xFF;
            }
        default:
            // RTL8029 page 3 (its data sheet, 5.1): CONFIG0, CONFIG2, CONFIG3.
            if (!pci_) return 0xFF;
            return offset == 6 ? config_3_ & 0x40 : 0;
    }
}

void Dp8390::write_register(u8 offset, u8 value) {
    const auto low = [&](u16& to) { to = static_cast<u16>((to & 0xFF00) | value); };
    const auto high = [&](u16& to) { to = static_cast<u16>((to & 0x00FF) | value << 8); };
    if (offset == 0) return write_command(value);
    if (command_ >> 6 == 1) {
        if (offset <= 6) {
            physical_[offset - 1u] = value;
        } else if (offset == 7) {
            current_ = value;
        } else {
            multicast_[offset - 8u] = value;
        }
        return;
    }
    if (command_ >> 6 == 3 && pci_ && offset == 6) config_3_ = value;
    if (command_ >> 6 != 0) return;
    switch (offset) {
        case 0x1:
            page_start_ = value;
            return;
        case 0x2:
            page_stop_ = value;
            return;
        case 0x3:
            boundary_ = value;
            return receive_timer_.arm_in(0);
        case 0x4:
            transmit_page_ = value;
            return;
        case 0x5:
            return low(transmit_count_);
        case 0x6:
            return high(transmit_count_);
        case 0x7:
            // RST is a state and no cause.
            interrupt_status_ &= static_cast<u8>(~(value & 0x7F));
            return update_interrupt();
        case 0x8:
            return low(dma_address_);
        case 0x9:
            return high(dma_address_);
        case 0xA:
            return low(dma_count_);
        case 0xB:
            return high(dma_count_);
        case 0xC:
            receive_config_ = value & 0x3F;
            return receive_timer_.arm_in(0);
        case 0xD:
            transmit_config_ = value & 0x1F;
            return receive_timer_.arm_in(0);
        case 0xE:
            data_config_ = value & 0x7F;
            return;
        default:
            interrupt_mask_ = value & 0x7F;
            return update_interrupt();
    }
}

u8 Dp8390::read_memory(u32 address) const {
    address &= 0xFFFF;
    if (address < prom_.size()) return prom_[address];
    if (address < kMemoryBegin || address >= kMemoryBegin + kMemorySize) return 0xFF;
    return memory_[address - kMemoryBegin];
}

void Dp8390::write_memory(u32 address, u8 value) {
    address &= 0xFFFF;
    if (address >= kMemoryBegin && address < kMemoryBegin + kMemorySize)
        memory_[address - kMemoryBegin] = value;
}

void Dp8390::advance_dma(unsigned bytes) {
    dma_address_ = static_cast<u16>(dma_address_ + bytes);
    // Reading goes round the ring.
    if (dma_address_ == page_stop_ << 8 && page_start_ < page_stop_)
        dma_address_ = static_cast<u16>(page_start_ << 8);
    if (dma_count_ == 0) return;
    dma_count_ = dma_count_ > bytes ? static_cast<u16>(dma_count_ - bytes) : u16{0};
    if (dma_count_ == 0) raise(interrupt::dma_done);
}

// A cycle on the card's bus moves a byte or, in word mode, an aligned word; a double word is two of them.
u64 Dp8390::read_data(unsigned width) {
    const unsigned cycle = data_config_ & data_config::words ? 2 : 1;
    u64 value = 0;
    for (unsigned i = 0; i < width; i += cycle) {
        const u32 at = dma_address_ & ~(cycle - 1);
        for (unsigned k = 0; k < cycle && i + k < width; ++k)
            value |= u64{dma_count_ == 0 ? u8{0xFF} : read_memory(at + k)} << 8 * (i + k);
        advance_dma(cycle);
    }
    return value;
}

void Dp8390::write_data(u64 value, unsigned width) {
    const unsigned cycle = data_config_ & data_config::words ? 2 : 1;
    for (unsigned i = 0; i < width; i += cycle) {
        if (dma_count_ == 0) return;
        const u32 at = dma_address_ & ~(cycle - 1);
        for (unsigned k = 0; k < cycle && i + k < width; ++k)
            write_memory(at + k, static_cast<u8>(value >> 8 * (i + k)));
        advance_dma(cycle);
    }
}

u64 Dp8390::read(u64 offset, unsigned width) {
    if (offset >= kDataPort && offset < kResetPort) return read_data(width);
    if (offset >= kResetPort) {
        stop_and_reset();
        return 0;
    }
    u64 value = 0;
    for (unsigned i = 0; i < width && offset + i < kDataPort; ++i)
        value |= u64{read_register(static_cast<u8>(offset + i))} << 8 * i;
    return value;
}

void Dp8390::write(u64 offset, u64 value, unsigned width) {
    if (offset >= kDataPort && offset < kResetPort) return write_data(value, width);
    for (unsigned i = 0; i < width && offset + i < kDataPort; ++i)
        write_register(static_cast<u8>(offset + i), static_cast<u8>(value >> 8 * i));
}

void Dp8390::visit(Archive& ar) {
    ar.all(transmit_timer_, receive_timer_, memory_, command_, page_start_, page_stop_, boundary_, current_,
           transmit_page_, transmit_status_, receive_status_, interrupt_status_, interrupt_mask_,
           receive_config_, transmit_config_, data_config_, transmit_count_, dma_address_, dma_count_,
           physical_, multicast_, counters_, config_3_, tries_);
    ar(waiting_, net::kLongestFrame);
}

}  // namespace mynah
