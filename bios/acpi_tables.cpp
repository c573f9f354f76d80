#include "bios/acpi_tables.h"

#include <utility>

namespace mynah {

namespace {

constexpr std::string_view kTables = "etc/acpi/tables", kRsdp = "etc/acpi/rsdp";

// Offsets in the common header.
constexpr size_t kLength = 4, kChecksum = 9;

// MPS INTI flags (5.2.12.5).
constexpr u16 kActiveHighLevel = 0xD;

void finish_table(ByteBuilder& b, size_t begin) {
    b.patch(begin + kLength, b.size() - begin, 4);
}

// A Generic Address Structure (5.2.3.2) of I/O space.
void put_io_register(ByteBuilder& b, u64 port, u8 bits, u8 access) {
    b.put8(port ? 1 : 0);
    b.put8(port ? bits : 0);
    b.put8(0);
    b.put8(port ? access : 0);
    b.put64(port);
}

// Firmware ACPI Control Structure (5.2.10).
void put_facs(ByteBuilder& b) {
    b.text("FACS");
    b.put32(64);
    b.zeros(24);
    b.put8(1);  // version
    b.zeros(31);
}

// Fixed ACPI Description Table (5.2.9), revision 3 (ACPI 2.0c). Returns the offset of the table.
struct FadtPointers {
    size_t facs, dsdt, x_dsdt;
};

FadtPointers put_fadt(ByteBuilder& b, const AcpiConfig& c) {
    constexpr u32 wbinvd = 1, proc_c1 = 4, no_sleep_button = 0x20, rtc_s4 = 0x80, reset_register = 0x400;
    FadtPointers p{};
    begin_table(b, "FACP", 3);
    p.facs = b.size();
    b.put32(0);
    p.dsdt = b.size();
    b.put32(0);
    b.put8(1);  // interrupt model of ACPI 1.0: multiple APIC
    b.put8(1);  // desktop
    b.put16(c.sci_irq);
    b.put32(0xB2);  // SMI_CMD
    b.put8(0xF1);   // ACPI_ENABLE
    b.put8(0xF0);   // ACPI_DISABLE
    b.put16(0);     // S4BIOS_REQ, PSTATE_CNT
    b.put32(c.pm_base);
    b.put32(0);
    b.put32(c.pm_base + 4u);
    b.put32(0);
    b.put32(0);
    b.put32(c.pm_base + 8u);
    b.put32(0);  // no general-purpose events
    b.put32(0);
    b.put8(4);  // PM1_EVT_LEN
    b.put8(2);  // PM1_CNT_LEN
    b.put8(0);
    b.put8(4);  // PM_TMR_LEN
    b.zeros(4);
    b.put16(0xFFF);  // no C2
    b.put16(0xFFF);  // no C3
    b.put16(0);
    b.put16(0);
    b.put16(0);  // duty cycle
    b.put8(0);   // day alarm
    b.put8(0);   // month alarm
    b.put8(0x32);
    b.put16(1 | (c.keyboard ? 2 : 0));  // ISA devices, 8042
    b.put8(0);
    b.put32(wbinvd | proc_c1 | no_sleep_button | rtc_s4 | reset_register);
    put_io_register(b, 0xCF9, 8, 1);
    b.put8(6);  // hard reset
    b.zeros(3);
    b.put64(0);  // X_FIRMWARE_CTRL: the 32-bit field counts
    p.x_dsdt = b.size();
    b.put64(0);
    put_io_register(b, c.pm_base, 32, 2);
    put_io_register(b, 0, 0, 0);
    put_io_register(b, c.pm_base + 4u, 16, 2);
    put_io_register(b, 0, 0, 0);
    put_io_register(b, 0, 0, 0);
    put_io_register(b, c.pm_base + 8u, 32, 3);
    put_io_register(b, 0, 0, 0);
    put_io_register(b, 0, 0, 0);
    return p;
}

// Multiple APIC Description Table (5.2.12).
void put_madt(ByteBuilder& b, const AcpiConfig& c) {
    begin_table(b, "APIC", 1);
    b.put32(c.local_apic_base);
    b.put32(1);  // there is a pair of 8259s too
    for (unsigned cpu = 0; cpu < c.cpus; ++cpu) {
        b.put8(0);
        b.put8(8);
        b.put8(cpu);
        b.put8(cpu);
        b.put32(1);
    }
    b.put8(1);
    b.put8(12);
    b.put8(0);
    b.put8(0);
    b.put32(c.io_apic_base);
    b.put32(0);
    const auto override_irq = [&](u8 source, u32 gsi, u16 flags) {
        b.put8(2);
        b.put8(10);
        b.put8(0);
        b.put8(source);
        b.put32(gsi);
        b.put16(flags);
    };
    override_irq(0, 2, 0);
    // Lines that PCI interrupts are routed to, and the SCI.
    for (const u8 source : {u8{5}, c.sci_irq, u8{10}, u8{11}}) override_irq(source, source, kActiveHighLevel);
    b.put8(4);  // LINT1 of every processor is NMI
    b.put8(6);
    b.put8(0xFF);
    b.put16(0);
    b.put8(1);
}

// IA-PC HPET specification 1.0a, 3.2.4.
void put_hpet(ByteBuilder& b, const AcpiConfig& c) {
    begin_table(b, "HPET", 1);
    b.put32(0x8086A201);  // three 64-bit comparators, legacy routing
    b.zeros(4);           // memory space
    b.put64(c.hpet_base);
    b.put8(0);
    b.put16(0);
    b.put8(0);
}

}  // namespace

void begin_table(ByteBuilder& b, std::string_view signature, u8 revision) {
    b.text(signature, 4, ' ');
    b.put32(0);
    b.put8(revision);
    b.put8(0);
    b.text("MYNAH ", 6, ' ');
    b.text("MYNAHPC", 8, ' ');
    b.put32(1);
    b.text("MYNH", 4, ' ');
    b.put32(1);
}

LinkedTables make_acpi(const AcpiConfig& config) {
    LinkedTables out;
    ByteBuilder b, rsdp;
    out.script.push_back({.file = std::string(kTables), .alignment = 64});
    out.script.push_back({.file = std::string(kRsdp), .alignment = 16, .zone = LinkCommand::Zone::f_segment});
    const auto pointer = [&](std::string_view file, size_t offset, u8 size) {
        out.script.push_back({.kind = LinkCommand::Kind::add_pointer,
                              .file = std::string(file),
                              .target = std::string(kTables),
                              .offset = static_cast<u32>(offset),
                              .size = size});
    };
    const auto sum = [&](std::string_view file, size_t start, size_t length, size_t at) {
        out.script.push_back({.kind = LinkCommand::Kind::add_checksum,
                              .file = std::string(file),
                              .offset = static_cast<u32>(at),
                              .start = static_cast<u32>(start),
                              .length = static_cast<u32>(length)});
    };
    // Ends the table that began at `begin`; its pointers are linked before its checksum.
    const auto finish = [&](size_t begin) {
        finish_table(b, begin);
        sum(kTables, begin, b.size() - begin, begin + kChecksum);
        b.align(16);
    };

    const size_t facs = b.size();
    put_facs(b);
    const size_t dsdt = b.size();
    Bytes dsdt_bytes = make_dsdt(config);
    dsdt_bytes[kChecksum] = 0;
    b.bytes(dsdt_bytes);
    finish(dsdt);

    const size_t fadt = b.size();
    const FadtPointers fields = put_fadt(b, config);
    b.patch(fields.facs, facs, 4);
    b.patch(fields.dsdt, dsdt, 4);
    b.patch(fields.x_dsdt, dsdt, 8);
    pointer(kTables, fields.facs, 4);
    pointer(kTables, fields.dsdt, 4);
    pointer(kTables, fields.x_dsdt, 8);
    finish(fadt);

    std::vector<size_t> tables{fadt, b.size()};
    put_madt(b, config);
    finish(tables.back());
    if (config.hpet) {
        tables.push_back(b.size());
        put_hpet(b, config);
        finish(tables.back());
    }

    const auto root = [&](std::string_view signature, u8 size) {
        const size_t begin = b.size();
        begin_table(b, signature, 1);
        for (size_t table : tables) {
            pointer(kTables, b.size(), size);
            b.put(table, size);
        }
        finish(begin);
        return begin;
    };
    const size_t rsdt = root("RSDT", 4), xsdt = root("XSDT", 8);

    // Root System Description Pointer (5.2.5.3), revision 2.
    rsdp.text("RSD PTR ");
    rsdp.put8(0);
    rsdp.text("MYNAH ", 6, ' ');
    rsdp.put8(2);
    rsdp.put32(rsdt);
    rsdp.put32(36);
    rsdp.put64(xsdt);
    rsdp.put8(0);
    rsdp.zeros(3);
    pointer(kRsdp, 16, 4);
    pointer(kRsdp, 24, 8);
    sum(kRsdp, 0, 20, 8);
    sum(kRsdp, 0, 36, 32);

    out.files.push_back({std::string(kTables), b.take()});
    out.files.push_back({std::string(kRsdp), rsdp.take()});
    return out;
}

}  // namespace mynah
