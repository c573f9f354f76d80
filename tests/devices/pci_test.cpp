#include "devices/pci.h"

#include <gtest/gtest.h>

#include "devices/bench.h"
#include "devices/i440fx.h"
#include "devices/piix3.h"

namespace mynah::test {
namespace {

class Gadget final : public PciFunction {
  public:
    explicit Gadget(u8 pin = 1, std::string_view name = "gadget")
        : PciFunction({.vendor = 0x1AF4,
                       .device = 0x0042,
                       .revision = 3,
                       .class_code = 0x078000,
                       .interrupt_pin = pin}),
          name_(name),
          frame_(static_cast<u8*>(::operator new[](2 * MiB, std::align_val_t{4096}))) {
        std::fill_n(frame_, 2 * MiB, u8{0});
        add_io_bar(0, 32, 0);
        add_mmio_bar(1, 8192, 1);
        add_memory_bar(2, {frame_, 1 * MiB}, true);
        add_rom_bar({frame_ + MiB, 64 * KiB});
        frame_[MiB] = 0x55;
    }
    ~Gadget() override { ::operator delete[](frame_, std::align_val_t{4096}); }
    std::string_view name() const override { return name_; }
    void reset() override { reset_config(); }
    void visit(Archive& ar) override {
        ar.section(name());
        visit_config(ar);
    }
    BankInfo bank(BankId bank) const override { return bank == 0 ? BankInfo{32, 4} : BankInfo{8192, 4}; }
    u64 read(BankId bank, u64 offset, unsigned width) override { return bank << 24 | width << 16 | offset; }
    void write(BankId, u64 offset, u64 value, unsigned) override {
        last_offset = offset;
        last_value = value;
    }
    void bar_moved(unsigned index) override { moves |= 1u << index; }
    void interrupt(bool level) { set_interrupt(level); }
    void master_write(u64 at, std::span<const u8> data) { dma_write(at, data); }

    u64 last_offset = 0, last_value = 0;
    unsigned moves = 0;
    std::string name_;
    u8* frame_;
};

TEST(Pci, ConfigurationMechanismOne) {
    Bench b;
    Gadget g;
    b.pci.add(g, 3, 0);
    EXPECT_EQ(b.config_read(3, 0, 0), 0x00421AF4u);
    EXPECT_EQ(b.config_read(3, 0, 2, 2), 0x0042u);
    EXPECT_EQ(b.config_read(3, 0, 3, 1), 0x00u);
    EXPECT_EQ(b.config_read(3, 0, 8), 0x07800003u);
    EXPECT_EQ(b.config_read(3, 0, 0x3D, 1), 1u);
    // Nobody there; another bus; configuration disabled.
    EXPECT_EQ(b.config_read(4, 0, 0), 0xFFFFFFFFu);
    EXPECT_EQ(b.config_read(3, 1, 0, 2), 0xFFFFu);
    b.out32(0xCF8, 0x80011800);
    EXPECT_EQ(b.in32(0xCFC), 0xFFFFFFFFu);
    b.out32(0xCF8, 0x00001800);
    EXPECT_EQ(b.in32(0xCFC), 0xFFFFFFFFu);
    // The address reads back, and only doublewords set it.
    b.out32(0xCF8, 0x80001804);
    b.out8(0xCF8, 0x40);
    b.out16(0xCFA, 0);
    EXPECT_EQ(b.in32(0xCF8), 0x80001804u);
    // Identification is read-only.
    b.config_write(3, 0, 0, 0x12345678);
    EXPECT_EQ(b.config_read(3, 0, 0), 0x00421AF4u);
}

TEST(Pci, MultiFunctionBit) {
    Bench b;
    Gadget first, second(1, "second");
    b.pci.add(second, 3, 1);
    b.pci.add(first, 3, 0);
    EXPECT_EQ(b.config_read(3, 0, 0x0E, 1), 0x80u);
    EXPECT_EQ(b.config_read(3, 1, 0x0E, 1), 0x00u);
}

TEST(Pci, BarsAreSizedAndMapped) {
    Bench b;
    Gadget g;
    b.pci.add(g, 3, 0);
    for (const auto& [reg, size] : {std::pair{0x10u, 0xFFFFFFE1u},
                                    {0x14u, 0xFFFFE000u},
                                    {0x18u, 0xFFF00008u},
                                    {0x1Cu, 0u},
                                    {0x30u, 0xFFFF0001u}}) {
        b.config_write(3, 0, reg, 0xFFFFFFFF);
        EXPECT_EQ(b.config_read(3, 0, reg), size) << std::hex << reg;
    }
    b.config_write(3, 0, 0x10, 0xC000);
    b.config_write(3, 0, 0x14, 0xFEB00000);
    b.config_write(3, 0, 0x18, 0xFD000000);
    b.config_write(3, 0, 0x30, 0xFEA00001);
    EXPECT_EQ(b.in8(0xC004), 0xFFu) << "not decoded before it is enabled";
    b.config_write(3, 0, 0x04, 3, 2);
    EXPECT_EQ(g.bar_base(0), 0xC000u);
    EXPECT_EQ(b.in16(0xC004), 0x0004u);
    EXPECT_EQ(b.in32(0xC004), 0x00040004u);
    EXPECT_EQ(b.memory->read(0xFEB01010, 4), 0x01041010u);
    b.memory->write(0xFD000123, 0xAB, 1);
    EXPECT_EQ(g.frame_[0x123], 0xAB);
    EXPECT_EQ(b.memory->read(0xFEA00000, 1), 0x55u);
    b.memory->write(0xFEA00000, 0, 1);
    EXPECT_EQ(b.memory->read(0xFEA00000, 1), 0x55u);
    // Moved, and away.
    g.moves = 0;
    b.config_write(3, 0, 0x10, 0xD000);
    EXPECT_EQ(g.moves, 1u);
    EXPECT_EQ(b.in8(0xC004), 0xFFu);
    EXPECT_EQ(b.in8(0xD004), 0x04u);
    b.config_write(3, 0, 0x04, 0, 2);
    EXPECT_EQ(b.in8(0xD004), 0xFFu);
    EXPECT_EQ(b.memory->read(0xFEB01010, 4), 0xFFFFFFFFu);
}

TEST(Pci, BarsNeverCoverRamNorEachOther) {
    Bench b;
    Gadget g, h(1, "other");
    b.pci.add(g, 3, 0);
    b.pci.add(h, 4, 0);
    b.config_write(3, 0, 0x04, 3, 2);
    b.config_write(4, 0, 0x04, 3, 2);
    b.config_write(3, 0, 0x18, 0x00100000);
    b.memory->write(0x00100000, 0x77, 1);
    EXPECT_EQ(b.memory->ram()[0x100000], 0x77);
    EXPECT_FALSE(g.bar_base(2).has_value());
    // The second claim of ports waits until the first has gone.
    b.config_write(3, 0, 0x10, 0xC000);
    b.config_write(4, 0, 0x10, 0xC010);
    b.config_write(4, 0, 0x10, 0xC000);
    EXPECT_FALSE(h.bar_base(0).has_value());
    b.config_write(3, 0, 0x10, 0xD000);
    EXPECT_EQ(h.bar_base(0), 0xC000u);
    EXPECT_EQ(g.bar_base(0), 0xD000u);
}

TEST(Pci, StateReturnsWithMappings) {
    Bench b;
    Gadget g;
    b.pci.add(g, 3, 0);
    b.config_write(3, 0, 0x10, 0xC000);
    b.config_write(3, 0, 0x04, 7, 2);
    const std::vector<u8> saved = save(g);
    g.reset();
    EXPECT_EQ(b.in8(0xC004), 0xFFu);
    EXPECT_EQ(load(g, saved), "");
    EXPECT_EQ(b.in8(0xC004), 0x04u);
    EXPECT_EQ(save(g), saved);
}

TEST(Pci, BusMasterNeedsPermission) {
    Bench b;
    Gadget g;
    b.pci.add(g, 3, 0);
    const u8 byte[] = {0x42};
    g.master_write(0x1000, byte);
    EXPECT_EQ(b.memory->read(0x1000, 1), 0u);
    b.config_write(3, 0, 0x04, 4, 2);
    g.master_write(0x1000, byte);
    EXPECT_EQ(b.memory->read(0x1000, 1), 0x42u);
}

struct Board : Bench {
    std::vector<std::pair<unsigned, bool>> events;
    int hard = 0, soft = 0;
    I440fx bridge{*memory};
    Piix3 isa{[this](unsigned irq, bool level) { events.emplace_back(irq, level); },
              [this](bool is_hard) { ++(is_hard ? hard : soft); }};
    Board() {
        pci.add(bridge, 0, 0);
        pci.add(isa, 1, 0);
        pci.connect_pirq([this](unsigned pirq, bool level) { isa.set_pirq(pirq, level); });
        pci.connect_reset_control([this] { return isa.read_reset_control(); },
                                  [this](u8 v) { isa.write_reset_control(v); });
        bridge.reset();
        isa.reset();
    }
};

TEST(Piix3, RoutesAndSharesInterrupts) {
    Board b;
    Gadget g(1, "g"), h(1, "h");
    b.pci.add(g, 3, 0);  // INTA# of slot 3 is PIRQC
    b.pci.add(h, 7, 0);  // and so is slot 7's
    b.config_write(1, 0, 0x62, 0x0B, 1);
    using Events = std::vector<std::pair<unsigned, bool>>;
    g.interrupt(true);
    EXPECT_EQ(b.events, (Events{{11, true}}));
    h.interrupt(true);
    g.interrupt(false);
    EXPECT_EQ(b.events, (Events{{11, true}})) << "wired-OR";
    // A change of the route moves the level; 8 is reserved.
    b.config_write(1, 0, 0x62, 0x0A, 1);
    EXPECT_EQ(b.events, (Events{{11, true}, {10, true}, {11, false}}));
    b.config_write(1, 0, 0x62, 0x08, 1);
    EXPECT_EQ(b.events.back(), (std::pair{10u, false}));
    b.config_write(1, 0, 0x62, 0x0A, 1);
    // Interrupt disable, and its status bit.
    b.config_write(7, 0, 0x04, 0x400, 2);
    EXPECT_EQ(b.events.back(), (std::pair{10u, false}));
    EXPECT_TRUE(b.config_read(7, 0, 0x06, 2) & 8);
}

TEST(Piix3, ResetControl) {
    Board b;
    b.out8(0xCF9, 2);
    EXPECT_EQ(b.hard + b.soft, 0);
    b.out8(0xCF9, 6);
    EXPECT_EQ(b.hard, 1);
    b.out8(0xCF9, 0);
    b.out8(0xCF9, 4);
    EXPECT_EQ(b.soft, 1);
    // A doubleword there is the configuration address.
    b.out32(0xCF8, 0x80000600);
    EXPECT_EQ(b.hard + b.soft, 2);
}

TEST(I440fx, PamShadowsFirmware) {
    Board b;
    std::vector<u8> rom(64 * KiB, 0xEA);
    b.memory->map_rom(0xF0000, rom, "bios");
    EXPECT_EQ(b.config_read(0, 0, 0x2C), 0x11001AF4u);
    EXPECT_EQ(b.memory->read(0xFFFF0, 1), 0xEAu);
    b.memory->write(0xFFFF0, 0x11, 1);
    EXPECT_EQ(b.memory->read(0xFFFF0, 1), 0xEAu);
    b.config_write(0, 0, 0x59, 0x20, 1);  // read ROM, write RAM
    b.memory->write(0xFFFF0, 0x22, 1);
    EXPECT_EQ(b.memory->read(0xFFFF0, 1), 0xEAu);
    b.config_write(0, 0, 0x59, 0x10, 1);  // read RAM, protected
    EXPECT_EQ(b.memory->read(0xFFFF0, 1), 0x22u);
    b.memory->write(0xFFFF0, 0x33, 1);
    EXPECT_EQ(b.memory->read(0xFFFF0, 1), 0x22u);
    const std::vector<u8> saved = save(b.bridge);
    b.bridge.reset();
    EXPECT_EQ(b.memory->read(0xFFFF0, 1), 0xEAu);
    EXPECT_EQ(load(b.bridge, saved), "");
    EXPECT_EQ(b.memory->read(0xFFFF0, 1), 0x22u);
    // 5Fh's upper half is EC000h.
    b.config_write(0, 0, 0x5F, 0x30, 1);
    b.memory->write(0xEC000, 0x5A, 1);
    EXPECT_EQ(b.memory->ram()[0xEC000], 0x5A);
}

TEST(I440fx, SmramLocks) {
    Board b;
    b.config_write(0, 0, 0x72, 0x4A, 1);  // open
    b.memory->write(0xA0000, 0x99, 1);
    EXPECT_EQ(b.memory->ram()[0xA0000], 0x99);
    b.config_write(0, 0, 0x72, 0x1A, 1);
    b.config_write(0, 0, 0x72, 0x4A, 1);
    EXPECT_EQ(b.config_read(0, 0, 0x72, 1), 0x1Au);
    b.bridge.reset();
    EXPECT_EQ(b.config_read(0, 0, 0x72, 1), 0x02u);
    b.config_write(0, 0, 0x72, 0x4A, 1);
    EXPECT_EQ(b.config_read(0, 0, 0x72, 1), 0x4Au);
}

}  // namespace
}  // namespace mynah::test
