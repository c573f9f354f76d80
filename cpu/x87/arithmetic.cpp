// FADD to FDIVR with all their operands, comparisons (SDM vol. 2A).
#include "cpu/x87/unit.h"

namespace mynah::x87 {

namespace {

using fpu::Order;

// By ModRM.reg. For the forms that write ST(i) the subtraction and division are mirrored in the mnemonic
// only.
enum Arith : u8 { add, mul, com, comp, sub, subr, div, divr };

template <Arith op>
F80 compute(const Number& a, const Number& b, Env& e) {
    switch (op) {
        case add:
            return fpu::x87_add(a, b, e);
        case mul:
            return fpu::x87_mul(a, b, e);
        case sub:
            return fpu::x87_sub(a, b, e);
        case subr:
            return fpu::x87_sub(b, a, e);
        case div:
            return fpu::x87_div(a, b, e);
        default:
            return fpu::x87_div(b, a, e);
    }
}

u16 conditions(Order o) {
    switch (o) {
        case Order::less:
            return sw::c0;
        case Order::equal:
            return sw::c3;
        case Order::greater:
            return 0;
        default:
            return sw::c0 | sw::c2 | sw::c3;
    }
}

// Sets C3, C2, C0 of ST(0) against b. False: not even a pop.
bool compare(Unit& u, const Number& b, bool quiet_is_invalid) {
    Env e = u.env();
    const Order o = fpu::compare(unpack(u.st(0)), b, quiet_is_invalid, e);
    u.set_conditions(conditions(o));
    return u.settle(e);
}

bool compare_underflow(Unit& u) {
    const bool masked = u.stack_underflow();
    u.set_conditions(conditions(Order::unordered));
    return masked;
}

template <Arith op>
void with_operand(Unit& u, const Number& b) {
    if constexpr (op == com || op == comp) {
        const bool done = u.empty(0) ? compare_underflow(u) : compare(u, b, true);
        if (done && op == comp) u.pop();
    } else {
        if (u.empty(0)) {
            if (u.stack_underflow()) u.set(0, kIndefinite);
            return;
        }
        Env e = u.env();
        const F80 r = compute<op>(unpack(u.st(0)), b, e);
        if (u.settle(e)) u.set(0, r);
    }
}

// T: u32, u64 for binary32 and binary64, i16, i32 for integers.
template <Arith op, class T>
bool memory(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    std::make_unsigned_t<T> v;
    if (!c.load_operand(i, v)) return false;
    u.enter();
    if constexpr (std::is_signed_v<T>) {
        with_operand<op>(u, fpu::from_integer(static_cast<T>(v)));
    } else {
        with_operand<op>(u, fpu::unpack(v));
    }
    return true;
}

// ST(0) and ST(i), the result in either.
template <Arith op, bool to_st0, unsigned pops>
bool registers(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    const unsigned n = sti(i), target = to_st0 ? 0 : n;
    if (u.empty(0) || u.empty(n)) {
        if (!u.stack_underflow()) return true;
        u.set(target, kIndefinite);
    } else {
        Env e = u.env();
        const F80 r = compute<op>(unpack(u.st(0)), unpack(u.st(n)), e);
        if (!u.settle(e)) return true;
        u.set(target, r);
    }
    if (pops) u.pop();
    return true;
}

template <bool quiet_is_invalid, unsigned pops>
bool compare_registers(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    const unsigned n = sti(i);
    const bool done =
        u.empty(0) || u.empty(n) ? compare_underflow(u) : compare(u, unpack(u.st(n)), quiet_is_invalid);
    for (unsigned k = 0; done && k < pops; ++k) u.pop();
    return true;
}

// FCOMI and kin: ZF, PF, CF; OF, SF and AF are cleared.
template <bool quiet_is_invalid, unsigned pops>
bool compare_to_flags(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    const unsigned n = sti(i);
    Order o = Order::unordered;
    bool done;
    if (u.empty(0) || u.empty(n)) {
        done = u.stack_underflow();
    } else {
        Env e = u.env();
        o = fpu::compare(unpack(u.st(0)), unpack(u.st(n)), quiet_is_invalid, e);
        done = u.settle(e);
    }
    // Also when an unmasked exception keeps it from popping.
    c.state.flags.set(o == Order::unordered ? eflags::zf | eflags::pf | eflags::cf
                      : o == Order::less    ? eflags::cf
                      : o == Order::equal   ? eflags::zf
                                            : 0);
    if (done && pops) u.pop();
    return true;
}

bool test(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    if (u.empty(0)) {
        (void)compare_underflow(u);
    } else {
        (void)compare(u, fpu::make_zero(false), true);
    }
    return true;
}

template <class T>
constexpr Function kMemory[8] = {memory<add, T>, memory<mul, T>,  memory<com, T>, memory<comp, T>,
                                 memory<sub, T>, memory<subr, T>, memory<div, T>, memory<divr, T>};
template <bool to_st0, unsigned pops>
constexpr Function kRegisters[8] = {registers<add, to_st0, pops>, registers<mul, to_st0, pops>,
                                    compare_registers<true, 0>,   compare_registers<true, 1>,
                                    registers<sub, to_st0, pops>, registers<subr, to_st0, pops>,
                                    registers<div, to_st0, pops>, registers<divr, to_st0, pops>};

}  // namespace

Function arithmetic_function(const Insn& i) {
    const unsigned reg = i.reg & 7;
    if (i.op != Op::FPU) return nullptr;
    if (i.memory()) {
        switch (i.opcode) {
            case 0xD8:
                return kMemory<u32>[reg];
            case 0xDA:
                return kMemory<i32>[reg];
            case 0xDC:
                return kMemory<u64>[reg];
            case 0xDE:
                return kMemory<i16>[reg];
            default:
                return nullptr;
        }
    }
    switch (i.opcode) {
        case 0xD8:
            return kRegisters<true, 0>[reg];
        case 0xD9:
            return reg == 4 && sti(i) == 4 ? test : nullptr;
        case 0xDA:
            return reg == 5 ? compare_registers<false, 2> : nullptr;  // FUCOMPP
        case 0xDB:
            return reg == 5 ? compare_to_flags<false, 0> : reg == 6 ? compare_to_flags<true, 0> : nullptr;
        case 0xDC:
            return kRegisters<false, 0>[reg];
        case 0xDD:
            return reg == 4 ? compare_registers<false, 0> : reg == 5 ? compare_registers<false, 1> : nullptr;
        case 0xDE:
            if (reg == 2) return compare_registers<true, 1>;  // alias of FCOMP
            if (reg == 3) return compare_registers<true, 2>;  // FCOMPP
            return kRegisters<false, 1>[reg];
        default:
            return reg == 5 ? compare_to_flags<false, 1> : reg == 6 ? compare_to_flags<true, 1> : nullptr;
    }
}

}  // namespace mynah::x87
