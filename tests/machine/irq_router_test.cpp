#include "machine/irq_router.h"

#include <gtest/gtest.h>

namespace mynah {
namespace {

class Nobody final : public ApicBus {
    void deliver(const Message&) override {}
};

TEST(IrqRouter, JoinsSourcesOfOneLine) {
    Nobody bus;
    int edges = 0;
    Pic pic(IrqLine([&](bool level) { edges += level; }));
    IoApic io_apic(bus);
    pic.reset();
    // ICW1-4, vectors from 20h, all unmasked; level-triggered 5.
    for (const auto& [bank, offset, value] : {std::tuple{Pic::master, 0, 0x11},
                                              {Pic::master, 1, 0x20},
                                              {Pic::master, 1, 4},
                                              {Pic::master, 1, 1},
                                              {Pic::master, 1, 0},
                                              {Pic::elcr, 0, 0x20}}) {
        pic.write(static_cast<BankId>(bank), static_cast<u64>(offset), static_cast<u64>(value), 1);
    }
    IrqRouter router(pic, io_apic);
    router.set(5, IrqRouter::pci, true);
    router.set(5, IrqRouter::isa, true);
    EXPECT_TRUE(pic.intr());
    router.set(5, IrqRouter::pci, false);
    EXPECT_TRUE(pic.intr()) << "the other source still asserts the line";
    router.set(5, IrqRouter::isa, false);
    EXPECT_FALSE(pic.intr());
    EXPECT_EQ(edges, 1);
}

}  // namespace
}  // namespace mynah
