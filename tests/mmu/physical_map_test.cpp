#include "mmu/physical_map.h"

#include <gtest/gtest.h>

#include <numeric>

namespace mynah {
namespace {

std::unique_ptr<PhysicalMap> make_map(u64 size = 4 * MiB, u64 below = 3 * MiB) {
    auto map = PhysicalMap::create(size, below);
    EXPECT_TRUE(map.ok());
    return std::move(map).value();
}

struct Registers : MmioHandler {
    u64 last_offset = 0, last_value = 0;
    unsigned last_width = 0;
    u64 base = 0;
    u64 read(u64 offset, unsigned width) override {
        last_offset = offset;
        last_width = width;
        return base + offset;
    }
    void write(u64 offset, u64 value, unsigned width) override {
        last_offset = offset;
        last_value = value;
        last_width = width;
    }
};

struct Watcher : MapObserver, FrameObserver {
    int changes = 0;
    std::vector<PhysicalAddress> is_protected;
    std::vector<std::pair<PhysicalAddress, u64>> written;
    void map_changed() override { ++changes; }
    void frame_protected(PhysicalAddress frame) override { is_protected.push_back(frame); }
    void frame_written(PhysicalAddress address, u64 length) override {
        written.emplace_back(address, length);
    }
};

TEST(PhysicalMap, RamBelowAndAbove4GiB) {
    auto map = make_map();
    map->write(0x1000, 0x1122334455667788, 8);
    EXPECT_EQ(map->read(0x1004, 4), 0x11223344u);
    map->write(4 * GiB + 8, 0xAB, 1);
    EXPECT_EQ(map->ram()[3 * MiB + 8], 0xAB);
    EXPECT_EQ(map->read(3 * MiB, 4), 0xFFFFFFFFu) << "nothing is there";
    EXPECT_EQ(map->read(5 * GiB, 8), ~u64{0});
    EXPECT_EQ(map->read(u64{1} << 50, 2), 0xFFFFu) << "beyond the address space";
    map->write(u64{1} << 50, 1, 2);
    map->set_flag(u64{1} << 50, frame_flag::code);
}

TEST(PhysicalMap, SpansCrossPages) {
    auto map = make_map();
    std::vector<u8> data(10000);
    std::iota(data.begin(), data.end(), u8{0});
    map->write(0xFF0, data);
    std::vector<u8> back(data.size());
    map->read(0xFF0, back);
    EXPECT_EQ(data, back);
    EXPECT_EQ(map->read(0x1FFE, 4), map->read(0x1FFE, 1) | map->read(0x1FFF, 1) << 8 |
                                        map->read(0x2000, 1) << 16 | map->read(0x2001, 1) << 24);
}

TEST(PhysicalMap, MmioSmallerThanAPage) {
    auto map = make_map();
    Registers a, b;
    b.base = 0x100;
    map->map_mmio(0xFEBF0000, 0x20, a, "a");
    EXPECT_EQ(map->read(0xFEBF0010, 4), 0x10u);
    EXPECT_EQ(map->read(0xFEBF0020, 4), 0xFFFFFFFFu) << "behind the registers";
    EXPECT_EQ(map->read(0xFEBF001E, 4), 0xFFFFFFFFu) << "partly behind them";
    const auto id = map->map_mmio(0xFEBF0020, 0x20, b, "b");
    EXPECT_EQ(map->read(0xFEBF0010, 4), 0x10u);
    EXPECT_EQ(map->read(0xFEBF0024, 2), 0x104u);
    map->write(0xFEBF0030, 0x12345678, 2);
    EXPECT_EQ(b.last_offset, 0x10u);
    EXPECT_EQ(b.last_value, 0x5678u);
    map->unmap(id);
    EXPECT_EQ(map->read(0xFEBF0024, 2), 0xFFFFu);
    EXPECT_EQ(map->read(0xFEBF0000, 1), 0u);
}

TEST(PhysicalMap, OverlaysUncover) {
    auto map = make_map();
    Watcher w;
    map->observe_map(w);
    map->write(0xC0000, 0x11, 1);
    std::vector<u8> rom(0x1800, 0x22);
    Registers r;
    const auto rom_id = map->map_rom(0xC0000, rom, "rom");
    EXPECT_EQ(map->read(0xC0000, 1), 0x22u);
    EXPECT_EQ(map->read(0xC17FF, 2), 0xFF22u) << "what the ROM does not fill reads ones";
    map->write(0xC0000, 0x33, 1);
    EXPECT_EQ(map->read(0xC0000, 1), 0x22u);
    const auto mmio_id = map->map_mmio(0xC0000, 0x1000, r, "registers");
    EXPECT_EQ(map->read(0xC0008, 4), 8u);
    map->unmap(rom_id);
    EXPECT_EQ(map->read(0xC0008, 4), 8u);
    map->unmap(mmio_id);
    EXPECT_EQ(map->read(0xC0000, 1), 0x11u);
    EXPECT_EQ(w.changes, 4);
    EXPECT_NE(map->describe().find("0000000000-00002fffff ram"), std::string::npos) << map->describe();
}

TEST(PhysicalMap, Shadowing) {
    auto map = make_map();
    std::vector<u8> rom(0x10000, 0x22);
    map->map_rom(0xF0000, rom, "bios");
    EXPECT_EQ(map->read(0xF0000, 1), 0x22u);
    map->set_shadow(0xF0000, 0x10000, false, true);
    map->write(0xF0000, 0x33, 1);
    EXPECT_EQ(map->read(0xF0000, 1), 0x22u) << "reads ROM, writes RAM";
    map->set_shadow(0xF0000, 0x10000, true, false);
    map->write(0xF0000, 0x44, 1);
    EXPECT_EQ(map->read(0xF0000, 1), 0x33u) << "write-protected RAM";
    map->set_shadow(0xF0000, 0x10000, false, false);
    EXPECT_EQ(map->read(0xF0000, 1), 0x22u);
}

TEST(PhysicalMap, FlagsAndObservers) {
    auto map = make_map();
    Watcher code, table;
    map->observe_map(code);
    map->observe_frames(frame_flag::code, code);
    map->observe_frames(frame_flag::page_table, table);
    map->set_flag(0x5123, frame_flag::code);
    map->set_flag(0x5000, frame_flag::page_table);
    EXPECT_EQ(code.is_protected, std::vector<PhysicalAddress>{0x5000}) << "told of the first flag only";
    map->write(0x5010, 1, 4);
    map->write(0x6010, 1, 4);
    std::vector<u8> dma(0x1800);
    map->write(0x4800, dma);
    using Writes = std::vector<std::pair<PhysicalAddress, u64>>;
    EXPECT_EQ(code.written, (Writes{{0x5010, 4}, {0x5000, 0x1000}}));
    EXPECT_EQ(table.written, code.written);
    map->clear_flag(0x5000, frame_flag::code);
    map->write(0x5010, 1, 4);
    EXPECT_EQ(code.written.size(), 2u);
    EXPECT_EQ(table.written.size(), 3u);
}

TEST(PhysicalMap, SnapshotKeepsOnlyWhatIsNotZero) {
    auto map = make_map();
    std::vector<u8> rom(0x10000, 0x22);
    map->map_rom(0xF0000, rom, "bios");
    map->set_shadow(0xF0000, 0x4000, true, true);
    map->write(0xF0000, 0x77, 1);
    map->write(0x3000, 0xAB, 1);
    map->write(4 * GiB + 0xFFFFF, 0xCD, 1);
    map->set_a20(false);
    Archive saved;
    map->visit(saved);
    EXPECT_LT(saved.data().size(), 5 * kPageSize);
    Archive verify(Archive::Mode::verify, saved.data());
    map->visit(verify);
    EXPECT_TRUE(verify.ok()) << verify.error();

    auto other = make_map();
    other->map_rom(0xF0000, rom, "bios");
    other->set_shadow(0xF8000, 0x4000, true, true);
    other->write(0x9000, 1, 1);
    Watcher w;
    other->observe_map(w);
    Archive load(Archive::Mode::load, saved.data());
    other->visit(load);
    ASSERT_TRUE(load.ok()) << load.error();
    EXPECT_EQ(load.position(), saved.data().size());
    EXPECT_GT(w.changes, 0);
    EXPECT_EQ(other->read(0xF0000, 1), 0x77u);
    EXPECT_EQ(other->read(0xF8000, 1), 0x22u);
    EXPECT_EQ(other->read(0x9000, 1), 0u);
    EXPECT_FALSE(other->a20());
    EXPECT_TRUE(std::ranges::equal(map->ram(), other->ram()));
    Archive again;
    other->visit(again);
    EXPECT_EQ(saved.data(), again.data());

    auto smaller = make_map(2 * MiB, 1 * MiB);
    Archive wrong(Archive::Mode::load, saved.data());
    smaller->visit(wrong);
    EXPECT_FALSE(wrong.ok());
}

}  // namespace
}  // namespace mynah
