// Single rules of SDM vol. 3A ch. 4, with hand-made tables.
#include <gtest/gtest.h>

#include "mmu/mmu.h"

namespace mynah {
namespace {

constexpr u64 kP = 1, kW = 2, kU = 4, kA = 0x20, kD = 0x40, kPs = 0x80;
constexpr u64 kXd = u64{1} << 63;

struct Paging : ::testing::Test {
    std::unique_ptr<PhysicalMap> map = std::move(PhysicalMap::create(16 * MiB)).value();
    Mmu mmu{*map};

    void put32(u64 a, u64 v) { map->write(a, v, 4); }
    void put64(u64 a, u64 v) { map->write(a, v, 8); }
    // 4 levels at 0x1000.. for linear 0 to 2 MiB, everything allowed.
    void long_tables() {
        put64(0x1000, 0x2000 | kP | kW | kU);
        put64(0x2000, 0x3000 | kP | kW | kU);
        put64(0x3000, 0x4000 | kP | kW | kU);
        for (u64 i = 0; i < 512; ++i) put64(0x4000 + 8 * i, (0x100000 + i * kPageSize) | kP | kW | kU);
    }
    PagingControls long_mode() {
        PagingControls c;
        c.cr3 = 0x1000;
        c.paging = c.pae = c.long_mode = c.wp = c.nxe = true;
        return c;
    }
};

TEST_F(Paging, OffIsIdentityWithA20) {
    EXPECT_EQ(mmu.translate(0x123456, Access::read, Privilege::supervisor).address, 0x123456u);
    EXPECT_NE(mmu.fast_read(0x123456, 4), nullptr);
    map->set_a20(false);
    EXPECT_EQ(mmu.fast_read(0x123456, 4), nullptr);
    EXPECT_EQ(mmu.translate(0x123456, Access::read, Privilege::supervisor).address, 0x023456u);
    EXPECT_EQ(mmu.fast_read(0x123456, 4), map->ram().data() + 0x023456);
    map->set_a20(true);
    EXPECT_EQ(mmu.fast_read(0x123456, 4), map->ram().data() + 0x123456);
}

TEST_F(Paging, FastPathNeverCrossesAPage) {
    for (u64 p = 0; p < 4; ++p) (void)mmu.translate(p << 12, Access::read, Privilege::supervisor);
    EXPECT_NE(mmu.fast_read(0xFFC, 4), nullptr);
    EXPECT_EQ(mmu.fast_read(0xFFD, 4), nullptr);
    EXPECT_EQ(mmu.fast_read(0xFFFFFFFF, 2), nullptr);
}

TEST_F(Paging, AccessedAndDirty) {
    long_tables();
    mmu.set_controls(long_mode());
    EXPECT_EQ(mmu.translate(0x5008, Access::read, Privilege::user).address, 0x105008u);
    EXPECT_EQ(map->read(0x1000, 8) & 0xFFF, kP | kW | kU | kA);
    EXPECT_EQ(map->read(0x4028, 8) & 0xFFF, kP | kW | kU | kA);
    EXPECT_EQ(mmu.fast_write(0x5008, 1), nullptr) << "a clean page is not in the write table";
    EXPECT_TRUE(mmu.translate(0x5008, Access::write, Privilege::supervisor).ok);
    EXPECT_EQ(map->read(0x4028, 8) & 0xFFF, kP | kW | kU | kA | kD);
    EXPECT_EQ(mmu.fast_write(0x5008, 1), map->ram().data() + 0x105008);
    // The guest clears A and D, without INVLPG.
    put32(0x4028, 0x105000 | kP | kW | kU);
    EXPECT_EQ(mmu.fast_write(0x5008, 1), nullptr);
    EXPECT_EQ(mmu.fast_read(0x5008, 1), nullptr);
    EXPECT_TRUE(mmu.translate(0x5008, Access::write, Privilege::supervisor).ok);
    EXPECT_EQ(map->read(0x4028, 8) & 0xFFF, kP | kW | kU | kA | kD);
}

TEST_F(Paging, TheCodeEpochStandsForNotedPages) {
    long_tables();
    PagingControls c = long_mode();
    c.smap = true;
    mmu.set_controls(c);
    for (const u64 page : {0x5000, 0x6000}) (void)mmu.translate(page, Access::execute, mmu.privilege());
    const u64 before = mmu.code_epoch();
    mmu.note_code(0x5123);
    put64(0x4030, 0x108000 | kP);  // page 6: nobody relies on it
    EXPECT_EQ(mmu.code_epoch(), before);
    mmu.set_privilege(Privilege::supervisor_ac);
    EXPECT_EQ(mmu.code_epoch(), before) << "what is executed does not depend on EFLAGS.AC";
    mmu.set_privilege(Privilege::user);
    EXPECT_NE(mmu.code_epoch(), before);
    mmu.set_privilege(Privilege::supervisor);
    EXPECT_EQ(mmu.code_epoch(), before);
    put64(0x4028, 0x107000 | kP);
    EXPECT_NE(mmu.code_epoch(), before);
}

TEST_F(Paging, TheStackPageIsForgottenWithItsMapping) {
    long_tables();
    mmu.set_controls(long_mode());
    EXPECT_FALSE(mmu.use_stack_page(0x5008)) << "not in the write table yet";
    EXPECT_TRUE(mmu.translate(0x5008, Access::write, mmu.privilege()).ok);
    EXPECT_TRUE(mmu.use_stack_page(0x5008));
    EXPECT_EQ(mmu.stack_page().page, 0x5000u);
    EXPECT_EQ(mmu.stack_page().page + mmu.stack_page().host_less_page, mmu.stack_page().host);
    const u64 changes = mmu.stack_page_changes();
    put64(0x4028, 0x107000 | kP | kW | kU);
    EXPECT_EQ(mmu.stack_page().page, Mmu::StackPage::kNone);
    EXPECT_NE(mmu.stack_page_changes(), changes);
    // Pointers that are added to must not wrap around at 4 GiB.
    EXPECT_TRUE(mmu.translate(0x8, Access::write, mmu.privilege()).ok);
    EXPECT_FALSE(mmu.use_stack_page(0x8));
}

TEST_F(Paging, AFaultSetsNothing) {
    long_tables();
    put64(0x4028, 0x105000 | kP);
    mmu.set_controls(long_mode());
    EXPECT_EQ(mmu.translate(0x5000, Access::read, Privilege::user).error_code, pf::present | pf::user);
    EXPECT_EQ(mmu.translate(0x5000, Access::write, Privilege::supervisor).error_code,
              pf::present | pf::write);
    EXPECT_EQ(map->read(0x1000, 8) & kA, 0u);
    EXPECT_EQ(map->read(0x4028, 8) & (kA | kD), 0u);
}

TEST_F(Paging, ErrorCodes) {
    long_tables();
    put64(0x4000, 0);
    put64(0x4008, 0x101000 | kP | kW | kU | (u64{1} << 45));
    put64(0x4010, 0x102000 | kP | kW | kU | kXd);
    PagingControls c = long_mode();
    c.smep = c.smap = true;
    mmu.set_controls(c);
    const auto error = [&](u64 a, Access access, Privilege p) {
        return mmu.translate(a, access, p).error_code;
    };
    EXPECT_EQ(error(0, Access::write, Privilege::user), pf::write | pf::user);
    EXPECT_EQ(error(0, Access::execute, Privilege::user), pf::fetch | pf::user);
    EXPECT_EQ(error(0x1000, Access::read, Privilege::supervisor), pf::present | pf::reserved);
    EXPECT_EQ(error(0x2000, Access::execute, Privilege::user), pf::present | pf::fetch | pf::user);
    EXPECT_EQ(error(0x3000, Access::execute, Privilege::supervisor), pf::present | pf::fetch) << "SMEP";
    EXPECT_EQ(error(0x3000, Access::read, Privilege::supervisor), pf::present) << "SMAP";
    EXPECT_TRUE(mmu.translate(0x3000, Access::read, Privilege::supervisor_ac).ok);
    EXPECT_EQ(error(0x3000, Access::read, Privilege::supervisor), pf::present) << "another context";
    c.nxe = c.smep = false;
    mmu.set_controls(c);
    EXPECT_EQ(error(0x2000, Access::execute, Privilege::user), pf::present | pf::reserved | pf::user);
}

TEST_F(Paging, Pse36) {
    PagingControls c;
    c.cr3 = 0x1000;
    c.paging = c.pse = true;
    put32(0x1000, kP | kW | kPs | 1u << 13 | 0x400000);  // bit 13 is address bit 32
    put32(0x1004, kP | kW | kPs | 1u << 21);
    mmu.set_controls(c);
    EXPECT_EQ(mmu.translate(0x123456, Access::read, Privilege::supervisor).address,
              (u64{1} << 32) + 0x523456);
    EXPECT_EQ(mmu.translate(0x400000, Access::read, Privilege::supervisor).error_code,
              pf::present | pf::reserved);
}

TEST_F(Paging, LargePages) {
    long_tables();
    put64(0x3008, 0x600000 | kP | kW | kPs);
    put64(0x2008, 0x40000000 | kP | kW | kPs);
    put64(0x2010, 0x40002000 | kP | kW | kPs);
    mmu.set_controls(long_mode());
    EXPECT_EQ(mmu.translate(0x212345, Access::read, Privilege::supervisor).address, 0x612345u);
    EXPECT_EQ(mmu.translate(0x52345678, Access::read, Privilege::supervisor).address, 0x52345678u);
    EXPECT_EQ(mmu.translate(0x80000000, Access::read, Privilege::supervisor).error_code,
              pf::present | pf::reserved);
    // A store to the PDE drops each 4 KiB piece of it.
    EXPECT_NE(mmu.fast_read(0x212345, 1), nullptr);
    put64(0x3008, 0x800000 | kP | kW | kPs);
    EXPECT_EQ(mmu.fast_read(0x212345, 1), nullptr);
    EXPECT_EQ(mmu.translate(0x212345, Access::read, Privilege::supervisor).address, 0x812345u);
}

TEST_F(Paging, PaeUsesItsRegisters) {
    put64(0x1000, 0x2000 | kP);
    put64(0x2000, 0x3000 | kP | kW | kU);
    put64(0x3000, 0x5000 | kP | kW | kU);
    PagingControls c;
    c.cr3 = 0x1000;
    c.paging = c.pae = true;
    ASSERT_TRUE(mmu.load_pdptes(c.cr3));
    mmu.set_controls(c);
    EXPECT_EQ(mmu.translate(0x10, Access::read, Privilege::user).address, 0x5010u);
    put64(0x1000, 0);  // seen at the next load only
    EXPECT_TRUE(mmu.translate(0x10, Access::read, Privilege::user).ok);
    ASSERT_TRUE(mmu.load_pdptes(c.cr3));
    EXPECT_FALSE(c == mmu.controls()) << "who compares before setting must see that something changed";
    mmu.set_controls(c);
    EXPECT_FALSE(mmu.translate(0x10, Access::read, Privilege::user).ok);
    put64(0x1008, 0x2000 | kP | kW);
    EXPECT_FALSE(mmu.load_pdptes(c.cr3)) << "R/W is reserved in a PDPTE";
}

TEST_F(Paging, ContextSwitchKeepsAndCoherenceReachesOthers) {
    long_tables();
    put64(0x9000, 0x2000 | kP | kW | kU);  // a second address space that shares the lower tables
    PagingControls a = long_mode(), b = a;
    b.cr3 = 0x9000;
    mmu.set_controls(a);
    (void)mmu.translate(0x1000, Access::read, Privilege::supervisor);
    mmu.set_controls(b);
    EXPECT_EQ(mmu.fast_read(0x1000, 1), nullptr);
    (void)mmu.translate(0x1000, Access::read, Privilege::supervisor);
    mmu.set_controls(a);
    EXPECT_NE(mmu.fast_read(0x1000, 1), nullptr);
    put64(0x4008, 0x107000 | kP);
    EXPECT_EQ(mmu.fast_read(0x1000, 1), nullptr);
    mmu.set_controls(b);
    EXPECT_EQ(mmu.fast_read(0x1000, 1), nullptr);
}

TEST_F(Paging, FlaggedFramesLeaveTheWriteTable) {
    EXPECT_TRUE(mmu.translate(0x7000, Access::write, Privilege::supervisor).ok);
    EXPECT_NE(mmu.fast_write(0x7000, 1), nullptr);
    map->set_flag(0x7000, frame_flag::code);
    EXPECT_EQ(mmu.fast_write(0x7000, 1), nullptr);
    EXPECT_NE(mmu.fast_read(0x7000, 1), nullptr);
    EXPECT_TRUE(mmu.translate(0x7000, Access::write, Privilege::supervisor).ok);
    EXPECT_EQ(mmu.fast_write(0x7000, 1), nullptr);
    map->clear_flag(0x7000, frame_flag::code);
    EXPECT_EQ(mmu.translate(0x7004, Access::write, Privilege::supervisor).address, 0x7004u);
}

TEST_F(Paging, FreedTablesBecomeOrdinaryFrames) {
    long_tables();
    mmu.set_controls(long_mode());
    (void)mmu.translate(0x1000, Access::read, Privilege::supervisor);
    EXPECT_EQ(map->flags(0x4000), frame_flag::page_table);
    put64(0x4008, 0);
    EXPECT_EQ(map->flags(0x4000), 0);
    EXPECT_EQ(map->flags(0x1000), frame_flag::page_table);
    mmu.flush();
    EXPECT_EQ(map->flags(0x1000), 0);
}

TEST_F(Paging, ManyContextsAndPages) {
    long_tables();
    PagingControls c = long_mode();
    for (unsigned round = 0; round < 3; ++round) {
        for (u64 i = 0; i < 100; ++i) {
            put64(0x200000 + i * kPageSize, 0x2000 | kP | kW | kU);
            c.cr3 = 0x200000 + i * kPageSize;
            mmu.set_controls(c);
            for (u64 p = 0; p < 256; p += 17) {
                EXPECT_EQ(mmu.translate(p << 12, Access::read, Privilege::user).address,
                          0x100000 + (p << 12));
            }
        }
    }
}

TEST_F(Paging, TablesGrowUnderPressure) {
    for (unsigned round = 0; round < 20; ++round) {
        for (u64 p = 0; p < 4096; ++p) {
            const u64 a = p << 12;
            if (!mmu.fast_read(a, 8)) (void)mmu.translate(a, Access::read, Privilege::supervisor);
            EXPECT_EQ(mmu.fast_read(a, 8), map->ram().data() + a);
        }
    }
    for (u64 p = 0; p < 4096; ++p) EXPECT_NE(mmu.fast_read(p << 12, 8), nullptr);
}

TEST_F(Paging, DescribesMappings) {
    long_tables();
    mmu.set_controls(long_mode());
    EXPECT_EQ(mmu.describe_mappings(false), "0000000000000000-0000000000200000 0000000000200000 urw\n");
    EXPECT_TRUE(
        mmu.describe_mappings(true).starts_with("0000000000000000: 0000000000100000 -------UW\n"
                                                "0000000000001000: 0000000000101000 -------UW\n"))
        << mmu.describe_mappings(true).substr(0, 100);
    EXPECT_EQ(mmu.peek(0x1234), 0x101234u);
    EXPECT_EQ(mmu.peek(0x400000), std::nullopt);
    EXPECT_EQ(map->read(0x1000, 8) & kA, 0u);
}

}  // namespace
}  // namespace mynah
