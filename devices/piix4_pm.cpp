#include "devices/piix4_pm.h"

#include "base/bits.h"

namespace mynah {

namespace {

// Configuration space.
constexpr u8 kPmBase = 0x40, kPmEnable = 0x80, kSmbusBase = 0x90, kSmbusConfig = 0xD2,
             kDeviceActivityB = 0x58;

// PMSTS and PMEN (11.1.1, 11.1.2).
constexpr u16 kTimerOverflow = 1 << 0, kGlobal = 1 << 5, kPowerButton = 1 << 8, kRtc = 1 << 10;
constexpr u16 kStatusBits = 0x8D31, kEnableBits = kTimerOverflow | kGlobal | kPowerButton | kRtc;
// PMCNTRL (11.1.3).
constexpr u16 kSciEnable = 1 << 0, kSleepEnable = 1 << 13;
constexpr u16 kControlBits = 0x1C03;
constexpr unsigned kSoftOff = 0;

constexpr u8 kAcpiEnable = 0xF1, kAcpiDisable = 0xF0;  // written to APMC

constexpr unsigned kOverflowShift = 23;  // TMROF_STS is set whenever bit 23 of the timer changes

// SMBus host registers (11.2).
constexpr u8 kHostStatus = 0x00, kHostControl = 0x02;
constexpr u8 kDeviceError = 0x04, kHostInterrupt = 0x02, kStart = 0x40, kKill = 0x02, kFailed = 0x10;

void put_byte(u16& reg, unsigned high, u8 value) {
    reg = static_cast<u16>(high ? (reg & 0x00FF) | value << 8 : (reg & 0xFF00) | value);
}

}  // namespace

Piix4Pm::Piix4Pm(EventQueue& queue, IrqLine sci, std::function<void()> power_off)
    : PciFunction(
          {.vendor = 0x8086, .device = 0x7113, .revision = 3, .class_code = 0x068000, .interrupt_pin = 1}),
      queue_(queue),
      sci_(std::move(sci)),
      power_off_(std::move(power_off)),
      overflow_(queue, [this] { update(); }) {
    set_config16(pci::status, 0x0280);
    set_config32(kPmBase, 1, 0xFFC0);
    set_config32(0x44, 0, 0xFFFFFFFF);  // count A
    set_config32(0x48, 0, 0xFFFFFFFF);  // count B
    set_config32(0x4C, 0, 0xFFFFFFFF);  // general-purpose input control
    set_config32(0x50, 0, 0x00FFFFFF);  // device resource D
    set_config32(0x54, 0, 0xFFFFFFFF);  // device activity A
    // Device activity B. APMC_EN (bit 25) is on from the start: firmware takes it to mean that the SMI
    // handler is in place, and without SMM there is none to install.
    set_config32(kDeviceActivityB, 0x02000000, 0xFFFFFFFF);
    for (u8 at = 0x5C; at < 0x80; at += 4) set_config32(at, 0, 0xFFFFFFFF);  // device resources
    // The serial ports and the parallel port are decoded.
    set_config8(0x5F, 0x90, 0xFF);
    set_config8(0x63, 0x60, 0xFF);
    set_config8(0x67, 0x98, 0xFF);
    set_config8(kPmEnable, 0, 0x01);
    set_config32(kSmbusBase, 1, 0xFFF0);
    set_config8(kSmbusConfig, 0, 0x0F);
    for (u8 at = 0xD3; at <= 0xD5; ++at) set_config8(at, 0, 0xFF);
}

BankInfo Piix4Pm::bank(BankId bank) const {
    switch (bank) {
        case pm:
            return {64, 4};
        case smbus:
            return {16, 1};
        case apm:
            return {2, 1};
        default:
            return {4, 4};
    }
}

void Piix4Pm::reset() {
    reset_config();
    status_ = enable_ = control_ = 0;
    scratch_.fill(0);
    smbus_.fill(0);
    gpe_status_ = gpe_enable_ = 0;
    apm_control_ = apm_status_ = 0;
    overflows_seen_ = timer_ticks() >> kOverflowShift;
    map_ports();
    update();
}

void Piix4Pm::visit(Archive& ar) {
    ar.section(name());
    visit_config(ar);
    ar.all(status_, enable_, control_, scratch_, gpe_status_, gpe_enable_, apm_control_, apm_status_, smbus_,
           overflows_seen_, sci_level_, overflow_);
    if (ar.loading() && ar.ok()) map_ports();
}

// --- where the ports are ---

void Piix4Pm::config_written(u8 offset, unsigned width) {
    const auto touches = [&](u8 at) { return offset <= at && at < offset + width; };
    for (u8 i = 0; i < 4; ++i) {
        if (touches(kPmBase + i) || touches(kSmbusBase + i)) return map_ports();
    }
    if (touches(kPmEnable) || touches(kSmbusConfig)) map_ports();
}

void Piix4Pm::map_ports() {
    if (!bus()) return;
    const auto remap = [this](std::optional<u16>& now, std::optional<u16> wanted, Bank bank) {
        if (now == wanted) return;
        if (now) bus()->io().unmap(*now, *this, bank);
        now.reset();
        // Over other ports the block stays invisible: real chips would fight on the bus.
        if (wanted && bus()->io().map(*wanted, *this, bank).ok()) now = wanted;
    };
    std::optional<u16> pm_wanted, smbus_wanted;
    const u16 pm_at = config16(kPmBase) & 0xFFC0, smbus_at = config16(kSmbusBase) & 0xFFF0;
    if ((config8(kPmEnable) & 1) && pm_at) pm_wanted = pm_at;
    if ((config8(kSmbusConfig) & 1) && smbus_at) smbus_wanted = smbus_at;
    remap(pm_base_, pm_wanted, pm);
    remap(smbus_base_, smbus_wanted, smbus);
}

// --- events and SCI ---

void Piix4Pm::press_power_button() {
    status_ |= kPowerButton;
    update();
}

void Piix4Pm::raise_gpe(unsigned event) {
    if (event < 16) gpe_status_ |= static_cast<u16>(1 << event);
    update();
}

void Piix4Pm::latch_timer() {
    const u64 overflows = timer_ticks() >> kOverflowShift;
    if (overflows != overflows_seen_) status_ |= kTimerOverflow;
    overflows_seen_ = overflows;
}

void Piix4Pm::update() {
    latch_timer();
    const bool requested = (status_ & enable_ & kEnableBits) || (gpe_status_ & gpe_enable_);
    const bool level = requested && (control_ & kSciEnable);
    if (level != sci_level_) {
        sci_level_ = level;
        sci_.set(level);
    }
    if ((enable_ & kTimerOverflow) && !(status_ & kTimerOverflow)) {
        const u64 next = (overflows_seen_ + 1) << kOverflowShift;
        overflow_.arm(static_cast<u64>((u128{next} * 1'000'000'000 + kTimerHz - 1) / kTimerHz));
    } else {
        overflow_.cancel();
    }
}

// --- registers ---

u8 Piix4Pm::read_pm(u64 offset, u64 ticks) {
    switch (offset) {
        case 0x00:
        case 0x01:
            latch_timer();
            return static_cast<u8>(status_ >> (8 * (offset & 1)));
        case 0x02:
        case 0x03:
            return static_cast<u8>(enable_ >> (8 * (offset & 1)));
        case 0x04:
        case 0x05:
            return static_cast<u8>(control_ >> (8 * (offset & 1)));
        case 0x08:
        case 0x09:
        case 0x0A:
            return static_cast<u8>(ticks >> (8 * (offset & 3)));
        case 0x0B:  // the timer has 24 bits
        case 0x14:  // reading PLVL2 or PLVL3 would stop the clock until an interrupt
        case 0x15:
            return 0;
        default:
            return scratch_[offset & 63];
    }
}

void Piix4Pm::write_pm(u64 offset, u8 value) {
    switch (offset) {
        case 0x00:
        case 0x01: {
            latch_timer();
            const u16 clear = static_cast<u16>(value << (8 * (offset & 1)));
            status_ &= static_cast<u16>(~(clear & kStatusBits));
            return update();
        }
        case 0x02:
        case 0x03:
            put_byte(enable_, offset & 1, value);
            enable_ &= kEnableBits;
            return update();
        case 0x04:
            return write_control(static_cast<u16>((control_ & 0xFF00) | value));
        case 0x05:
            return write_control(static_cast<u16>((control_ & 0x00FF) | value << 8));
        case 0x08:
        case 0x09:
        case 0x0A:
        case 0x0B:
            return;
        case 0x0C:  // GPSTS, GLBSTS, DEVSTS: nothing here ever sets a bit, and writing a 1 clears
        case 0x0D:
        case 0x18:
        case 0x19:
        case 0x1C:
        case 0x1D:
        case 0x1E:
        case 0x1F:
            return;
        default:
            scratch_[offset & 63] = value;
    }
}

void Piix4Pm::write_control(u16 value) {
    const bool sleep = value & kSleepEnable;
    control_ = value & kControlBits;
    // Global release: tells the (absent) SMI handler; the status bit belongs to it.
    update();
    // Sleep types other than soft-off are not offered to guests: see etc/system-states and the DSDT.
    if (sleep && bits(control_, 12, 10) == kSoftOff && power_off_) power_off_();
}

// There is nothing on the SMBus: each transfer ends with no acknowledge.
void Piix4Pm::write_smbus(u64 offset, u8 value) {
    switch (offset) {
        case kHostStatus:
        case 0x01:
            smbus_[offset] &= static_cast<u8>(~value);
            break;
        case kHostControl:
            smbus_[kHostControl] = value & 0x1F;
            if (value & kKill) {
                smbus_[kHostStatus] |= kFailed;
            } else if (value & kStart) {
                smbus_[kHostStatus] |= kDeviceError | kHostInterrupt;
            }
            break;
        default:
            smbus_[offset & 15] = value;
    }
}

u64 Piix4Pm::read(BankId bank, u64 offset, unsigned width) {
    u64 value = 0;
    switch (bank) {
        case pm: {
            // One sample for all bytes: a carry between two of them would make the timer jump.
            const u64 ticks = timer_ticks();
            for (unsigned i = 0; i < width; ++i) value |= u64{read_pm(offset + i, ticks)} << (8 * i);
            return value;
        }
        case smbus:
            return smbus_[offset & 15];
        case apm:
            return offset & 1 ? apm_status_ : apm_control_;
        default:
            value = gpe_status_ | u64{gpe_enable_} << 16;
            value >>= 8 * (offset & 3);
            return width >= 4 ? value : value & ((u64{1} << (8 * width)) - 1);
    }
}

void Piix4Pm::write(BankId bank, u64 offset, u64 value, unsigned width) {
    const u8 byte = static_cast<u8>(value);
    switch (bank) {
        case pm:
            // The sleep bits of PMCNTRL act once, with all of what is written.
            if (offset == 0x04 && width >= 2) {
                write_control(static_cast<u16>(value));
                return;
            }
            for (unsigned i = 0; i < width; ++i) write_pm(offset + i, static_cast<u8>(value >> (8 * i)));
            return;
        case smbus:
            return write_smbus(offset & 15, byte);
        case apm:
            if (offset & 1) {
                apm_status_ = byte;
                return;
            }
            apm_control_ = byte;
            if (byte == kAcpiEnable) control_ |= kSciEnable;
            if (byte == kAcpiDisable) control_ &= static_cast<u16>(~kSciEnable);
            return update();
        default:
            for (unsigned i = 0; i < width; ++i) {
                const u8 part = static_cast<u8>(value >> (8 * i));
                const u64 at = (offset + i) & 3;
                if (at < 2) {
                    gpe_status_ &= static_cast<u16>(~(part << (8 * at)));
                } else {
                    put_byte(gpe_enable_, at & 1, part);
                }
            }
            update();
    }
}

}  // namespace mynah
