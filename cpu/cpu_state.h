// Everything the guest can see of one processor. Plain data: cpu/ works on it, a snapshot visits it.
#pragma once

#include <array>
#include <bit>

#include "base/archive.h"
#include "base/types.h"
#include "cpu/flags.h"
#include "cpu/fpu/f80.h"

namespace mynah {

// General registers by encoding number.
enum Gpr : u8 { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi };

// Segment registers by encoding number, then the two system segments.
enum class Seg : u8 { es, cs, ss, ds, fs, gs, ldtr, tr };

// A segment register with its hidden part (SDM vol. 3A 3.4.3).
struct SegmentRegister {
    u16 selector = 0;
    // Descriptor bits 40-47 (type, S, DPL, P) in 0-7 and 52-55 (AVL, L, D/B, G) in 8-11.
    u16 attributes = 0;
    u32 limit = 0;  // in bytes, G already applied
    u64 base = 0;

    unsigned type() const { return attributes & 15; }
    bool code_or_data() const { return attributes & 0x10; }
    unsigned dpl() const { return (attributes >> 5) & 3; }
    bool present() const { return attributes & 0x80; }  // also "usable": a null selector clears it
    bool long_code() const { return attributes & 0x200; }
    bool big() const { return attributes & 0x400; }
    bool is_code() const { return attributes & 8; }
    bool conforming_or_expand_down() const { return attributes & 4; }
    bool readable_or_writable() const { return attributes & 2; }
    unsigned rpl() const { return selector & 3; }

    // As far as what may be accessed, and where.
    bool same_but_for_dpl(const SegmentRegister& r) const {
        const auto a = std::bit_cast<std::array<u64, 2>>(*this), b = std::bit_cast<std::array<u64, 2>>(r);
        constexpr u64 kSelectorAndDpl = 0x60FFFF;
        return (((a[0] ^ b[0]) & ~kSelectorAndDpl) | (a[1] ^ b[1])) == 0;
    }

    void visit(Archive& ar) { ar.all(selector, attributes, limit, base); }
    bool operator==(const SegmentRegister&) const = default;
};

struct DescriptorTable {
    u64 base = 0;
    u16 limit = 0xFFFF;
    void visit(Archive& ar) { ar.all(base, limit); }
};

namespace cr0 {
inline constexpr u64 pe = 1u << 0, mp = 1u << 1, em = 1u << 2, ts = 1u << 3, et = 1u << 4, ne = 1u << 5,
                     wp = 1u << 16, am = 1u << 18, nw = 1u << 29, cd = 1u << 30, pg = 1u << 31;
}
namespace cr4 {
inline constexpr u64 vme = 1u << 0, pvi = 1u << 1, tsd = 1u << 2, de = 1u << 3, pse = 1u << 4, pae = 1u << 5,
                     mce = 1u << 6, pge = 1u << 7, pce = 1u << 8, osfxsr = 1u << 9, osxmmexcpt = 1u << 10,
                     umip = 1u << 11, fsgsbase = 1u << 16, pcide = 1u << 17, osxsave = 1u << 18,
                     smep = 1u << 20, smap = 1u << 21;
}
namespace debugctl {
inline constexpr u64 btf = 1u << 1;
}
namespace efer {
inline constexpr u64 sce = 1u << 0, lme = 1u << 8, lma = 1u << 10, nxe = 1u << 11, ffxsr = 1u << 14;
}

// The x87 (SDM vol. 1 ch. 8). Registers are by physical number: ST(i) is regs[(top + i) & 7].
struct X87State {
    std::array<fpu::F80, 8> regs{};
    u16 control = 0x37F;
    u16 status = 0;  // with TOP in 11-13
    u8 valid = 0;    // bit per physical register: tag is not Empty
    u16 opcode = 0;  // FOP, 11 bits
    u16 fcs = 0, fds = 0;
    u64 fip = 0, fdp = 0;

    unsigned top() const { return (status >> 11) & 7; }
    void set_top(unsigned top) { status = static_cast<u16>((status & ~0x3800) | (top & 7) << 11); }
    void visit(Archive& ar);
};

// 256 bits, so that AVX needs no other layout; SSE uses the low half.
struct alignas(32) VectorRegister {
    std::array<u64, 4> q{};
    void visit(Archive& ar) { ar(q); }
};

// MTRRs and the rest of the model-specific registers that just hold a value.
struct MsrState {
    u64 apic_base = 0xFEE00900;
    u64 sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
    u64 star = 0, lstar = 0, cstar = 0, sfmask = 0;
    u64 kernel_gs_base = 0;
    u64 pat = 0x0007040600070406;
    u64 tsc_aux = 0;
    u64 tsc_offset = 0;  // TSC = host.tsc() + offset (WRMSR 10h and TSC_ADJUST)
    u64 tsc_adjust = 0;
    u64 misc_enable = 1;
    u64 debugctl = 0;  // BTF is all there is of it
    u64 mtrr_def_type = 0;
    std::array<u64, 16> mtrr_variable{};
    std::array<u64, 11> mtrr_fixed{};
    u64 spec_ctrl = 0;
    u64 bios_sign_id = 0;
    u64 xss = 0;
    u64 kvm_clock = 0, kvm_wall_clock = 0;  // where KVM's structures are in memory; bit 0 of the first: on
    void visit(Archive& ar);
};

// What the processor does between instructions.
// mwait_masked: MWAIT that a masked interrupt ends as well.
enum class Activity : u8 { running, halted, mwait, mwait_masked, wait_for_sipi, shutdown };

struct CpuState {
    // [16] is always 0: the register of "no base" and "no index".
    std::array<u64, 17> gpr{};
    u64 rip = 0;
    LazyFlags flags;             // CF PF AF ZF SF OF
    u32 eflags = eflags::fixed;  // all others; the arithmetic bits here are 0
    std::array<SegmentRegister, 8> segs{};
    DescriptorTable gdtr, idtr;
    u64 cr0 = 0x60000010, cr2 = 0, cr3 = 0, cr4 = 0, efer = 0, xcr0 = 1;
    std::array<u64, 8> dr{};  // DR4/DR5 unused
    X87State x87;
    std::array<VectorRegister, 16> vec{};
    u32 mxcsr = 0x1F80;
    MsrState msr;

    Activity activity = Activity::running;
    bool interrupt_shadow = false;  // after STI: INTR waits one instruction
    bool debug_shadow = false;      // after MOV SS / POP SS: #DB, INTR and NMI wait one instruction
    bool monitor_armed = false;     // MONITOR was executed and no event came since
    bool nmi_blocked = false;
    bool nmi_pending = false;
    u64 pending_debug = 0;       // DR6 bits to be reported at the next boundary
    std::array<u64, 4> pdpte{};  // PAE page-directory-pointer registers

    SegmentRegister& seg(Seg s) { return segs[static_cast<unsigned>(s)]; }
    const SegmentRegister& seg(Seg s) const { return segs[static_cast<unsigned>(s)]; }
    u32 read_eflags() const { return eflags | flags.get(); }
    // Takes all bits as they are; who may change which is the caller's business.
    void write_eflags(u32 v) {
        flags.set(v);
        eflags = (v & ~eflags::arithmetic) | eflags::fixed;
    }
    void visit(Archive& ar);
};

}  // namespace mynah
