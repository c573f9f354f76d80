#include "devices/piix3.h"

#include "base/bits.h"

namespace mynah {

namespace {

constexpr u8 kPirqRoute = 0x60;  // ..63h, 2.2.10
constexpr u8 kRouteDisabled = 0x80;
// IRQs 0, 1, 2, 8 and 13 are reserved.
constexpr u16 kRoutable = 0xDEF8;

// Reset control, 2.5.4.6.
constexpr u8 kHard = 2;
constexpr u8 kTrigger = 4;

}  // namespace

Piix3::Piix3(InterruptSink interrupt, ResetSink reset)
    : PciFunction({.vendor = 0x8086, .device = 0x7000, .class_code = 0x060100}),
      interrupt_(std::move(interrupt)),
      reset_(std::move(reset)) {
    set_config16(pci::command, 0x0007, 0x0008);
    set_config16(pci::status, 0x0200);
    set_config8(0x4C, 0x4D, 0x7F);       // ISA recovery
    set_config16(0x4E, 0x0003, 0x01FF);  // X-bus chip selects
    for (u8 i = 0; i < 4; ++i) set_config8(kPirqRoute + i, kRouteDisabled, 0x8F);
    set_config8(0x69, 0x02, 0xFE);       // top of memory
    set_config16(0x6A, 0x0000, 0xFFFF);  // miscellaneous status
    set_config8(0x70, 0x80, 0xEF);       // motherboard IRQ route
    set_config16(0x76, 0x0C0C, 0x8F8F);  // motherboard DMA
    set_config16(0x78, 0x0002, 0xFFFF);  // programmable chip select
    set_config8(0x80, 0x00, 0x7F);       // APIC base
    set_config8(0x82, 0x00, 0x0F);       // deterministic latency
    set_config8(0xA0, 0x08, 0x1F);       // SMI
    set_config32(0xA2, 0x00000000, 0xFFFFFFFF);
    set_config16(0xA6, 0x0000, 0xFFFF);
    set_config8(0xA8, 0x0F, 0xFF);
    set_config16(0xAA, 0x0000, 0xFFFF);
    set_config8(0xAC, 0x00, 0xFF);
    set_config8(0xAE, 0x00, 0xFF);
}

void Piix3::reset() {
    reset_config();
    reset_control_ = 0;
    update();
}

void Piix3::visit(Archive& ar) {
    ar.section(name());
    visit_config(ar);
    ar.all(pirq_levels_, irq_levels_, reset_control_);
}

void Piix3::set_pirq(unsigned pirq, bool level) {
    MYNAH_CHECK(pirq < 4);
    pirq_levels_ = with_bit(pirq_levels_, pirq, level);
    update();
}

int Piix3::route(unsigned pirq) const {
    MYNAH_CHECK(pirq < 4);
    const u8 value = config8(static_cast<u8>(kPirqRoute + pirq));
    const unsigned irq = value & 0xF;
    return (value & kRouteDisabled) || !bit(kRoutable, irq) ? -1 : static_cast<int>(irq);
}

void Piix3::config_written(u8 offset, unsigned width) {
    if (offset < kPirqRoute + 4 && offset + width > kPirqRoute) update();
}

void Piix3::update() {
    u16 levels = 0;
    for (unsigned i = 0; i < 4; ++i) {
        const int irq = route(i);
        if (irq >= 0 && bit(pirq_levels_, i)) levels |= static_cast<u16>(1u << irq);
    }
    const u16 changed = levels ^ irq_levels_;
    irq_levels_ = levels;
    for (unsigned irq = 0; irq < 16; ++irq) {
        if (bit(changed, irq) && interrupt_) interrupt_(irq, bit(levels, irq));
    }
}

void Piix3::write_reset_control(u8 value) {
    const bool hard = (value & kHard) != 0;
    // Only a change of the trigger bit from 0 to 1 resets; after it everything here is back at 0.
    const bool triggered = (value & kTrigger) && !(reset_control_ & kTrigger);
    reset_control_ = value & (kHard | kTrigger);
    if (!triggered) return;
    reset_control_ &= static_cast<u8>(~kTrigger);
    if (reset_) reset_(hard);
}

}  // namespace mynah
