// FMA: products and sums rounded once (SDM vol. 1 14.5.3).
#include "cpu/fpu/arith.h"
#include "cpu/sse/access.h"

namespace mynah::sse {
namespace {

using fpu::Env;

// Which operands are multiplied and which is added, by the digits of the mnemonic: 1 the destination, 2
// VEX.vvvv, 3 the r/m operand.
enum class Order : u8 { o132, o213, o231 };

template <bool NegateProduct, bool NegateAddend>
struct Signs {
    template <class T>
    static T apply(T x, T y, T z, unsigned, Env& e) {
        return fpu::fma(x, y, z, NegateProduct, NegateAddend, e);
    }
};
// Even lanes subtract and odd ones add, or the other way round.
template <bool OddSubtracts>
struct Alternating {
    template <class T>
    static T apply(T x, T y, T z, unsigned k, Env& e) {
        return fpu::fma(x, y, z, false, (k & 1) == OddSubtracts, e);
    }
};

template <class F, Order order, class T>
T in_order(T one, T two, T three, unsigned k, Env& e) {
    if constexpr (order == Order::o132) return F::apply(one, three, two, k, e);
    if constexpr (order == Order::o213) return F::apply(two, one, three, k, e);
    return F::apply(two, three, one, k, e);
}

template <class F, Order order, class T, class R, bool Memory>
bool packed(Core& c, const Insn& i) {
    Value<R> source;
    if (!R::ready(c) || !load_rm<R, Memory>(c, i, source)) return false;
    Env e = Env::sse(c.state.mxcsr);
    auto x = lanes<T>(R::get(c, i.reg));
    const auto y = lanes<T>(R::get(c, i.vvvv)), z = lanes<T>(source);
    for (unsigned k = 0; k < x.size(); ++k) x[k] = in_order<F, order>(x[k], y[k], z[k], k, e);
    if (!finish(c, e)) return false;
    R::set(c, i.reg, vec(x));
    return true;
}
// The destination keeps its upper lanes.
template <class F, Order order, class T, bool Memory>
bool scalar(Core& c, const Insn& i) {
    T z;
    if (!vex_ready(c) || !load_low<T, Memory>(c, i, z)) return false;
    Env e = Env::sse(c.state.mxcsr);
    const T r = in_order<F, order>(low_lane<T>(c, i.reg), low_lane<T>(c, i.vvvv), z, 0, e);
    if (!finish(c, e)) return false;
    set_scalar<Vex128>(c, i.reg, i.reg, r);
    return true;
}

// f.operator()<order>(), which the opcode's upper half tells: 9, A, B.
template <class F>
Handler by_order(const Insn& i, F f) {
    switch (i.opcode >> 4) {
        case 9:
            return f.template operator()<Order::o132>();
        case 0xA:
            return f.template operator()<Order::o213>();
        default:
            return f.template operator()<Order::o231>();
    }
}
template <class F, class T>
Handler pick_packed(const Insn& i) {
    return by_order(i, [&i]<Order order>() -> Handler {
        return by_vex_form(i,
                           []<class R, bool Memory>() -> Handler { return &packed<F, order, T, R, Memory>; });
    });
}
template <class F, class T>
Handler pick_scalar(const Insn& i) {
    return by_order(i, [&i]<Order order>() -> Handler {
        return i.memory() ? &scalar<F, order, T, true> : &scalar<F, order, T, false>;
    });
}

}  // namespace

Handler fma_handler(const Insn& i) {
    switch (i.op) {
#define MYNAH_FMA(name, ...)                     \
    case Op::V##name##PS:                        \
        return pick_packed<__VA_ARGS__, u32>(i); \
    case Op::V##name##PD:                        \
        return pick_packed<__VA_ARGS__, u64>(i); \
    case Op::V##name##SS:                        \
        return pick_scalar<__VA_ARGS__, u32>(i); \
    case Op::V##name##SD:                        \
        return pick_scalar<__VA_ARGS__, u64>(i);
        MYNAH_FMA(FMADD, Signs<false, false>)
        MYNAH_FMA(FMSUB, Signs<false, true>)
        MYNAH_FMA(FNMADD, Signs<true, false>)
        MYNAH_FMA(FNMSUB, Signs<true, true>)
#undef MYNAH_FMA
        case Op::VFMADDSUBPS:
            return pick_packed<Alternating<false>, u32>(i);
        case Op::VFMADDSUBPD:
            return pick_packed<Alternating<false>, u64>(i);
        case Op::VFMSUBADDPS:
            return pick_packed<Alternating<true>, u32>(i);
        case Op::VFMSUBADDPD:
            return pick_packed<Alternating<true>, u64>(i);
        default:
            return nullptr;
    }
}

}  // namespace mynah::sse
