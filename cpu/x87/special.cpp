// FXAM, FSQRT, FRNDINT, FSCALE, FXTRACT, FPREM and the transcendental functions (SDM vol. 2A): D9 /4 to /7.
#include "cpu/x87/unit.h"

namespace mynah::x87 {

namespace {

bool examine(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    const F80 v = u.st(0);
    const unsigned k = u.empty(0) ? 5 : fpu::x87_examine(v);
    u.set_conditions(static_cast<u16>((k & 4 ? sw::c3 : 0) | (k & 2 ? sw::c2 : 0) | (k & 1 ? sw::c0 : 0) |
                                      (v.sign_exponent & 0x8000 ? sw::c1 : 0)));
    return true;
}

// ST(0) = f(ST(0))
template <auto f>
bool unary(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    if (u.empty(0)) {
        if (u.stack_underflow()) u.set(0, kIndefinite);
        return true;
    }
    Env e = u.env();
    const F80 r = f(u.st(0), e);
    if (u.settle(e)) u.set(0, r);
    return true;
}

F80 square_root(F80 a, Env& e) {
    return fpu::x87_sqrt(fpu::unpack(a), e);
}

bool scale(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    if (u.empty(0) || u.empty(1)) {
        if (u.stack_underflow()) u.set(0, kIndefinite);
        return true;
    }
    Env e = u.env();
    const F80 r = fpu::x87_scale(u.st(0), u.st(1), e);
    if (u.settle(e)) u.set(0, r);
    return true;
}

// ST(1) = f, pop. `f` gets ST(0), ST(1).
template <auto f>
bool binary_pop(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    if (u.empty(0) || u.empty(1)) {
        if (!u.stack_underflow()) return true;
        u.set(1, kIndefinite);
        u.pop();
        return true;
    }
    Env e = u.env();
    const F80 r = f(u.st(0), u.st(1), e);
    if (!u.settle(e)) return true;
    u.set(1, r);
    u.pop();
    return true;
}

F80 partial_arctangent(F80 st0, F80 st1, Env& e) {
    return fpu::x87_patan(st1, st0, e);
}

template <bool nearest>
bool remainder(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    u.x.status &= static_cast<u16>(~sw::c2);
    if (u.empty(0) || u.empty(1)) {
        if (u.stack_underflow()) u.set(0, kIndefinite);
        return true;
    }
    Env e = u.env();
    const fpu::Remainder r = fpu::x87_remainder(u.st(0), u.st(1), nearest, e);
    e.rounded_up = false;
    if (!u.settle(e)) return true;
    u.set(0, r.value);
    if (!r.defined) return true;
    const unsigned q = r.quotient;
    u.set_conditions(static_cast<u16>((r.incomplete ? sw::c2 : 0) | (q & 4 ? sw::c0 : 0) |
                                      (q & 2 ? sw::c3 : 0) | (q & 1 ? sw::c1 : 0)));
    return true;
}

// The instructions that replace ST(0) and push a second value. False: nothing to do.
bool room_for_two(Unit& u) {
    if (!u.empty(0) && u.empty(7)) return true;
    if (u.empty(0) ? u.stack_underflow() : u.stack_overflow()) {
        u.set(0, kIndefinite);
        u.push(kIndefinite);
    }
    return false;
}

bool extract(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    if (!room_for_two(u)) return true;
    Env e = u.env();
    const fpu::Extracted r = fpu::x87_extract(u.st(0), e);
    if (!u.settle(e)) return true;
    u.set(0, r.exponent);
    u.push(r.significand);
    return true;
}

template <auto f>
bool sine_or_cosine(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    u.x.status &= static_cast<u16>(~sw::c2);
    if (u.empty(0)) {
        if (u.stack_underflow()) u.set(0, kIndefinite);
        return true;
    }
    Env e = u.env();
    F80 r;
    if (!f(u.st(0), r, e)) {
        u.x.status |= sw::c2;
        return true;
    }
    if (u.settle(e)) u.set(0, r);
    return true;
}

template <bool tangent>
bool sine_and_more(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    u.x.status &= static_cast<u16>(~sw::c2);
    if (!room_for_two(u)) return true;
    Env e = u.env();
    F80 first, second{fpu::kTopBit, 0x3FFF};
    const F80 a = u.st(0);
    const bool done = tangent ? fpu::x87_tan(a, first, e) : fpu::x87_sincos(a, first, second, e);
    if (!done) {
        u.x.status |= sw::c2;
        return true;
    }
    if (!u.settle(e)) return true;
    if (tangent && fpu::unpack(a).kind >= fpu::Kind::infinity) second = first;  // NaNs: both
    u.set(0, first);
    u.push(second);
    return true;
}

}  // namespace

Function special_function(const Insn& i) {
    if (i.op != Op::FPU || i.memory() || i.opcode != 0xD9) return nullptr;
    switch ((i.reg & 7) << 4 | sti(i)) {
        case 0x45:
            return examine;
        case 0x60:
            return unary<fpu::x87_2xm1>;
        case 0x61:
            return binary_pop<fpu::x87_yl2x>;
        case 0x62:
            return sine_and_more<true>;
        case 0x63:
            return binary_pop<partial_arctangent>;
        case 0x64:
            return extract;
        case 0x65:
            return remainder<true>;
        case 0x70:
            return remainder<false>;
        case 0x71:
            return binary_pop<fpu::x87_yl2xp1>;
        case 0x72:
            return unary<square_root>;
        case 0x73:
            return sine_and_more<false>;
        case 0x74:
            return unary<fpu::x87_round_integral>;
        case 0x75:
            return scale;
        case 0x76:
            return sine_or_cosine<fpu::x87_sin>;
        case 0x77:
            return sine_or_cosine<fpu::x87_cos>;
        default:
            return nullptr;
    }
}

}  // namespace mynah::x87
