// Segment loads and far transfers: checks, codes and what is left behind (SDM vol. 2 MOV, JMP, CALL, RET).
#include <array>
#include <tuple>
#include <vector>

#include "cpu/system_bench.h"

namespace mynah {
namespace {

using namespace mynah::test;

struct Segments : SystemTest {};

TEST_F(Segments, LoadsSetAccessedAndHiddenPart) {
    descriptor(kFree, 0x12345678, 0xABCDE, 0x92, 0x4);
    ASSERT_TRUE(load_segment(core, Seg::ds, kFree));
    const SegmentRegister& ds = core.state.seg(Seg::ds);
    EXPECT_EQ(ds.base, 0x12345678u);
    EXPECT_EQ(ds.limit, 0xABCDEu);
    EXPECT_EQ(ds.attributes, 0x493);
    EXPECT_EQ(at(kGdt + kFree + 5, 1), 0x93u);
}

TEST_F(Segments, LoadFaults) {
    const CpuState before = core.state;
    EXPECT_TRUE(faults(load_segment(core, Seg::ss, 0), Vector::gp, 0));
    EXPECT_TRUE(faults(load_segment(core, Seg::ds, 0x108), Vector::gp, 0x108)) << "outside the GDT";
    EXPECT_TRUE(faults(load_segment(core, Seg::ds, 0x0C), Vector::gp, 0x0C)) << "no LDT";
    EXPECT_TRUE(faults(load_segment(core, Seg::ss, kData3), Vector::gp, kData3 & ~3u)) << "RPL is not CPL";
    EXPECT_TRUE(faults(load_segment(core, Seg::ss, kCode0), Vector::gp, kCode0)) << "not writable";
    EXPECT_TRUE(faults(load_segment(core, Seg::ds, kTss), Vector::gp, kTss)) << "a system descriptor";
    descriptor(kFree, 0, 0xFFFF, 0x12, 0);
    EXPECT_TRUE(faults(load_segment(core, Seg::es, kFree), Vector::np, kFree));
    EXPECT_TRUE(faults(load_segment(core, Seg::ss, kFree), Vector::ss, kFree));
    descriptor(kFree, 0, 0xFFFF, 0x98, 0);
    EXPECT_TRUE(faults(load_segment(core, Seg::es, kFree), Vector::gp, kFree)) << "execute-only code";
    EXPECT_TRUE(load_segment(core, Seg::es, kConforming | 3));
    EXPECT_EQ(selector(Seg::ds), before.segs[3].selector);
    run_at(3);
    EXPECT_TRUE(faults(load_segment(core, Seg::ds, kData0), Vector::gp, kData0));
    EXPECT_TRUE(load_segment(core, Seg::ds, 3)) << "null";
    EXPECT_FALSE(core.state.seg(Seg::ds).present());
}

TEST_F(Segments, FarJump) {
    ASSERT_TRUE(far_jump(core, kCode16, 0x1234));
    EXPECT_EQ(core.next_rip, 0x1234u);
    EXPECT_EQ(core.mode.code_size, 2);
    EXPECT_TRUE(faults(far_jump(core, kCode16, 0x10000), Vector::gp, 0)) << "beyond the limit";
    EXPECT_TRUE(faults(far_jump(core, 0, 0), Vector::gp, 0));
    EXPECT_TRUE(faults(far_jump(core, kData0, 0), Vector::gp, kData0));
    EXPECT_TRUE(faults(far_jump(core, kCode3, 0), Vector::gp, kCode3 & ~3u)) << "DPL is not CPL";
    run_at(3);
    ASSERT_TRUE(far_jump(core, kConforming, 0x100));
    EXPECT_EQ(selector(Seg::cs), kConforming | 3);
    EXPECT_EQ(core.cpl(), 3u);
}

TEST_F(Segments, CallGateCopiesParameters) {
    for (const u8 type : {u8{0xEC}, u8{0xE4}}) {
        SCOPED_TRACE(type);
        const unsigned size = type == 0xEC ? 4 : 2;
        gate_at(kGdt + kFree, kCode0, 0x5678, type, 2);
        run_at(3);
        memory->write(kStack3, 0x11223344, 4);
        memory->write(kStack3 + 4, 0x55667788, 4);
        ASSERT_TRUE(far_call(core, kFree | 3, 0xDEAD, 4));
        EXPECT_EQ(core.next_rip, 0x5678u);
        EXPECT_EQ(core.cpl(), 0u);
        EXPECT_EQ(selector(Seg::cs), kCode0);
        EXPECT_EQ(selector(Seg::ss), kData0);
        const u64 sp = core.state.gpr[rsp];
        ASSERT_EQ(sp, kStack0 - 6 * size);
        EXPECT_EQ(at(sp, size), 0x7002u);
        EXPECT_EQ(at(sp + size, size), kCode3);
        EXPECT_EQ(at(sp + 2 * size, size), size == 4 ? 0x11223344u : 0x3344u);
        EXPECT_EQ(at(sp + 3 * size, size), size == 4 ? 0x55667788u : 0x1122u);
        EXPECT_EQ(at(sp + 4 * size, size), kStack3);
        EXPECT_EQ(at(sp + 5 * size, size), kData3);
        core.state.seg(Seg::ds) = {.selector = kData0, .attributes = 0xC93, .limit = 0xFFFFFFFF, .base = 0};
        ASSERT_TRUE(far_return(core, size, 2 * size));
        EXPECT_EQ(core.cpl(), 3u);
        EXPECT_EQ(core.state.gpr[rsp], kStack3 + 2 * size);
        EXPECT_EQ(selector(Seg::ds), 0) << "the caller may not keep it";
        EXPECT_EQ(selector(Seg::es), kData3);
    }
}

TEST_F(Segments, CallGateFaultsChangeNothing) {
    gate_at(kGdt + kFree, kCode0, 0x5678, 0x8C);
    run_at(3);
    const CpuState before = core.state;
    EXPECT_TRUE(faults(far_call(core, kFree | 3, 0, 4), Vector::gp, kFree)) << "the gate's DPL";
    gate_at(kGdt + kFree, kCode0, 0x5678, 0x6C);
    EXPECT_TRUE(faults(far_call(core, kFree | 3, 0, 4), Vector::np, kFree));
    gate_at(kGdt + kFree, 0, 0x5678, 0xEC);
    EXPECT_TRUE(faults(far_call(core, kFree | 3, 0, 4), Vector::gp, 0));
    gate_at(kGdt + kFree, kCode0, 0x5678, 0xEC);
    memory->write(kTssBase + 8, 0, 4);
    EXPECT_TRUE(faults(far_call(core, kFree | 3, 0, 4), Vector::ts, 0));
    memory->write(kTssBase + 8, kData3, 4);
    EXPECT_TRUE(faults(far_call(core, kFree | 3, 0, 4), Vector::ts, kData3 & ~3u));
    descriptor(kFree2, 0, 0x8FFF, 0x96, 0x4);  // expand-down: nothing below 9000h
    memory->write(kTssBase + 8, kFree2, 4);
    EXPECT_TRUE(faults(far_call(core, kFree | 3, 0, 4), Vector::ss, kFree2));
    core.state.seg(Seg::tr).limit = 8;
    EXPECT_TRUE(faults(far_call(core, kFree | 3, 0, 4), Vector::ts, kTss));
    EXPECT_EQ(core.state.gpr, before.gpr);
    EXPECT_EQ(selector(Seg::ss), kData3);
    EXPECT_EQ(core.cpl(), 3u);
}

TEST_F(Segments, LongModeCallGate) {
    long_mode(3);
    gate_at(kGdt + kFree, kCode64, 0x5678, 0xEC);
    memory->write(kGdt + kFree + 8, 0, 8);
    memory->write(kTssBase + 4, kStack0, 8);
    ASSERT_TRUE(far_call(core, kFree | 3, 0, 8));
    EXPECT_EQ(core.cpl(), 0u);
    EXPECT_EQ(selector(Seg::ss), 0);
    EXPECT_EQ(core.state.gpr[rsp], kStack0 - 32);
    EXPECT_EQ(at(kStack0 - 32, 8), 0x7002u);
    EXPECT_EQ(at(kStack0 - 8, 8), kData3);
    memory->write(kGdt + kFree + 8, u64{1} << 40, 8);
    EXPECT_TRUE(faults(far_call(core, kFree, 0, 8), Vector::gp, kFree)) << "type of the upper half";
    EXPECT_TRUE(faults(far_jump(core, kOther, 0), Vector::gp, kOther)) << "no task switches";
}

TEST_F(Segments, LongModeCallGateFromCompatibilityModePushesAs64BitCode) {
    long_mode(0);
    gate_at(kGdt + kFree, kCode64, 0x5678, 0xEC);
    memory->write(kGdt + kFree + 8, 0, 8);
    core.state.seg(Seg::cs) = {.selector = kCode0, .attributes = 0xC9B, .limit = 0xFFFFFFFF, .base = 0};
    core.state.seg(Seg::ss) = {.selector = kData0, .attributes = 0x93, .limit = 0xFFFF, .base = 0x100};
    core.state.gpr[rsp] = 0x30008;
    core.update_mode();
    ASSERT_TRUE(far_call(core, kFree, 0, 4));
    EXPECT_EQ(core.state.gpr[rsp], 0x2FFF8u);
    EXPECT_EQ(at(0x2FFF8, 8), 0x7002u);
    EXPECT_EQ(at(0x30000, 8), kCode0);
}

TEST_F(Segments, FarReturnChecks) {
    const auto stack = [&](u32 ip, u16 cs, u32 sp, u16 ss) {
        run_at(0);
        memory->write(kStack0, ip, 4);
        memory->write(kStack0 + 4, cs, 4);
        memory->write(kStack0 + 8, sp, 4);
        memory->write(kStack0 + 12, ss, 4);
    };
    stack(0x100, 0, 0, 0);
    EXPECT_TRUE(faults(far_return(core, 4, 0), Vector::gp, 0));
    stack(0x100, kCode3, 0x100, kData0);
    EXPECT_TRUE(faults(far_return(core, 4, 0), Vector::gp, kData0)) << "SS of another level";
    stack(0x100, kCode3 & ~3u, 0x100, kData3);
    EXPECT_TRUE(faults(far_return(core, 4, 0), Vector::gp, kCode3 & ~3u)) << "RPL is not DPL";
    stack(0x10000, kCode16, 0, 0);
    EXPECT_TRUE(faults(far_return(core, 4, 0), Vector::gp, 0)) << "limit";
    EXPECT_EQ(core.state.gpr[rsp], kStack0);
    run_at(3);
    memory->write(kStack3, 0x100, 4);
    memory->write(kStack3 + 4, kCode0, 4);
    EXPECT_TRUE(faults(far_return(core, 4, 0), Vector::gp, kCode0)) << "inwards";
}

TEST_F(Segments, RealModeKeepsLimits) {
    real_mode();
    core.state.seg(Seg::ds).limit = 0xFFFFFFFF;
    ASSERT_TRUE(load_segment(core, Seg::ds, 0x1234));
    EXPECT_EQ(core.state.seg(Seg::ds).base, 0x12340u);
    EXPECT_EQ(core.state.seg(Seg::ds).limit, 0xFFFFFFFFu);
    ASSERT_TRUE(far_call(core, 0x2000, 0x30, 2));
    EXPECT_EQ(core.state.seg(Seg::cs).base, 0x20000u);
    EXPECT_EQ(at(0x3000 + 0xFFC, 2), 0x200u);
    EXPECT_EQ(at(0x3000 + 0xFFA, 2), 0x702u);
    ASSERT_TRUE(far_return(core, 2, 4));
    EXPECT_EQ(core.next_rip, 0x702u);
    EXPECT_EQ(core.state.gpr[rsp], 0x1002u);
    EXPECT_TRUE(faults(far_jump(core, 0, 0x10000), Vector::gp, 0));
}

// What update_mode() leaves when it is told that CS, SS and EFLAGS alone are others is what it leaves after a
// look at everything.
TEST_F(Segments, ModeAfterTransfersIsThatAfterALookAtEverything) {
    struct Place {
        SegmentRegister cs, ss;
        u32 eflags;
    };
    const auto code = [](unsigned dpl, unsigned size_bits, u32 limit, u64 base) {
        return SegmentRegister{.selector = static_cast<u16>(0x60 | dpl),
                               .attributes = static_cast<u16>(0x89B | dpl << 5 | size_bits),
                               .limit = limit,
                               .base = base};
    };
    const auto stack = [](unsigned dpl, unsigned size_bits, u32 limit) {
        return SegmentRegister{.selector = static_cast<u16>(0x68 | dpl),
                               .attributes = static_cast<u16>(0x893 | dpl << 5 | size_bits),
                               .limit = limit};
    };
    const auto none = [](unsigned dpl) { return SegmentRegister{.attributes = static_cast<u16>(dpl << 5)}; };
    constexpr unsigned kBig = 0x400, kLong = 0x200;
    constexpr u32 kAll = 0xFFFFFFFF;
    std::vector<Place> places;
    for (const unsigned dpl : {0u, 3u}) {
        for (const u32 flags : {0u, u32{eflags::ac}, u32{eflags::vm}}) {
            const u32 f = eflags::fixed | flags;
            places.push_back({code(dpl, kBig, kAll, 0), stack(dpl, kBig, kAll), f});
            places.push_back({code(dpl, kBig, 0xFFFFF, 0), stack(dpl, kBig, kAll), f});
            places.push_back({code(dpl, kBig, kAll, 0x1000), stack(dpl, 0, 0xFFFF), f});
            places.push_back({code(dpl, 0, 0xFFFF, 0), stack(dpl, kBig, kAll), f});
            places.push_back({code(dpl, kLong, kAll, 0), stack(dpl, kBig, kAll), f});
            places.push_back({code(dpl, kLong, kAll, 0), none(dpl), f});
        }
    }
    const auto go_to = [&](const Place& p, Core::Changed which) {
        core.state.seg(Seg::cs) = p.cs;
        core.state.seg(Seg::ss) = p.ss;
        core.state.eflags = p.eflags;
        core.update_mode(which);
    };
    const auto what_follows = [&] {
        std::array<Core::SegShortcut, 6> shortcuts;
        for (unsigned n = 0; n < 6; ++n) shortcuts[n] = core.shortcut(static_cast<Seg>(n));
        return std::tuple(core.mode, core.block_key, core.code_end, core.rip_mask, core.flat_segments(),
                          core.mmu.privilege(), core.decode_mode.code_size, core.decode_mode.descriptors,
                          core.code_linear(0xFFFF1234), shortcuts);
    };
    for (unsigned n = 0; n < 4; ++n) {
        for (const u64 breakpoints : {0x400u, 0xF0402u}) {
            core.state.cr0 = (core.state.cr0 & ~cr0::am) | (n & 1 ? cr0::am : 0);
            core.state.efer = n & 2 ? efer::lme | efer::lma : 0;
            core.state.cr4 |= cr4::smap;
            core.state.dr[7] = breakpoints;
            for (const Place& from : places) {
                for (const Place& to : places) {
                    go_to(from, Core::Changed::anything);
                    go_to(to, Core::Changed::stack_and_code);
                    const auto quick = what_follows();
                    core.update_mode();
                    ASSERT_TRUE(quick == what_follows())
                        << "from " << (&from - places.data()) << " to " << (&to - places.data());
                }
            }
        }
    }
}

}  // namespace
}  // namespace mynah
