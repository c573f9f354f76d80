// What every MMX, SSE and AVX function does first and last: may it execute at all, registers, memory
// operands.
#pragma once

#include "cpu/core.h"
#include "cpu/fpu/env.h"
#include "cpu/insn_table.h"
#include "cpu/interp/handler.h"
#include "cpu/sse/vec.h"
#include "cpu/x87/environment.h"
#include "cpu/x87/mmx.h"

namespace mynah::sse {

// SSE on XMM registers: #UD with CR0.EM or without CR4.OSFXSR, then #NM with CR0.TS (SDM vol. 3A 13.1).
[[gnu::cold]] bool sse_refused(Core& c);
inline bool sse_ready(Core& c) {
    if ((c.state.cr0 & (cr0::em | cr0::ts)) == 0 && (c.state.cr4 & cr4::osfxsr)) [[likely]]
        return true;
    return sse_refused(c);
}
// AVX: #UD without CR4.OSXSAVE or with SSE or AVX off in XCR0, then #NM with CR0.TS (SDM vol. 2A 2.4).
[[gnu::cold]] bool vex_refused(Core& c);
inline bool vex_ready(Core& c) {
    if ((c.state.cr0 & cr0::ts) == 0 && (c.state.cr4 & cr4::osxsave) && (c.state.xcr0 & 6) == 6) [[likely]]
        return true;
    return vex_refused(c);
}
// MMX: #UD with CR0.EM, #NM with CR0.TS, #MF with an x87 exception pending (SDM vol. 3A 12.5).
[[gnu::cold]] bool mmx_refused(Core& c);
inline bool mmx_ready(Core& c) {
    if ((c.state.cr0 & (cr0::em | cr0::ts)) == 0 && !(c.state.x87.status & x87::sw::summary)) [[likely]]
        return true;
    return mmx_refused(c);
}
inline void mmx_enter(Core& c) {
    mynah::mmx_enter(c.state.x87);
}

// The encodings of an instruction: on which registers, how wide, where the first source is, what becomes of
// the rest of a destination.
struct MmxForm {
    static constexpr unsigned size = 8;
    static constexpr bool vex = false;
    static bool ready(Core& c) { return mmx_ready(c); }
    static void enter(Core& c) { mmx_enter(c); }
    static unsigned first(const Insn& i) { return i.reg; }
    static Mmx get(const Core& c, unsigned n) { return Mmx{{mmx_read(c.state.x87, n)}}; }
    static void set(Core& c, unsigned n, const Mmx& v) { mmx_write(c.state.x87, n, v.q[0]); }
};
// The destination is the first source. The upper half of its YMM register stays.
struct SseForm {
    static constexpr unsigned size = 16;
    static constexpr bool vex = false;
    static bool ready(Core& c) { return sse_ready(c); }
    static void enter(Core&) {}
    static unsigned first(const Insn& i) { return i.reg; }
    static Xmm get(const Core& c, unsigned n) { return Xmm{{c.state.vec[n].q[0], c.state.vec[n].q[1]}}; }
    static void set(Core& c, unsigned n, const Xmm& v) {
        c.state.vec[n].q[0] = v.q[0];
        c.state.vec[n].q[1] = v.q[1];
    }
};
// The first source is VEX.vvvv (not looked at by instructions that have none). What lies above is cleared.
struct Vex128 {
    static constexpr unsigned size = 16;
    static constexpr bool vex = true;
    static bool ready(Core& c) { return vex_ready(c); }
    static void enter(Core&) {}
    static unsigned first(const Insn& i) { return i.vvvv; }
    static Xmm get(const Core& c, unsigned n) { return SseForm::get(c, n); }
    static void set(Core& c, unsigned n, const Xmm& v) { c.state.vec[n].q = {v.q[0], v.q[1], 0, 0}; }
};
struct Vex256 {
    static constexpr unsigned size = 32;
    static constexpr bool vex = true;
    static bool ready(Core& c) { return vex_ready(c); }
    static void enter(Core&) {}
    static unsigned first(const Insn& i) { return i.vvvv; }
    static Ymm get(const Core& c, unsigned n) { return Ymm{c.state.vec[n].q}; }
    static void set(Core& c, unsigned n, const Ymm& v) { c.state.vec[n].q = v.q; }
};
template <class R>
using Value = Vec<R::size>;

inline Xmm xmm(const Core& c, unsigned n) {
    return SseForm::get(c, n);
}
inline void set_xmm(Core& c, unsigned n, const Xmm& v) {
    SseForm::set(c, n, v);
}
// The low lane alone.
template <class T>
T low_lane(const Core& c, unsigned n) {
    return static_cast<T>(c.state.vec[n].q[0]);
}
// The destination of a scalar instruction: the first source with another low lane.
template <class R, class T>
void set_scalar(Core& c, unsigned to, [[maybe_unused]] unsigned first, T v) {
    const u64 low = sizeof(T) == 8 ? u64{v} : (c.state.vec[first].q[0] & ~u64{0xFFFFFFFF}) | v;
    if constexpr (R::vex)
        c.state.vec[to].q = {low, c.state.vec[first].q[1], 0, 0};
    else
        c.state.vec[to].q[0] = low;
}
template <class R, class T>
void set_scalar(Core& c, const Insn& i, T v) {
    set_scalar<R>(c, i.reg, R::first(i), v);
}
inline u64 mmx(const Core& c, unsigned n) {
    return mmx_read(c.state.x87, n);
}
inline void set_mmx(Core& c, unsigned n, u64 v) {
    mmx_write(c.state.x87, n, v);
}

// Operands of 16 (32) bytes that must be aligned: #GP(0) otherwise.
[[gnu::cold]] bool misaligned(Core& c, Seg seg, u64 offset, unsigned size, Access access);
template <unsigned N>
bool load_aligned(Core& c, const Insn& i, Vec<N>& v) {
    const u64 ea = c.effective_address(i);
    if (c.linear_of(i.seg, ea) & (N - 1)) [[unlikely]]
        return misaligned(c, i.seg, ea, N, Access::read);
    return c.load(i.seg, ea, v);
}
template <unsigned N>
bool store_aligned(Core& c, const Insn& i, const Vec<N>& v) {
    const u64 ea = c.effective_address(i);
    if (c.linear_of(i.seg, ea) & (N - 1)) [[unlikely]]
        return misaligned(c, i.seg, ea, N, Access::write);
    return c.store(i.seg, ea, v);
}

// The ModRM r/m operand of a full-width instruction. With VEX it needs no alignment.
template <class R, bool Memory, unsigned N>
bool load_rm(Core& c, const Insn& i, Vec<N>& v) {
    if constexpr (N == 8) {
        if constexpr (Memory) return c.load_operand(i, v.q[0]);
        v.q[0] = mmx(c, i.rm);
    } else {
        if constexpr (Memory) return R::vex ? c.load_operand(i, v) : load_aligned(c, i, v);
        if constexpr (N == 32)
            v = Vex256::get(c, i.rm);
        else
            v = xmm(c, i.rm);
    }
    return true;
}
// Its low part, which needs no alignment.
template <class T, bool Memory>
bool load_low(Core& c, const Insn& i, T& v) {
    if constexpr (Memory) return c.load_operand(i, v);
    if constexpr (sizeof(T) == 16)
        v = xmm(c, i.rm);
    else
        v = low_lane<T>(c, i.rm);
    return true;
}

// After arithmetic: takes the flags over into MXCSR. False, with #XM (or #UD without CR4.OSXMMEXCPT) raised,
// if one of them is unmasked: then nothing may be written.
[[gnu::cold]] bool raise_simd_exception(Core& c);
inline bool finish(Core& c, const fpu::Env& env) {
    c.state.mxcsr |= env.visible_flags();
    return env.unmasked() == 0 || raise_simd_exception(c);
}

// --- choosing functions ---
inline bool uses_mmx(const Insn& i) {
    for (const Operand& o : row_of(i).operands) {
        if (o.kind == OperandKind::P || o.kind == OperandKind::Q || o.kind == OperandKind::N) return true;
    }
    return false;
}

// f.operator()<form, memory>() for an instruction on XMM or YMM registers.
template <class F>
Handler by_form(const Insn& i, F f) {
    const bool m = i.memory();
    if (!i.has(insn_flag::vex))
        return m ? f.template operator()<SseForm, true>() : f.template operator()<SseForm, false>();
    if (i.has(insn_flag::vex_l))
        return m ? f.template operator()<Vex256, true>() : f.template operator()<Vex256, false>();
    return m ? f.template operator()<Vex128, true>() : f.template operator()<Vex128, false>();
}
// Likewise for those that have no 256-bit form.
template <class F>
Handler by_form128(const Insn& i, F f) {
    const bool m = i.memory();
    if (!i.has(insn_flag::vex))
        return m ? f.template operator()<SseForm, true>() : f.template operator()<SseForm, false>();
    return m ? f.template operator()<Vex128, true>() : f.template operator()<Vex128, false>();
}
// And for those that SSE has not.
template <class F>
Handler by_vex_form(const Insn& i, F f) {
    const bool m = i.memory();
    if (i.has(insn_flag::vex_l))
        return m ? f.template operator()<Vex256, true>() : f.template operator()<Vex256, false>();
    return m ? f.template operator()<Vex128, true>() : f.template operator()<Vex128, false>();
}

// The operand that is written comes first in the row; here that tells loads from stores.
inline bool is_store(const Insn& i) {
    const OperandKind k = row_of(i).operands[0].kind;
    return k == OperandKind::W || k == OperandKind::U || k == OperandKind::M || k == OperandKind::E ||
           k == OperandKind::Q;
}

// Null for operations of another file.
Handler move_handler(const Insn& i);
Handler packed_handler(const Insn& i);
Handler rearrange_handler(const Insn& i);
Handler float_handler(const Insn& i);
Handler convert_handler(const Insn& i);
Handler crypto_handler(const Insn& i);
Handler string_compare_handler(const Insn& i);
Handler save_handler(const Insn& i);
u64 components_in_use(const Core& c);
Handler avx_handler(const Insn& i);
Handler mask_handler(const Insn& i);
Handler fma_handler(const Insn& i);

}  // namespace mynah::sse
