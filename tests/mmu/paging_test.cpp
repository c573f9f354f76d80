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

TEST_F(Paging, DropsElsewhereLeaveTheStackPage) {
    long_tables();
    mmu.set_controls(long_mode());
    EXPECT_TRUE(mmu.translate(0x5008, Access::write, mmu.privilege()).ok);
    EXPECT_TRUE(mmu.use_stack_page(0x5008));
    const u64 changes = mmu.stack_page_changes();
    put64(0x4030, 0x108000 | kP | kW | kU);  // page 6: in no table
    EXPECT_EQ(mmu.stack_page_changes(), changes);
    EXPECT_TRUE(mmu.translate(0x6000, Access::read, mmu.privilege()).ok);
    put64(0x4030, 0x109000 | kP | kW | kU);  // somebody may have found it
    EXPECT_NE(mmu.stack_page_changes(), changes);
}

TEST_F(Paging, DisplacedPagesAreVictimsUntilTheyAreDropped) {
    long_tables();
    mmu.set_controls(long_mode());
    // A second table, for linear addresses 64 MiB up: the same places in tables of any size.
    constexpr u64 kUp = 64 * MiB;
    put64(0x3000 + 8 * (kUp >> 21), 0x8000 | kP | kW | kU);
    for (u64 i = 0; i < 512; ++i) put64(0x8000 + 8 * i, (0x300000 + i * kPageSize) | kP | kW | kU);
    const auto victim = [&](Access access, u64 linear) {
        const TlbEntry& e = mmu.victims(access)[(linear >> 8 & Mmu::kVictimMask) / sizeof(TlbEntry)];
        return linear - e.tag < kPageSize && e.host != 0;
    };
    EXPECT_TRUE(mmu.translate(0x5008, Access::write, mmu.privilege()).ok);
    EXPECT_TRUE(mmu.translate(kUp + 0x5008, Access::write, mmu.privilege()).ok);
    EXPECT_EQ(mmu.fast_read(0x5008, 4), nullptr);
    EXPECT_TRUE(victim(Access::read, 0x5008));
    EXPECT_TRUE(victim(Access::write, 0x5008));
    // They change places.
    EXPECT_EQ(mmu.translate(0x5008, Access::read, mmu.privilege()).address, 0x105008u);
    EXPECT_EQ(mmu.fast_read(0x5008, 4), map->ram().data() + 0x105008);
    EXPECT_TRUE(victim(Access::read, kUp + 0x5008));
    EXPECT_TRUE(victim(Access::write, 0x5008));
    // What protects the frame takes it from the victims too.
    map->set_flag(0x105000, frame_flag::watched);
    EXPECT_FALSE(victim(Access::write, 0x5008));
    const u64 changes = mmu.stack_page_changes();
    put64(0x8028, 0x306000 | kP | kW | kU);
    EXPECT_FALSE(victim(Access::read, kUp + 0x5008));
    EXPECT_NE(mmu.stack_page_changes(), changes);
    EXPECT_EQ(mmu.translate(kUp + 0x5008, Access::read, mmu.privilege()).address, 0x306008u);
}

// Two address spaces with the upper half in common, as kernels make them.
struct TwoSpaces : Paging {
    static constexpr u64 kKernel = ~u64{0} << 39;
    PagingControls one = long_mode(), two = long_mode();

    void SetUp() override {
        long_tables();
        put64(0x1000 + 8 * 511, 0x2000 | kP | kW | kA);
        put64(0x9000 + 8 * 511, 0x2000 | kP | kW | kA);
        two.cr3 = 0x9000;
        mmu.set_controls(one);
        run(kKernel + 0x5000);
    }
    void run(u64 linear) {
        EXPECT_TRUE(mmu.translate(linear, Access::execute, Privilege::supervisor).ok);
        mmu.note_code(linear);
    }
    u64 epoch_in(const PagingControls& c) {
        mmu.set_controls(c);
        return mmu.code_epoch();
    }
};

TEST_F(TwoSpaces, ShareTheEpochOfWhatTheyMapAlike) {
    const u64 shared = epoch_in(one);
    EXPECT_EQ(epoch_in(two), shared);
    // A change below ends it in both, though the second has never walked there.
    put64(0x4028, 0x107000 | kP);
    EXPECT_NE(mmu.code_epoch(), shared);
    EXPECT_EQ(epoch_in(one), epoch_in(two));
}

TEST_F(TwoSpaces, PartWhenTheEntryNearTheRootChanges) {
    const u64 shared = epoch_in(two);
    put64(0x9000 + 8 * 511, 0xA000 | kP | kW);
    EXPECT_NE(epoch_in(two), shared);
    EXPECT_EQ(epoch_in(one), shared);
}

TEST_F(TwoSpaces, PartWhenCodeRunsThatOnlyOneMaps) {
    const u64 shared = epoch_in(two);
    mmu.set_controls(one);
    run(0x5000);  // the lower half, which the second does not map
    EXPECT_EQ(mmu.code_epoch(), shared);
    EXPECT_NE(epoch_in(two), shared);
}

TEST_F(TwoSpaces, DoNotShareWhenAccessedBitsDiffer) {
    put64(0x9000 + 8 * 511, 0x2000 | kP | kW);
    const u64 shared = epoch_in(one);
    EXPECT_NE(epoch_in(two), shared) << "the first fetch there has to set it";
}

TEST_F(TwoSpaces, UsersNeverShare) {
    mmu.set_privilege(Privilege::user);
    EXPECT_NE(epoch_in(one), epoch_in(two));
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
