#include "devices/i440fx.h"

#include "base/bits.h"

namespace mynah {

namespace {

// 3.2.18: PAM0 has F0000h in its upper half; PAM1..6 have two 16 KiB segments each from C0000h on.
constexpr u8 kPam0 = 0x59;
constexpr u8 kPam6 = 0x5F;
constexpr u8 kReadEnable = 1;
constexpr u8 kWriteEnable = 2;
// 3.2.19
constexpr u8 kSmram = 0x72;
constexpr u8 kOpen = 0x40;
constexpr u8 kClosed = 0x20;
constexpr u8 kLocked = 0x10;
constexpr u8 kEnabled = 0x08;
constexpr PhysicalAddress kSmramBase = 0xA0000;
constexpr u64 kSmramLength = 0x20000;

}  // namespace

I440fx::I440fx(PhysicalMap& memory)
    : PciFunction({.vendor = 0x8086, .device = 0x1237, .revision = 2, .class_code = 0x060000}),
      memory_(memory) {
    set_config16(pci::command, 0x0006, 0x0100);
    set_config16(pci::status, 0x0280);
    set_config8(kPam0, 0, 0x30);
    for (u8 at = kPam0 + 1; at <= kPam6; ++at) set_config8(at, 0, 0x33);
    set_config8(kSmram, 0x02, kOpen | kClosed | kLocked | kEnabled);
}

void I440fx::reset() {
    reset_config();
    apply_pam();
    apply_smram();
}

void I440fx::visit(Archive& ar) {
    ar.section(name());
    visit_config(ar);
    if (!ar.loading() || !ar.ok()) return;
    apply_pam();
    apply_smram();
}

void I440fx::config_written(u8 offset, unsigned width) {
    if (offset <= kPam6 && offset + width > kPam0) apply_pam();
    if (offset <= kSmram && offset + width > kSmram) apply_smram();
}

void I440fx::apply_pam() {
    const auto apply = [&](PhysicalAddress base, u64 length, unsigned attribute) {
        memory_.set_shadow(base, length, (attribute & kReadEnable) != 0, (attribute & kWriteEnable) != 0);
    };
    apply(0xF0000, 0x10000, bits(config8(kPam0), 5, 4));
    for (u8 at = kPam0 + 1; at <= kPam6; ++at) {
        const PhysicalAddress base = 0xC0000 + PhysicalAddress{0x8000} * (at - kPam0 - 1u);
        apply(base, 0x4000, bits(config8(at), 1, 0));
        apply(base + 0x4000, 0x4000, bits(config8(at), 5, 4));
    }
}

void I440fx::apply_smram() {
    // D_LCK freezes the register until reset, but for D_CLS.
    const u8 open_mask = kOpen | kClosed | kLocked | kEnabled;
    set_write_mask(kSmram, config8(kSmram) & kLocked ? kClosed : open_mask);
    if (config8(kSmram) & kLocked) put_config8(kSmram, config8(kSmram) & ~kOpen);
    // Without SMM only the open window matters: DRAM in place of the frame buffer.
    const u8 control = config8(kSmram);
    const bool open = (control & kEnabled) && (control & kOpen) && !(control & kClosed);
    memory_.set_shadow(kSmramBase, kSmramLength, open, open);
}

}  // namespace mynah
