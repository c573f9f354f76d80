#include "devices/floppy.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bits.h"
#include "base/check.h"

namespace mynah {

namespace {

// Digital output register.
constexpr u8 kRun = 0x04;  // low: reset
constexpr u8 kGate = 0x08;
// Main status register.
constexpr u8 kRequest = 0x80;
constexpr u8 kToHost = 0x40;
constexpr u8 kNonDma = 0x20;
constexpr u8 kBusy = 0x10;
// CONFIGURE
constexpr u8 kNoPolling = 0x10;
constexpr u8 kConfigureDefault = 0x20;

constexpr u8 kRate500 = 1 << 0, kRate300 = 1 << 1, kRate250 = 1 << 2, kRate1000 = 1 << 3;
constexpr std::array<FloppyController::Geometry, 10> kGeometries{{
    {40, 1, 8, kRate250 | kRate300},  // 160 KB
    {40, 1, 9, kRate250 | kRate300},  // 180 KB
    {40, 2, 8, kRate250 | kRate300},  // 320 KB
    {40, 2, 9, kRate250 | kRate300},  // 360 KB
    {80, 2, 9, kRate250 | kRate300},  // 720 KB
    {80, 2, 15, kRate500},            // 1.2 MB
    {80, 2, 18, kRate500},            // 1.44 MB
    {80, 2, 21, kRate500},            // 1.68 MB
    {82, 2, 21, kRate500},            // 1.72 MB
    {80, 2, 36, kRate1000},           // 2.88 MB
}};

}  // namespace

FloppyController::Geometry FloppyController::geometry_of(u64 bytes) {
    for (const Geometry& g : kGeometries) {
        if (g.bytes() >= bytes) return g;
    }
    return kGeometries.back();
}

FloppyController::DriveType FloppyController::drive_for(u64 bytes) {
    if (bytes == 0) return DriveType::d1440k;
    const Geometry g = geometry_of(bytes);
    if (g.rates == kRate1000) return DriveType::d2880k;
    if (g.rates == kRate500 && g.sectors == 15) return DriveType::d1200k;
    if (g.cylinders == 40) return DriveType::d360k;
    return DriveType::d1440k;
}

FloppyController::FloppyController(EventQueue& time, DmaChannel& dma, IrqLine irq)
    : time_(time),
      dma_(dma),
      irq_(std::move(irq)),
      sector_timer_(time, [this] { sector_fired(); }),
      seek_timer_(time, [this] { seek_fired(); }),
      reset_timer_(time, [this] { reset_done(); }) {
    dma_.on_ready([this] {
        if (moving_ && phase_ == Phase::execution && dma_mode()) move();
    });
}

void FloppyController::add_drive(unsigned unit, DriveType type) {
    MYNAH_CHECK(unit < drives_.size());
    drives_[unit].type = type;
}

void FloppyController::set_medium(unsigned unit, BlockBackend* medium) {
    MYNAH_CHECK(unit < drives_.size());
    Drive& d = drives_[unit];
    d.medium = medium;
    d.geometry = medium != nullptr ? geometry_of(medium->size()) : Geometry{};
    d.changed = true;
}

FloppyController::Drive* FloppyController::drive(unsigned unit) {
    return unit < drives_.size() && drives_[unit].type != DriveType::none ? &drives_[unit] : nullptr;
}

std::string FloppyController::describe() const {
    std::string out;
    for (unsigned i = 0; i < drives_.size(); ++i) {
        const Drive& d = drives_[i];
        if (d.type == DriveType::none) continue;
        out += d.medium == nullptr ? fmt::format("floppy{}: empty\n", i)
                                   : fmt::format("floppy{}: {} KiB{}\n", i, d.geometry.bytes() / 1024,
                                                 d.medium->read_only() ? ", read-only" : "");
    }
    return out;
}

void FloppyController::reset() {
    output_ = 0;
    tape_ = 0;
    rate_ = 2;
    locked_ = false;
    specify_ = {};
    perpendicular_ = 0;
    last_track_ = 0;
    command_ = {};
    result_ = {};
    buffer_ = {};
    unit_ = head_ = c_ = h_ = r_ = n_ = eot_ = left_ = fill_ = st1_ = st2_ = 0;
    multi_track_ = whole_track_ = stop_after_sector_ = terminal_count_ = false;
    for (Drive& d : drives_) {
        d.changed = true;
        d.cylinder = 0;
    }
    controller_reset();
    reset_timer_.cancel();
}

// RESET through the DOR or the DSR: everything under way ends (4.2).
void FloppyController::controller_reset() {
    sector_timer_.cancel();
    seek_timer_.cancel();
    dma_.set_request(false);
    phase_ = Phase::command;
    transfer_ = Transfer::none;
    moving_ = false;
    position_ = unit_size_ = 0;
    command_size_ = command_needed_ = result_size_ = result_at_ = 0;
    units_ = {};
    // LOCK keeps EFIFO, FIFOTHR and PRETRK.
    configure_ = locked_ ? configure_ & 0x2F : kConfigureDefault;
    if (!locked_) precompensation_ = 0;
    set_irq(false);
    if (output_ & kRun) reset_timer_.arm_in(kResetTime);
}

void FloppyController::reset_done() {
    // With polling on, all four units have changed their ready state (4.2, 7.4).
    if (configure_ & kNoPolling) return;
    for (unsigned i = 0; i < 4; ++i) {
        units_[i].interrupt = true;
        units_[i].st0 = static_cast<u8>(0xC0 | i);
    }
    set_irq(true);
}

void FloppyController::visit(Archive& ar) {
    ar.section(name());
    for (Drive& d : drives_) ar.all(d.changed, d.cylinder);
    ar.all(output_, tape_, rate_, interrupt_, phase_, units_, command_, command_size_, command_needed_,
           result_, result_size_, result_at_, specify_, configure_, precompensation_, perpendicular_, locked_,
           last_track_);
    ar.all(transfer_, unit_, head_, c_, h_, r_, n_, eot_, multi_track_, whole_track_, stop_after_sector_,
           left_, fill_, st1_, st2_, terminal_count_, moving_, buffer_, position_, unit_size_);
    ar.all(sector_timer_, seek_timer_, reset_timer_);
    if (phase_ > Phase::result || transfer_ > Transfer::read_id || command_size_ > command_.size() ||
        command_needed_ > command_.size() || result_size_ > result_.size() || result_at_ > result_size_ ||
        unit_size_ > buffer_.size() || position_ > unit_size_ || unit_ > 3 || head_ > 1 || rate_ > 3) {
        ar.fail("floppy command out of range");
        reset();
    }
}

void FloppyController::set_irq(bool level) {
    interrupt_ = level;
    update_irq();
}

void FloppyController::update_irq() {
    irq_.set(interrupt_ && (output_ & kGate));
}

u64 FloppyController::read(BankId, u64 offset, unsigned) {
    switch (offset) {
        case 2:
            return output_;
        case 3:
            return tape_;
        case 4:
            return main_status();
        case 5:
            return read_data();
        case 7: {
            const Drive* d = drive(output_ & 3);
            return d != nullptr && d->changed ? 0x80 : 0;
        }
        default:
            return 0xFF;  // status A and B exist in the PS/2 modes only
    }
}

void FloppyController::write(BankId, u64 offset, u64 value, unsigned) {
    const u8 byte = static_cast<u8>(value);
    switch (offset) {
        case 2:
            return write_output(byte);
        case 3:
            tape_ = byte & 3;
            return;
        case 4:  // data rate select
            rate_ = byte & 3;
            if (byte & 0x80) controller_reset();
            return;
        case 5:
            return write_data(byte);
        case 7:  // configuration control
            rate_ = byte & 3;
            return;
        default:
            return;
    }
}

void FloppyController::write_output(u8 value) {
    const u8 before = output_;
    output_ = value;
    if ((before ^ value) & kRun) {
        reset_timer_.cancel();
        controller_reset();
    }
    update_irq();
}

u8 FloppyController::main_status() const {
    if (!(output_ & kRun)) return 0;
    u8 status = 0;
    for (unsigned i = 0; i < 4; ++i) {
        if (units_[i].seeking) status |= static_cast<u8>(1u << i);
    }
    switch (phase_) {
        case Phase::command:
            if (reset_timer_.armed()) return 0;
            return static_cast<u8>(status | kRequest | (command_size_ != 0 ? kBusy : 0));
        case Phase::execution: {
            status |= kBusy;
            if (dma_mode() || transfer_ == Transfer::read_id || transfer_ == Transfer::verify) return status;
            status |= kNonDma;
            if (!moving_) return status;
            return static_cast<u8>(status | kRequest | (transfer_ == Transfer::read ? kToHost : 0));
        }
        default:
            return static_cast<u8>(status | kRequest | kToHost | kBusy);
    }
}

u8 FloppyController::read_data() {
    if (phase_ == Phase::execution && moving_ && !dma_mode() && transfer_ == Transfer::read) {
        set_irq(false);
        const u8 value = position_ < unit_size_ ? buffer_[position_++] : u8{0};
        if (position_ >= unit_size_) unit_moved();
        return value;
    }
    if (phase_ != Phase::result || result_at_ >= result_size_) return 0;
    // The first result byte acknowledges the command's interrupt.
    if (result_at_ == 0) set_irq(false);
    const u8 value = result_[result_at_++];
    if (result_at_ == result_size_) {
        phase_ = Phase::command;
        result_size_ = result_at_ = 0;
    }
    return value;
}

void FloppyController::write_data(u8 value) {
    if (!(output_ & kRun)) return;
    if (phase_ == Phase::execution && moving_ && !dma_mode() &&
        (transfer_ == Transfer::write || transfer_ == Transfer::format)) {
        set_irq(false);
        if (position_ < unit_size_) buffer_[position_++] = value;
        if (position_ >= unit_size_) unit_moved();
        return;
    }
    if (phase_ != Phase::command || reset_timer_.armed()) return;
    if (command_size_ == 0) {
        // Bytes of each command, itself included; the rest is invalid and ends at once.
        constexpr std::array<u8, 32> length{1, 1, 9, 3, 2, 9, 9, 2, 1, 9, 2, 1, 9, 6, 1, 3,
                                            1, 1, 2, 4, 1, 1, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1};
        command_needed_ = length[value & 0x1F];
    }
    command_[command_size_++] = value;
    if (command_size_ < command_needed_) return;
    execute();
}

void FloppyController::arm_seek_timer() {
    Nanoseconds next = EventQueue::kNever;
    for (const Unit& u : units_) {
        if (u.seeking) next = std::min(next, u.arrival);
    }
    if (next == EventQueue::kNever) {
        seek_timer_.cancel();
    } else {
        seek_timer_.arm(next);
    }
}

void FloppyController::seek_fired() {
    const Nanoseconds due = seek_timer_.deadline();
    for (Unit& u : units_) {
        if (!u.seeking || u.arrival > due) continue;
        u.seeking = false;
        u.interrupt = true;
    }
    set_irq(true);
    arm_seek_timer();
}

}  // namespace mynah
