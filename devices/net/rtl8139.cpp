#include "devices/net/rtl8139.h"

#include <algorithm>

#include "base/bits.h"
#include "devices/net/rtl8139_registers.h"

namespace mynah {

using namespace rtl8139;

namespace {

constexpr u32 kPorts = 256, kMemory = 4096;
// TCTR counts the PCI clock: 33 a microsecond.
constexpr u64 kCounts = 33, kCountTime = 1000;
constexpr u8 kEepromMode = 0xC0, kAutoload = 0x40, kProgram = 0x80, kUnlocked = 0xC0;
constexpr u8 kSelect = 8, kClock = 4, kDataIn = 2, kDataOut = 1;
constexpr u8 kMapped = 0x0C;  // CONFIG1: registers in memory and ports
constexpr u32 kMostDescriptors = 64;

net::SerialEeprom::Words eeprom_content(const net::MacAddress& mac) {
    net::SerialEeprom::Words w{};
    w[0] = 0x8129;
    w[1] = 0x10EC;
    w[2] = 0x8139;
    w[3] = 0x1AF4;
    w[4] = 0x1100;
    for (unsigned i = 0; i < 3; ++i) w[7 + i] = static_cast<u16>(mac[2 * i] | mac[2 * i + 1] << 8);
    return w;
}

// How many bytes the register at `offset` has that are acted on as one.
unsigned register_size(u8 offset) {
    if ((offset >= TSD && offset < TSAD) || (offset >= TCR && offset < MPC)) return 4;
    if (offset >= TIMER_INT && offset < MSR) return 4;
    if ((offset >= CAPR && offset < TCR) || (offset >= CPCR && offset < CPCR + 2)) return 2;
    return 1;
}

// What is stored as it is written.
bool is_stored(u8 offset) {
    static constexpr std::pair<u8, u8> ranges[] = {
        {IDR, IDR + 6},   {MAR, MAR + 8},   {TSAD, ERBCR}, {MULINT, MULINT + 2},
        {BMCR, BMCR + 2}, {ANAR, ANAR + 2}, {0x78, 0x85},  {RX_RING, ETTHR + 1},
    };
    return std::any_of(std::begin(ranges), std::end(ranges),
                       [&](const auto& r) { return offset >= r.first && offset < r.second; });
}

}  // namespace

Rtl8139::Rtl8139(std::string name, EventQueue& queue, NetBackend* backend, const net::MacAddress& mac,
                 std::span<const u8> rom)
    : PciFunction(
          {.vendor = 0x10EC, .device = 0x8139, .revision = 0x20, .class_code = 0x020000, .interrupt_pin = 1}),
      name_(std::move(name)),
      queue_(queue),
      backend_(backend),
      rom_(rom),
      transmit_timer_(queue, [this] { transmit(); }),
      receive_timer_(queue, [this] { receive(); }),
      count_timer_(queue,
                   [this] {
                       raise(interrupt::timer);
                       arm_count_timer();
                   }),
      eeprom_(eeprom_content(mac)) {
    add_io_bar(0, kPorts, ports);
    add_mmio_bar(1, kMemory, memory);
    if (!rom_.empty()) add_rom_bar(rom_.bytes());
}

void Rtl8139::reset() {
    reset_config();
    eeprom_.reset();
    registers_.fill(0);
    registers_[CONFIG1] = kMapped;
    load_eeprom();
    soft_reset();
}

void Rtl8139::load_eeprom() {
    for (unsigned i = 0; i < 3; ++i) put<u16>(static_cast<u8>(IDR + 2 * i), eeprom_.word(7 + i));
}

// What CR.RST reaches (6.8): all but the station's address, the multicast filter and the configuration.
void Rtl8139::soft_reset() {
    for (Timer* t : {&transmit_timer_, &receive_timer_, &count_timer_}) t->cancel();
    std::fill(registers_.begin() + TSD, registers_.begin() + EE9346CR, u8{0});
    std::fill(registers_.begin() + MULINT, registers_.begin() + CONFIG5, u8{0});
    std::fill(registers_.begin() + TPPOLL, registers_.end(), u8{0});
    put<u32>(TIMER_INT, 0);
    for (unsigned i = 0; i < 4; ++i) put<u32>(static_cast<u8>(TSD + 4 * i), tsd::own);
    put<u16>(CAPR, 0xFFF0);
    put<u16>(BMCR, 0x1100);
    put<u16>(BMSR, 0x782D);  // 100 Mb/s, link
    put<u16>(ANAR, 0x05E1);
    put<u16>(ANLPAR, 0x45E1);
    put<u16>(ANER, 0x0001);
    put<u16>(CSCR, 0x03C8);
    pending_.fill(false);
    next_buffer_ = 0;
    polled_ = begun_ = too_long_ = false;
    tx_index_ = rx_index_ = first_word_ = 0;
    packet_.clear();
    waiting_.clear();
    tries_ = 0;
    count_base_ = queue_.now();
    update_interrupt();
}

void Rtl8139::raise(u16 causes) {
    put<u16>(ISR, get<u16>(ISR) | (causes & interrupt::all));
    update_interrupt();
}

void Rtl8139::update_interrupt() {
    set_interrupt((get<u16>(ISR) & get<u16>(IMR)) != 0);
}

u32 Rtl8139::timer_count() const {
    return static_cast<u32>((queue_.now() - count_base_) * kCounts / kCountTime);
}

void Rtl8139::arm_count_timer() {
    const u32 wanted = get<u32>(TIMER_INT);
    if (wanted == 0) return count_timer_.cancel();
    const u32 left = wanted - timer_count();
    const u64 counts = left == 0 ? u64{1} << 32 : left;
    count_timer_.arm_in(counts * kCountTime / kCounts + 1);
}

// OWN, abort, underrun and OK of the four buffers side by side (6.20).
u16 Rtl8139::buffer_summary() const {
    u16 value = 0;
    for (unsigned i = 0; i < 4; ++i) {
        const u32 status = get<u32>(static_cast<u8>(TSD + 4 * i));
        value = static_cast<u16>(value | bit(status, 13) << i | bit(status, 30) << (4 + i) |
                                 bit(status, 14) << (8 + i) | bit(status, 15) << (12 + i));
    }
    return value;
}

u8 Rtl8139::read_byte(u8 offset) const {
    const auto part = [&](u8 base, u32 value) { return static_cast<u8>(value >> 8 * (offset - base)); };
    if (offset >= TCTR && offset < MPC) return part(TCTR, timer_count());
    switch (offset) {
        case CR:
            return registers_[CR] |
                   (get<u16>(CBR) % ring_size() == read_offset() ? command::buffer_empty : 0);
        case TCR:
        case TCR + 1:
        case TCR + 2:
        case TCR + 3:
            return part(TCR, get<u32>(TCR) | tcr::version);
        case EE9346CR:
            return static_cast<u8>((registers_[offset] & ~kDataOut) | (eeprom_.data_out() ? kDataOut : 0));
        case TSAD_SUMMARY:
        case TSAD_SUMMARY + 1:
            return part(TSAD_SUMMARY, buffer_summary());
        default:
            return registers_[offset];
    }
}

void Rtl8139::write_command(u8 value) {
    if (value & command::reset) return soft_reset();
    registers_[CR] = value & (command::transmit | command::receive);
    if (!(value & command::transmit)) pending_.fill(false);
    transmit_timer_.arm_in(0);
    receive_timer_.arm_in(0);
}

void Rtl8139::write_eeprom_command(u8 value) {
    const u8 mode = value & kEepromMode;
    if (mode == kAutoload) load_eeprom();
    registers_[EE9346CR] = mode == kAutoload ? 0 : value & (kEepromMode | kSelect | kClock | kDataIn);
    if (mode == kProgram) {
        eeprom_.set_pins(value & kSelect, value & kClock, value & kDataIn);
    } else {
        eeprom_.set_pins(false, false, false);
    }
}

void Rtl8139::write_byte(u8 offset, u8 value) {
    switch (offset) {
        case CR:
            return write_command(value);
        case EE9346CR:
            return write_eeprom_command(value);
        case CONFIG1:
        case CONFIG3:
        case CONFIG4:
        case CONFIG5:
            if ((registers_[EE9346CR] & kEepromMode) != kUnlocked && offset != CONFIG5) return;
            registers_[offset] = offset == CONFIG1 ? value | kMapped : value;
            return;
        case TPPOLL:
            if (value & 1) raise(interrupt::software);
            if (!(value & 0x40)) return;
            polled_ = true;
            return transmit_timer_.arm_in(0);
        default:
            break;
    }
    if (!is_stored(offset)) return;
    registers_[offset] = value;
    if (offset >= TSAD && offset < TSAD + 8) tx_index_ = 0;
    if (offset >= RX_RING && offset < RX_RING + 8) rx_index_ = 0;
    if (offset >= RBSTART && offset < RBSTART + 4) put<u16>(CBR, 0);
    // Autonegotiation is over as soon as it begins.
    if (offset == BMCR + 1) registers_[offset] &= static_cast<u8>(~0x82);
}

void Rtl8139::write_word(u8 offset, u16 value) {
    switch (offset) {
        case CAPR:
            put<u16>(CAPR, value);
            return receive_timer_.arm_in(0);
        case IMR:
            put<u16>(IMR, value & interrupt::all);
            return update_interrupt();
        case ISR:
            put<u16>(ISR, get<u16>(ISR) & static_cast<u16>(~value));
            return update_interrupt();
        case CPCR:
            put<u16>(CPCR, value & cpcr::writable);
            return receive_timer_.arm_in(0);
        default:
            return;
    }
}

void Rtl8139::write_dword(u8 offset, u32 value) {
    switch (offset) {
        case TCR:
            put<u32>(TCR, value & tcr::writable);
            return;
        case RCR:
            put<u32>(RCR, value & rcr::writable);
            return receive_timer_.arm_in(0);
        case TCTR:
            count_base_ = queue_.now();
            return arm_count_timer();
        case TIMER_INT:
            put<u32>(TIMER_INT, value);
            return arm_count_timer();
        default: {
            // Transmit status: clearing OWN hands the buffer over (6.3).
            put<u32>(offset, value & 0x003F3FFF);
            const unsigned index = (offset - TSD) / 4u;
            pending_[index] = !(value & tsd::own);
            if (pending_[index]) transmit_timer_.arm_in(0);
            return;
        }
    }
}

BankInfo Rtl8139::bank(BankId bank) const {
    return bank == ports ? BankInfo{kPorts, 4} : BankInfo{kMemory, 4};
}

u64 Rtl8139::read(BankId, u64 offset, unsigned width) {
    u64 value = 0;
    for (unsigned i = 0; i < width; ++i) {
        const u64 at = offset + i;
        const u8 byte = at < registers_.size() ? read_byte(static_cast<u8>(at)) : u8{0xFF};
        value |= u64{byte} << 8 * i;
    }
    return value;
}

void Rtl8139::write(BankId, u64 offset, u64 value, unsigned width) {
    for (unsigned i = 0; i < width && offset + i < registers_.size();) {
        const u8 at = static_cast<u8>(offset + i);
        const unsigned size = register_size(at);
        const u8 base = static_cast<u8>(at & ~(size - 1));
        // Zeroes in the rest of ISR clear nothing; every other register keeps what is not written.
        u32 whole = 0;
        for (unsigned k = 0; k < size && base != ISR; ++k) whole |= u32{registers_[base + k]} << 8 * k;
        for (unsigned k = at - base; k < size && i < width; ++k, ++i) {
            whole &= ~(u32{0xFF} << 8 * k);
            whole |= static_cast<u32>(value >> 8 * i & 0xFF) << 8 * k;
        }
        if (size == 1) write_byte(base, static_cast<u8>(whole));
        if (size == 2) write_word(base, static_cast<u16>(whole));
        if (size == 4) write_dword(base, whole);
    }
}

void Rtl8139::visit(Archive& ar) {
    ar.section(name());
    visit_config(ar);
    ar.all(transmit_timer_, receive_timer_, count_timer_, eeprom_, registers_, pending_, next_buffer_,
           polled_, tx_index_, rx_index_, first_word_, begun_, too_long_, count_base_, tries_);
    ar(packet_, kLongestPacket);
    ar(waiting_, net::kLongestFrame + 64);
    if (!ar.loading()) return;
    next_buffer_ &= 3;
    tx_index_ %= kMostDescriptors;
    rx_index_ %= kMostDescriptors;
}

}  // namespace mynah
