// SMBIOS, E820, CMOS, fw_cfg contents, ROM images, the font finder.
#include <gtest/gtest.h>

#include <map>

#include "bios/cmos_layout.h"
#include "bios/files.h"
#include "bios/fw_cfg_contents.h"
#include "bios/rom.h"
#include "bios/smbios.h"
#include "bios/vga_text.h"

namespace mynah {
namespace {

TEST(Smbios, StructuresWalkToTheEnd) {
    SmbiosTables t = make_smbios({.cpus = 2, .ram = {3 * GiB, 61 * GiB}, .bios_information = true});
    link_smbios(t, 0x12340);
    EXPECT_EQ(t.anchor.size(), 0x1Fu);
    EXPECT_EQ(checksum8(t.anchor), 0);
    EXPECT_EQ(checksum8(std::span(t.anchor).subspan(16)), 0);
    EXPECT_EQ(field<u32>(t.anchor, 0x18), 0x12340u);
    EXPECT_EQ(field<u16>(t.anchor, 0x16), t.structures.size());

    std::map<u8, unsigned> types;
    size_t at = 0, count = 0, largest = 0;
    while (at + 4 <= t.structures.size()) {
        const size_t begin = at;
        ++types[t.structures[at]];
        at += t.structures[at + 1];
        while (at + 1 < t.structures.size() && (t.structures[at] || t.structures[at + 1])) ++at;
        at += 2;
        ++count;
        largest = std::max(largest, at - begin);
    }
    EXPECT_EQ(at, t.structures.size());
    EXPECT_EQ(count, field<u16>(t.anchor, 0x1C));
    EXPECT_EQ(largest, field<u16>(t.anchor, 0x08));
    EXPECT_EQ(types, (std::map<u8, unsigned>{
                         {0, 1}, {1, 1}, {3, 1}, {4, 2}, {16, 1}, {17, 4}, {19, 2}, {32, 1}, {127, 1}}));
}

TEST(E820, IsSortedAndReservesTables) {
    const RamLayout ram{256 * MiB, 2 * GiB};
    const E820Map map = e820_map(ram, 5000);
    u64 last = 0;
    for (const E820Entry& e : map) {
        EXPECT_GE(e.base, last);
        EXPECT_GT(e.length, 0u);
        last = e.end();
    }
    EXPECT_EQ(map[3], (E820Entry{MiB, 255 * MiB - 8192, E820Type::ram}));
    EXPECT_EQ(map[4], (E820Entry{256 * MiB - 8192, 8192, E820Type::reserved}));
    EXPECT_EQ(map.back(), (E820Entry{4 * GiB, 2 * GiB, E820Type::ram}));
    EXPECT_EQ(e820_bytes(map).size(), 20 * map.size());
}

TEST(Cmos, HoldsMemoryAndBootOrder) {
    CmosConfig c{.ram = {128 * MiB, GiB}, .boot_order = "dc"};
    c.floppy_types = {4, 0};
    c.disks[0] = guess_geometry(2097152);
    std::map<u8, u8> cells;
    for (const auto& [cell, value] : cmos_cells(c)) {
        EXPECT_TRUE(cells.emplace(cell, value).second) << unsigned{cell} << " twice";
    }
    const auto word = [&](u8 at) { return cells.at(at) | cells.at(static_cast<u8>(at + 1)) << 8; };
    EXPECT_EQ(word(0x15), 640);
    EXPECT_EQ(word(0x30), 0xFFFF);
    EXPECT_EQ(word(0x34), 112 * 16);
    EXPECT_EQ(word(0x5B) | cells.at(0x5D) << 16, 16384);
    EXPECT_EQ(cells.at(0x3D), 0x23);
    EXPECT_EQ(cells.at(0x38), 0x00);
    EXPECT_EQ(cells.at(0x10), 0x40);
    EXPECT_EQ(cells.at(0x14), 0x07);
    EXPECT_EQ(cells.at(0x12), 0xF0);
    EXPECT_EQ(word(0x1B), 2080);
    EXPECT_EQ(cells.at(0x39), 1);
}

TEST(Cmos, ChecksTheBootOrder) {
    EXPECT_TRUE(check_boot_order("cad").ok());
    EXPECT_FALSE(check_boot_order("cx").ok());
    EXPECT_FALSE(check_boot_order("cc").ok());
}

TEST(FwCfg, FilesAreSortedAndComplete) {
    const FwCfgContents c = make_fw_cfg({.ram = {256 * MiB, 0}, .boot_order = {"/a", "/b"}});
    std::map<std::string, Bytes> files;
    std::string last;
    for (const FwCfgFile& f : c.files) {
        EXPECT_LT(last, f.name);
        last = f.name;
        files[f.name] = f.data;
    }
    for (const char* n :
         {"etc/acpi/rsdp", "etc/acpi/tables", "etc/boot-fail-wait", "etc/e820", "etc/smbios/smbios-anchor",
          "etc/smbios/smbios-tables", "etc/system-states", "etc/table-loader"}) {
        EXPECT_TRUE(files.contains(n)) << n;
    }
    EXPECT_EQ(files["bootorder"], (Bytes{'/', 'a', '\n', '/', 'b', 0}));
    EXPECT_EQ(files["etc/e820"].size(), 20u);
    std::map<u16, Bytes> items;
    for (const FwCfgItem& i : c.items) items[i.key] = i.data;
    EXPECT_EQ(items[0x05], (Bytes{1, 0}));
    EXPECT_EQ(items[0x8002], (Bytes{1, 0, 0, 0}));
}

TEST(Rom, AnySizeEndsAtTheTop) {
    auto rom = make_system_rom("r", Bytes(256 * KiB));
    ASSERT_TRUE(rom.ok());
    EXPECT_EQ(rom->base(), 0xFFFC0000u);
    EXPECT_EQ(rom->low_base(), 0xE0000u);
    EXPECT_EQ(rom->low_part().data(), rom->data.data() + 128 * KiB);
    auto odd = make_system_rom("r", Bytes(65536 + 100, 0x90));
    ASSERT_TRUE(odd.ok());
    EXPECT_EQ(odd->data.size(), 65536u + 4096u);
    EXPECT_EQ(odd->data.front(), 0xFF);
    EXPECT_EQ(odd->data.back(), 0x90);
    EXPECT_FALSE(make_system_rom("r", Bytes(100)).ok());
    EXPECT_FALSE(make_system_rom("r", Bytes(17 * MiB)).ok());
}

TEST(Rom, OptionRomNeedsItsSignature) {
    Bytes b(3000);
    EXPECT_FALSE(make_option_rom("o", b).ok());
    b[0] = 0x55;
    b[1] = 0xAA;
    auto rom = make_option_rom("o", b);
    ASSERT_TRUE(rom.ok());
    EXPECT_EQ(rom->size(), 4096u);
}

TEST(Files, ErrorsNameTheFile) {
    const auto missing = read_file("/no/such/file", "kernel", GiB);
    ASSERT_FALSE(missing.ok());
    EXPECT_EQ(missing.error().message, "cannot read kernel \"/no/such/file\": No such file or directory");
    EXPECT_NE(read_file("/", "kernel", GiB).error().message.find("directory"), std::string::npos);
    const std::vector<std::string> folders{"/nowhere"};
    EXPECT_NE(find_firmware("bios.bin", folders).error().message.find("/nowhere"), std::string::npos);
}

TEST(Font, IsFoundByItsShape) {
    Bytes rom(10000, 0x11);
    const size_t at = 1234;
    std::fill_n(rom.begin() + at, 4096, 0x3C);
    const auto glyph = [&](unsigned code, u8 first, u8 last) {
        std::fill_n(rom.begin() + at + 16 * code, 8, first);
        std::fill_n(rom.begin() + at + 16 * code + 8, 8, last);
    };
    for (unsigned c : {0u, 32u, 255u}) glyph(c, 0, 0);
    glyph(0xDB, 0xFF, 0xFF);
    glyph(0xDC, 0, 0xFF);
    glyph(0xDF, 0xFF, 0);
    glyph(0xB3, 0x18, 0x18);
    glyph(0xC4, 0, 0);
    rom[at + 16 * 0xC4 + 7] = 0xFF;
    const auto font = find_font(rom);
    ASSERT_TRUE(font);
    EXPECT_EQ((*font)[16 * 'A'], 0x3C);
    EXPECT_FALSE(find_font(Bytes(5000)));
}

}  // namespace
}  // namespace mynah
