#include "devices/pit.h"

#include "base/bits.h"

namespace mynah {

namespace {

// The earliest time at which `tick` pulses have passed.
Nanoseconds time_of(u64 tick) {
    return static_cast<u64>((u128{tick} * 1'000'000'000 + Pit::kHz - 1) / Pit::kHz);
}

}  // namespace

Pit::Pit(EventQueue& queue, IrqLine irq0)
    : queue_(queue), irq0_(std::move(irq0)), edge_(queue, [this] { fire(); }) {
    counters_[2].set_gate(false, 0);
}

void Pit::set_gate(unsigned counter, bool level) {
    counters_[counter].set_gate(level, ticks());
    if (counter == 0) update();
    touched(counter);
}

void Pit::fire() {
    // In mode 2 OUT is low for one tick only: both edges are made here, at the rising one's time.
    if (counters_[0].mode() == 2 && irq_level_) {
        irq0_.lower();
        irq_level_ = false;
    }
    update();
}

void Pit::update() {
    const u64 tick = ticks();
    PitCounter& c = counters_[0];
    const bool level = c.mode() == 2 || c.out(tick);
    if (level != irq_level_) {
        irq_level_ = level;
        irq0_.set(level);
    }
    const u64 next = c.next_edge(tick);
    if (next == PitCounter::kNever) {
        edge_.cancel();
    } else {
        edge_.arm(time_of(next));
    }
}

void Pit::reset() {
    // The chip has no reset pin; this is the state in which mynah powers it on.
    const bool gate2 = counters_[2].gate();
    counters_ = {};
    counters_[2].set_gate(gate2, ticks());
    edge_.cancel();
    if (irq_level_) irq0_.lower();
    irq_level_ = false;
    touched(2);
}

void Pit::visit(Archive& ar) {
    ar.section(name());
    ar.all(counters_, irq_level_, edge_);
}

u64 Pit::read(BankId, u64 offset, unsigned) {
    return offset < 3 ? counters_[offset].read(ticks()) : 0xFF;
}

void Pit::write(BankId, u64 offset, u64 value, unsigned) {
    const u8 byte = static_cast<u8>(value);
    const u64 tick = ticks();
    if (offset < 3) {
        counters_[offset].write(byte, tick);
        if (offset == 0) update();
        touched(static_cast<unsigned>(offset));
        return;
    }
    if ((byte >> 6) == 3) {  // read-back: active-low "latch count" and "latch status"
        for (unsigned i = 0; i < 3; ++i) {
            if (!bit(byte, i + 1)) continue;
            if (!bit(byte, 5)) counters_[i].latch_count(tick);
            if (!bit(byte, 4)) counters_[i].latch_status(tick);
        }
        return;
    }
    PitCounter& c = counters_[byte >> 6];
    if ((byte & 0x30) == 0) {
        c.latch_count(tick);
    } else {
        c.write_control(byte, tick);
        if (byte >> 6 == 0) update();
        touched(byte >> 6);
    }
}

}  // namespace mynah
