// FXSAVE, XSAVE and their kin, LDMXCSR, STMXCSR (SDM vol. 1 10.5, ch. 13).
#include <algorithm>
#include <cstring>

#include "cpu/sse/access.h"
#include "cpu/system/cpu_model.h"

namespace mynah::sse {
namespace {

namespace component {
inline constexpr u64 x87 = 1, sse = 2, avx = 4;
}
// Offsets in the area.
inline constexpr unsigned kMxcsr = 24, kSt = 32, kXmm = 160, kLegacyEnd = 512, kHeaderEnd = 576, kYmm = 576,
                          kEnd = 832;
inline constexpr u64 kCompacted = u64{1} << 63;

u32 mxcsr_mask(const Core& c) {
    return c.model.has(Feature::sse2) ? 0xFFFF : 0xFFBF;
}  // DAZ came with SSE2
unsigned xmm_count(const Core& c) {
    return c.mode.code64() ? 16 : 8;
}

// An area being read or written, at a linear address that has been checked as a whole.
struct Area {
    std::array<u8, kEnd> bytes{};
    u64 linear = 0;

    template <class T>
    void put(unsigned at, T v) {
        store_le(&bytes[at], v);
    }
    template <class T>
    T get(unsigned at) const {
        return load_le<T>(&bytes[at]);
    }
    bool load(Core& c, unsigned from, unsigned to) {
        for (unsigned at = from; at < to; at += 64) {
            if (!c.load_slow(linear + at, &bytes[at], std::min(64u, to - at), c.mmu.privilege()))
                return false;
        }
        return true;
    }
    bool store(Core& c, unsigned from, unsigned to) const {
        for (unsigned at = from; at < to; at += 64) {
            if (!c.store_slow(linear + at, &bytes[at], std::min(64u, to - at), c.mmu.privilege()))
                return false;
        }
        return true;
    }
};

// Segment checks for the whole area, then its alignment.
bool locate(Core& c, const Insn& i, unsigned size, unsigned alignment, Access access, u64& out) {
    const u64 ea = c.effective_address(i);
    u64 last;
    if (!c.linear(i.seg, ea, 1, access, out) || !c.linear(i.seg, ea + size - 1, 1, access, last))
        return false;
    if (out & (alignment - 1)) return c.raise(Vector::gp, 0);
    return true;
}

// --- the x87 part: bytes 0-23 and 32-159 ---
void put_x87(const Core& c, const Insn& i, Area& a) {
    const X87State& x = c.state.x87;
    a.put(0, x.control);
    a.put(2, x.status);
    a.put(4, x.valid);
    a.put(6, x.opcode);
    if (i.has(insn_flag::rex_w)) {
        a.put(8, x.fip);
        a.put(16, x.fdp);
    } else {
        a.put(8, static_cast<u32>(x.fip));
        a.put(12, u32{x.fcs});
        a.put(16, static_cast<u32>(x.fdp));
        a.put(20, u32{x.fds});
    }
    for (unsigned n = 0; n < 8; ++n) {
        const fpu::F80& r = x.regs[(x.top() + n) & 7];
        a.put(kSt + 16 * n, r.significand);
        a.put(kSt + 16 * n + 8, u64{r.sign_exponent});
    }
}
void take_x87(Core& c, const Insn& i, const Area& a) {
    X87State& x = c.state.x87;
    x.control = x87::legal_control_word(a.get<u16>(0));
    x.status = a.get<u16>(2);
    x.valid = a.get<u8>(4);
    x.opcode = a.get<u16>(6) & 0x7FF;
    if (i.has(insn_flag::rex_w)) {
        x.fip = a.get<u64>(8);
        x.fdp = a.get<u64>(16);
        x.fcs = x.fds = 0;
    } else {
        x.fip = a.get<u32>(8);
        x.fcs = a.get<u16>(12);
        x.fdp = a.get<u32>(16);
        x.fds = a.get<u16>(20);
    }
    for (unsigned n = 0; n < 8; ++n) {
        x.regs[(x.top() + n) & 7] = {a.get<u64>(kSt + 16 * n), a.get<u16>(kSt + 16 * n + 8)};
    }
    x87::update_summary(c);
}
void initialize_x87(Core& c) {
    c.state.x87.regs = {};
    x87::initialize(c);
}
bool x87_in_use(const Core& c) {
    const X87State& x = c.state.x87;
    return x.control != 0x37F || x.status || x.valid || x.opcode || x.fcs || x.fds || x.fip || x.fdp ||
           x.regs != std::array<fpu::F80, 8>{};
}

// --- XMM registers ---
void put_xmm(const Core& c, Area& a) {
    for (unsigned n = 0; n < xmm_count(c); ++n) a.put(kXmm + 16 * n, xmm(c, n));
}
void take_xmm(Core& c, const Area& a) {
    for (unsigned n = 0; n < xmm_count(c); ++n) set_xmm(c, n, a.get<Xmm>(kXmm + 16 * n));
}
bool xmm_in_use(const Core& c) {
    for (unsigned n = 0; n < xmm_count(c); ++n) {
        if (c.state.vec[n].q[0] | c.state.vec[n].q[1]) return true;
    }
    return false;
}
// --- upper halves of YMM ---
void put_ymm(const Core& c, Area& a) {
    for (unsigned n = 0; n < xmm_count(c); ++n) {
        a.put(kYmm + 16 * n, Xmm{{c.state.vec[n].q[2], c.state.vec[n].q[3]}});
    }
}
void take_ymm(Core& c, const Xmm* from) {
    for (unsigned n = 0; n < xmm_count(c); ++n) {
        c.state.vec[n].q[2] = from ? from[n].q[0] : 0;
        c.state.vec[n].q[3] = from ? from[n].q[1] : 0;
    }
}
bool ymm_in_use(const Core& c) {
    for (unsigned n = 0; n < xmm_count(c); ++n) {
        if (c.state.vec[n].q[2] | c.state.vec[n].q[3]) return true;
    }
    return false;
}

// --- FXSAVE, FXRSTOR ---
// #NM with CR0.EM or CR0.TS.
bool fx_ready(Core& c) {
    return !(c.state.cr0 & (cr0::em | cr0::ts)) || c.raise(Vector::nm);
}
// Without CR4.OSFXSR the SSE state stays out; with EFER.FFXSR the fast form at CPL 0 leaves the registers
// out.
bool fx_xmm(const Core& c) {
    if (!(c.state.cr4 & cr4::osfxsr)) return false;
    return !((c.state.efer & efer::ffxsr) && c.cpl() == 0 && c.mode.code64());
}

bool fxsave(Core& c, const Insn& i) {
    Area a;
    if (!fx_ready(c) || !locate(c, i, kLegacyEnd, 16, Access::write, a.linear)) return false;
    if (!c.probe_write(a.linear, kLegacyEnd)) return false;
    put_x87(c, i, a);
    a.put(kMxcsr, c.state.mxcsr);
    a.put(kMxcsr + 4, mxcsr_mask(c));
    if (fx_xmm(c)) put_xmm(c, a);
    const unsigned end = fx_xmm(c) ? kXmm + 16 * xmm_count(c) : kXmm;
    return a.store(c, 0, end);
}

bool fxrstor(Core& c, const Insn& i) {
    Area a;
    if (!fx_ready(c) || !locate(c, i, kLegacyEnd, 16, Access::read, a.linear) || !a.load(c, 0, kLegacyEnd))
        return false;
    if (c.state.cr4 & cr4::osfxsr) {
        const u32 mxcsr = a.get<u32>(kMxcsr);
        if (mxcsr & ~mxcsr_mask(c)) return c.raise(Vector::gp, 0);
        c.state.mxcsr = mxcsr;
    }
    take_x87(c, i, a);
    if (fx_xmm(c)) take_xmm(c, a);
    return true;
}

// --- XSAVE and kin ---
bool x_ready(Core& c) {
    if (!(c.state.cr4 & cr4::osxsave)) return c.raise(Vector::ud);
    return !(c.state.cr0 & cr0::ts) || c.raise(Vector::nm);
}
u64 requested(const Core& c) {
    return c.state.xcr0 &
           (static_cast<u64>(static_cast<u32>(c.state.gpr[rdx])) << 32 | static_cast<u32>(c.state.gpr[rax]));
}
u64 in_use(const Core& c) {
    return (x87_in_use(c) ? component::x87 : 0) | (xmm_in_use(c) ? component::sse : 0) |
           (ymm_in_use(c) ? component::avx : 0);
}
unsigned area_end(u64 components) {
    return components & component::avx ? kEnd : kHeaderEnd;
}

enum class Save : u8 { all, optimized, compacted };

template <Save Kind>
bool xsave(Core& c, const Insn& i) {
    if (!x_ready(c)) return false;
    const u64 wanted = requested(c), used = in_use(c);
    const unsigned end = area_end(wanted);
    Area a;
    if (!locate(c, i, end, 64, Access::write, a.linear) || !c.probe_write(a.linear, end)) return false;
    u64 saved = Kind == Save::all ? wanted : wanted & used;
    bool mxcsr = wanted & (component::sse | component::avx);
    if constexpr (Kind == Save::compacted) {
        if ((wanted & component::sse) && c.state.mxcsr != 0x1F80) saved |= component::sse;
        mxcsr = saved & component::sse;
        a.put(kLegacyEnd, saved);
        a.put(kLegacyEnd + 8, wanted | kCompacted);
    } else {
        if (!a.load(c, kLegacyEnd, kLegacyEnd + 8)) return false;
        a.put(kLegacyEnd, (a.get<u64>(kLegacyEnd) & ~wanted) | (wanted & used));
    }
    put_x87(c, i, a);
    a.put(kMxcsr, c.state.mxcsr);
    a.put(kMxcsr + 4, mxcsr_mask(c));
    put_xmm(c, a);
    put_ymm(c, a);
    if ((saved & component::x87) && !(a.store(c, 0, kMxcsr) && a.store(c, kSt, kXmm))) return false;
    if (mxcsr && !a.store(c, kMxcsr, kSt)) return false;
    if ((saved & component::sse) && !a.store(c, kXmm, kXmm + 16 * xmm_count(c))) return false;
    if ((saved & component::avx) && !a.store(c, kYmm, kYmm + 16 * xmm_count(c))) return false;
    // XSAVEC writes both words of the header, the others XSTATE_BV only.
    return a.store(c, kLegacyEnd, kLegacyEnd + (Kind == Save::compacted ? 16 : 8));
}

bool xrstor(Core& c, const Insn& i) {
    if (!x_ready(c)) return false;
    const u64 wanted = requested(c);
    Area a;
    if (!locate(c, i, kHeaderEnd, 64, Access::read, a.linear) || !a.load(c, kLegacyEnd, kHeaderEnd))
        return false;
    const u64 present = a.get<u64>(kLegacyEnd), format = a.get<u64>(kLegacyEnd + 8);
    const bool compacted = format & kCompacted;
    // SDM vol. 1 13.8.1, 13.8.2: what makes the header illegal.
    bool illegal = a.get<u64>(kLegacyEnd + 16) != 0;
    if (compacted) {
        illegal |=
            !c.model.has(Feature::xsavec) || (format & ~kCompacted & ~c.state.xcr0) || (present & ~format);
        for (unsigned at = kLegacyEnd + 24; at < kHeaderEnd; at += 8) illegal |= a.get<u64>(at) != 0;
    } else {
        illegal |= format != 0 || (present & ~c.state.xcr0);
    }
    if (illegal) return c.raise(Vector::gp, 0);
    const u64 load = wanted & present, clear = wanted & ~present;
    u64 end;
    if (!c.linear(i.seg, c.effective_address(i) + area_end(load) - 1, 1, Access::read, end)) return false;
    if (!a.load(c, 0, kLegacyEnd)) return false;
    if ((load & component::avx) && !a.load(c, kYmm, kYmm + 16 * xmm_count(c))) return false;
    // MXCSR: the standard form takes it whenever SSE or AVX is wanted, the compacted one with the SSE
    // component.
    const bool take_mxcsr = compacted ? load & component::sse : wanted & (component::sse | component::avx);
    if (take_mxcsr) {
        if (a.get<u32>(kMxcsr) & ~mxcsr_mask(c)) return c.raise(Vector::gp, 0);
        c.state.mxcsr = a.get<u32>(kMxcsr);
    } else if (compacted && (clear & component::sse)) {
        c.state.mxcsr = 0x1F80;
    }
    if (load & component::x87) take_x87(c, i, a);
    if (clear & component::x87) initialize_x87(c);
    if (load & component::sse) take_xmm(c, a);
    if (clear & component::sse) take_xmm(c, Area{});
    if (load & component::avx) {
        std::array<Xmm, 16> upper{};
        std::memcpy(upper.data(), &a.bytes[kYmm], 16 * xmm_count(c));
        take_ymm(c, upper.data());
    }
    if (clear & component::avx) take_ymm(c, nullptr);
    return true;
}

bool vector_ready(Core& c, const Insn& i) {
    return i.has(insn_flag::vex) ? vex_ready(c) : sse_ready(c);
}
bool ldmxcsr(Core& c, const Insn& i) {
    u32 v;
    if (!vector_ready(c, i) || !c.load_operand(i, v)) return false;
    if (v & ~mxcsr_mask(c)) return c.raise(Vector::gp, 0);
    c.state.mxcsr = v;
    return true;
}
bool stmxcsr(Core& c, const Insn& i) {
    return vector_ready(c, i) && c.store_operand(i, c.state.mxcsr);
}

}  // namespace

// XGETBV with ECX = 1; that MXCSR has not its initial value makes SSE in use (SDM vol. 2D XGETBV).
u64 components_in_use(const Core& c) {
    return in_use(c) | (c.state.mxcsr != 0x1F80 ? component::sse : 0);
}

Handler save_handler(const Insn& i) {
    switch (i.op) {
        case Op::FXSAVE:
            return &fxsave;
        case Op::FXRSTOR:
            return &fxrstor;
        case Op::XSAVE:
            return &xsave<Save::all>;
        case Op::XSAVEOPT:
            return &xsave<Save::optimized>;
        case Op::XSAVEC:
            return &xsave<Save::compacted>;
        case Op::XRSTOR:
            return &xrstor;
        case Op::LDMXCSR:
            return &ldmxcsr;
        case Op::STMXCSR:
            return &stmxcsr;
        default:
            return nullptr;
    }
}

}  // namespace mynah::sse
