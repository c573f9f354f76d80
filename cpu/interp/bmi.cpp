// BMI1 and BMI2 (SDM vol. 2): general registers by VEX. What the SDM leaves undefined: AF is 0, PF that of
// the result's low byte, BEXTR's SF 0.
#include <bit>

#include "cpu/interp/families.h"
#include "cpu/interp/operand_access.h"

namespace mynah {

namespace {

template <class T>
void set_flags(Core& c, T result, bool carry) {
    c.state.flags.set_logical<T>(result);
    c.state.flags.set_cf(carry);
    c.state.flags.set_of(false);
}

template <class T>
bool andn(Core& c, const Insn& i) {
    T b;
    if (!read_rm<T>(c, i, b)) return false;
    const T r = static_cast<T>(~c.reg<T>(i.vvvv) & b);
    c.set_reg<T>(i.reg, r);
    set_flags<T>(c, r, false);
    return true;
}

// BLSI, BLSMSK and BLSR: the destination is VEX.vvvv.
template <class T>
bool lowest_bit(Core& c, const Insn& i) {
    T a;
    if (!read_rm<T>(c, i, a)) return false;
    const T less = static_cast<T>(a - 1);
    T r = static_cast<T>(a & less);
    if (i.op == Op::BLSI) r = static_cast<T>(a & (0 - a));
    if (i.op == Op::BLSMSK) r = static_cast<T>(a ^ less);
    c.set_reg<T>(i.vvvv, r);
    set_flags<T>(c, r, i.op == Op::BLSI ? a != 0 : a == 0);
    return true;
}

template <class T>
T low_bits(T v, unsigned count) {
    return count < 8 * sizeof(T) ? static_cast<T>(v & ((T{1} << count) - 1)) : v;
}

template <class T>
bool bextr(Core& c, const Insn& i) {
    T a;
    if (!read_rm<T>(c, i, a)) return false;
    const u64 control = c.state.gpr[i.vvvv];
    const unsigned start = control & 0xFF, length = control >> 8 & 0xFF;
    const T shifted = start < 8 * sizeof(T) ? static_cast<T>(a >> start) : T{0};
    const T r = low_bits<T>(shifted, length);
    c.set_reg<T>(i.reg, r);
    set_flags<T>(c, r, false);
    c.state.flags.set(c.state.flags.get() & ~eflags::sf);
    return true;
}

template <class T>
bool bzhi(Core& c, const Insn& i) {
    T a;
    if (!read_rm<T>(c, i, a)) return false;
    const unsigned count = c.state.gpr[i.vvvv] & 0xFF;
    const T r = low_bits<T>(a, count);
    c.set_reg<T>(i.reg, r);
    set_flags<T>(c, r, count >= 8 * sizeof(T));
    return true;
}

// The upper half wins if both go to one register.
template <class T>
bool mulx(Core& c, const Insn& i) {
    T a;
    if (!read_rm<T>(c, i, a)) return false;
    const u128 r = static_cast<u128>(c.reg<T>(rdx)) * a;
    c.set_reg<T>(i.vvvv, static_cast<T>(r));
    c.set_reg<T>(i.reg, static_cast<T>(r >> (8 * sizeof(T))));
    return true;
}

// Low bits of the source go where the mask has ones, or come from there.
template <class T>
bool deposit(Core& c, const Insn& i) {
    T mask;
    if (!read_rm<T>(c, i, mask)) return false;
    T source = c.reg<T>(i.vvvv), r = 0;
    for (; mask; mask = static_cast<T>(mask & (mask - 1)), source = static_cast<T>(source >> 1)) {
        if (source & 1) r = static_cast<T>(r | (mask & (0 - mask)));
    }
    c.set_reg<T>(i.reg, r);
    return true;
}
template <class T>
bool extract(Core& c, const Insn& i) {
    T mask;
    if (!read_rm<T>(c, i, mask)) return false;
    const T source = c.reg<T>(i.vvvv);
    T r = 0;
    for (unsigned k = 0; mask; mask = static_cast<T>(mask & (mask - 1)), ++k) {
        if (source & mask & (0 - mask)) r = static_cast<T>(r | T{1} << k);
    }
    c.set_reg<T>(i.reg, r);
    return true;
}

// Counts are cut as those of other shifts; no flags.
template <class T>
bool shift(Core& c, const Insn& i) {
    T a;
    if (!read_rm<T>(c, i, a)) return false;
    constexpr unsigned bits = 8 * sizeof(T);
    const u64 wanted = i.op == Op::RORX ? i.imm : c.state.gpr[i.vvvv];
    const unsigned n = wanted & (bits - 1);
    T r = std::rotr(a, static_cast<int>(n));
    if (i.op == Op::SHLX) r = static_cast<T>(a << n);
    if (i.op == Op::SHRX) r = static_cast<T>(a >> n);
    if (i.op == Op::SARX) r = static_cast<T>(static_cast<std::make_signed_t<T>>(a) >> n);
    c.set_reg<T>(i.reg, r);
    return true;
}

}  // namespace

Handler bmi_handler(const Insn& i) {
    const bool wide = i.osize == 8;
    switch (i.op) {
        case Op::ANDN:
            return wide ? andn<u64> : andn<u32>;
        case Op::BEXTR:
            return wide ? bextr<u64> : bextr<u32>;
        case Op::BLSI:
        case Op::BLSMSK:
        case Op::BLSR:
            return wide ? lowest_bit<u64> : lowest_bit<u32>;
        case Op::BZHI:
            return wide ? bzhi<u64> : bzhi<u32>;
        case Op::MULX:
            return wide ? mulx<u64> : mulx<u32>;
        case Op::PDEP:
            return wide ? deposit<u64> : deposit<u32>;
        case Op::PEXT:
            return wide ? extract<u64> : extract<u32>;
        case Op::RORX:
        case Op::SARX:
        case Op::SHLX:
        case Op::SHRX:
            return wide ? shift<u64> : shift<u32>;
        default:
            return nullptr;
    }
}

}  // namespace mynah
