#include "diff/compare.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "base/bits.h"
#include "diff/native.h"

namespace mynah::test {

bool stores_image(const Insn& i) {
    const std::string_view name = row_of(i).mnemonic;
    return i.op == Op::FXSAVE || i.op == Op::XSAVE || name == "fnsave" || name == "fnstenv";
}

namespace {

// Registers whose value is not the state's alone: the time, the processor's name, random numbers. Their bits
// in the mask are not compared.
u64 varying(const Case& c, unsigned n) {
    const u64 low = 0xFFFFFFFF;
    switch (c.insn.op) {
        case Op::RDTSC:
        case Op::XGETBV:
            return n == rax || n == rdx ? low : 0;
        case Op::RDTSCP:
            return n == rax || n == rdx || n == rcx ? low : 0;
        case Op::CPUID:
            return n <= rbx ? low : 0;
        case Op::RDRAND:
        case Op::RDSEED:
            return n == c.insn.rm ? (c.insn.osize == 8 ? ~u64{0} : (u64{1} << (8 * c.insn.osize)) - 1) : 0;
        default:
            return 0;
    }
}

// Within 1 ulp of the truth, both of them (SDM vol. 1 8.3.10).
bool near(const u8* a, const u8* b) {
    const auto order = [](const u8* v) {
        return static_cast<i128>(load_le<u16>(v + 8)) << 63 | (load_le<u64>(v) & ~(u64{1} << 63));
    };
    const i128 d = order(a) - order(b);
    return std::memcmp(a, b, 10) == 0 || (d >= -2 && d <= 2);
}

// Within 1.5 * 2^-12 of the truth, both of them (SDM vol. 2B RCPPS, RSQRTPS).
bool near_single(const u8* a, const u8* b) {
    if (std::memcmp(a, b, 4) == 0) return true;
    const float x = std::bit_cast<float>(load_le<u32>(a)), y = std::bit_cast<float>(load_le<u32>(b));
    return std::isnormal(x) && std::isnormal(y) && std::fabs(x - y) <= std::fabs(y) * (3.0f / 4096);
}

// Elements of 16 bytes of a dot product: the same, or both no numbers.
bool alike_but_for_nans(Op op, const u8* a, const u8* b) {
    const unsigned size = op == Op::DPPS ? 4 : 8;
    const auto nan = [size](const u8* v) {
        return size == 4 ? std::isnan(std::bit_cast<float>(load_le<u32>(v)))
                         : std::isnan(std::bit_cast<double>(load_le<u64>(v)));
    };
    for (unsigned at = 0; at < 16; at += size) {
        if (std::memcmp(a + at, b + at, size) != 0 && !(nan(a + at) && nan(b + at))) return false;
    }
    return true;
}

// Where the operand is reduced by pi, of which processors have 66 bits (SDM vol. 1 8.3.8); fpu_mpfr_test.
bool beyond(const Case& c) {
    const unsigned exponent = load_le<u16>(&c.state.fx[40]) & 0x7FFF;
    const std::string_view name = row_of(c.insn).mnemonic;
    return (name == "fsin" || name == "fcos" || name == "fsincos" || name == "fptan") && exponent >= 0x3FFE;
}

// Bits of the x87 status word that have one right value.
u16 defined_status(const Case& c, Family family) {
    const std::string_view name = row_of(c.insn).mnemonic;
    // FCOMI and its kin clear C1 (SDM vol. 2A); AMD leaves it.
    if (family == Family::x87 && name.find("comi") != std::string_view::npos) return 0xFDFF;
    if (!transcendental(row_of(c.insn))) return 0xFFFF;
    // C1 of an inexact result depends on its error, and so does UE beside the least normal number. C2 says
    // whether the trigonometric ones did anything. PE and UE where the result may be exact: AMD sets them
    // always.
    if (name == "fsin" || name == "fcos" || name == "fsincos" || name == "fptan")
        return 0xFFFF & ~(0x4300 | 0x10);
    if (name == "fpatan") return 0xFFFF & ~(0x4700 | 0x10);
    if (name == "fyl2x" || name == "fyl2xp1") return 0xFFFF & ~(0x4700 | 0x30);
    return 0xFFFF & ~0x4700;
}

}  // namespace

std::string compare(const Case& c, const Outcome& host, const Outcome& ours, Family family) {
    // AMD lets a branch go to an address that is not canonical and faults there; Intel faults at the branch.
    const bool indirect = c.insn.op == Op::JMP_IND || c.insn.op == Op::CALL_IND || c.insn.op == Op::RET;
    if (indirect && host.vector < 0 && ours.vector == 13 && sign_extend(host.state.rip, 48) != host.state.rip)
        return {};
    // Bit 17 of MXCSR is AMD's MM.
    const u32 host_mxcsr = load_le<u32>(&host.state.fx[24]);
    if (c.insn.op == Op::LDMXCSR && host.vector < 0 && ours.vector == 13 && (host_mxcsr & 0x20000)) return {};
    // An operand in SS beyond the limit and badly aligned: either fault may come first.
    const bool both = (host.vector == 13 && ours.vector == 12) || (host.vector == 12 && ours.vector == 13);
    if (both && c.insn.seg == Seg::ss &&
        (row_of(c.insn).has(row_attr::align) || c.insn.op == Op::XRSTOR || c.insn.op == Op::XSAVE ||
         c.insn.op == Op::FXSAVE || c.insn.op == Op::FXRSTOR))
        return {};
    // VPEXTRD and VPINSRD outside of 64-bit code ignore VEX.W (SDM vol. 2B PEXTRB, PINSRB); AMD does not.
    if (c.insn.has(insn_flag::vex) && c.state.code_size != 8 && host.vector == 6 &&
        (c.insn.op == Op::PEXTRD || c.insn.op == Op::PINSRD))
        return {};
    // MOVSXD of 16 bits reads 2 bytes (SDM vol. 2B MOVSX); AMD reads 4 and may meet a page that is not there.
    if (c.insn.op == Op::MOVSXD && c.insn.osize == 2 && host.vector == 14 && ours.vector < 0) return {};
    // AMD reads the outer stack before it finds that the selector's RPL is below CPL.
    if (c.insn.op == Op::RET_FAR && (host.vector == 12 || host.vector == 14) && ours.vector == 13) return {};
    const bool intel = NativeCpu::is_intel();
    const Op op = c.insn.op;
    // Where an x87 exception is not masked Intel does not look at what would be stored.
    constexpr u16 kSummary = 0x80;
    const bool stops = (load_le<u16>(&host.state.fx[2]) & kSummary) != 0;
    if (intel && op == Op::FPU && c.insn.memory() && host.vector < 0 && stops && ours.vector >= 12) return {};
    // Intel compares with the lower bound before it reads the upper, converts before it looks at where to
    // store, and has the whole area of XRSTOR within the limit, whatever is loaded of it.
    if (intel && op == Op::BOUND && host.vector == 5 && ours.vector >= 12) return {};
    if (intel && op == Op::VCVTPS2PH && host.vector == 19 && ours.vector >= 12) return {};
    if (intel && op == Op::XRSTOR && c.state.code_size == 2 && host.vector == 13 && ours.vector < 0)
        return {};
    if (host.vector != ours.vector)
        return fmt::format("fault {} (error {:x} cr2 {:x}), host {} (error {:x} cr2 {:x}) rip {:x}",
                           ours.vector, ours.error_code, ours.cr2, host.vector, host.error_code, host.cr2,
                           host.state.rip);
    const bool wide = c.state.code_size == 8;
    const u64 mask = wide ? ~u64{0} : 0xFFFFFFFF;
    // Behind a far transfer to compatibility mode the upper halves are undefined (SDM vol. 1 3.4.1.1); AMD
    // clears RSP's.
    const bool narrows = wide && ours.state.selectors[1] != kCode64;
    static constexpr const char* kNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                             "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    for (unsigned n = 0; n < (wide ? 16u : 8u); ++n)
        if ((host.state.gpr[n] ^ ours.state.gpr[n]) & (narrows && n == rsp ? 0xFFFFFFFF : mask) &
            ~(host.vector < 0 ? varying(c, n) : 0))
            return fmt::format("{} is {:x}, host {:x} (was {:x})", kNames[n], ours.state.gpr[n],
                               host.state.gpr[n], c.state.gpr[n]);
    if ((host.state.rip ^ ours.state.rip) & mask)
        return fmt::format("rip is {:x}, host {:x}", ours.state.rip, host.state.rip);
    static constexpr const char* kSegments[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    // The way out of the host's kernel makes 0 of every null selector (SDM vol. 2A IRET).
    const auto selector = [](const Outcome& o, unsigned n) {
        return o.state.selectors[n] < 4 ? 0 : o.state.selectors[n];
    };
    for (unsigned n = 0; n < 6; ++n)
        if (selector(host, n) != selector(ours, n))
            return fmt::format("{} is {:x}, host {:x}", kSegments[n], ours.state.selectors[n],
                               host.state.selectors[n]);
    const bool writes_base = c.insn.op == Op::WRFSBASE || c.insn.op == Op::WRGSBASE;
    if (writes_base && (host.state.fs_base != ours.state.fs_base || host.state.gs_base != ours.state.gs_base))
        return fmt::format("fs base {:x}, gs base {:x}, host {:x}, {:x}", ours.state.fs_base,
                           ours.state.gs_base, host.state.fs_base, host.state.gs_base);
    if (host.vector >= 0) {
        if (host.vector != 14 && host.error_code != ours.error_code)
            return fmt::format("fault {} has error code {:x}, host {:x}", host.vector, ours.error_code,
                               host.error_code);
        // A fault changes no flags. (What a repeated comparison did before it is its own affair.)
        if (((host.state.eflags ^ ours.state.eflags) & (eflags::arithmetic | eflags::df)) && !c.state.repeats)
            return fmt::format("flags at the fault are {:x}, host {:x} (was {:x})", ours.state.eflags,
                               host.state.eflags, c.state.eflags);
        // In which order FLDENV and its kin access their parts, and so which address faults first, is the
        // processor's affair.
        const bool parts = stores_image(c.insn) || c.insn.op == Op::FXRSTOR || c.insn.op == Op::XRSTOR ||
                           row_of(c.insn).mnemonic == "fldenv" || row_of(c.insn).mnemonic == "frstor";
        // Nor is it settled whether ARPL reads with the intent to write.
        u64 counted = c.insn.op == Op::ARPL ? ~u64{2} : ~u64{0};
        // A gather's address can be in the host's kernel, whose pages are there.
        if (c.insn.op >= Op::VPGATHERDD && c.insn.op <= Op::VGATHERQPD) counted &= ~u64{1};
        // Intel gives some address of what is masked.
        const bool masked = op == Op::MASKMOVDQU || op == Op::MASKMOVQ || op == Op::VMASKMOVPS ||
                            op == Op::VMASKMOVPD || op == Op::VPMASKMOVD || op == Op::VPMASKMOVQ;
        const u64 cr2_counts = intel && masked ? ~u64{0xFFF} : ~u64{0};
        if (host.vector == 14 && ((!parts && ((host.cr2 ^ ours.cr2) & cr2_counts) != 0) ||
                                  ((host.error_code ^ ours.error_code) & counted) != 0))
            return fmt::format("#PF error {:x} at {:x}, host {:x} at {:x}", ours.error_code, ours.cr2,
                               host.error_code, host.cr2);
        // What FLDENV and its kin loaded before they faulted is the processor's affair, too.
        if (parts) return {};
    }
    const u32 flags = host.vector < 0 ? defined_flags(c) : 0;
    if ((host.state.eflags ^ ours.state.eflags) & flags)
        return fmt::format("flags are {:x}, host {:x} (was {:x}, defined {:x})", ours.state.eflags & flags,
                           host.state.eflags & flags, c.state.eflags, flags);
    if (family == Family::integer) return {};
    auto word = [](const Outcome& o, unsigned at) { return load_le<u16>(&o.state.fx[at]); };
    if (word(host, 0) != word(ours, 0))
        return fmt::format("FCW is {:x}, host {:x}", word(ours, 0), word(host, 0));
    // On Intel a store of an MMX register that faults has entered MMX mode.
    constexpr u16 kTop = 0x3800;
    const bool entered =
        intel && host.vector >= 0 && family == Family::sse && c.insn.memory() && (word(host, 2) & kTop) == 0;
    const u16 status = static_cast<u16>(defined_status(c, family) & ~(entered ? kTop : 0));
    if ((word(host, 2) ^ word(ours, 2)) & status)
        return fmt::format("FSW is {:x}, host {:x}", word(ours, 2), word(host, 2));
    if (host.state.fx[4] != ours.state.fx[4] && !entered)
        return fmt::format("tags are {:x}, host {:x}", ours.state.fx[4], host.state.fx[4]);
    // By their numbers from TOP.
    const unsigned turned = (((word(host, 2) & kTop) - (word(ours, 2) & kTop)) & kTop) >> 11;
    for (unsigned n = 0; n < 8; ++n) {
        const u8* const theirs = &host.state.fx[32 + 16 * n];
        const unsigned at = 32 + 16 * ((n + turned) % 8);
        const u8* const mine = &ours.state.fx[at];
        const bool roughly = transcendental(row_of(c.insn)) && (beyond(c) || near(theirs, mine));
        if (std::memcmp(theirs, mine, 10) != 0 && !roughly)
            return fmt::format("ST{} is {:04x}:{:016x}, host {:04x}:{:016x}", n, word(ours, at + 8),
                               load_le<u64>(mine), word(host, 40 + 16 * n), load_le<u64>(theirs));
    }
    const u32 mxcsr_host = load_le<u32>(&host.state.fx[24]), mxcsr = load_le<u32>(&ours.state.fx[24]);
    // A conversion whose store faults has set Intel's flags.
    const bool counts = !(intel && host.vector >= 0 && op == Op::VCVTPS2PH);
    if (mxcsr != mxcsr_host && counts) return fmt::format("MXCSR is {:x}, host {:x}", mxcsr, mxcsr_host);
    // Of gathers that fault Intel leaves other parts than AMD, and of the NaNs of a dot product another one.
    const bool gathers = op >= Op::VPGATHERDD && op <= Op::VGATHERQPD;
    const bool dot_product = op == Op::DPPS || op == Op::DPPD;
    const auto near_all = [&](unsigned n, const u8* a, const u8* b) {
        if (intel && gathers && host.vector >= 0 && (n == c.insn.reg || n == c.insn.vvvv)) return true;
        if (intel && dot_product && n == c.insn.reg) return alike_but_for_nans(op, a, b);
        bool all = approximation(op) && n == c.insn.reg;
        for (unsigned k = 0; k < 4; ++k) all = all && near_single(a + 4 * k, b + 4 * k);
        return all;
    };
    for (unsigned n = 0; n < (wide ? 16u : 8u); ++n)
        if (!near_all(n, &ours.state.fx[160 + 16 * n], &host.state.fx[160 + 16 * n]) &&
            std::memcmp(&host.state.fx[160 + 16 * n], &ours.state.fx[160 + 16 * n], 16) != 0)
            return fmt::format(
                "XMM{} is {:016x}{:016x}, host {:016x}{:016x}", n, load_le<u64>(&ours.state.fx[168 + 16 * n]),
                load_le<u64>(&ours.state.fx[160 + 16 * n]), load_le<u64>(&host.state.fx[168 + 16 * n]),
                load_le<u64>(&host.state.fx[160 + 16 * n]));
    for (unsigned n = 0; n < (wide ? 16u : 8u); ++n)
        if (!near_all(n, &ours.state.upper[16 * n], &host.state.upper[16 * n]) &&
            std::memcmp(&host.state.upper[16 * n], &ours.state.upper[16 * n], 16) != 0 &&
            NativeCpu::has(Feature::avx))
            return fmt::format(
                "upper half of YMM{} is {:016x}{:016x}, host {:016x}{:016x}", n,
                load_le<u64>(&ours.state.upper[8 + 16 * n]), load_le<u64>(&ours.state.upper[16 * n]),
                load_le<u64>(&host.state.upper[8 + 16 * n]), load_le<u64>(&host.state.upper[16 * n]));
    return {};
}

}  // namespace mynah::test
