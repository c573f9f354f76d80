#include "devices/hpet.h"

#include "base/bits.h"

namespace mynah {

namespace {

// Timer configuration (2.3.8).
constexpr u64 kLevel = 1 << 1, kEnable = 1 << 2, kPeriodic = 1 << 3, kPeriodicCapable = 1 << 4,
              k64Bit = 1 << 5;
constexpr u64 kSetValue = 1 << 6, kForce32 = 1 << 8;
constexpr u64 kWritable = kLevel | kEnable | kPeriodic | kSetValue | kForce32 | 0x1F << 9;

// Revision 1, three timers, 64-bit counter, legacy replacement, vendor 8086h, period in femtoseconds.
constexpr u64 kCapabilities =
    (Hpet::kPeriod * 1'000'000) << 32 | 0x8086'0000 | 1 << 15 | 1 << 13 | (Hpet::kTimers - 1) << 8 | 1;
constexpr u64 kFixedConfig = u64{Hpet::kRoutes} << 32 | kPeriodicCapable | k64Bit;

u64 size_mask(u64 config) {
    return config & kForce32 ? 0xFFFFFFFF : ~u64{0};
}

}  // namespace

Hpet::Hpet(EventQueue& queue, Outputs outputs) : queue_(queue), outputs_(std::move(outputs)) {
    for (unsigned n = 0; n < kTimers; ++n) {
        timers_[n].config = kFixedConfig;
        timers_[n].event = std::make_unique<Timer>(queue, [this, n] { fire(n); });
    }
}

void Hpet::Comparator::visit(Archive& ar) {
    ar.all(config, value, period, *event);
}

void Hpet::reset() {
    for (unsigned n = 0; n < kTimers; ++n) {
        if (bit(status_, n)) drive(n, false);
        Comparator& t = timers_[n];
        t.event->cancel();
        t.config = kFixedConfig;
        t.value = ~u64{0};
        t.period = 0;
    }
    const bool replaced = legacy_replacement();
    config_ = status_ = 0;
    base_count_ = base_time_ = 0;
    if (replaced && outputs_.legacy_changed) outputs_.legacy_changed(false);
}

void Hpet::visit(Archive& ar) {
    ar.section(name());
    ar.all(config_, status_, base_count_, base_time_, timers_);
}

u64 Hpet::counter_at(Nanoseconds now) const {
    return running() ? base_count_ + (now - base_time_) / kPeriod : base_count_;
}

// --- comparators ---

void Hpet::drive(unsigned n, bool level) {
    if (legacy_replacement() && n < 2) {
        if (outputs_.legacy) outputs_.legacy(n == 0 ? 0 : 8, level);
        return;
    }
    const unsigned pin = bits(timers_[n].config, 13, 9);
    if (pin < 32 && bit(kRoutes, pin) && outputs_.io_apic) outputs_.io_apic(pin, level);
}

// Arms the event for the next match after `now`, if the match would do anything.
void Hpet::schedule(unsigned n, Nanoseconds now) {
    Comparator& t = timers_[n];
    const u64 mask = size_mask(t.config);
    if (!running() || !(t.config & kEnable)) return t.event->cancel();
    const u64 distance = (t.value - counter_at(now)) & mask;
    const u64 limit = (EventQueue::kNever - now) / kPeriod - 1;
    if (distance > limit) return t.event->cancel();
    // Counted from the base, so that the event comes at the very edge of the count.
    const Nanoseconds since = (now - base_time_) / kPeriod;
    t.event->arm(base_time_ + (since + distance) * kPeriod);
}

void Hpet::fire(unsigned n) {
    Comparator& t = timers_[n];
    if (t.config & kLevel) {
        status_ = with_bit(status_, n, true);
        drive(n, true);
    } else {
        drive(n, false);
        drive(n, true);
    }
    const u64 mask = size_mask(t.config);
    if (t.config & kPeriodic) {
        if ((t.period & mask) == 0) return;
        // Steps over matches that were missed because time came in a lump. With a second look at a host's
        // clock the counter may have passed the new match already, which then lay a whole turn ahead.
        const Nanoseconds now = queue_.now();
        const u64 late = (counter_at(now) - t.value) & mask;
        t.value = (t.value + (late / (t.period & mask) + 1) * (t.period & mask)) & mask;
        schedule(n, now);
    } else if (t.config & kForce32) {
        t.event->arm(t.event->deadline() + (u64{1} << 32) * kPeriod);
    }
}

void Hpet::write_comparator_config(unsigned n, u64 value) {
    Comparator& t = timers_[n];
    const u64 old = t.config;
    t.config = (value & kWritable) | kFixedConfig;
    if ((t.config & kForce32) && !(old & kForce32)) {
        t.value &= 0xFFFFFFFF;
        t.period &= 0xFFFFFFFF;
    }
    const bool was_level = bit(status_, n);
    if (was_level && (!(t.config & kLevel) || !(t.config & kEnable) || bits(old ^ t.config, 13, 9))) {
        const u64 now_config = t.config;
        t.config = old;
        drive(n, false);
        t.config = now_config;
        status_ = with_bit(status_, n, false);
    }
    schedule(n, queue_.now());
}

void Hpet::write_comparator(unsigned n, u64 value, u64 mask) {
    Comparator& t = timers_[n];
    value &= size_mask(t.config);
    const auto merge = [&](u64 old) { return (old & ~mask) | (value & mask); };
    // Periodic: with the set-value bit the comparator itself is written, else only the period (2.3.9.2.3).
    // The first of the two writes that software makes thus sets both.
    if (!(t.config & kPeriodic) || (t.config & kSetValue)) t.value = merge(t.value);
    if (t.config & kPeriodic) t.period = merge(t.period);
    t.value &= size_mask(t.config);
    t.config &= ~kSetValue;  // "automatically clears"
    schedule(n, queue_.now());
}

// --- registers ---

void Hpet::write_config(u64 value) {
    const u64 next = value & 3;
    if ((next & 1) && !running()) {
        base_time_ = queue_.now();
    } else if (!(next & 1) && running()) {
        base_count_ = counter_at(queue_.now());
    }
    const bool rerouted = (next ^ config_) & 2;
    for (unsigned n = 0; n < kTimers; ++n) {
        if (rerouted && bit(status_, n)) drive(n, false);
    }
    config_ = next;
    if (rerouted && outputs_.legacy_changed) outputs_.legacy_changed(legacy_replacement());
    for (unsigned n = 0; n < kTimers; ++n) {
        if (rerouted && bit(status_, n)) drive(n, true);
        schedule(n, queue_.now());
    }
}

u64 Hpet::read_register(u64 offset) const {
    switch (offset) {
        case 0x000:
            return kCapabilities;
        case 0x010:
            return config_;
        case 0x020:
            return status_;
        case 0x0F0:
            return counter_at(queue_.now());
    }
    if (offset < 0x100 || offset >= 0x100 + 0x20 * kTimers) return 0;
    const Comparator& t = timers_[(offset - 0x100) / 0x20];
    switch (offset & 0x1F) {
        case 0x00:
            return t.config;
        case 0x08:
            return t.value & size_mask(t.config);
        default:
            return 0;
    }
}

u64 Hpet::read(BankId, u64 offset, unsigned width) {
    const u64 value = read_register(offset & ~u64{7}) >> (8 * (offset & 7));
    return width >= 8 ? value : value & ((u64{1} << (8 * width)) - 1);
}

// Registers take 32-bit halves or 64 bits (2.3.1); narrower writes are ignored.
void Hpet::write(BankId, u64 offset, u64 value, unsigned width) {
    if (width < 4 || offset % width) return;
    const u64 reg = offset & ~u64{7};
    const unsigned shift = 8 * (offset & 7);
    const u64 mask = (width == 8 ? ~u64{0} : 0xFFFFFFFF) << shift;
    const u64 shifted = value << shift;
    const auto merge = [&](u64 old) { return (old & ~mask) | (shifted & mask); };

    switch (reg) {
        case 0x010:
            return write_config(merge(config_));
        case 0x020:
            for (unsigned n = 0; n < kTimers; ++n) {
                if (!bit(shifted & mask, n) || !bit(status_, n)) continue;
                status_ = with_bit(status_, n, false);
                drive(n, false);
            }
            return;
        case 0x0F0:
            if (running()) return;  // to be written while halted only
            base_count_ = merge(base_count_);
            return;
    }
    if (reg < 0x100 || reg >= 0x100 + 0x20 * kTimers) return;
    const unsigned n = static_cast<unsigned>((reg - 0x100) / 0x20);
    if ((reg & 0x1F) == 0x00) write_comparator_config(n, merge(timers_[n].config));
    if ((reg & 0x1F) == 0x08) write_comparator(n, shifted, mask);
}

}  // namespace mynah
