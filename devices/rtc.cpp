#include "devices/rtc.h"

#include "base/bits.h"

namespace mynah {

namespace {

constexpr Nanoseconds kSecond = 1'000'000'000;
// UIP goes high 244 us before an update cycle, which takes 1,984 us with a 32,768 Hz crystal; the registers
// change at its end.
constexpr Nanoseconds kUpdateInProgress = 244'000 + 1'984'000;

constexpr u8 kUip = 0x80;
constexpr u8 kSet = 0x80, kPie = 0x40, kAie = 0x20, kUie = 0x10, kBinary = 0x04, k24Hour = 0x02;
constexpr u8 kIrqf = 0x80, kPf = 0x40, kAf = 0x20, kUf = 0x10;
constexpr u8 kVrt = 0x80;

bool leap(unsigned y) {
    return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

unsigned days_in_month(unsigned month, unsigned year) {
    constexpr u8 days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12) return 31;
    return month == 2 && leap(year) ? 29 : days[month - 1];
}

}  // namespace

Rtc::Rtc(EventQueue& queue, i64 start, IrqLine irq8, IrqLine nmi_mask)
    : queue_(queue),
      irq8_(std::move(irq8)),
      nmi_mask_(std::move(nmi_mask)),
      origin_(queue.now()),
      second_(queue, [this] { update_cycle(); }),
      period_(queue, [this] { periodic(); }) {
    ram_[reg_a] = 0x26;
    ram_[reg_b] = k24Hour;
    ram_[reg_d] = kVrt;
    set_time(start);
    second_.arm(origin_ + kSecond);
}

void Rtc::reset() {
    // RESET# (data sheet, "RESET"): the interrupt enables, their flags and SQWE; nothing else.
    ram_[reg_b] &= static_cast<u8>(~(kPie | kAie | kUie | 0x08));
    ram_[reg_c] = 0;
    index_ = extended_index_ = 0;
    nmi_mask_.set(false);
    latch_periodic();
    ram_[reg_c] = 0;
    arm_periodic();
    update_irq();
}

void Rtc::visit(Archive& ar) {
    ar.section(name());
    ar.all(ram_, index_, extended_index_, irq_level_, origin_, periods_seen_, second_, period_);
}

// --- the time registers ---

bool Rtc::running() const {
    return (ram_[reg_a] & 0x60) != 0x60;
}

u8 Rtc::encode(unsigned v) const {
    return static_cast<u8>(ram_[reg_b] & kBinary ? v : v / 10 % 10 << 4 | v % 10);
}

unsigned Rtc::decode(u8 v) const {
    return ram_[reg_b] & kBinary ? v : (v >> 4) * 10u + (v & 15);
}

unsigned Rtc::hour24() const {
    const u8 raw = ram_[hours];
    if (ram_[reg_b] & k24Hour) return decode(raw);
    return decode(raw & 0x7F) % 12 + (raw & 0x80 ? 12 : 0);
}

void Rtc::put_hour24(unsigned h) {
    if (ram_[reg_b] & k24Hour) {
        ram_[hours] = encode(h);
    } else {
        ram_[hours] = static_cast<u8>(encode(h % 12 == 0 ? 12 : h % 12) | (h >= 12 ? 0x80 : 0));
    }
}

void Rtc::set_time(i64 t) {
    i64 days = t / 86400;
    i64 rest = t % 86400;
    if (rest < 0) {
        rest += 86400;
        --days;
    }
    ram_[seconds] = encode(static_cast<unsigned>(rest % 60));
    ram_[minutes] = encode(static_cast<unsigned>(rest / 60 % 60));
    put_hour24(static_cast<unsigned>(rest / 3600));
    ram_[weekday] = encode(static_cast<unsigned>(((days + 4) % 7 + 7) % 7 + 1));  // 1970-01-01 was a Thursday

    // Whole Gregorian cycles of 146,097 days first, counted from 1600-01-01.
    i64 d = (days + 135140) % 146097;
    if (d < 0) d += 146097;
    unsigned y = 1600 + static_cast<unsigned>((days + 135140 - d) / 146097 * 400);
    while (d >= (leap(y) ? 366 : 365)) d -= leap(y++) ? 366 : 365;
    unsigned m = 1;
    while (d >= days_in_month(m, y)) d -= days_in_month(m++, y);
    ram_[day] = encode(static_cast<unsigned>(d) + 1);
    ram_[month] = encode(m);
    ram_[year] = encode(y % 100);
    ram_[century] = static_cast<u8>(y / 1000 % 10 << 4 | y / 100 % 10);  // always BCD: no chip looks at it
}

// Steps the registers as the chip does, in whatever mode the guest chose.
void Rtc::increment() {
    const auto step = [this](u8 index, unsigned limit) {
        const unsigned v = decode(ram_[index]) + 1;
        ram_[index] = encode(v >= limit ? 0 : v);
        return v >= limit;
    };
    if (!step(seconds, 60) || !step(minutes, 60)) return;
    const unsigned h = hour24() + 1;
    put_hour24(h >= 24 ? 0 : h);
    if (h < 24) return;
    const unsigned w = decode(ram_[weekday]) + 1;
    ram_[weekday] = encode(w > 7 ? 1 : w);
    const unsigned hundreds = (ram_[century] >> 4) * 10u + (ram_[century] & 15);
    const unsigned d = decode(ram_[day]) + 1;
    const bool next_month = d > days_in_month(decode(ram_[month]), hundreds * 100 + decode(ram_[year]));
    ram_[day] = encode(next_month ? 1 : d);
    if (!next_month) return;
    const unsigned m = decode(ram_[month]) + 1;
    ram_[month] = encode(m > 12 ? 1 : m);
    if (m <= 12 || !step(year, 100)) return;
    const unsigned c = (hundreds + 1) % 100;
    ram_[century] = static_cast<u8>(c / 10 << 4 | c % 10);
}

bool Rtc::alarm_matches() const {
    const auto match = [this](u8 alarm, u8 now) {
        return (ram_[alarm] & 0xC0) == 0xC0 || ram_[alarm] == ram_[now];
    };
    return match(seconds_alarm, seconds) && match(minutes_alarm, minutes) && match(hours_alarm, hours);
}

void Rtc::update_cycle() {
    second_.arm(second_.deadline() + kSecond);
    if (!running() || (ram_[reg_b] & kSet)) return;
    increment();
    set_flags(static_cast<u8>(kUf | (alarm_matches() ? kAf : 0)));
}

// --- periodic interrupt ---

u64 Rtc::periodic_ticks() const {
    const unsigned rate = ram_[reg_a] & 15;
    if (rate == 0 || !running()) return 0;
    return u64{1} << (rate < 3 ? rate + 6 : rate - 1);
}

u64 Rtc::periods_elapsed() const {
    const u64 ticks = periodic_ticks();
    if (!ticks) return 0;
    return static_cast<u64>(u128{queue_.now() - origin_} * 32768 / kSecond) / ticks;
}

// PF is set whether or not it interrupts; without an event it is found out here.
void Rtc::latch_periodic() {
    const u64 elapsed = periods_elapsed();
    if (elapsed != periods_seen_) ram_[reg_c] |= kPf;
    periods_seen_ = elapsed;
}

void Rtc::periodic() {
    latch_periodic();
    update_irq();
    arm_periodic();
}

// An event is only needed while PF would newly interrupt.
void Rtc::arm_periodic() {
    const u64 ticks = periodic_ticks();
    if (!ticks || !(ram_[reg_b] & kPie) || (ram_[reg_c] & kPf)) return period_.cancel();
    const u64 next = (periods_elapsed() + 1) * ticks;
    period_.arm(origin_ + static_cast<u64>((u128{next} * kSecond + 32767) / 32768));
}

void Rtc::set_flags(u8 flags) {
    ram_[reg_c] |= flags;
    update_irq();
}

void Rtc::update_irq() {
    const bool level = ram_[reg_c] & ram_[reg_b] & (kPf | kAf | kUf);
    ram_[reg_c] = static_cast<u8>((ram_[reg_c] & ~kIrqf) | (level ? kIrqf : 0));
    if (level == irq_level_) return;
    irq_level_ = level;
    irq8_.set(level);
}

// --- registers ---

u64 Rtc::read(BankId bank, u64 offset, unsigned) {
    if (bank == extended) return offset & 1 ? ram_[0x80 | extended_index_] : extended_index_;
    if (offset & 1) return read_register(index_);
    return 0xFF;  // port 70h is write-only
}

void Rtc::write(BankId bank, u64 offset, u64 value, unsigned) {
    const u8 byte = static_cast<u8>(value);
    if (bank == extended) {
        (offset & 1 ? ram_[0x80 | extended_index_] : extended_index_) = offset & 1 ? byte : byte & 0x7F;
    } else if (offset & 1) {
        write_register(index_, byte);
    } else {
        index_ = byte & 0x7F;
        nmi_mask_.set(byte & 0x80);
    }
}

u8 Rtc::read_register(u8 index) {
    if (index == reg_a) {
        const bool updating = running() && !(ram_[reg_b] & kSet) && second_.deadline() > queue_.now() &&
                              second_.deadline() - queue_.now() <= kUpdateInProgress;
        return ram_[reg_a] | (updating ? kUip : 0);
    }
    if (index == reg_c) {
        latch_periodic();
        update_irq();
        const u8 value = ram_[reg_c];
        ram_[reg_c] = 0;
        update_irq();
        arm_periodic();
        return value;
    }
    return ram_[index];
}

void Rtc::write_register(u8 index, u8 value) {
    switch (index) {
        case reg_a: {
            latch_periodic();
            const bool was_running = running();
            ram_[reg_a] = value & 0x7F;
            if (!was_running && running()) {
                // The first update cycle begins half a second after the divider chain is let go.
                origin_ = queue_.now() - (queue_.now() < kSecond / 2 ? queue_.now() : kSecond / 2);
                second_.arm(queue_.now() + kSecond / 2);
            }
            periods_seen_ = periods_elapsed();
            arm_periodic();
            break;
        }
        case reg_b:
            latch_periodic();
            ram_[reg_b] = value & kSet ? value & ~kUie : value;
            update_irq();
            arm_periodic();
            break;
        case reg_c:
        case reg_d:
            break;  // read-only
        default:
            ram_[index] = value;
    }
}

}  // namespace mynah
