// SSE floating point: arithmetic, comparison, rounding. Values and flags come from cpu/fpu.
#include "cpu/fpu/arith.h"
#include "cpu/sse/access.h"

namespace mynah::sse {
namespace {

using fpu::Env;
using fpu::Order;

// Of two operands. `Unary` ones look only at the source.
struct Add {
    template <class T>
    static T apply(T a, T b, Env& e) {
        return fpu::add(a, b, e);
    }
};
struct Sub {
    template <class T>
    static T apply(T a, T b, Env& e) {
        return fpu::sub(a, b, e);
    }
};
struct Mul {
    template <class T>
    static T apply(T a, T b, Env& e) {
        return fpu::mul(a, b, e);
    }
};
struct Div {
    template <class T>
    static T apply(T a, T b, Env& e) {
        return fpu::div(a, b, e);
    }
};
struct Min {
    template <class T>
    static T apply(T a, T b, Env& e) {
        return fpu::min(a, b, e);
    }
};
struct Max {
    template <class T>
    static T apply(T a, T b, Env& e) {
        return fpu::max(a, b, e);
    }
};
struct Sqrt {
    template <class T>
    static T apply(T, T b, Env& e) {
        return fpu::sqrt(b, e);
    }
};
struct Reciprocal {
    static u32 apply(u32, u32 b, Env&) { return fpu::reciprocal_estimate(b); }
};
struct ReciprocalSqrt {
    static u32 apply(u32, u32 b, Env&) { return fpu::reciprocal_sqrt_estimate(b); }
};

template <class T>
void set_low(Core& c, unsigned n, T v) {
    if constexpr (sizeof(T) == 8)
        c.state.vec[n].q[0] = v;
    else
        c.state.vec[n].q[0] = (c.state.vec[n].q[0] & ~u64{0xFFFFFFFF}) | v;
}

template <class F, class T, bool Memory>
bool packed(Core& c, const Insn& i) {
    Xmm source;
    if (!sse_ready(c) || !load_rm<Memory>(c, i, source)) return false;
    Env e = Env::sse(c.state.mxcsr);
    auto x = lanes<T>(xmm(c, i.reg));
    const auto y = lanes<T>(source);
    for (unsigned k = 0; k < x.size(); ++k) x[k] = F::apply(x[k], y[k], e);
    if (!finish(c, e)) return false;
    set_xmm(c, i.reg, vec(x));
    return true;
}
template <class F, class T, bool Memory>
bool scalar(Core& c, const Insn& i) {
    T y;
    if (!sse_ready(c) || !load_low<T, Memory>(c, i, y)) return false;
    Env e = Env::sse(c.state.mxcsr);
    const T r = F::apply(static_cast<T>(c.state.vec[i.reg].q[0]), y, e);
    if (!finish(c, e)) return false;
    set_low(c, i.reg, r);
    return true;
}
template <class F, class T>
Handler pick_packed(const Insn& i) {
    return i.memory() ? &packed<F, T, true> : &packed<F, T, false>;
}
template <class F, class T>
Handler pick_scalar(const Insn& i) {
    return i.memory() ? &scalar<F, T, true> : &scalar<F, T, false>;
}

// CMPPS and friends: all ones where the predicate holds.
template <class T, bool Memory>
bool compare_packed(Core& c, const Insn& i) {
    Xmm source;
    if (!sse_ready(c) || !load_rm<Memory>(c, i, source)) return false;
    Env e = Env::sse(c.state.mxcsr);
    auto x = lanes<T>(xmm(c, i.reg));
    const auto y = lanes<T>(source);
    for (unsigned k = 0; k < x.size(); ++k) {
        x[k] = fpu::compare_predicate(x[k], y[k], i.imm & 7, e) ? static_cast<T>(~T{0}) : T{0};
    }
    if (!finish(c, e)) return false;
    set_xmm(c, i.reg, vec(x));
    return true;
}
template <class T, bool Memory>
bool compare_scalar(Core& c, const Insn& i) {
    T y;
    if (!sse_ready(c) || !load_low<T, Memory>(c, i, y)) return false;
    Env e = Env::sse(c.state.mxcsr);
    const bool holds = fpu::compare_predicate(static_cast<T>(c.state.vec[i.reg].q[0]), y, i.imm & 7, e);
    if (!finish(c, e)) return false;
    set_low(c, i.reg, holds ? static_cast<T>(~T{0}) : T{0});
    return true;
}
// COMISS and UCOMISS: ZF, PF, CF; OF, SF, AF are cleared.
template <class T, bool QuietIsInvalid, bool Memory>
bool compare_flags(Core& c, const Insn& i) {
    T y;
    if (!sse_ready(c) || !load_low<T, Memory>(c, i, y)) return false;
    Env e = Env::sse(c.state.mxcsr);
    const Order order = fpu::compare(static_cast<T>(c.state.vec[i.reg].q[0]), y, QuietIsInvalid, e);
    if (!finish(c, e)) return false;
    u32 f = 0;
    if (order == Order::less) f = eflags::cf;
    if (order == Order::equal) f = eflags::zf;
    if (order == Order::unordered) f = eflags::zf | eflags::pf | eflags::cf;
    c.state.flags.set(f);
    return true;
}

// ADDSUBPS, HADDPS and friends.
template <class T, bool Memory>
bool addsub(Core& c, const Insn& i) {
    Xmm source;
    if (!sse_ready(c) || !load_rm<Memory>(c, i, source)) return false;
    Env e = Env::sse(c.state.mxcsr);
    auto x = lanes<T>(xmm(c, i.reg));
    const auto y = lanes<T>(source);
    for (unsigned k = 0; k < x.size(); ++k) x[k] = k & 1 ? fpu::add(x[k], y[k], e) : fpu::sub(x[k], y[k], e);
    if (!finish(c, e)) return false;
    set_xmm(c, i.reg, vec(x));
    return true;
}
template <class F, class T, bool Memory>
bool horizontal(Core& c, const Insn& i) {
    Xmm source;
    if (!sse_ready(c) || !load_rm<Memory>(c, i, source)) return false;
    Env e = Env::sse(c.state.mxcsr);
    const auto x = lanes<T>(xmm(c, i.reg)), y = lanes<T>(source);
    Lanes<T, 16> r;
    constexpr unsigned half = r.size() / 2;
    for (unsigned k = 0; k < half; ++k) {
        r[k] = F::apply(x[2 * k], x[2 * k + 1], e);
        r[half + k] = F::apply(y[2 * k], y[2 * k + 1], e);
    }
    if (!finish(c, e)) return false;
    set_xmm(c, i.reg, vec(r));
    return true;
}
template <class F, class T>
Handler pick_horizontal(const Insn& i) {
    return i.memory() ? &horizontal<F, T, true> : &horizontal<F, T, false>;
}

// DPPS, DPPD: products, then sums of neighbours, each step with its own exceptions: flags of a step
// that passed stay (SDM vol. 2A DPPS).
template <class T, bool Memory>
bool dot_product(Core& c, const Insn& i) {
    Xmm source;
    if (!sse_ready(c) || !load_rm<Memory>(c, i, source)) return false;
    Env e = Env::sse(c.state.mxcsr);
    const auto x = lanes<T>(xmm(c, i.reg)), y = lanes<T>(source);
    Lanes<T, 16> p{};
    for (unsigned k = 0; k < p.size(); ++k) {
        if (i.imm >> (4 + k) & 1) p[k] = fpu::mul(x[k], y[k], e);
    }
    if (!finish(c, e)) return false;
    e = Env::sse(c.state.mxcsr);
    T sum;
    if constexpr (sizeof(T) == 8) {
        sum = fpu::add(p[0], p[1], e);
    } else {
        const T low = fpu::add(p[0], p[1], e), high = fpu::add(p[2], p[3], e);
        if (!finish(c, e)) return false;
        e = Env::sse(c.state.mxcsr);
        sum = fpu::add(low, high, e);
    }
    if (!finish(c, e)) return false;
    for (unsigned k = 0; k < p.size(); ++k) p[k] = i.imm >> k & 1 ? sum : T{0};
    set_xmm(c, i.reg, vec(p));
    return true;
}

template <class T, bool Memory>
bool round_packed(Core& c, const Insn& i) {
    Xmm source;
    if (!sse_ready(c) || !load_rm<Memory>(c, i, source)) return false;
    Env e = Env::sse(c.state.mxcsr);
    auto y = lanes<T>(source);
    for (auto& v : y) v = fpu::round_integral(v, static_cast<unsigned>(i.imm), e);
    if (!finish(c, e)) return false;
    set_xmm(c, i.reg, vec(y));
    return true;
}
template <class T, bool Memory>
bool round_scalar(Core& c, const Insn& i) {
    T y;
    if (!sse_ready(c) || !load_low<T, Memory>(c, i, y)) return false;
    Env e = Env::sse(c.state.mxcsr);
    const T r = fpu::round_integral(y, static_cast<unsigned>(i.imm), e);
    if (!finish(c, e)) return false;
    set_low(c, i.reg, r);
    return true;
}

}  // namespace

Handler float_handler(const Insn& i) {
    const bool m = i.memory();
    switch (i.op) {
        case Op::ADDPS:
            return pick_packed<Add, u32>(i);
        case Op::ADDPD:
            return pick_packed<Add, u64>(i);
        case Op::ADDSS:
            return pick_scalar<Add, u32>(i);
        case Op::ADDSD:
            return pick_scalar<Add, u64>(i);
        case Op::SUBPS:
            return pick_packed<Sub, u32>(i);
        case Op::SUBPD:
            return pick_packed<Sub, u64>(i);
        case Op::SUBSS:
            return pick_scalar<Sub, u32>(i);
        case Op::SUBSD:
            return pick_scalar<Sub, u64>(i);
        case Op::MULPS:
            return pick_packed<Mul, u32>(i);
        case Op::MULPD:
            return pick_packed<Mul, u64>(i);
        case Op::MULSS:
            return pick_scalar<Mul, u32>(i);
        case Op::MULSD:
            return pick_scalar<Mul, u64>(i);
        case Op::DIVPS:
            return pick_packed<Div, u32>(i);
        case Op::DIVPD:
            return pick_packed<Div, u64>(i);
        case Op::DIVSS:
            return pick_scalar<Div, u32>(i);
        case Op::DIVSD:
            return pick_scalar<Div, u64>(i);
        case Op::SQRTPS:
            return pick_packed<Sqrt, u32>(i);
        case Op::SQRTPD:
            return pick_packed<Sqrt, u64>(i);
        case Op::SQRTSS:
            return pick_scalar<Sqrt, u32>(i);
        case Op::SQRTSD:
            return pick_scalar<Sqrt, u64>(i);
        case Op::MINPS:
            return pick_packed<Min, u32>(i);
        case Op::MINPD:
            return pick_packed<Min, u64>(i);
        case Op::MINSS:
            return pick_scalar<Min, u32>(i);
        case Op::MINSD:
            return pick_scalar<Min, u64>(i);
        case Op::MAXPS:
            return pick_packed<Max, u32>(i);
        case Op::MAXPD:
            return pick_packed<Max, u64>(i);
        case Op::MAXSS:
            return pick_scalar<Max, u32>(i);
        case Op::MAXSD:
            return pick_scalar<Max, u64>(i);
        case Op::RCPPS:
            return pick_packed<Reciprocal, u32>(i);
        case Op::RCPSS:
            return pick_scalar<Reciprocal, u32>(i);
        case Op::RSQRTPS:
            return pick_packed<ReciprocalSqrt, u32>(i);
        case Op::RSQRTSS:
            return pick_scalar<ReciprocalSqrt, u32>(i);
        case Op::ADDSUBPS:
            return m ? &addsub<u32, true> : &addsub<u32, false>;
        case Op::ADDSUBPD:
            return m ? &addsub<u64, true> : &addsub<u64, false>;
        case Op::HADDPS:
            return pick_horizontal<Add, u32>(i);
        case Op::HADDPD:
            return pick_horizontal<Add, u64>(i);
        case Op::HSUBPS:
            return pick_horizontal<Sub, u32>(i);
        case Op::HSUBPD:
            return pick_horizontal<Sub, u64>(i);
        case Op::CMPPS:
            return m ? &compare_packed<u32, true> : &compare_packed<u32, false>;
        case Op::CMPPD:
            return m ? &compare_packed<u64, true> : &compare_packed<u64, false>;
        case Op::CMPSS:
            return m ? &compare_scalar<u32, true> : &compare_scalar<u32, false>;
        case Op::CMPSD_X:
            return m ? &compare_scalar<u64, true> : &compare_scalar<u64, false>;
        case Op::COMISS:
            return m ? &compare_flags<u32, true, true> : &compare_flags<u32, true, false>;
        case Op::COMISD:
            return m ? &compare_flags<u64, true, true> : &compare_flags<u64, true, false>;
        case Op::UCOMISS:
            return m ? &compare_flags<u32, false, true> : &compare_flags<u32, false, false>;
        case Op::UCOMISD:
            return m ? &compare_flags<u64, false, true> : &compare_flags<u64, false, false>;
        case Op::DPPS:
            return m ? &dot_product<u32, true> : &dot_product<u32, false>;
        case Op::DPPD:
            return m ? &dot_product<u64, true> : &dot_product<u64, false>;
        case Op::ROUNDPS:
            return m ? &round_packed<u32, true> : &round_packed<u32, false>;
        case Op::ROUNDPD:
            return m ? &round_packed<u64, true> : &round_packed<u64, false>;
        case Op::ROUNDSS:
            return m ? &round_scalar<u32, true> : &round_scalar<u32, false>;
        case Op::ROUNDSD:
            return m ? &round_scalar<u64, true> : &round_scalar<u64, false>;
        default:
            return nullptr;
    }
}

}  // namespace mynah::sse
