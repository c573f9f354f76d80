// Conversions between integers, single and double precision.
#include <cstring>

#include "cpu/fpu/arith.h"
#include "cpu/sse/access.h"

namespace mynah::sse {
namespace {

using fpu::Env;

struct Nearest {  // by MXCSR.RC
    template <class T>
    static u32 to32(T v, Env& e) {
        return static_cast<u32>(fpu::to_i32(v, e));
    }
    template <class T>
    static u64 to64(T v, Env& e) {
        return static_cast<u64>(fpu::to_i64(v, e));
    }
};
struct Truncated {
    template <class T>
    static u32 to32(T v, Env& e) {
        return static_cast<u32>(fpu::to_i32_truncated(v, e));
    }
    template <class T>
    static u64 to64(T v, Env& e) {
        return static_cast<u64>(fpu::to_i64_truncated(v, e));
    }
};

// --- general registers ---
template <class T, class I, class R, bool Memory>
bool from_general(Core& c, const Insn& i) {
    I v;
    if (!R::ready(c)) return false;
    if constexpr (Memory) {
        if (!c.load_operand(i, v)) return false;
    } else {
        v = static_cast<I>(c.state.gpr[i.rm]);
    }
    Env e = Env::sse(c.state.mxcsr);
    T r;
    if constexpr (sizeof(I) == 8)
        r = fpu::from_i64<T>(v, e);
    else
        r = fpu::from_i32<T>(v, e);
    if (!finish(c, e)) return false;
    set_scalar<R>(c, i, r);
    return true;
}
template <class T>
Handler pick_from_general(const Insn& i) {
    const bool wide = i.osize == 8;
    return by_form128(i, [wide]<class R, bool Memory>() -> Handler {
        return wide ? &from_general<T, i64, R, Memory> : &from_general<T, i32, R, Memory>;
    });
}
template <class F, class T, bool Wide, class R, bool Memory>
bool to_general(Core& c, const Insn& i) {
    T v;
    if (!R::ready(c) || !load_low<T, Memory>(c, i, v)) return false;
    Env e = Env::sse(c.state.mxcsr);
    u64 r;
    if constexpr (Wide)
        r = F::to64(v, e);
    else
        r = F::to32(v, e);
    if (!finish(c, e)) return false;
    c.state.gpr[i.reg] = r;
    return true;
}
template <class F, class T>
Handler pick_to_general(const Insn& i) {
    const bool wide = i.osize == 8;
    return by_form128(i, [wide]<class R, bool Memory>() -> Handler {
        return wide ? &to_general<F, T, true, R, Memory> : &to_general<F, T, false, R, Memory>;
    });
}

// --- one precision to the other ---
template <class R, bool Memory>
bool single_to_double(Core& c, const Insn& i) {
    u32 v;
    if (!R::ready(c) || !load_low<u32, Memory>(c, i, v)) return false;
    Env e = Env::sse(c.state.mxcsr);
    const u64 r = fpu::to_f64(v, e);
    if (!finish(c, e)) return false;
    set_scalar<R>(c, i, r);
    return true;
}
template <class R, bool Memory>
bool double_to_single(Core& c, const Insn& i) {
    u64 v;
    if (!R::ready(c) || !load_low<u64, Memory>(c, i, v)) return false;
    Env e = Env::sse(c.state.mxcsr);
    const u32 r = fpu::to_f32(v, e);
    if (!finish(c, e)) return false;
    set_scalar<R>(c, i, r);
    return true;
}

// --- packed: half a register makes a whole one, a whole one half of one (the rest is cleared) or a whole one
// ---
u64 pair(u32 low, u32 high) {
    return u64{high} << 32 | low;
}

// The low half of the r/m operand.
template <class R, bool Memory>
bool load_half(Core& c, const Insn& i, Vec<R::size / 2>& v) {
    if constexpr (R::size == 32)
        return load_low<Xmm, Memory>(c, i, v);
    else
        return load_low<u64, Memory>(c, i, v.q[0]);
}

template <class F, class From, class To, class R, bool Memory>
bool widen(Core& c, const Insn& i) {
    Vec<R::size / 2> v;
    if (!R::ready(c) || !load_half<R, Memory>(c, i, v)) return false;
    Env e = Env::sse(c.state.mxcsr);
    Lanes<To, R::size> r;
    for (unsigned k = 0; k < r.size(); ++k) r[k] = F::apply(lanes<From>(v)[k], e);
    if (!finish(c, e)) return false;
    R::set(c, i.reg, vec(r));
    return true;
}
template <class F, class R, bool Memory>
bool narrow(Core& c, const Insn& i) {
    Value<R> v;
    if (!R::ready(c) || !load_rm<R, Memory>(c, i, v)) return false;
    Env e = Env::sse(c.state.mxcsr);
    std::array<u32, 4> r{};
    for (unsigned k = 0; k < v.q.size(); ++k) r[k] = F::apply(v.q[k], e);
    if (!finish(c, e)) return false;
    if constexpr (R::vex)
        Vex128::set(c, i.reg, vec(r));
    else
        R::set(c, i.reg, vec(r));
    return true;
}
template <class F, class R, bool Memory>
bool same_size(Core& c, const Insn& i) {
    Value<R> v;
    if (!R::ready(c) || !load_rm<R, Memory>(c, i, v)) return false;
    Env e = Env::sse(c.state.mxcsr);
    auto x = lanes<u32>(v);
    for (auto& lane : x) lane = F::apply(lane, e);
    if (!finish(c, e)) return false;
    R::set(c, i.reg, vec(x));
    return true;
}

// --- VCVTPH2PS, VCVTPS2PH (SDM vol. 1 14.4) ---
struct HalfToSingle {
    static u32 apply(u16 v, Env& e) { return fpu::f16_to_f32(v, e); }
};
template <class R, bool Memory>
bool single_to_half(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    constexpr unsigned bytes = R::size / 2;
    // The store's faults come before the arithmetic's.
    const u64 ea = c.effective_address(i);
    if constexpr (Memory) {
        u64 a;
        if (!c.linear(i.seg, ea, bytes, Access::write, a) || !c.probe_write(a, bytes)) return false;
    }
    Env e = Env::sse(c.state.mxcsr);
    const fpu::Rounding rc = i.imm & 4 ? e.rounding() : static_cast<fpu::Rounding>(i.imm & 3);
    const auto x = lanes<u32>(R::get(c, i.reg));
    std::array<u16, R::size / 4> r;
    for (unsigned k = 0; k < r.size(); ++k) r[k] = fpu::f32_to_f16(x[k], rc, e);
    if (!finish(c, e)) return false;
    if constexpr (Memory) return c.store(i.seg, ea, r);
    Xmm v;
    std::memcpy(v.q.data(), r.data(), bytes);
    Vex128::set(c, i.rm, v);
    return true;
}

struct SingleToDouble {
    static u64 apply(u32 v, Env& e) { return fpu::to_f64(v, e); }
};
struct IntegerToDouble {
    static u64 apply(u32 v, Env& e) { return fpu::from_i32<u64>(static_cast<i32>(v), e); }
};
struct IntegerToSingle {
    static u32 apply(u32 v, Env& e) { return fpu::from_i32<u32>(static_cast<i32>(v), e); }
};
struct DoubleToSingle {
    static u32 apply(u64 v, Env& e) { return fpu::to_f32(v, e); }
};
template <class F>
struct ToInteger {
    template <class T>
    static u32 apply(T v, Env& e) {
        return F::to32(v, e);
    }
};

template <class F>
Handler pick_widen(const Insn& i) {
    return by_form(i, []<class R, bool Memory>() -> Handler { return &widen<F, u32, u64, R, Memory>; });
}
template <class F>
Handler pick_narrow(const Insn& i) {
    return by_form(i, []<class R, bool Memory>() -> Handler { return &narrow<F, R, Memory>; });
}
template <class F>
Handler pick_same(const Insn& i) {
    return by_form(i, []<class R, bool Memory>() -> Handler { return &same_size<F, R, Memory>; });
}

// --- MMX registers ---
// A source in memory makes CVTPI2PD no MMX instruction (SDM vol. 2A CVTPI2PD); processors do the same for
// CVTPI2PS. The switch to MMX is not undone by a floating-point exception.
template <bool Double, bool Memory>
bool from_mmx(Core& c, const Insn& i) {
    constexpr bool touches_mmx = !Memory;
    u64 v;
    if (!sse_ready(c) || (touches_mmx && !mmx_ready(c))) return false;
    if constexpr (Memory) {
        if (!c.load_operand(i, v)) return false;
    } else {
        v = mmx(c, i.rm);
    }
    if (touches_mmx) mmx_enter(c);
    Env e = Env::sse(c.state.mxcsr);
    const i32 low = static_cast<i32>(v), high = static_cast<i32>(v >> 32);
    if constexpr (Double) {
        const u64 a = fpu::from_i32<u64>(low, e), b = fpu::from_i32<u64>(high, e);
        if (!finish(c, e)) return false;
        set_xmm(c, i.reg, Xmm{{a, b}});
    } else {
        const u32 a = fpu::from_i32<u32>(low, e), b = fpu::from_i32<u32>(high, e);
        if (!finish(c, e)) return false;
        c.state.vec[i.reg].q[0] = pair(a, b);
    }
    return true;
}
template <class F, class T, bool Memory>
bool to_mmx(Core& c, const Insn& i) {
    if (!sse_ready(c) || !mmx_ready(c)) return false;
    u32 low, high;
    Env e = Env::sse(c.state.mxcsr);
    if constexpr (sizeof(T) == 8) {
        Xmm v;
        if (!load_rm<SseForm, Memory>(c, i, v)) return false;
        low = F::to32(v.q[0], e);
        high = F::to32(v.q[1], e);
    } else {
        u64 v;
        if (!load_low<u64, Memory>(c, i, v)) return false;
        low = F::to32(static_cast<u32>(v), e);
        high = F::to32(static_cast<u32>(v >> 32), e);
    }
    mmx_enter(c);
    if (!finish(c, e)) return false;
    set_mmx(c, i.reg, pair(low, high));
    return true;
}
template <class F, class T>
Handler pick_to_mmx(const Insn& i) {
    return i.memory() ? &to_mmx<F, T, true> : &to_mmx<F, T, false>;
}

}  // namespace

Handler convert_handler(const Insn& i) {
    const bool m = i.memory();
    switch (i.op) {
        case Op::CVTSI2SS:
            return pick_from_general<u32>(i);
        case Op::CVTSI2SD:
            return pick_from_general<u64>(i);
        case Op::CVTSS2SI:
            return pick_to_general<Nearest, u32>(i);
        case Op::CVTSD2SI:
            return pick_to_general<Nearest, u64>(i);
        case Op::CVTTSS2SI:
            return pick_to_general<Truncated, u32>(i);
        case Op::CVTTSD2SI:
            return pick_to_general<Truncated, u64>(i);
        case Op::CVTSS2SD:
            return by_form128(i,
                              []<class R, bool Memory>() -> Handler { return &single_to_double<R, Memory>; });
        case Op::CVTSD2SS:
            return by_form128(i,
                              []<class R, bool Memory>() -> Handler { return &double_to_single<R, Memory>; });
        case Op::CVTPS2PD:
            return pick_widen<SingleToDouble>(i);
        case Op::CVTDQ2PD:
            return pick_widen<IntegerToDouble>(i);
        case Op::CVTPD2PS:
            return pick_narrow<DoubleToSingle>(i);
        case Op::CVTPD2DQ:
            return pick_narrow<ToInteger<Nearest>>(i);
        case Op::CVTTPD2DQ:
            return pick_narrow<ToInteger<Truncated>>(i);
        case Op::CVTDQ2PS:
            return pick_same<IntegerToSingle>(i);
        case Op::CVTPS2DQ:
            return pick_same<ToInteger<Nearest>>(i);
        case Op::CVTTPS2DQ:
            return pick_same<ToInteger<Truncated>>(i);
        case Op::VCVTPH2PS:
            return by_vex_form(i, []<class R, bool Memory>() -> Handler {
                return &widen<HalfToSingle, u16, u32, R, Memory>;
            });
        case Op::VCVTPS2PH:
            return by_vex_form(i,
                               []<class R, bool Memory>() -> Handler { return &single_to_half<R, Memory>; });
        case Op::CVTPI2PS:
            return m ? &from_mmx<false, true> : &from_mmx<false, false>;
        case Op::CVTPI2PD:
            return m ? &from_mmx<true, true> : &from_mmx<true, false>;
        case Op::CVTPS2PI:
            return pick_to_mmx<Nearest, u32>(i);
        case Op::CVTPD2PI:
            return pick_to_mmx<Nearest, u64>(i);
        case Op::CVTTPS2PI:
            return pick_to_mmx<Truncated, u32>(i);
        case Op::CVTTPD2PI:
            return pick_to_mmx<Truncated, u64>(i);
        default:
            return nullptr;
    }
}

}  // namespace mynah::sse
