#include "devices/pit_counter.h"

namespace mynah {

namespace {

u32 from_bcd(u32 v) {
    return (v >> 12 & 15) * 1000 + (v >> 8 & 15) * 100 + (v >> 4 & 15) * 10 + (v & 15);
}
u32 to_bcd(u32 v) {
    return v / 1000 % 10 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10;
}

}  // namespace

void PitCounter::write_control(u8 control, u64 tick) {
    sync(tick);
    access_ = (control >> 4) & 3;
    mode_ = (control >> 1) & 7;
    if (mode_ > 5) mode_ &= 3;
    bcd_ = control & 1;
    state_ = State::idle;
    frozen_ = pending_ = false;
    write_high_next_ = read_high_next_ = false;
    count_latched_ = status_latched_ = false;
}

void PitCounter::write(u8 byte, u64 tick) {
    sync(tick);
    u32 raw = access_ == 2 ? u32{byte} << 8 : byte;
    if (access_ == 3) {
        if (!write_high_next_) {
            write_low_ = byte;
            write_high_next_ = true;
            // In mode 0 the first byte stops the counting and sets OUT low.
            if (mode_ == 0) state_ = State::idle;
            return;
        }
        write_high_next_ = false;
        raw = u32{byte} << 8 | write_low_;
    }
    u32 count = bcd_ ? from_bcd(raw) : raw;
    if (count == 0) count = modulus();

    const bool triggered = mode_ == 1 || mode_ == 5;
    const bool periodic = mode_ == 2 || mode_ == 3;
    if (triggered) {
        pending_ = true;
        pending_count_ = count;
        switch_tick_ = 0;
        if (state_ == State::idle) state_ = State::waiting;
    } else if (periodic && state_ == State::counting) {
        if (!frozen_) switch_tick_ = static_cast<i64>(next_edge(tick));
        pending_ = true;
        pending_count_ = count;
    } else {
        load(count, tick);
    }
}

// The count enters the counting element with the next CLK pulse.
void PitCounter::load(u32 count, u64 tick) {
    pending_ = false;
    count_ = count;
    start_ = static_cast<i64>(tick) + 1;
    state_ = State::counting;
    frozen_ = stops_when_gate_low() && !gate_;
    frozen_elapsed_ = 0;
}

// Carries out what became due at the end of a cycle.
void PitCounter::sync(u64 tick) {
    if (!pending_ || frozen_ || state_ != State::counting || mode_ == 1 || mode_ == 5) return;
    if (static_cast<i64>(tick) < switch_tick_) return;
    const bool low_half = mode_ == 3 && (static_cast<u64>(switch_tick_ - start_) % count_) == high_half();
    pending_ = false;
    count_ = pending_count_;
    start_ = switch_tick_ - (low_half ? static_cast<i64>(high_half()) : 0);
}

u64 PitCounter::elapsed(u64 tick) const {
    if (frozen_) return frozen_elapsed_;
    const i64 delta = static_cast<i64>(tick) - start_;
    return delta < 0 ? 0 : static_cast<u64>(delta);
}

void PitCounter::set_gate(bool level, u64 tick) {
    if (level == gate_) return;
    sync(tick);
    gate_ = level;
    switch (mode_) {
        case 1:
        case 5:
            if (level && state_ != State::idle) load(pending_ ? pending_count_ : count_, tick);
            break;
        case 2:
        case 3:
            if (state_ != State::counting) break;
            if (level) {
                load(pending_ ? pending_count_ : count_, tick);
            } else {
                frozen_elapsed_ = elapsed(tick) % count_;
                frozen_ = true;
            }
            break;
        default:
            if (state_ != State::counting) break;
            if (level) {
                start_ = static_cast<i64>(tick) - static_cast<i64>(frozen_elapsed_);
                frozen_ = false;
            } else {
                frozen_elapsed_ = elapsed(tick);
                frozen_ = true;
            }
    }
}

bool PitCounter::out(u64 tick) {
    sync(tick);
    if (state_ != State::counting) return mode_ != 0;
    const u64 done = elapsed(tick);
    switch (mode_) {
        case 0:
            return done >= count_;
        case 1:
            return static_cast<i64>(tick) < start_ || done >= count_;
        case 2:
            return !gate_ || count_ < 2 || done % count_ != count_ - 1;
        case 3:
            return !gate_ || done % count_ < high_half();
        default:
            return done != count_;
    }
}

u64 PitCounter::next_edge(u64 tick) {
    sync(tick);
    if (state_ != State::counting || frozen_) return kNever;
    const i64 now = static_cast<i64>(tick);
    if (now < start_) {
        const i64 first = start_ + (mode_ == 1 ? 0 : mode_ == 3 ? static_cast<i64>(high_half()) : count_);
        return static_cast<u64>(first);
    }
    const u64 done = elapsed(tick);
    switch (mode_) {
        case 0:
        case 1:
            return done < count_ ? tick + (count_ - done) : kNever;
        case 2:
            return tick + (count_ - done % count_);
        case 3: {
            const u64 phase = done % count_;
            return tick + ((phase < high_half() && high_half() < count_ ? high_half() : count_) - phase);
        }
        default:
            if (done < count_) return tick + (count_ - done);
            return done == count_ ? tick + 1 : kNever;
    }
}

u32 PitCounter::value(u64 tick) const {
    if (state_ != State::counting) return 0;
    const u64 done = elapsed(tick);
    switch (mode_) {
        case 2:
            return count_ - static_cast<u32>(done % count_);
        case 3: {
            // Counts down by two; an odd N is loaded as N - 1 in both halves.
            u32 phase = static_cast<u32>(done % count_);
            if (phase >= high_half()) phase -= high_half();
            return (count_ & ~1u) - 2 * phase;
        }
        default: {
            const u32 m = modulus();
            return (count_ % m + m - static_cast<u32>(done % m)) % m;
        }
    }
}

u16 PitCounter::readable(u64 tick) const {
    const u32 v = value(tick);
    return static_cast<u16>(bcd_ ? to_bcd(v) : v);
}

void PitCounter::latch_count(u64 tick) {
    sync(tick);
    if (count_latched_) return;
    count_latched_ = true;
    latched_count_ = readable(tick);
}

void PitCounter::latch_status(u64 tick) {
    sync(tick);
    if (status_latched_) return;
    const bool null_count =
        state_ == State::idle || pending_ || (state_ == State::counting && static_cast<i64>(tick) < start_);
    status_latched_ = true;
    latched_status_ =
        static_cast<u8>(out(tick) << 7 | null_count << 6 | access_ << 4 | mode_ << 1 | int{bcd_});
}

u8 PitCounter::read(u64 tick) {
    sync(tick);
    if (status_latched_) {
        status_latched_ = false;
        return latched_status_;
    }
    const u16 v = count_latched_ ? latched_count_ : readable(tick);
    const bool high = access_ == 2 || (access_ == 3 && read_high_next_);
    if (access_ == 3) read_high_next_ = !read_high_next_;
    if (access_ != 3 || high) count_latched_ = false;
    return static_cast<u8>(high ? v >> 8 : v);
}

void PitCounter::visit(Archive& ar) {
    ar.all(mode_, access_, bcd_, gate_, state_, count_, start_, frozen_, frozen_elapsed_, pending_,
           pending_count_, switch_tick_, write_low_, write_high_next_, read_high_next_, count_latched_,
           status_latched_, latched_count_, latched_status_);
    if (mode_ > 5 || state_ > State::counting || count_ - 1 >= 65536 ||
        (pending_ && pending_count_ - 1 >= 65536)) {
        ar.fail("counter out of range");
        *this = PitCounter{};
    }
}

}  // namespace mynah
