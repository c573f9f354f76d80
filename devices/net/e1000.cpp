#include "devices/net/e1000.h"

#include <algorithm>

#include "base/bits.h"
#include "devices/net/e1000_registers.h"

namespace mynah {

using namespace e1000;

namespace {

constexpr u32 kMmioSize = 128 * KiB;
constexpr u32 kWindowSize = 64;
// From a reset of the link to its being up. Cables take seconds; nobody misses them.
constexpr Nanoseconds kLinkTime = 1'000'000;
constexpr Nanoseconds kThrottleUnit = 256;
constexpr u32 kAddressValid = 1u << 31;

// What is stored as it is written. Everything that is not here reads as zero and takes no writes, or has a
// case of its own.
struct Stored {
    u32 offset, words, mask;
};
constexpr Stored kStored[] = {
    {CTRL_EXT, 1, ~0u},  {FCAL, 3, ~0u},     {VET, 1, 0xFFFF},    {ITR, 1, 0xFFFF},  {0x170, 1, 0xFFFF},
    {0x178, 1, ~0u},     {TCTL, 1, ~0u},     {TIPG, 1, ~0u},      {AIFS, 1, 0xFFFF}, {LEDCTL, 1, ~0u},
    {PBA, 1, 0xFFFF},    {FCRTL, 1, ~0u},    {0x2168, 1, ~0u},    {RDBAL, 1, ~0xFu}, {RDBAH, 1, ~0u},
    {RDLEN, 1, 0xFFF80}, {RDH, 1, 0xFFFF},   {RDTR, 1, 0xFFFF},   {0x2828, 2, ~0u},  {0x2C00, 1, 0xFFF},
    {TDBAL, 1, ~0xFu},   {TDBAH, 1, ~0u},    {TDLEN, 1, 0xFFF80}, {TDH, 1, 0xFFFF},  {TIDV, 1, 0xFFFF},
    {0x3828, 3, ~0u},    {RXCSUM, 1, 0x7FF}, {MTA, 128, ~0u},     {RA, 32, ~0u},     {VFTA, 128, ~0u},
    {WUC, 1, ~0u},       {0x5808, 1, ~0u},   {0x5838, 1, ~0u},    {0x5820, 1, ~0u},
};

net::SerialEeprom::Words eeprom_content(const net::MacAddress& mac) {
    net::SerialEeprom::Words w{};
    w.fill(0xFFFF);
    for (unsigned i = 0; i < 3; ++i) w[i] = static_cast<u16>(mac[2 * i] | mac[2 * i + 1] << 8);
    // Table 5-2: compatibility, board number, initialization control, PCI ids.
    w[0x03] = 0x0000;
    w[0x08] = 0x3000;
    w[0x09] = 0x1000;
    w[0x0A] = 0x640B;
    w[0x0B] = 0x1100;
    w[0x0C] = 0x1AF4;
    w[0x0D] = 0x100E;
    w[0x0E] = 0x8086;
    w[0x0F] = 0x3040;
    // The words' sum is BABAh (5.6.35).
    u16 sum = 0;
    for (unsigned i = 0; i < 0x3F; ++i) sum = static_cast<u16>(sum + w[i]);
    w[0x3F] = static_cast<u16>(0xBABA - sum);
    return w;
}

// The integrated PHY (13.4.1, table 13-9 and on).
namespace phy {
constexpr unsigned control = 0, status = 1, id1 = 2, id2 = 3, advertise = 4, partner = 5, expansion = 6,
                   gigabit_control = 9, gigabit_status = 10, extended_status = 15, specific_control = 16,
                   specific_status = 17, extended_control = 20;
constexpr u16 reset = 0x8000, restart = 0x0200;
constexpr u16 status_up = 0x0024;  // negotiated, link
}  // namespace phy

}  // namespace

E1000::E1000(std::string name, EventQueue& queue, NetBackend* backend, const net::MacAddress& mac,
             std::span<const u8> rom)
    : PciFunction(
          {.vendor = 0x8086, .device = 0x100E, .revision = 3, .class_code = 0x020000, .interrupt_pin = 1}),
      name_(std::move(name)),
      backend_(backend),
      rom_(rom),
      transmit_timer_(queue, [this] { transmit(); }),
      receive_timer_(queue, [this] { receive(); }),
      throttle_timer_(queue, [this] { update_interrupt(); }),
      link_timer_(queue, [this] { link_is_up(); }),
      eeprom_(eeprom_content(mac)) {
    add_mmio_bar(0, kMmioSize, registers);
    add_io_bar(1, kWindowSize, window);
    if (!rom_.empty()) add_rom_bar(rom_.bytes());
}

void E1000::reset() {
    reset_config();
    eeprom_.reset();
    io_address_ = 0;
    soft_reset();
    reset_phy();
}

// What CTRL.RST reaches (13.4.1): all but configuration space and PHY.
void E1000::soft_reset() {
    for (Timer* t : {&transmit_timer_, &receive_timer_, &throttle_timer_, &link_timer_}) t->cancel();
    registers_.fill(0);
    reg(PBA) = 0x00100030;
    reg(LEDCTL) = 0x07068302;
    reg(EECD) = 0;
    // The first receive address comes from the EEPROM.
    reg(RA) = eeprom_.word(0) | u32{eeprom_.word(1)} << 16;
    reg(RA + 4) = eeprom_.word(2) | kAddressValid;
    checksum_context_ = segment_context_ = {};
    packet_ = {};
    waiting_.clear();
    interrupt_ = false;
    set_interrupt(false);
    take_link_down();
}

void E1000::reset_phy() {
    phy_.fill(0);
    phy_[phy::control] = 0x1140;
    phy_[phy::status] = 0x7949;
    // M88E1011.
    phy_[phy::id1] = 0x0141;
    phy_[phy::id2] = 0x0C20;
    phy_[phy::advertise] = 0x0DE1;
    phy_[phy::partner] = 0x45E1;
    phy_[phy::expansion] = 0x0001;
    phy_[phy::gigabit_control] = 0x0E00;
    phy_[phy::gigabit_status] = 0x3C00;
    phy_[phy::extended_status] = 0x3000;
    phy_[phy::specific_control] = 0x0360;
    phy_[phy::specific_status] = 0x0000;
    phy_[phy::extended_control] = 0x0D60;
}

void E1000::take_link_down() {
    link_up_ = false;
    link_timer_.arm_in(kLinkTime);
}

void E1000::link_is_up() {
    link_up_ = true;
    raise(cause::link);
    receive_timer_.arm_in(0);
}

u16 E1000::read_phy(unsigned index) const {
    u16 value = phy_[index];
    if (index == phy::status && link_up_) value |= phy::status_up;
    // 1000 Mb/s, full duplex, resolved, link.
    if (index == phy::specific_status && link_up_) value |= 0xAC00;
    return value;
}

void E1000::write_phy(unsigned index, u16 value) {
    switch (index) {
        case phy::control:
            if (value & phy::reset) reset_phy();
            if (value & (phy::reset | phy::restart)) take_link_down();
            if (!(value & phy::reset)) phy_[index] = value & static_cast<u16>(~phy::restart);
            return;
        case phy::advertise:
        case phy::gigabit_control:
        case phy::specific_control:
        case phy::extended_control:
        case 18:  // interrupt enable
        case 22:
        case 24:
        case 25:
        case 26:
        case 29:  // page and its window
        case 30:
            phy_[index] = value;
            return;
        default:
            return;
    }
}

// 13.4.12; completes at once.
void E1000::write_mdic(u32 value) {
    constexpr u32 write_op = 1, read_op = 2, ready = 1u << 28, failed = 1u << 30;
    const u32 op = bits(value, 27, 26), index = bits(value, 20, 16);
    u32 result = (value & 0x2FFF0000) | (value & 0xFFFF) | ready;
    if (bits(value, 25, 21) != 1 || (op != write_op && op != read_op)) {
        result |= failed;
    } else if (op == write_op) {
        write_phy(index, static_cast<u16>(value));
    } else {
        result = (result & 0xFFFF0000) | read_phy(index);
    }
    reg(MDIC) = result;
    if (bit(value, 29)) raise(cause::mdio);
}

void E1000::write_control(u32 value) {
    reg(CTRL) = value & ~(ctrl::reset | ctrl::phy_reset);
    if (value & ctrl::phy_reset) {
        reset_phy();
        take_link_down();
    }
    if (value & ctrl::reset) soft_reset();
}

void E1000::write_eecd(u32 value) {
    reg(EECD) = value & eecd::writable;
    if (value & eecd::request) {
        eeprom_.set_pins(value & eecd::select, value & eecd::clock, value & eecd::data_in);
    } else {
        eeprom_.set_pins(false, false, false);
    }
}

void E1000::write_eerd(u32 value) {
    constexpr u32 start = 1, done = 0x10;
    if (!(value & start)) return;
    reg(EERD) = u32{eeprom_.word(bits(value, 15, 8))} << 16 | (value & 0xFF00) | done;
}

void E1000::raise(u32 causes) {
    reg(ICR) |= causes & cause::all;
    update_interrupt();
}

// The line follows cause and mask, but rises no sooner than ITR allows after it rose last (13.4.18).
void E1000::update_interrupt() {
    const bool wanted = (reg(ICR) & reg(IMS)) != 0;
    if (wanted && !interrupt_) {
        if (throttle_timer_.armed()) return;
        if (reg(ITR) != 0) throttle_timer_.arm_in(reg(ITR) * kThrottleUnit);
    }
    interrupt_ = wanted;
    set_interrupt(wanted);
}

void E1000::count(u32 packets, u32 octets_low, size_t bytes) {
    if (reg(packets) != ~u32{0}) ++reg(packets);
    const u64 sum = (reg(octets_low) | u64{reg(octets_low + 4)} << 32) + bytes;
    reg(octets_low) = static_cast<u32>(sum);
    reg(octets_low + 4) = static_cast<u32>(sum >> 32);
}

u32 E1000::read_register(u32 offset) {
    if (offset >= registers_end) return 0;
    const u32 value = reg(offset);
    if (offset >= statistics && offset < statistics_end) {
        // A 64-bit counter's low half goes with its high one.
        const bool low_of_two = offset == GORCL || offset == GOTCL || offset == TORL || offset == TOTL;
        if (!low_of_two) reg(offset) = 0;
        if (offset == GORCL + 4 || offset == GOTCL + 4 || offset == TORL + 4 || offset == TOTL + 4)
            reg(offset - 4) = 0;
        return value;
    }
    switch (offset) {
        case STATUS:
            return status::fixed | (link_up_ ? status::link_up : 0);
        case EECD:
            return value | eecd::present | (value & eecd::request ? eecd::grant : 0) |
                   (eeprom_.data_out() ? eecd::data_out : 0);
        case ICR:
            reg(ICR) = 0;
            update_interrupt();
            return value;
        case ICS:
        case IMC:
            return 0;
        default:
            return value;
    }
}

void E1000::write_register(u32 offset, u32 value) {
    switch (offset) {
        case CTRL:
        case CTRL + 4:  // a copy (13.4.1)
            return write_control(value);
        case EECD:
            return write_eecd(value);
        case EERD:
            return write_eerd(value);
        case MDIC:
            return write_mdic(value);
        case ICR:
            reg(ICR) &= ~value;
            return update_interrupt();
        case ICS:
            return raise(value);
        case IMS:
            reg(IMS) |= value & cause::all;
            return update_interrupt();
        case IMC:
            reg(IMS) &= ~value;
            return update_interrupt();
        case RCTL:
            reg(RCTL) = value;
            return receive_timer_.arm_in(0);
        case RDT:
            reg(RDT) = value & 0xFFFF;
            return receive_timer_.arm_in(0);
        case TCTL:
            reg(TCTL) = value;
            return transmit_timer_.arm_in(0);
        case TDT:
            reg(TDT) = value & 0xFFFF;
            return transmit_timer_.arm_in(0);
        default:
            break;
    }
    for (const Stored& s : kStored) {
        if (offset >= s.offset && offset < s.offset + 4 * s.words) {
            reg(offset) = value & s.mask;
            return;
        }
    }
}

BankInfo E1000::bank(BankId bank) const {
    return bank == registers ? BankInfo{kMmioSize, 4} : BankInfo{kWindowSize, 4};
}

u64 E1000::read(BankId bank, u64 offset, unsigned width) {
    u32 at = static_cast<u32>(offset);
    if (bank == window) {
        // IOADDR, IODATA (13.2.2.1).
        if (at < 4) return io_address_ >> 8 * at & ((u64{1} << 8 * width) - 1);
        if (at >= 8) return 0;
        at = (io_address_ & ~3u) + (at - 4);
    }
    const u64 value = read_register(at & ~3u);
    return value >> 8 * (at & 3) & ((u64{1} << 8 * width) - 1);
}

void E1000::write(BankId bank, u64 offset, u64 value, unsigned width) {
    // Registers take whole words only (13.1.1).
    if (width != 4 || (offset & 3)) return;
    if (bank == window) {
        if (offset == 0) io_address_ = static_cast<u32>(value) & (kMmioSize - 1);
        if (offset != 4) return;
        offset = io_address_ & ~3u;
    }
    if (offset < registers_end) write_register(static_cast<u32>(offset), static_cast<u32>(value));
}

void E1000::visit(Archive& ar) {
    ar.section(name());
    visit_config(ar);
    ar.all(transmit_timer_, receive_timer_, throttle_timer_, link_timer_, eeprom_, registers_, phy_,
           io_address_, link_up_, interrupt_, checksum_context_, segment_context_, packet_);
    ar(waiting_, net::kLongestFrame + 64);
    if (!ar.loading()) return;
    io_address_ &= kMmioSize - 1;
    reg(RDLEN) &= 0xFFF80;
    reg(TDLEN) &= 0xFFF80;
    for (const u32 r : {RDH, RDT, TDH, TDT}) reg(r) &= 0xFFFF;
}

}  // namespace mynah
