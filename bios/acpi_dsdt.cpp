// The DSDT: what an operating system cannot find out by probing. PCI root bus, interrupt links (PIIX3
// 60h-63h), ISA devices, soft-off.
#include "bios/acpi_tables.h"
#include "bios/aml.h"

namespace mynah {

namespace {

using namespace aml;

Term hid(std::string_view id) {
    return name("_HID", eisa_id(id));
}

Term always_present() {
    return name("_STA", integer(0xF));
}

Term isa_device(std::string_view n, std::string_view id, const Term& crs, const Term& more = {}) {
    return device(n, concat({hid(id), more, always_present(), name("_CRS", crs)}));
}

// One of the four PIRQ links. The routing register holds the IRQ, bit 7 set: not routed.
Term interrupt_link(std::string_view n, unsigned uid, std::string_view reg) {
    const Term routing = path(std::string("\\_SB_.PCI0.ISA_.") + std::string(reg));
    // The interrupt number stands behind tag, length, flags and count.
    constexpr u64 number = 5;
    const Term status =
        if_(and_(routing, integer(0x80), Term(Bytes{0})), return_(integer(9))) + return_(integer(0xB));
    const Term disable = or_(routing, integer(0x80), routing);
    const Term current = concat({
        name("BUFR", resources({interrupts({0})})),
        create_dword_field(path("BUFR"), number, "IRQW"),
        if_(and_(routing, integer(0x80), Term(Bytes{0})), store(integer(0), path("IRQW"))),
        else_(store(and_(routing, integer(0xF), Term(Bytes{0})), path("IRQW"))),
        return_(path("BUFR")),
    });
    const Term set = create_dword_field(arg(0), number, "IRQW") + store(path("IRQW"), routing);
    return device(n, concat({
                         hid("PNP0C0F"),
                         name("_UID", integer(uid)),
                         name("_PRS", resources({interrupts({5, 10, 11})})),
                         method("_STA", 0, status),
                         method("_DIS", 0, disable),
                         method("_CRS", 0, current, true),
                         method("_SRS", 1, set, true),
                     }));
}

// The power-management function's own interrupt is wired to the SCI.
Term sci_link(u8 irq) {
    const Term fixed = resources({interrupts({irq})});
    return device("LNKS", concat({
                              hid("PNP0C0F"),
                              name("_UID", integer(4)),
                              name("_PRS", fixed),
                              name("_CRS", fixed),
                              method("_STA", 0, return_(integer(0xB))),
                              method("_DIS", 0, Term()),
                              method("_SRS", 1, Term()),
                          }));
}

Term routing_table() {
    static constexpr std::string_view links[] = {"LNKA", "LNKB", "LNKC", "LNKD"};
    std::vector<Term> entries;
    for (unsigned slot = 1; slot < 32; ++slot) {
        for (unsigned pin = 0; pin < 4; ++pin) {
            const bool power = slot == 1 && pin == 0;
            entries.push_back(package({integer(u64{slot} << 16 | 0xFFFF), integer(pin),
                                       path(power ? "LNKS" : links[(slot - 1 + pin) % 4]), integer(0)}));
        }
    }
    return name("_PRT", package(entries));
}

Term isa_bridge(const AcpiConfig& c) {
    Term body = concat({
        name("_ADR", integer(0x00010000)),
        operation_region("P40C", Space::pci_config, 0x60, 4),
        field("P40C", {{"PRQ0", 8}, {"PRQ1", 8}, {"PRQ2", 8}, {"PRQ3", 8}}),
        isa_device("RTC_", "PNP0B00", resources({io(0x70, 2), irq(8)})),
    });
    if (c.keyboard) {
        body += isa_device("KBD_", "PNP0303", resources({io(0x60, 1), io(0x64, 1), irq(1)}));
        body += isa_device("MOU_", "PNP0F13", resources({irq(12)}));
    }
    if (c.floppy) {
        body += isa_device("FDC0", "PNP0700", resources({io(0x3F2, 4), io(0x3F7, 1), irq(6), dma(2)}));
    }
    static constexpr std::pair<u16, u8> ports[] = {{0x3F8, 4}, {0x2F8, 3}, {0x3E8, 4}, {0x2E8, 3}};
    static constexpr std::string_view names[] = {"COM1", "COM2", "COM3", "COM4"};
    for (unsigned i = 0; i < c.serial_ports && i < 4; ++i) {
        body += isa_device(names[i], "PNP0501", resources({io(ports[i].first, 8, 8), irq(ports[i].second)}),
                           name("_UID", integer(i + 1)));
    }
    if (c.parallel) body += isa_device("LPT1", "PNP0400", resources({io(0x378, 8, 8), irq(7)}));
    return device("ISA_", body);
}

// What lies on the board without a driver of its own.
Term board_resources(const AcpiConfig& c) {
    return device("MRES",
                  concat({
                      hid("PNP0C02"),
                      name("_UID", integer(1)),
                      name("_CRS", resources({io(c.pm_base, 0x40), io(c.smbus_base, 0x10), io(0x4D0, 2),
                                              io(0xB2, 2), io(0x92, 1), io(0x510, 12)})),
                  }));
}

Term hpet(const AcpiConfig& c) {
    return device("HPET", concat({
                              hid("PNP0103"),
                              name("_UID", integer(0)),
                              always_present(),
                              name("_CRS", resources({memory32(c.hpet_base, 0x400, false)})),
                          }));
}

Term root_bus(const AcpiConfig& c) {
    return device(
        "PCI0",
        concat({
            hid("PNP0A03"),
            name("_ADR", integer(0)),
            name("_UID", integer(0)),
            name("_CRS",
                 resources({word_range(Kind::bus, 0, 0xFF), io(0xCF8, 8), word_range(Kind::io, 0, 0xCF7),
                            word_range(Kind::io, 0xD00, 0xFFFF), dword_memory_range(0xA0000, 0xBFFFF, true),
                            dword_memory_range(c.pci_hole, c.pci_hole_end, false)})),
            routing_table(),
            isa_bridge(c),
            board_resources(c),
        }));
}

}  // namespace

Bytes make_dsdt(const AcpiConfig& c) {
    static constexpr std::string_view registers[] = {"PRQ0", "PRQ1", "PRQ2", "PRQ3"};
    static constexpr std::string_view links[] = {"LNKA", "LNKB", "LNKC", "LNKD"};
    Term board = root_bus(c);
    for (unsigned i = 0; i < 4; ++i) board += interrupt_link(links[i], i, registers[i]);
    board += sci_link(c.sci_irq);
    if (c.hpet) board += hpet(c);
    Term processors;
    for (unsigned i = 0; i < c.cpus; ++i) {
        static constexpr char digits[] = "0123456789ABCDEF";
        const char n[] = {'C', digits[i >> 8 & 15], digits[i >> 4 & 15], digits[i & 15]};
        processors += processor({n, 4}, static_cast<u8>(i));
    }
    const Term body = concat({
        scope("\\_SB_", board + processors),
        // Sleep type 0 of the PM1 control register is soft-off on this chip.
        name("\\_S5_", package({integer(0), integer(0), integer(0), integer(0)})),
    });

    ByteBuilder b;
    begin_table(b, "DSDT", 1);  // revision 1: integers of 32 bits, as old systems expect
    b.bytes(body.bytes());
    b.patch(4, b.size(), 4);
    b.patch(9, checksum8(b.data()), 1);
    return b.take();
}

}  // namespace mynah
