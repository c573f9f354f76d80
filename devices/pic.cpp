#include "devices/pic.h"

#include <fmt/format.h>

#include "base/bits.h"

namespace mynah {

namespace {

constexpr unsigned kCascade = 2;
// IRQ0-2, 8 and 13 are edge-triggered for good (PIIX3 data sheet, ELCR1/ELCR2).
constexpr std::array<u8, 2> kLevelWritable = {0xF8, 0xDE};

}  // namespace

// --- one chip ---

void Pic::Chip::set_line(unsigned n, bool high) {
    const u8 mask = static_cast<u8>(1 << n);
    if (high) {
        if (!(lines & mask)) edges |= mask;
        lines |= mask;
    } else {
        lines &= static_cast<u8>(~mask);
        edges &= static_cast<u8>(~mask);
    }
}

unsigned Pic::Chip::rank(u8 requests) const {
    for (unsigned i = 0; i < 8; ++i) {
        if (bit(requests, (lowest + 1 + i) & 7)) return i;
    }
    return 8;
}

int Pic::Chip::pending(bool is_master) const {
    if (icw) return -1;
    const unsigned best = rank(static_cast<u8>(irr() & ~imr));
    if (best == 8) return -1;
    const unsigned n = (lowest + 1 + best) & 7;
    // Special mask mode: a masked level in service does not hold back the others.
    const unsigned in_service = rank(special_mask ? static_cast<u8>(isr & ~imr) : isr);
    // Special fully nested mode: a slave in service may interrupt again, for a better input of its own.
    const bool same_slave = is_master && special_fully_nested && n == kCascade && best == in_service;
    return best < in_service || same_slave ? static_cast<int>(n) : -1;
}

void Pic::Chip::take(unsigned n) {
    const u8 mask = static_cast<u8>(1 << n);
    edges &= static_cast<u8>(~mask);
    if (!auto_eoi) {
        isr |= mask;
    } else if (rotate_on_auto_eoi) {
        lowest = static_cast<u8>(n);
    }
}

void Pic::Chip::write_icw1(u8 value) {
    edges = 0;
    imr = isr = 0;
    lowest = 7;
    special_mask = special_fully_nested = auto_eoi = rotate_on_auto_eoi = false;
    read_isr = poll = false;
    single = value & 2;
    needs_icw4 = value & 1;
    icw = 2;
}

void Pic::Chip::write_ocw2(u8 value) {
    const unsigned n = value & 7;
    switch (value >> 5) {
        case 0:
            rotate_on_auto_eoi = false;
            break;
        case 4:
            rotate_on_auto_eoi = true;
            break;
        case 1:    // non-specific EOI
        case 5: {  // and rotate
            const unsigned best = rank(special_mask ? static_cast<u8>(isr & ~imr) : isr);
            if (best == 8) break;
            const unsigned served = (lowest + 1 + best) & 7;
            isr &= static_cast<u8>(~(1 << served));
            if (value & 0x80) lowest = static_cast<u8>(served);
            break;
        }
        case 3:  // specific EOI
        case 7:  // and rotate
            isr &= static_cast<u8>(~(1 << n));
            if (value & 0x80) lowest = static_cast<u8>(n);
            break;
        case 6:
            lowest = static_cast<u8>(n);
            break;
    }
}

void Pic::Chip::write_ocw3(u8 value) {
    if (value & 4) poll = true;
    if (value & 2) read_isr = value & 1;
    if (value & 0x40) special_mask = value & 0x20;
}

void Pic::Chip::write_data(u8 value) {
    switch (icw) {
        case 0:
            imr = value;
            break;
        case 2:
            base = value & 0xF8;
            icw = !single ? 3 : needs_icw4 ? 4 : 0;
            break;
        case 3:
            slaves = value;
            icw = needs_icw4 ? 4 : 0;
            break;
        default:
            special_fully_nested = value & 0x10;
            auto_eoi = value & 2;
            icw = 0;
    }
}

void Pic::Chip::visit(Archive& ar) {
    ar.all(lines, edges, level, imr, isr, base, slaves, lowest, icw, single, needs_icw4, auto_eoi,
           rotate_on_auto_eoi, special_fully_nested, special_mask, read_isr, poll);
    if (icw > 4) ar.fail("initialisation state out of range");
    lowest &= 7;
}

// --- the pair ---

Pic::Pic(IrqLine intr) : intr_(std::move(intr)) {}

void Pic::set_irq(unsigned irq, bool level) {
    if (irq > 15 || irq == kCascade) return;
    chips_[irq / 8].set_line(irq & 7, level);
    update();
}

void Pic::update() {
    chips_[0].set_line(kCascade, chips_[1].pending(false) >= 0);
    const bool level = chips_[0].pending(true) >= 0;
    if (level == intr_level_) return;
    intr_level_ = level;
    intr_.set(level);
}

u8 Pic::acknowledge() {
    const int n = chips_[0].pending(true);
    u8 vector;
    if (n < 0) {
        vector = chips_[0].base | 7;  // the request went away: the default IR7, not marked in service
    } else if (n != kCascade) {
        chips_[0].take(static_cast<unsigned>(n));
        vector = static_cast<u8>(chips_[0].base | n);
    } else {
        const int m = chips_[1].pending(false);
        chips_[0].take(kCascade);
        if (m >= 0) chips_[1].take(static_cast<unsigned>(m));
        vector = chips_[1].base | static_cast<u8>(m < 0 ? 7 : m);
        // INT of the slave drops in the INTA cycle, so that a further request makes a new edge.
        chips_[0].set_line(kCascade, false);
    }
    update();
    return vector;
}

// Whatever drives the inputs is reset at the same time and starts low.
void Pic::reset() {
    chips_ = {};
    update();
}

void Pic::visit(Archive& ar) {
    ar.section(name());
    ar.all(chips_, intr_level_);
}

u64 Pic::read(BankId bank, u64 offset, unsigned) {
    if (bank == elcr) return chips_[offset & 1].level;
    return read_chip(chips_[bank & 1], bank == master, offset);
}

void Pic::write(BankId bank, u64 offset, u64 value, unsigned) {
    const u8 byte = static_cast<u8>(value);
    if (bank == elcr) {
        chips_[offset & 1].level = byte & kLevelWritable[offset & 1];
    } else {
        write_chip(chips_[bank & 1], offset, byte);
    }
    update();
}

u8 Pic::read_chip(Chip& chip, bool is_master, u64 offset) {
    if (chip.poll) {  // the read pulse takes the place of INTA
        chip.poll = false;
        const int n = chip.pending(is_master);
        if (n < 0) return 0;
        chip.take(static_cast<unsigned>(n));
        if (!is_master) chips_[0].set_line(kCascade, false);
        update();
        return static_cast<u8>(0x80 | n);
    }
    if (offset & 1) return chip.imr;
    return chip.read_isr ? chip.isr : chip.irr();
}

void Pic::write_chip(Chip& chip, u64 offset, u8 value) {
    if (offset & 1) return chip.write_data(value);
    if (value & 0x10) return chip.write_icw1(value);
    if (value & 0x08) return chip.write_ocw3(value);
    chip.write_ocw2(value);
}

std::string Pic::describe() const {
    std::string text;
    for (unsigned i = 0; i < 2; ++i) {
        const Chip& c = chips_[i];
        text += fmt::format(
            "pic{}: irr={:02x} imr={:02x} isr={:02x} hprio={} irq_base={:02x} rr_sel={} elcr={:02x} fnm={}\n",
            i, c.irr(), c.imr, c.isr, (c.lowest + 1) & 7, c.base, int{c.read_isr}, c.level,
            int{c.special_fully_nested});
    }
    return text;
}

}  // namespace mynah
