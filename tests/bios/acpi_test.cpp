// ACPI tables: structure, checksums, and the linker script run as firmware would.
#include "bios/acpi_tables.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "bios/aml.h"

namespace mynah {
namespace {

constexpr PhysicalAddress kHigh = 0x7FE0000, kLow = 0xF0000;

class PlacedAcpi : public ::testing::Test {
  protected:
    PlacedAcpi() : tables(make_acpi({})), placed(place_tables(tables, kHigh, kLow)) {}

    std::span<const u8> at(u64 address, u64 size) const {
        for (const MemorySegment& s : placed.segments) {
            if (address >= s.address && address + size <= s.address + s.data.size()) {
                return std::span(s.data).subspan(static_cast<size_t>(address - s.address),
                                                 static_cast<size_t>(size));
            }
        }
        ADD_FAILURE() << "no table at " << address;
        return {};
    }
    std::span<const u8> table(u64 address) const { return at(address, field<u32>(at(address, 36), 4)); }
    std::string signature(u64 address) const {
        const auto s = at(address, 4);
        return {s.begin(), s.end()};
    }
    std::map<std::string, u64> roots(bool extended) const {
        const auto rsdp = at(kLow, 36);
        const auto root = table(extended ? field<u64>(rsdp, 24) : field<u32>(rsdp, 16));
        std::map<std::string, u64> out;
        for (size_t i = 36; i < root.size(); i += extended ? 8 : 4) {
            const u64 a = extended ? field<u64>(root, i) : field<u32>(root, i);
            out[signature(a)] = a;
        }
        return out;
    }

    LinkedTables tables;
    PlacedTables placed;
};

TEST_F(PlacedAcpi, RsdpHasBothChecksums) {
    const auto rsdp = at(kLow, 36);
    EXPECT_EQ(std::string(rsdp.begin(), rsdp.begin() + 8), "RSD PTR ");
    EXPECT_EQ(checksum8(rsdp.first(20)), 0);
    EXPECT_EQ(checksum8(rsdp), 0);
}

TEST_F(PlacedAcpi, BothRootTablesNameTheSameTables) {
    const auto by_rsdt = roots(false), by_xsdt = roots(true);
    EXPECT_EQ(by_rsdt, by_xsdt);
    EXPECT_EQ(by_rsdt.size(), 3u);
    for (const char* s : {"FACP", "APIC", "HPET"}) EXPECT_TRUE(by_rsdt.contains(s)) << s;
    for (const auto& [name, address] : by_rsdt) EXPECT_EQ(checksum8(table(address)), 0) << name;
}

TEST_F(PlacedAcpi, FadtPointsToFacsAndDsdt) {
    const auto fadt = table(roots(false)["FACP"]);
    ASSERT_EQ(fadt.size(), 244u);
    const u32 facs = field<u32>(fadt, 36), dsdt = field<u32>(fadt, 40);
    EXPECT_EQ(signature(facs), "FACS");
    EXPECT_EQ(facs % 64, 0u);
    EXPECT_EQ(signature(dsdt), "DSDT");
    EXPECT_EQ(field<u64>(fadt, 140), dsdt);
    EXPECT_EQ(checksum8(table(dsdt)), 0);
    EXPECT_EQ(field<u16>(fadt, 46), 9);             // SCI
    EXPECT_EQ(field<u32>(fadt, 56), 0x600u);        // PM1a event block
    EXPECT_EQ(field<u32>(fadt, 76), 0x608u);        // PM timer
    EXPECT_EQ(fadt[108], 0x32);                     // century
    EXPECT_TRUE(field<u32>(fadt, 112) & 1u << 10);  // reset register
    EXPECT_EQ(field<u64>(fadt, 120), 0xCF9u);
}

TEST(Acpi, MadtDescribesInterrupts) {
    const LinkedTables t = make_acpi({.cpus = 2});
    const Bytes& b = t.files[0].data;
    const std::string text(b.begin(), b.end());
    const size_t madt = text.find("APIC", 64);
    ASSERT_NE(madt, std::string::npos);
    const std::span<const u8> table = std::span(b).subspan(madt, field<u32>(b, madt + 4));
    unsigned cpus = 0, io_apics = 0;
    std::map<unsigned, std::pair<u32, u16>> overrides;
    for (size_t at = 44; at < table.size(); at += table[at + 1]) {
        ASSERT_GE(table[at + 1], 6);
        if (table[at] == 0) ++cpus;
        if (table[at] == 1) {
            ++io_apics;
            EXPECT_EQ(field<u32>(table, at + 4), 0xFEC00000u);
        }
        if (table[at] == 2) overrides[table[at + 3]] = {field<u32>(table, at + 4), field<u16>(table, at + 8)};
    }
    EXPECT_EQ(cpus, 2u);
    EXPECT_EQ(io_apics, 1u);
    EXPECT_EQ(overrides[0], std::pair(2u, u16{0}));
    EXPECT_EQ(overrides[9], std::pair(9u, u16{0xD}));
}

TEST(Acpi, ScriptEntriesHave128Bytes) {
    const LinkedTables t = make_acpi({});
    const Bytes script = t.script_bytes();
    EXPECT_EQ(script.size(), 128 * t.script.size());
    EXPECT_EQ(field<u32>(script, 0), 1u);
    EXPECT_STREQ(reinterpret_cast<const char*>(&script[4]), "etc/acpi/tables");
}

TEST(Acpi, LeavesOutWhatIsNotThere) {
    const Bytes with = make_dsdt({}),
                without = make_dsdt({.hpet = false, .keyboard = false, .floppy = false});
    const auto has = [](const Bytes& b, std::string_view name) {
        return std::string_view(reinterpret_cast<const char*>(b.data()), b.size()).find(name) !=
               std::string_view::npos;
    };
    for (const char* n : {"HPET", "KBD_", "FDC0"}) {
        EXPECT_TRUE(has(with, n)) << n;
        EXPECT_FALSE(has(without, n)) << n;
    }
}

TEST(Aml, EncodesLengthsAndNames) {
    using namespace aml;
    EXPECT_EQ(path("\\_SB.PCI0").bytes(), (Bytes{'\\', 0x2E, '_', 'S', 'B', '_', 'P', 'C', 'I', '0'}));
    EXPECT_EQ(integer(0x1234).bytes(), (Bytes{0x0B, 0x34, 0x12}));
    EXPECT_EQ(eisa_id("PNP0A03").bytes(), (Bytes{0x0C, 0x41, 0xD0, 0x0A, 0x03}));
    EXPECT_EQ(package({integer(0), integer(1)}).bytes(), (Bytes{0x12, 0x04, 0x02, 0x00, 0x01}));
    // 64 bytes and more need a second length byte.
    const Bytes big = buffer(Bytes(100)).bytes();
    EXPECT_EQ(big[1], 0x40 | (104 & 15));
    EXPECT_EQ(big[2], 104 >> 4);
}

}  // namespace
}  // namespace mynah
