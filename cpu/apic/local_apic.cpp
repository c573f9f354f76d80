#include "cpu/apic/local_apic.h"

#include <algorithm>
#include <bit>

#include "base/bits.h"

namespace mynah {

namespace {

// Registers by offset / 16 (SDM vol. 3A table 11-1).
enum Register : u32 {
    kId = 0x02,
    kVersion = 0x03,
    kTpr = 0x08,
    kApr = 0x09,
    kPpr = 0x0A,
    kEoi = 0x0B,
    kLdr = 0x0D,
    kDfr = 0x0E,
    kSvr = 0x0F,
    kIsr = 0x10,
    kTmr = 0x18,
    kIrr = 0x20,
    kEsr = 0x28,
    kLvtCmci = 0x2F,
    kIcrLow = 0x30,
    kIcrHigh = 0x31,
    kLvtTimer = 0x32,
    kLvtError = 0x37,
    kInitialCount = 0x38,
    kCurrentCount = 0x39,
    kDivide = 0x3E,
    kSelfIpi = 0x3F,
};

constexpr u32 kMasked = 1u << 16;
constexpr u32 kErrorSendIllegal = 1u << 5, kErrorReceiveIllegal = 1u << 6, kErrorRegister = 1u << 7;
constexpr u64 kBaseBsp = 1u << 8, kBaseX2 = 1u << 10, kBaseEnable = 1u << 11;
constexpr unsigned kPeriodic = 1, kDeadline = 2;  // 0: one-shot

}  // namespace

LocalApic::LocalApic(const CpuModel& model, u8 id, u64& base, CpuHost& host, PhysicalMap& memory)
    : model_(model), base_(base), host_(host), memory_(memory), boot_id_(id), id_(id) {
    reset();
}

unsigned LocalApic::highest(const Bits& b) {
    for (unsigned i = 8; i-- > 0;) {
        if (b[i]) return i * 32 + 31u - static_cast<unsigned>(std::countl_zero(b[i]));
    }
    return 0;
}

void LocalApic::reset() {
    id_ = boot_id_;
    init();
}

void LocalApic::init() {
    tpr_ = 0;
    ldr_ = 0;
    dfr_ = ~0u;
    svr_ = 0xFF;
    isr_ = tmr_ = irr_ = {};
    esr_ = esr_latched_ = 0;
    icr_ = 0;
    lvt_.fill(kMasked);
    initial_count_ = divide_ = 0;
    running_ = false;
    tsc_deadline_ = 0;
    host_.cancel_apic_timer();
    changed();
}

void LocalApic::base_changed() {
    // In x2APIC mode there is no page.
    const bool wanted = enabled() && !x2apic();
    const u64 page = base_ & ~kPageMask;
    if (mapping_ != 0 && !(wanted && page == mapped_)) {
        memory_.unmap(mapping_);
        mapping_ = 0;
    }
    if (wanted && mapping_ == 0) {
        mapping_ = memory_.map_mmio(page, kPageSize, *this, "local-apic");
        mapped_ = page;
    }
    changed();
}

bool LocalApic::write_base(u64 value) {
    const u64 legal = ((u64{1} << model_.physical_bits) - 1) & ~kPageMask;
    if (value & ~(legal | kBaseBsp | kBaseEnable | (model_.has(Feature::x2apic) ? kBaseX2 : 0))) return false;
    const bool new_x2 = value & kBaseX2, on = value & kBaseEnable;
    // Illegal: EXTD without EN, x2APIC back to xAPIC, disabled straight to x2APIC (SDM figure 11-27).
    if (new_x2 && !on) return false;
    if (x2apic() && on && !new_x2) return false;
    if (!enabled() && new_x2) return false;
    const bool was_on = enabled(), was_x2 = x2apic();
    base_ = value;
    if (was_on && !on) init();
    if (new_x2 && !was_x2) {
        id_ = boot_id_;
        ldr_ = (id_ >> 4) << 16 | 1u << (id_ & 15);
    }
    if (was_x2 && !on) id_ = boot_id_;
    base_changed();
    return true;
}

// --- acceptance and priorities (11.8) ---

u8 LocalApic::processor_priority() const {
    const u8 in_service = static_cast<u8>(highest(isr_));
    return (tpr_ >> 4) >= (in_service >> 4) ? tpr_ : static_cast<u8>(in_service & 0xF0);
}

unsigned LocalApic::pending_vector() const {
    if (!enabled() || !software_enabled()) return 0;
    const unsigned v = highest(irr_);
    if (v == 0) return 0;
    return v >> 4 > processor_priority() >> 4 ? v : 0;
}

u8 LocalApic::acknowledge() {
    const unsigned v = pending_vector();
    if (v == 0) return static_cast<u8>(svr_);
    set(irr_, v, false);
    set(isr_, v, true);
    changed();
    return static_cast<u8>(v);
}

bool LocalApic::accepts_ext_int() const {
    if (!enabled()) return true;
    return !(lvt_[lint0] & kMasked) && (lvt_[lint0] >> 8 & 7) == static_cast<u32>(DeliveryMode::ext_int);
}

void LocalApic::set_tpr(u8 value) {
    tpr_ = value;
    changed();
}

void LocalApic::accept(u8 vector, bool level) {
    if (vector < 16) return report_error(kErrorReceiveIllegal);
    set(irr_, vector, true);
    set(tmr_, vector, level);
    changed();
}

void LocalApic::receive(DeliveryMode mode, u8 vector, bool level) {
    if (!enabled()) return;
    switch (mode) {
        case DeliveryMode::fixed:
        case DeliveryMode::lowest:
            if (software_enabled()) accept(vector, level);
            break;
        case DeliveryMode::nmi:
            if (pins_.nmi) pins_.nmi();
            break;
        case DeliveryMode::init:
            if (pins_.init) pins_.init();
            break;
        case DeliveryMode::sipi:
            if (pins_.sipi) pins_.sipi(vector);
            break;
        case DeliveryMode::smi:      // no system management mode
        case DeliveryMode::ext_int:  // the pin does that
            break;
    }
}

bool LocalApic::matches(u32 destination, bool logical) const {
    if (!enabled()) return false;
    if (x2apic()) {
        if (destination == ~0u) return true;
        if (!logical) return destination == id_;
        return destination >> 16 == ldr_ >> 16 && (destination & ldr_ & 0xFFFF);
    }
    if (!logical) return destination == 0xFF || destination == id_;
    const u32 own = ldr_ >> 24;
    if (destination == 0xFF) return true;
    if (dfr_ >> 28 == 0xF) return destination & own;                                              // flat
    return (destination >> 4 == own >> 4 || destination >> 4 == 15) && (destination & own & 15);  // cluster
}

void LocalApic::end_of_interrupt() {
    const unsigned v = highest(isr_);
    if (v == 0) return;
    set(isr_, v, false);
    if (test(tmr_, v) && !(svr_ >> 12 & 1)) host_.broadcast_eoi(static_cast<u8>(v));
    changed();
}

void LocalApic::report_error(u32 bit) {
    const bool fresh = (esr_latched_ & bit) == 0;
    esr_latched_ |= bit;
    if (fresh) fire(error);
}

// --- the local vector table (11.5.1) ---

void LocalApic::fire(unsigned which) {
    const u32 entry = lvt_[which];
    if (entry & kMasked) return;
    const bool has_mode = which != timer && which != error;
    const DeliveryMode mode = has_mode ? static_cast<DeliveryMode>(entry >> 8 & 7) : DeliveryMode::fixed;
    receive(mode, static_cast<u8>(entry), false);
}

void LocalApic::pulse_lint1() {
    if (!enabled()) {
        if (pins_.nmi) pins_.nmi();
        return;
    }
    fire(lint1);
}

void LocalApic::write_lvt(unsigned which, u32 value) {
    static constexpr std::array<u32, kLvts> kLegal{0x000107FF, 0x000700FF, 0x000107FF, 0x000107FF,
                                                   0x0001A7FF, 0x0001A7FF, 0x000100FF};
    u32 legal = kLegal[which];
    if (which == timer && !model_.has(Feature::tsc_deadline)) legal &= ~(1u << 18);
    const u32 old = lvt_[which];
    lvt_[which] = value & legal;
    if (!software_enabled()) lvt_[which] |= kMasked;
    if (which == timer && ((old ^ lvt_[timer]) >> 17 & 3)) {
        // To or from TSC-deadline mode disarms (11.5.4.1).
        const bool deadline = (old >> 17 & 3) == kDeadline || timer_mode() == kDeadline;
        if (deadline) {
            running_ = false;
            initial_count_ = 0;
            tsc_deadline_ = 0;
            host_.cancel_apic_timer();
        }
    }
    changed();
}

// --- timer (11.5.4) ---

u64 LocalApic::tick() const {
    const unsigned code = (divide_ & 3) | (divide_ >> 1 & 4);
    return kCrystalNanoseconds << (code == 7 ? 0 : code + 1);
}

u32 LocalApic::current_count() const {
    if (!running_ || timer_mode() == kDeadline || initial_count_ == 0) return 0;
    const u64 ticks = (host_.now() - started_) / tick();
    if (timer_mode() == kPeriodic) return static_cast<u32>(initial_count_ - ticks % initial_count_);
    return ticks >= initial_count_ ? 0 : static_cast<u32>(initial_count_ - ticks);
}

void LocalApic::start_timer(u32 count) {
    if (timer_mode() == kDeadline) return;
    initial_count_ = count;
    running_ = count != 0;
    started_ = host_.now();
    if (running_) {
        host_.arm_apic_timer(started_ + count * tick());
    } else {
        host_.cancel_apic_timer();
    }
}

void LocalApic::timer_expired() {
    if (timer_mode() == kDeadline) {
        if (tsc_deadline_ == 0) return;
        tsc_deadline_ = 0;
        fire(timer);
        return;
    }
    if (!running_) return;
    if (timer_mode() == kPeriodic) {
        // Periods that passed meanwhile are merged, their phase is kept.
        const u64 period = initial_count_ * tick();
        started_ += std::max<u64>(1, (host_.now() - started_) / period) * period;
        host_.arm_apic_timer(started_ + period);
    } else {
        running_ = false;
    }
    fire(timer);
}

void LocalApic::write_tsc_deadline(u64 value, u64 tsc) {
    if (timer_mode() != kDeadline) return;
    tsc_deadline_ = value;
    if (value == 0) {
        host_.cancel_apic_timer();
        return;
    }
    static_assert(kTscHz == 1'000'000'000);
    const u64 ahead = value > tsc ? value - tsc : 0;
    const Nanoseconds now = host_.now();
    // A deadline beyond the end of time never comes.
    host_.arm_apic_timer(ahead > ~u64{0} - 1 - now ? ~u64{0} - 1 : now + ahead);
}

void LocalApic::tsc_changed(u64 tsc) {
    if (tsc_deadline_ != 0) write_tsc_deadline(tsc_deadline_, tsc);
}

// --- ICR (11.6) ---

void LocalApic::send(u64 icr) {
    const u8 vector = static_cast<u8>(icr);
    const DeliveryMode mode = static_cast<DeliveryMode>(icr >> 8 & 7);
    const bool level = icr >> 15 & 1, assert_level = icr >> 14 & 1, logical = icr >> 11 & 1;
    if ((mode == DeliveryMode::fixed || mode == DeliveryMode::lowest) && vector < 16) {
        return report_error(kErrorSendIllegal);
    }
    // INIT level de-assert only touches arbitration IDs.
    if (mode == DeliveryMode::init && level && !assert_level) return;
    const u32 destination = x2apic() ? static_cast<u32>(icr >> 32) : static_cast<u32>(icr >> 56);
    bool self = false;
    switch (icr >> 18 & 3) {
        case 0:
            self = matches(destination, logical);
            break;
        case 1:
        case 2:
            self = true;
            break;
        default:
            break;
    }
    if (self) receive(mode, vector, false);
}

// --- registers ---

u32 LocalApic::read_register(u32 index) {
    switch (index) {
        case kId:
            return x2apic() ? id_ : id_ << 24;
        // Version 14h, seven LVT entries, EOI broadcast can be suppressed.
        case kVersion:
            return 0x14 | (kLvts - 2) << 16 | 1u << 24;
        case kTpr:
            return tpr_;
        case kPpr:
            return processor_priority();
        case kLdr:
            return ldr_;
        case kDfr:
            return dfr_;
        case kSvr:
            return svr_;
        case kEsr:
            return esr_;
        case kIcrLow:
            return static_cast<u32>(icr_);
        case kIcrHigh:
            return static_cast<u32>(icr_ >> 32);
        case kInitialCount:
            return initial_count_;
        case kCurrentCount:
            return current_count();
        case kDivide:
            return divide_;
        default:
            break;
    }
    if (index >= kIsr && index < kTmr) return isr_[index - kIsr];
    if (index >= kTmr && index < kIrr) return tmr_[index - kTmr];
    if (index >= kIrr && index < kEsr) return irr_[index - kIrr];
    if (index >= kLvtTimer && index <= kLvtError) return lvt_[timer + index - kLvtTimer];
    if (index != kApr && index != kEoi) report_error(kErrorRegister);
    return 0;
}

void LocalApic::write_register(u32 index, u32 value) {
    switch (index) {
        case kId:
            if (!x2apic()) id_ = value >> 24;
            return;
        case kTpr:
            return set_tpr(static_cast<u8>(value));
        case kEoi:
            return end_of_interrupt();
        case kLdr:
            if (!x2apic()) ldr_ = value & 0xFF000000;
            return;
        case kDfr:
            dfr_ = value | 0x0FFFFFFF;
            return;
        case kSvr:
            svr_ = value & 0x11FF;
            if (!software_enabled()) {
                for (u32& entry : lvt_) entry |= kMasked;
            }
            return changed();
        case kEsr:
            esr_ = esr_latched_;
            esr_latched_ = 0;
            return;
        case kIcrLow:
            icr_ = (icr_ & 0xFFFFFFFF00000000) | (value & 0x000CCFFF);
            return send(icr_);
        case kIcrHigh:
            icr_ = (icr_ & 0xFFFFFFFF) | u64{value & 0xFF000000} << 32;
            return;
        case kInitialCount:
            return start_timer(value);
        case kDivide: {
            // The count goes on at the new rate.
            const u32 left = current_count();
            divide_ = value & 0xB;
            if (running_ && timer_mode() != kDeadline) {
                started_ = host_.now() - (initial_count_ - left) * tick();
                host_.arm_apic_timer(host_.now() + left * tick());
            }
            return;
        }
        default:
            break;
    }
    if (index >= kLvtTimer && index <= kLvtError) return write_lvt(timer + index - kLvtTimer, value);
    const bool read_only = index == kVersion || index == kApr || index == kPpr || index == kCurrentCount ||
                           (index >= kIsr && index < kEsr);
    if (!read_only) report_error(kErrorRegister);
}

u64 LocalApic::read(u64 offset, unsigned width) {
    // Registers are 32 bits wide, 16 apart; the bytes between are undefined: zeros here.
    const u64 in = offset & 15;
    u64 value = in < 4 ? read_register(static_cast<u32>(offset >> 4)) >> (8 * in) : 0;
    if (width < 8) value &= (u64{1} << 8 * width) - 1;
    return value;
}

void LocalApic::write(u64 offset, u64 value, unsigned width) {
    if ((offset & 15) != 0 || width < 4) return;
    write_register(static_cast<u32>(offset >> 4), static_cast<u32>(value));
}

bool LocalApic::read_x2apic(u32 msr, u64& value) {
    if (!x2apic()) return false;
    const u32 index = msr - 0x800;
    const bool exists = index == kId || index == kVersion || index == kTpr || index == kPpr ||
                        index == kLdr || index == kSvr || (index >= kIsr && index <= kEsr) ||
                        index == kIcrLow || (index >= kLvtTimer && index <= kCurrentCount) ||
                        index == kDivide;
    if (!exists) return false;
    value = index == kIcrLow ? icr_ : read_register(index);
    return true;
}

bool LocalApic::write_x2apic(u32 msr, u64 value) {
    if (!x2apic()) return false;
    const u32 index = msr - 0x800;
    if (index == kIcrLow) {
        if (value & 0xFFF32000) return false;
        icr_ = value & ~(u64{1} << 12);
        send(icr_);
        return true;
    }
    if (value >> 32) return false;
    const u32 v = static_cast<u32>(value);
    switch (index) {
        case kTpr:
            if (v > 0xFF) return false;
            break;
        case kEoi:
        case kEsr:
            if (v != 0) return false;
            break;
        case kSvr:
            if (v & ~0x11FFu) return false;
            break;
        case kSelfIpi:
            if (v > 0xFF) return false;
            send(0x40000 | v);
            return true;
        case kInitialCount:
        case kDivide:
            break;
        default:
            if (index < kLvtTimer || index > kLvtError) return false;
    }
    write_register(index, v);
    return true;
}

void LocalApic::visit(Archive& ar) {
    ar.section("local-apic");
    ar.all(id_, tpr_, ldr_, dfr_, svr_, isr_, tmr_, irr_, esr_, esr_latched_, icr_, lvt_, initial_count_,
           divide_, started_, running_, tsc_deadline_);
    if (running_ && initial_count_ == 0) {  // its period would be nothing
        ar.fail("timer count out of range");
        running_ = false;
    }
    if (ar.loading() && ar.ok()) base_changed();
}

}  // namespace mynah
