// MMX and SSE: what a host comparison (tests/diff) can't or may not show: availability, alignment, precise
// faults, the save areas; and a few published vectors for hosts without that comparison.

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

#include "cpu/core.h"
#include "cpu/decoder.h"
#include "cpu/harness.h"
#include "cpu/interp/handler.h"
#include "cpu/system/cpu_model.h"

namespace mynah {
namespace {

// A core in flat 64-bit code at CPL 0 without paging tricks; instructions are decoded and executed one by
// one.
class Sse : public testing::Test {
  protected:
    Sse()
        : memory_(std::move(*PhysicalMap::create(16 * MiB))),
          mmu_(*memory_),
          core_(*find_cpu_model("max"), mmu_, *memory_, host_, log_) {
        CpuState& s = core_.state;
        for (unsigned n = 0; n < 6; ++n) {
            s.segs[n] = {.selector = 8,
                         .attributes = static_cast<u16>((n == 1 ? 0x9B : 0x93) | 0xC00),
                         .limit = 0xFFFFFFFF,
                         .base = 0};
        }
        s.cr0 = cr0::pe | cr0::ne | cr0::et;
        s.cr4 = cr4::osfxsr | cr4::osxmmexcpt | cr4::osxsave;
        s.xcr0 = 3;
        core_.update_mode();
    }

    // The fault's vector, or -1.
    int run(std::initializer_list<int> bytes, u8 code_size = 4) {
        const std::vector<u8> code(bytes.begin(), bytes.end());
        Insn i;
        EXPECT_EQ(decode(code, {code_size, true}, i), DecodeStatus::ok);
        const Handler h = sse_handler(i);
        EXPECT_NE(h, nullptr);
        core_.faulted = false;
        if (h(core_, i)) return -1;
        return core_.faulted ? static_cast<int>(core_.fault.vector) : -1;
    }
    void set_xmm(unsigned n, u64 high, u64 low) { core_.state.vec[n].q = {low, high, 0, 0}; }
    u64 low(unsigned n) const { return core_.state.vec[n].q[0]; }
    u64 high(unsigned n) const { return core_.state.vec[n].q[1]; }
    u64 read(u64 a, unsigned width = 8) { return memory_->read(a, width); }
    void write(u64 a, u64 v, unsigned width = 8) { memory_->write(a, v, width); }

    test::FakeHost host_;
    Log log_;
    std::unique_ptr<PhysicalMap> memory_;
    Mmu mmu_;
    Core core_;
};

TEST_F(Sse, ControlBitsRefuse) {
    core_.state.cr4 &= ~cr4::osfxsr;
    EXPECT_EQ(run({0x0F, 0x58, 0xC1}), 6);   // addps
    EXPECT_EQ(run({0x0F, 0xFC, 0xC1}), -1);  // paddb mm0, mm1 does not care
    core_.state.cr4 |= cr4::osfxsr;
    core_.state.cr0 |= cr0::ts;
    EXPECT_EQ(run({0x0F, 0x58, 0xC1}), 7);
    EXPECT_EQ(run({0x0F, 0xFC, 0xC1}), 7);
    EXPECT_EQ(run({0x0F, 0xAE, 0x03}), 7);  // fxsave
    core_.state.cr0 |= cr0::em;
    EXPECT_EQ(run({0x0F, 0x58, 0xC1}), 6);
    EXPECT_EQ(run({0x0F, 0xFC, 0xC1}), 6);
    EXPECT_EQ(run({0x0F, 0xAE, 0x03}), 7);
    core_.state.cr0 &= ~(cr0::em | cr0::ts);
    core_.state.x87.status = 0x81;  // an unmasked exception is pending
    EXPECT_EQ(run({0x0F, 0xFC, 0xC1}), 16);
    EXPECT_EQ(run({0x0F, 0x58, 0xC1}), -1);
}

TEST_F(Sse, AlignmentAndLimits) {
    core_.state.gpr[rbx] = 0x2008;
    EXPECT_EQ(run({0x0F, 0x28, 0x03}), 13);  // movaps xmm0, [ebx]
    EXPECT_EQ(core_.fault.error_code, 0u);
    EXPECT_EQ(run({0x0F, 0x10, 0x03}), -1);        // movups
    EXPECT_EQ(run({0x0F, 0x58, 0x03}), 13);        // addps
    EXPECT_EQ(run({0xF3, 0x0F, 0x58, 0x03}), -1);  // addss
    EXPECT_EQ(run({0x0F, 0x29, 0x03}), 13);
    EXPECT_EQ(run({0x66, 0x0F, 0x3A, 0x63, 0x03, 0}), -1);  // pcmpistri needs no alignment
    core_.state.seg(Seg::ds).limit = 0x2010;
    core_.update_mode();
    EXPECT_EQ(run({0x0F, 0x10, 0x03}), 13);
}

TEST_F(Sse, UnmaskedExceptionWritesNothing) {
    set_xmm(0, 0, 0x3F800000);
    set_xmm(1, 0, 0);
    core_.state.mxcsr = 0x1F80 & ~0x200u;          // ZM clear
    EXPECT_EQ(run({0xF3, 0x0F, 0x5E, 0xC1}), 19);  // divss
    EXPECT_EQ(low(0), 0x3F800000u);
    EXPECT_EQ(core_.state.mxcsr & 0x3F, 4u);
    core_.state.cr4 &= ~cr4::osxmmexcpt;
    EXPECT_EQ(run({0xF3, 0x0F, 0x5E, 0xC1}), 6);
    core_.state.mxcsr = 0x1F80;
    EXPECT_EQ(run({0xF3, 0x0F, 0x5E, 0xC1}), -1);
    EXPECT_EQ(low(0), 0x7F800000u);
}

TEST_F(Sse, MmxTakesOverTheX87) {
    X87State& x = core_.state.x87;
    x.set_top(5);
    x.valid = 0;
    x.regs[1] = {0x0102030405060708, 0x1234};
    x.regs[2] = {0x0101010101010101, 0x4321};
    EXPECT_EQ(run({0x0F, 0xFC, 0xCA}), -1);  // paddb mm1, mm2
    EXPECT_EQ(x.regs[1], (fpu::F80{0x0203040506070809, 0xFFFF}));
    EXPECT_EQ(x.regs[2].sign_exponent, 0x4321);
    EXPECT_EQ(x.top(), 0u);
    EXPECT_EQ(x.valid, 0xFF);
    EXPECT_EQ(run({0x0F, 0x77}), -1);  // emms
    EXPECT_EQ(x.valid, 0);
    x.set_top(3);
    core_.state.gpr[rbx] = 0x2000;
    EXPECT_EQ(run({0x0F, 0x2A, 0x03}), -1);  // cvtpi2ps xmm0, [ebx] touches no MMX register
    EXPECT_EQ(x.top(), 3u);
}

TEST_F(Sse, MaskedStoreTouchesOnlyWhatItStores) {
    set_xmm(0, 0x1111111111111111, 0x2222222222222222);
    set_xmm(1, 0, 0x0000800000800000);
    core_.state.gpr[rdi] = 0x2000;
    write(0x2000, ~u64{0});
    EXPECT_EQ(run({0x66, 0x0F, 0xF7, 0xC1}), -1);
    EXPECT_EQ(read(0x2000), 0xFFFF22FFFF22FFFFu);
    // Beyond the limit with no mask bit: nothing happens; with one: fault, and nothing is written.
    core_.state.seg(Seg::ds).limit = 0x2004;
    core_.update_mode();
    set_xmm(1, 0, 0x0000000000800000);
    EXPECT_EQ(run({0x66, 0x0F, 0xF7, 0xC1}), -1);
    write(0x2000, ~u64{0});
    set_xmm(1, 0, 0x8000000000800000);
    EXPECT_EQ(run({0x66, 0x0F, 0xF7, 0xC1}), 13);
    EXPECT_EQ(read(0x2000), ~u64{0});
}

TEST_F(Sse, Mxcsr) {
    core_.state.gpr[rbx] = 0x2000;
    write(0x2000, 0x10000, 4);
    EXPECT_EQ(run({0x0F, 0xAE, 0x13}), 13);  // ldmxcsr with a reserved bit
    EXPECT_EQ(core_.state.mxcsr, 0x1F80u);
    write(0x2000, 0xFFBF, 4);
    EXPECT_EQ(run({0x0F, 0xAE, 0x13}), -1);
    EXPECT_EQ(run({0x0F, 0xAE, 0x5B, 0x08}), -1);
    EXPECT_EQ(read(0x2008, 4), 0xFFBFu);
}

TEST_F(Sse, FxsaveLayout) {
    CpuState& s = core_.state;
    s.x87.set_top(6);
    s.x87.valid = 0xC0;
    s.x87.regs[6] = {0x8000000000000000, 0x3FFF};
    s.x87.opcode = 0x123;
    s.x87.fip = 0x1122334455667788;
    s.x87.fcs = 0x33;
    s.x87.fdp = 0x99AABBCCDDEEFF00;
    s.x87.fds = 0x2B;
    set_xmm(7, 0xAAAAAAAAAAAAAAAA, 0xBBBBBBBBBBBBBBBB);
    s.gpr[rbx] = 0x2000;
    for (u64 a = 0x2000; a < 0x2200; a += 8) write(a, 0x5A5A5A5A5A5A5A5A);
    EXPECT_EQ(run({0x0F, 0xAE, 0x03}), -1);
    EXPECT_EQ(read(0x2000), 0x012300C03000037Fu);
    EXPECT_EQ(read(0x2008), 0x0000003355667788u);
    EXPECT_EQ(read(0x2010), 0x0000002BDDEEFF00u);
    EXPECT_EQ(read(0x2018), 0x0000FFFF00001F80u);
    EXPECT_EQ(read(0x2020), 0x8000000000000000u);  // ST0 is the register TOP names
    EXPECT_EQ(read(0x2028), 0x3FFFu);
    EXPECT_EQ(read(0x20A0 + 7 * 16), 0xBBBBBBBBBBBBBBBBu);
    EXPECT_EQ(read(0x20A0 + 8 * 16), 0x5A5A5A5A5A5A5A5Au);  // XMM8 on are not there outside 64-bit code
    EXPECT_EQ(run({0x48, 0x0F, 0xAE, 0x03}, 8), -1);
    EXPECT_EQ(read(0x2008), 0x1122334455667788u);
    const X87State before = s.x87;
    s.x87 = {};
    set_xmm(7, 0, 0);
    EXPECT_EQ(run({0x48, 0x0F, 0xAE, 0x0B}, 8), -1);
    EXPECT_EQ(s.x87.regs, before.regs);
    EXPECT_EQ(s.x87.status, before.status);
    EXPECT_EQ(s.x87.fip, before.fip);
    EXPECT_EQ(low(7), 0xBBBBBBBBBBBBBBBBu);
    write(0x2018, 0x10000, 4);
    EXPECT_EQ(run({0x0F, 0xAE, 0x0B}), 13);
    s.gpr[rbx] = 0x2008;
    EXPECT_EQ(run({0x0F, 0xAE, 0x03}), 13);
}

TEST_F(Sse, XsaveAndXrstor) {
    CpuState& s = core_.state;
    s.gpr[rbx] = 0x2000;
    s.gpr[rax] = 7;
    s.gpr[rdx] = 0;
    s.x87.control = 0x37F;
    set_xmm(1, 3, 4);
    write(0x2200, 0xFFF8);                   // XSTATE_BV: bits that are not asked for stay
    EXPECT_EQ(run({0x0F, 0xAE, 0x23}), -1);  // xsave
    EXPECT_EQ(read(0x2200), 0xFFF8u | 2);    // the x87 is in its initial state
    EXPECT_EQ(read(0x20B0), 4u);
    for (u64 a = 0x2200; a < 0x2240; a += 8) write(a, 0);
    write(0x2200, 2);
    set_xmm(1, 0, 0);
    s.x87.control = 0x27F;
    s.x87.valid = 1;
    EXPECT_EQ(run({0x0F, 0xAE, 0x2B}), -1);  // xrstor
    EXPECT_EQ(low(1), 4u);
    EXPECT_EQ(s.x87.control, 0x37F);
    EXPECT_EQ(s.x87.valid, 0);
    for (const u64 component : {4, 0x20, 0x100}) {  // that XCR0 has not
        write(0x2200, component);
        EXPECT_EQ(run({0x0F, 0xAE, 0x2B}), 13);
    }
    write(0x2200, 2);
    write(0x2208, 1);  // XCOMP_BV of the standard form
    EXPECT_EQ(run({0x0F, 0xAE, 0x2B}), 13);
    s.gpr[rbx] = 0x2010;  // aligned to 16 only
    EXPECT_EQ(run({0x0F, 0xAE, 0x23}), 13);
    s.cr4 &= ~cr4::osxsave;
    EXPECT_EQ(run({0x0F, 0xAE, 0x23}), 6);
}

TEST_F(Sse, XsavecIsCompact) {
    CpuState& s = core_.state;
    s.gpr[rbx] = 0x2000;
    s.gpr[rax] = 3;
    s.gpr[rdx] = 0;
    set_xmm(2, 5, 6);
    for (u64 a = 0x2200; a < 0x2240; a += 8) write(a, 0);
    EXPECT_EQ(run({0x0F, 0xC7, 0x23}), -1);
    EXPECT_EQ(read(0x2200), 2u);
    EXPECT_EQ(read(0x2208), 0x8000000000000003u);
    set_xmm(2, 0, 0);
    s.mxcsr = 0x1FC0;
    EXPECT_EQ(run({0x0F, 0xAE, 0x2B}), -1);
    EXPECT_EQ(low(2), 6u);
    EXPECT_EQ(s.mxcsr, 0x1F80u);
}

// FIPS 197 appendix B, first round.
TEST_F(Sse, AesRound) {
    const u8 state[16] = {0x19, 0x3D, 0xE3, 0xBE, 0xA0, 0xF4, 0xE2, 0x2B,
                          0x9A, 0xC6, 0x8D, 0x2A, 0xE9, 0xF8, 0x48, 0x08};
    const u8 key[16] = {0xA0, 0xFA, 0xFE, 0x17, 0x88, 0x54, 0x2C, 0xB1,
                        0x23, 0xA3, 0x39, 0x39, 0x2A, 0x6C, 0x76, 0x05};
    const u8 next[16] = {0xA4, 0x9C, 0x7F, 0xF2, 0x68, 0x9F, 0x35, 0x2B,
                         0x6B, 0x5B, 0xEA, 0x43, 0x02, 0x6A, 0x50, 0x49};
    set_xmm(0, load_le<u64>(state + 8), load_le<u64>(state));
    set_xmm(1, load_le<u64>(key + 8), load_le<u64>(key));
    EXPECT_EQ(run({0x66, 0x0F, 0x38, 0xDC, 0xC1}), -1);
    EXPECT_EQ(low(0), load_le<u64>(next));
    EXPECT_EQ(high(0), load_le<u64>(next + 8));
    // AESENCLAST and AESDECLAST with a zero key undo each other.
    set_xmm(2, 0, 0);
    EXPECT_EQ(run({0x66, 0x0F, 0x38, 0xDD, 0xC2}), -1);
    EXPECT_EQ(run({0x66, 0x0F, 0x38, 0xDF, 0xC2}), -1);
    EXPECT_EQ(low(0), load_le<u64>(next));
}

TEST_F(Sse, CarrylessProduct) {
    set_xmm(0, 0x7B5B546573745665, 0x63746F725D53475D);
    set_xmm(1, 0x4869285368617929, 0x5B477565726F6E5D);
    EXPECT_EQ(run({0x66, 0x0F, 0x3A, 0x44, 0xC1, 0x00}), -1);
    EXPECT_EQ(low(0), 0x929633D5D36F0451u);
    EXPECT_EQ(high(0), 0x1D4D84C85C3440C0u);
}

TEST_F(Sse, StringCompare) {
    // "hello world....." for "o w" in equal-ordered mode.
    const char text[17] = "hello world\0\0\0\0\0";
    const char part[17] = "o w\0\0\0\0\0\0\0\0\0\0\0\0\0";
    set_xmm(0, load_le<u64>(part + 8), load_le<u64>(part));
    set_xmm(1, load_le<u64>(text + 8), load_le<u64>(text));
    EXPECT_EQ(run({0x66, 0x0F, 0x3A, 0x63, 0xC1, 0x0C}), -1);
    EXPECT_EQ(core_.state.gpr[rcx], 4u);
    EXPECT_TRUE(core_.state.flags.cf());
    EXPECT_TRUE(core_.state.flags.zf());
    EXPECT_TRUE(core_.state.flags.sf());
}

}  // namespace
}  // namespace mynah
