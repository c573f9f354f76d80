// Loads, stores, constants, exchanges, conditional moves (SDM vol. 2A).
#include "cpu/x87/unit.h"

namespace mynah::x87 {

namespace {

bool push_or_overflow(Unit& u, F80 v) {
    if (!u.empty(7)) {
        if (u.stack_overflow()) u.push(kIndefinite);
        return true;
    }
    u.push(v);
    return true;
}

// FLD m32fp, m64fp.
template <class T>
bool load_float(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    T v;
    if (!c.load_operand(i, v)) return false;
    u.enter();
    if (!u.empty(7)) return push_or_overflow(u, {});
    Env e = u.env();
    const F80 r = fpu::x87_load(fpu::unpack(v), e);
    // An unmasked DE does not keep processors from pushing.
    if (u.settle(e) || !(e.unmasked() & fpu::flag::invalid)) u.push(r);
    return true;
}

// FILD.
template <class T>
bool load_integer(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    T v;
    if (!c.load_operand(i, v)) return false;
    u.enter();
    return push_or_overflow(u, fpu::x87_from_integer(static_cast<std::make_signed_t<T>>(v)));
}

bool load_ten_bytes(Unit& u, fpu::PackedBcd& v) {
    u64 a;
    return u.core.linear(u.insn.seg, u.core.effective_address(u.insn), 10, Access::read, a) &&
           u.core.load_slow(a, v.data(), 10, u.core.mmu.privilege());
}
bool store_ten_bytes(Unit& u, const fpu::PackedBcd& v) {
    u64 a;
    return u.core.linear(u.insn.seg, u.core.effective_address(u.insn), 10, Access::write, a) &&
           u.core.store_slow(a, v.data(), 10, u.core.mmu.privilege());
}

bool load_extended(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    fpu::PackedBcd v;
    if (!load_ten_bytes(u, v)) return false;
    u.enter();
    return push_or_overflow(u, {load_le<u64>(v.data()), load_le<u16>(v.data() + 8)});
}

bool load_bcd(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    fpu::PackedBcd v;
    if (!load_ten_bytes(u, v)) return false;
    u.enter();
    return push_or_overflow(u, fpu::x87_from_bcd(v));
}

bool load_register(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    const unsigned n = sti(i);
    if (u.empty(n)) {
        if (u.stack_underflow()) u.push(kIndefinite);
        return true;
    }
    return push_or_overflow(u, u.st(n));
}

bool load_constant(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    return push_or_overflow(u, fpu::x87_constant(sti(i), u.env().rounding()));
}

bool address_passes(Unit& u, unsigned size) {
    u64 address;
    return u.core.linear(u.insn.seg, u.core.effective_address(u.insn), size, Access::write, address) &&
           u.core.probe_write(address, size);
}

// A store to memory: `value` makes what is stored of ST(0), with `indefinite` for a masked stack underflow.
// The operand's segment and page are checked even if an unmasked exception keeps the store from happening.
template <bool pops, class T, class Store, class F>
bool store_with(Unit& u, T indefinite, Store store, F value) {
    constexpr unsigned kStored = std::is_integral_v<T> ? sizeof(T) : 10;
    if (u.empty(0)) {
        const bool masked = u.x.control & fpu::flag::invalid;
        if (!(masked ? store(indefinite) : address_passes(u, kStored))) return false;
        u.enter();
        if (u.stack_underflow() && pops) u.pop();
        return true;
    }
    Env e = u.env();
    const T v = value(u.st(0), e);
    if (u.prevents_store(e)) {
        if (!address_passes(u, kStored)) return false;
        // Without a result there is no PE either.
        u.enter();
        e.flags &= ~fpu::flag::inexact;
        (void)u.settle(e);
        return true;
    }
    if (!store(v)) return false;
    u.enter();
    (void)u.settle(e);
    if (pops) u.pop();
    return true;
}

template <class T, bool pops>
bool store_float(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    const auto store = [&](T v) { return c.store_operand(i, v); };
    const T indefinite = fpu::pack<T>(fpu::indefinite());
    return store_with<pops>(u, indefinite, store, [](F80 v, Env& e) {
        if constexpr (sizeof(T) == 4) {
            return fpu::x87_store_f32(v, e);
        } else {
            return fpu::x87_store_f64(v, e);
        }
    });
}

// FIST, FISTP, FISTTP.
template <class T, bool pops, bool truncates>
bool store_integer(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    const auto store = [&](T v) { return c.store_operand(i, v); };
    constexpr T kIntegerIndefinite = static_cast<T>(T{1} << (8 * sizeof(T) - 1));
    return store_with<pops>(u, kIntegerIndefinite, store, [](F80 v, Env& e) {
        const fpu::Rounding rc = truncates ? fpu::Rounding::zero : e.rounding();
        return static_cast<T>(fpu::to_integer(fpu::unpack(v), 8 * sizeof(T), rc, e));
    });
}

bool store_extended(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    const auto store = [&](F80 v) {
        fpu::PackedBcd b;
        store_le(b.data(), v.significand);
        store_le(b.data() + 8, v.sign_exponent);
        return store_ten_bytes(u, b);
    };
    return store_with<true>(u, kIndefinite, store, [](F80 v, Env&) { return v; });
}

bool store_bcd(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    const fpu::PackedBcd indefinite{0, 0, 0, 0, 0, 0, 0, 0xC0, 0xFF, 0xFF};
    const auto store = [&](const fpu::PackedBcd& v) { return store_ten_bytes(u, v); };
    return store_with<true>(u, indefinite, store, fpu::x87_to_bcd);
}

template <bool pops>
bool store_register(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    const unsigned n = sti(i);
    if (u.empty(0)) {
        if (!u.stack_underflow()) return true;
        u.set(n, kIndefinite);
    } else {
        u.set(n, u.st(0));
    }
    if (pops) u.pop();
    return true;
}

// D9 D8+i: FSTP that only pops an empty ST(0).
bool store_register_unchecked(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    if (!u.empty(0)) u.set(sti(i), u.st(0));
    u.pop();
    return true;
}

bool exchange(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    const unsigned n = sti(i);
    if (u.empty(0) || u.empty(n)) {
        if (!u.stack_underflow()) return true;
        if (u.empty(0)) u.set(0, kIndefinite);
        if (u.empty(n)) u.set(n, kIndefinite);
    }
    const F80 v = u.st(0);
    u.set(0, u.st(n));
    u.set(n, v);
    return true;
}

// FCMOVcc: DA B, E, BE, U; DB their opposites.
bool conditional_move(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.note_pointers();
    static constexpr u8 kConditions[4] = {2, 4, 6, 10};  // B, E, BE, P of Jcc
    const unsigned n = sti(i);
    if (u.empty(0) || u.empty(n)) {
        if (u.stack_underflow()) u.set(0, kIndefinite);
        return true;
    }
    if (c.state.flags.condition(kConditions[i.reg & 3] | (i.opcode & 1u))) u.set(0, u.st(n));
    return true;
}

bool change_sign(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    if (u.empty(0)) {
        if (u.stack_underflow()) u.set(0, kIndefinite);
        return true;
    }
    F80 v = u.st(0);
    v.sign_exponent = static_cast<u16>(sti(i) == 0 ? v.sign_exponent ^ 0x8000 : v.sign_exponent & 0x7FFF);
    u.set(0, v);
    return true;
}

bool free_register(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    u.free(sti(i));
    if (i.opcode == 0xDF) u.pop();  // FFREEP
    return true;
}

bool rotate(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.enter();
    u.x.set_top(u.x.top() + (sti(i) == 6 ? 7 : 1));
    return true;
}

bool nop(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u.note_pointers();
    return true;
}

Function from_memory(const Insn& i) {
    const unsigned reg = i.reg & 7;
    switch (i.opcode << 4 | reg) {
        case 0xD90:
            return load_float<u32>;
        case 0xD92:
            return store_float<u32, false>;
        case 0xD93:
            return store_float<u32, true>;
        case 0xDB0:
            return load_integer<u32>;
        case 0xDB1:
            return store_integer<u32, true, true>;
        case 0xDB2:
            return store_integer<u32, false, false>;
        case 0xDB3:
            return store_integer<u32, true, false>;
        case 0xDB5:
            return load_extended;
        case 0xDB7:
            return store_extended;
        case 0xDD0:
            return load_float<u64>;
        case 0xDD1:
            return store_integer<u64, true, true>;
        case 0xDD2:
            return store_float<u64, false>;
        case 0xDD3:
            return store_float<u64, true>;
        case 0xDF0:
            return load_integer<u16>;
        case 0xDF1:
            return store_integer<u16, true, true>;
        case 0xDF2:
            return store_integer<u16, false, false>;
        case 0xDF3:
            return store_integer<u16, true, false>;
        case 0xDF4:
            return load_bcd;
        case 0xDF5:
            return load_integer<u64>;
        case 0xDF6:
            return store_bcd;
        case 0xDF7:
            return store_integer<u64, true, false>;
        default:
            return nullptr;
    }
}

}  // namespace

Function move_function(const Insn& i) {
    if (i.op != Op::FPU) return nullptr;
    if (i.memory()) return from_memory(i);
    const unsigned rm = sti(i);
    switch (i.opcode << 4 | (i.reg & 7)) {
        case 0xD90:
            return load_register;
        case 0xD91:
        case 0xDD1:
        case 0xDF1:
            return exchange;
        case 0xD92:
            return rm == 0 ? nop : nullptr;
        case 0xD93:
            return store_register_unchecked;
        case 0xD94:
            return rm < 2 ? change_sign : nullptr;
        case 0xD95:
            return rm < 7 ? load_constant : nullptr;
        case 0xD96:
            return rm >= 6 ? rotate : nullptr;
        case 0xDA0:
        case 0xDA1:
        case 0xDA2:
        case 0xDA3:
        case 0xDB0:
        case 0xDB1:
        case 0xDB2:
        case 0xDB3:
            return conditional_move;
        case 0xDD0:
        case 0xDF0:
            return free_register;
        case 0xDD2:
            return store_register<false>;
        case 0xDD3:
        case 0xDF2:
        case 0xDF3:
            return store_register<true>;
        default:
            return nullptr;
    }
}

}  // namespace mynah::x87
