// The steps of firmware, run against a small model of a PC's configuration space.
#include "bios/direct_boot.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace mynah {
namespace {

// Functions with 256 bytes of configuration space and BARs that answer sizing.
class ModelTarget : public FirmwareTarget {
  public:
    struct Function {
        Bytes config = Bytes(256);
        std::map<u8, u32> bar_masks;
    };
    std::map<std::pair<u8, u8>, Function> functions;
    std::map<u16, std::vector<u8>> port_writes;
    std::map<u32, u64> msrs;
    std::map<u32, u32> apic;
    Bytes memory = Bytes(64 * MiB);

    Function& add(u8 slot, u8 number, u32 ids, u16 class_code, u8 pin = 0) {
        Function& f = functions[{slot, number}];
        store_le<u32>(&f.config[0], ids);
        store_le<u16>(&f.config[0x0A], class_code);
        f.config[0x3D] = pin;
        return f;
    }
    u32 pci_config_read(u8 slot, u8 number, u8 reg, unsigned width) override {
        const auto it = functions.find({slot, number});
        u32 v = ~0u;
        if (it != functions.end()) std::copy_n(&it->second.config[reg], width, reinterpret_cast<u8*>(&v));
        return width == 4 ? v : v & ((1u << 8 * width) - 1);
    }
    void pci_config_write(u8 slot, u8 number, u8 reg, u32 value, unsigned width) override {
        Function& f = functions.at({slot, number});
        if (reg >= 0x10 && reg < 0x28) {
            const u32 mask = f.bar_masks[reg];
            value = (value & mask) | (load_le<u32>(&f.config[reg]) & ~mask);
        }
        std::copy_n(reinterpret_cast<const u8*>(&value), width, &f.config[reg]);
    }
    u8 port_read(u16) override { return 0; }
    void port_write(u16 port, u8 value) override { port_writes[port].push_back(value); }
    void memory_write(PhysicalAddress address, std::span<const u8> data) override {
        ASSERT_LE(address + data.size(), memory.size());
        std::copy(data.begin(), data.end(), memory.begin() + static_cast<std::ptrdiff_t>(address));
    }
    void msr_write(u32 index, u64 value) override { msrs[index] = value; }
    void local_apic_write(u32 offset, u32 value) override { apic[offset] = value; }
};

DirectBootConfig config() {
    DirectBootConfig c;
    c.ram = {64 * MiB, 0};
    Bytes k(0x2000);
    store_le<u32>(&k[0], 0x1BADB002);
    store_le<u32>(&k[4], 0x10000);
    store_le<u32>(&k[8], 0u - 0x1BADB002u - 0x10000u);
    for (size_t i = 12; i < 32; i += 4) store_le<u32>(&k[i], 0x100000);
    store_le<u32>(&k[20], 0);
    c.kernel.name = "k";
    c.kernel.kernel = k;
    return c;
}

class DirectBoot : public ::testing::Test {
  protected:
    void SetUp() override {
        auto p = prepare_direct_boot(config());
        ASSERT_TRUE(p.ok()) << p.error().message;
        plan = std::move(*p);
        target.add(0, 0, 0x12378086, 0x0600);
        target.add(1, 0, 0x70008086, 0x0601).config[0x0E] = 0x80;
        auto& ide = target.add(1, 1, 0x70108086, 0x0101);
        ide.bar_masks[0x20] = 0xFFFFFFF0;
        ide.config[0x20] = 1;
        target.add(1, 3, 0x71138086, 0x0680, 1);
        auto& vga = target.add(2, 0, 0x11111234, 0x0300);
        vga.bar_masks[0x10] = 0xFF000000;
        vga.bar_masks[0x18] = 0xFFFFF000;
        target.add(3, 0, 0x813910EC, 0x0200, 1).bar_masks[0x10] = 0xFFFFFF00;
        run_direct_boot(plan, target);
    }
    const Bytes& pci(u8 slot, u8 number) { return target.functions.at({slot, number}).config; }

    DirectBootPlan plan;
    ModelTarget target;
};

TEST_F(DirectBoot, AssignsPciResources) {
    EXPECT_EQ(load_le<u32>(&pci(2, 0)[0x10]), 0xE0000000u);
    EXPECT_EQ(load_le<u32>(&pci(2, 0)[0x18]), 0xE1000000u);
    EXPECT_EQ(pci(2, 0)[0x04], 3);
    EXPECT_EQ(load_le<u32>(&pci(1, 1)[0x20]), 0xC001u);
    EXPECT_EQ(pci(1, 1)[0x04], 5);
    EXPECT_EQ(load_le<u16>(&pci(1, 1)[0x40]), 0x8000);
    EXPECT_EQ(pci(3, 0)[0x3C], 11);
}

TEST_F(DirectBoot, SetsUpTheSouthBridge) {
    EXPECT_EQ(Bytes(&pci(1, 0)[0x60], &pci(1, 0)[0x64]), (Bytes{10, 10, 11, 11}));
    EXPECT_EQ(pci(1, 3)[0x3C], 9);
    EXPECT_EQ(load_le<u32>(&pci(1, 3)[0x40]), 0x601u);
    EXPECT_EQ(pci(1, 3)[0x80], 1);
    EXPECT_EQ(target.port_writes[0x4D1], Bytes{0x0E});
    EXPECT_EQ(target.apic[0x350], 0x8700u);
    EXPECT_EQ(target.msrs[0x2FF], 0xC06u);
}

TEST_F(DirectBoot, LeavesTablesWhereKernelsLook) {
    const Bytes& m = target.memory;
    EXPECT_EQ(std::string(m.begin() + 0xF0000, m.begin() + 0xF0008), "RSD PTR ");
    EXPECT_EQ(std::string(m.begin() + 0xF0030, m.begin() + 0xF0034), "_SM_");
    const u32 rsdt = load_le<u32>(&m[0xF0010]);
    EXPECT_EQ(std::string(m.begin() + rsdt, m.begin() + rsdt + 4), "RSDT");
    EXPECT_EQ(load_le<u16>(&m[0x413]), 639);
    EXPECT_EQ(load_le<u32>(&m[0x10 * 4]), 0xF000FF53u);
    EXPECT_EQ(m[0xFFF53], 0xCF);
    EXPECT_EQ(load_le<u16>(&m[0xB8000]), 0x0720);
    EXPECT_EQ(load_le<u32>(&m[0x100000]), 0x1BADB002u);
}

TEST_F(DirectBoot, CanRunAgain) {
    const Bytes before = target.memory;
    run_direct_boot(plan, target);
    EXPECT_TRUE(before == target.memory);
}

TEST(DirectBootPlanning, NeedsMemory) {
    DirectBootConfig c = config();
    c.ram.below_4g = MiB;
    EXPECT_FALSE(prepare_direct_boot(c).ok());
}

}  // namespace
}  // namespace mynah
