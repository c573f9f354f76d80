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

// Arithmetic on whole registers: f(x, y, environment) on each pair of lanes of first and second source.
template <class T, class R, bool Memory, class F>
bool map_lanes(Core& c, const Insn& i, F f) {
    Value<R> source;
    if (!R::ready(c) || !load_rm<R, Memory>(c, i, source)) return false;
    Env e = Env::sse(c.state.mxcsr);
    auto x = lanes<T>(R::get(c, R::first(i)));
    const auto y = lanes<T>(source);
    for (unsigned k = 0; k < x.size(); ++k) x[k] = f(x[k], y[k], k, e);
    if (!finish(c, e)) return false;
    R::set(c, i.reg, vec(x));
    return true;
}
// On the low lane.
template <class T, class R, bool Memory, class F>
bool map_scalar(Core& c, const Insn& i, F f) {
    T y;
    if (!R::ready(c) || !load_low<T, Memory>(c, i, y)) return false;
    Env e = Env::sse(c.state.mxcsr);
    const T r = f(low_lane<T>(c, R::first(i)), y, e);
    if (!finish(c, e)) return false;
    set_scalar<R>(c, i, r);
    return true;
}

template <class F, class T, class R, bool Memory>
bool packed(Core& c, const Insn& i) {
    return map_lanes<T, R, Memory>(c, i, [](T x, T y, unsigned, Env& e) { return F::apply(x, y, e); });
}
template <class F, class T, class R, bool Memory>
bool scalar(Core& c, const Insn& i) {
    return map_scalar<T, R, Memory>(c, i, [](T x, T y, Env& e) { return F::apply(x, y, e); });
}
template <class F, class T>
Handler pick_packed(const Insn& i) {
    return by_form(i, []<class R, bool Memory>() -> Handler { return &packed<F, T, R, Memory>; });
}
template <class F, class T>
Handler pick_scalar(const Insn& i) {
    return by_form128(i, []<class R, bool Memory>() -> Handler { return &scalar<F, T, R, Memory>; });
}

// CMPPS and friends: all ones where the predicate holds. VEX has 32 predicates, SSE 8.
template <class T, class R>
T compare_lane(T x, T y, u64 predicate, Env& e) {
    const bool holds = fpu::compare_predicate(x, y, static_cast<unsigned>(predicate & (R::vex ? 31 : 7)), e);
    return holds ? static_cast<T>(~T{0}) : T{0};
}
template <class T, class R, bool Memory>
bool compare_packed(Core& c, const Insn& i) {
    return map_lanes<T, R, Memory>(
        c, i, [&i](T x, T y, unsigned, Env& e) { return compare_lane<T, R>(x, y, i.imm, e); });
}
template <class T, class R, bool Memory>
bool compare_scalar(Core& c, const Insn& i) {
    return map_scalar<T, R, Memory>(c, i,
                                    [&i](T x, T y, Env& e) { return compare_lane<T, R>(x, y, i.imm, e); });
}
// COMISS and UCOMISS: ZF, PF, CF; OF, SF, AF are cleared.
template <class T, bool QuietIsInvalid, class R, bool Memory>
bool compare_flags(Core& c, const Insn& i) {
    T y;
    if (!R::ready(c) || !load_low<T, Memory>(c, i, y)) return false;
    Env e = Env::sse(c.state.mxcsr);
    const Order order = fpu::compare(low_lane<T>(c, i.reg), y, QuietIsInvalid, e);
    if (!finish(c, e)) return false;
    u32 f = 0;
    if (order == Order::less) f = eflags::cf;
    if (order == Order::equal) f = eflags::zf;
    if (order == Order::unordered) f = eflags::zf | eflags::pf | eflags::cf;
    c.state.flags.set(f);
    return true;
}

// ADDSUBPS, HADDPS and friends.
template <class T, class R, bool Memory>
bool addsub(Core& c, const Insn& i) {
    return map_lanes<T, R, Memory>(
        c, i, [](T x, T y, unsigned k, Env& e) { return k & 1 ? fpu::add(x, y, e) : fpu::sub(x, y, e); });
}
// In each 16 bytes: the first source's pairs, then the second's.
template <class F, class T, class R, bool Memory>
bool horizontal(Core& c, const Insn& i) {
    Value<R> source;
    if (!R::ready(c) || !load_rm<R, Memory>(c, i, source)) return false;
    Env e = Env::sse(c.state.mxcsr);
    const auto x = lanes<T>(R::get(c, R::first(i))), y = lanes<T>(source);
    Lanes<T, R::size> r;
    constexpr unsigned count = 16 / sizeof(T), half = count / 2;
    for (unsigned at = 0; at < r.size(); at += count) {
        for (unsigned k = 0; k < half; ++k) {
            r[at + k] = F::apply(x[at + 2 * k], x[at + 2 * k + 1], e);
            r[at + half + k] = F::apply(y[at + 2 * k], y[at + 2 * k + 1], e);
        }
    }
    if (!finish(c, e)) return false;
    R::set(c, i.reg, vec(r));
    return true;
}
template <class F, class T>
Handler pick_horizontal(const Insn& i) {
    return by_form(i, []<class R, bool Memory>() -> Handler { return &horizontal<F, T, R, Memory>; });
}

// DPPS, DPPD: products, then sums of neighbours, each step with its own exceptions: flags of a step
// that passed stay (SDM vol. 2A DPPS). Each 16 bytes for themselves.
template <class T, class R, bool Memory>
bool dot_product(Core& c, const Insn& i) {
    Value<R> source;
    if (!R::ready(c) || !load_rm<R, Memory>(c, i, source)) return false;
    Env e = Env::sse(c.state.mxcsr);
    const auto x = lanes<T>(R::get(c, R::first(i))), y = lanes<T>(source);
    constexpr unsigned count = 16 / sizeof(T);
    Lanes<T, R::size> p{};
    for (unsigned k = 0; k < p.size(); ++k) {
        if (i.imm >> (4 + k % count) & 1) p[k] = fpu::mul(x[k], y[k], e);
    }
    for (unsigned left = count; left > 1; left /= 2) {
        if (!finish(c, e)) return false;
        e = Env::sse(c.state.mxcsr);
        for (unsigned at = 0; at < p.size(); at += count) {
            for (unsigned k = 0; k < left / 2; ++k) p[at + k] = fpu::add(p[at + 2 * k], p[at + 2 * k + 1], e);
        }
    }
    if (!finish(c, e)) return false;
    Lanes<T, R::size> r;
    for (unsigned k = 0; k < r.size(); ++k) r[k] = i.imm >> k % count & 1 ? p[k - k % count] : T{0};
    R::set(c, i.reg, vec(r));
    return true;
}

template <class T, class R, bool Memory>
bool round_packed(Core& c, const Insn& i) {
    return map_lanes<T, R, Memory>(c, i, [&i](T, T y, unsigned, Env& e) {
        return fpu::round_integral(y, static_cast<unsigned>(i.imm), e);
    });
}
template <class T, class R, bool Memory>
bool round_scalar(Core& c, const Insn& i) {
    return map_scalar<T, R, Memory>(
        c, i, [&i](T, T y, Env& e) { return fpu::round_integral(y, static_cast<unsigned>(i.imm), e); });
}

template <class T>
Handler pick_addsub(const Insn& i) {
    return by_form(i, []<class R, bool Memory>() -> Handler { return &addsub<T, R, Memory>; });
}
template <class T>
Handler pick_compare_packed(const Insn& i) {
    return by_form(i, []<class R, bool Memory>() -> Handler { return &compare_packed<T, R, Memory>; });
}
template <class T>
Handler pick_compare_scalar(const Insn& i) {
    return by_form128(i, []<class R, bool Memory>() -> Handler { return &compare_scalar<T, R, Memory>; });
}
template <class T>
Handler pick_dot_product(const Insn& i) {
    return by_form(i, []<class R, bool Memory>() -> Handler { return &dot_product<T, R, Memory>; });
}
template <class T>
Handler pick_round_packed(const Insn& i) {
    return by_form(i, []<class R, bool Memory>() -> Handler { return &round_packed<T, R, Memory>; });
}
template <class T>
Handler pick_round_scalar(const Insn& i) {
    return by_form128(i, []<class R, bool Memory>() -> Handler { return &round_scalar<T, R, Memory>; });
}

template <class T, bool QuietIsInvalid>
Handler pick_compare_flags(const Insn& i) {
    return by_form128(
        i, []<class R, bool Memory>() -> Handler { return &compare_flags<T, QuietIsInvalid, R, Memory>; });
}

}  // namespace

Handler float_handler(const Insn& i) {
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
            return pick_addsub<u32>(i);
        case Op::ADDSUBPD:
            return pick_addsub<u64>(i);
        case Op::HADDPS:
            return pick_horizontal<Add, u32>(i);
        case Op::HADDPD:
            return pick_horizontal<Add, u64>(i);
        case Op::HSUBPS:
            return pick_horizontal<Sub, u32>(i);
        case Op::HSUBPD:
            return pick_horizontal<Sub, u64>(i);
        case Op::CMPPS:
            return pick_compare_packed<u32>(i);
        case Op::CMPPD:
            return pick_compare_packed<u64>(i);
        case Op::CMPSS:
            return pick_compare_scalar<u32>(i);
        case Op::CMPSD_X:
            return pick_compare_scalar<u64>(i);
        case Op::COMISS:
            return pick_compare_flags<u32, true>(i);
        case Op::COMISD:
            return pick_compare_flags<u64, true>(i);
        case Op::UCOMISS:
            return pick_compare_flags<u32, false>(i);
        case Op::UCOMISD:
            return pick_compare_flags<u64, false>(i);
        case Op::DPPS:
            return pick_dot_product<u32>(i);
        case Op::DPPD:
            return pick_dot_product<u64>(i);
        case Op::ROUNDPS:
            return pick_round_packed<u32>(i);
        case Op::ROUNDPD:
            return pick_round_packed<u64>(i);
        case Op::ROUNDSS:
            return pick_round_scalar<u32>(i);
        case Op::ROUNDSD:
            return pick_round_scalar<u64>(i);
        default:
            return nullptr;
    }
}

}  // namespace mynah::sse
