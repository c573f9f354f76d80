// What every MMX and SSE function does first and last: may it execute at all, registers, memory operands.
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

template <unsigned N>
struct Registers;
template <>
struct Registers<16> {
    static bool ready(Core& c) { return sse_ready(c); }
    static void enter(Core&) {}
    static Xmm get(const Core& c, unsigned n) { return Xmm{{c.state.vec[n].q[0], c.state.vec[n].q[1]}}; }
    static void set(Core& c, unsigned n, const Xmm& v) {
        c.state.vec[n].q[0] = v.q[0];
        c.state.vec[n].q[1] = v.q[1];
    }
};
template <>
struct Registers<8> {
    static bool ready(Core& c) { return mmx_ready(c); }
    static void enter(Core& c) { mmx_enter(c); }
    static Mmx get(const Core& c, unsigned n) { return Mmx{{mmx_read(c.state.x87, n)}}; }
    static void set(Core& c, unsigned n, const Mmx& v) { mmx_write(c.state.x87, n, v.q[0]); }
};

inline Xmm xmm(const Core& c, unsigned n) {
    return Registers<16>::get(c, n);
}
inline void set_xmm(Core& c, unsigned n, const Xmm& v) {
    Registers<16>::set(c, n, v);
}
inline u64 mmx(const Core& c, unsigned n) {
    return mmx_read(c.state.x87, n);
}
inline void set_mmx(Core& c, unsigned n, u64 v) {
    mmx_write(c.state.x87, n, v);
}

// 16-byte operands must be aligned, #GP(0) otherwise.
[[gnu::cold]] bool misaligned(Core& c, Seg seg, u64 offset, Access access);
inline bool load_aligned(Core& c, const Insn& i, Xmm& v) {
    const u64 ea = c.effective_address(i);
    if (c.linear_of(i.seg, ea) & 15) [[unlikely]]
        return misaligned(c, i.seg, ea, Access::read);
    return c.load(i.seg, ea, v);
}
inline bool store_aligned(Core& c, const Insn& i, const Xmm& v) {
    const u64 ea = c.effective_address(i);
    if (c.linear_of(i.seg, ea) & 15) [[unlikely]]
        return misaligned(c, i.seg, ea, Access::write);
    return c.store(i.seg, ea, v);
}

// The ModRM r/m operand of a full-width instruction.
template <bool Memory>
bool load_rm(Core& c, const Insn& i, Xmm& v) {
    if constexpr (Memory) return load_aligned(c, i, v);
    v = xmm(c, i.rm);
    return true;
}
template <bool Memory>
bool load_rm(Core& c, const Insn& i, Mmx& v) {
    if constexpr (Memory) return c.load_operand(i, v.q[0]);
    v.q[0] = mmx(c, i.rm);
    return true;
}
// Its low part, which needs no alignment.
template <class T, bool Memory>
bool load_low(Core& c, const Insn& i, T& v) {
    if constexpr (Memory) return c.load_operand(i, v);
    v = static_cast<T>(c.state.vec[i.rm].q[0]);
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

// Null for operations of another file.
Handler move_handler(const Insn& i);
Handler packed_handler(const Insn& i);
Handler rearrange_handler(const Insn& i);
Handler float_handler(const Insn& i);
Handler convert_handler(const Insn& i);
Handler crypto_handler(const Insn& i);
Handler string_compare_handler(const Insn& i);
Handler save_handler(const Insn& i);

}  // namespace mynah::sse
