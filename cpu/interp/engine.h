// The interpreter's engines for the semantics text: plain integers, the core's memory.
//
// Fast gives up (returns false, nothing changed) when an access misses the TLB's fast path or a check fails;
// the step then starts over in Slow, which does everything. So the fast code has no calls and no frame, and
// ends in a jump to the next step.
#pragma once

#include "cpu/interp/steps.h"
#include "cpu/semantics/operands.h"
#include "cpu/semantics/recorder.h"
#include "cpu/semantics/shift_value.h"

namespace mynah {

class Values {
  public:
    template <class T>
    using V = T;

    Values(Core& core, const Entry* entry) : c(core), e_(entry) {}
    Core& c;

    // --- operands ---
    template <class T>
    [[gnu::always_inline]] bool get(RegField, const Insn& i, T& v) {
        v = c.reg<T>(i.reg);
        return true;
    }
    template <class T>
    [[gnu::always_inline]] bool get(RmField, const Insn& i, T& v) {
        v = c.reg<T>(i.rm);
        return true;
    }
    template <class T>
    [[gnu::always_inline]] bool get(Immediate, const Insn& i, T& v) {
        v = static_cast<T>(i.imm);
        return true;
    }
    template <class T, u8 n>
    [[gnu::always_inline]] bool get(Fixed<n>, const Insn&, T& v) {
        v = c.reg<T>(n);
        return true;
    }
    template <class T>
    [[gnu::always_inline]] bool put(RegField, const Insn& i, T v) {
        c.set_reg<T>(i.reg, v);
        return true;
    }
    template <class T>
    [[gnu::always_inline]] bool put(RmField, const Insn& i, T v) {
        c.set_reg<T>(i.rm, v);
        return true;
    }
    template <class T, u8 n>
    [[gnu::always_inline]] bool put(Fixed<n>, const Insn&, T v) {
        c.set_reg<T>(n, v);
        return true;
    }
    template <Form form>
    [[gnu::always_inline]] u64 address(Memory<form>, const Insn& i) const {
        const auto& r = c.state.gpr;
        const u64 d = static_cast<u64>(static_cast<i64>(i.disp));
        if constexpr (form == Form::base64) return r[i.base] + d;
        if constexpr (form == Form::base32) return static_cast<u32>(r[i.base] + d);
        if constexpr (form == Form::indexed64) return r[i.base] + (r[i.index] << i.scale) + d;
        if constexpr (form == Form::indexed32)
            return static_cast<u32>(r[i.base] + (r[i.index] << i.scale) + d);
        if constexpr (form == Form::absolute) return i.imm;
        const u64 a = d + (i.base == kRip ? rip_of(c, e_) + i.length : r[i.base]) + (r[i.index] << i.scale);
        return i.asize == 8 ? a : i.asize == 4 ? static_cast<u32>(a) : static_cast<u16>(a);
    }
    template <unsigned stack>
    static u64 cut(u64 sp) {
        return stack == 8 ? sp : stack == 4 ? static_cast<u32>(sp) : static_cast<u16>(sp);
    }
    template <unsigned stack>
    [[gnu::always_inline]] void set_sp(u64 sp) {
        if constexpr (stack == 2) {
            c.set_reg<u16>(rsp, static_cast<u16>(sp));
        } else {
            c.state.gpr[rsp] = cut<stack>(sp);
        }
    }
    template <unsigned stack>
    u64 frame_pointer() {
        return cut<stack>(c.state.gpr[rbp]);
    }

    // --- values ---
    template <class T>
    T add(T a, T b) {
        return static_cast<T>(a + b);
    }
    template <class T>
    T sub(T a, T b) {
        return static_cast<T>(a - b);
    }
    template <class T>
    T bit_and(T a, T b) {
        return static_cast<T>(a & b);
    }
    template <class T>
    T bit_or(T a, T b) {
        return static_cast<T>(a | b);
    }
    template <class T>
    T bit_xor(T a, T b) {
        return static_cast<T>(a ^ b);
    }
    template <class T>
    T bit_not(T a) {
        return static_cast<T>(~a);
    }
    template <class T>
    T constant(T v) {
        return v;
    }
    template <class To, class From>
    To zero_extend(From v) {
        return static_cast<To>(v);
    }
    template <class To, class From>
    To sign_extend(From v) {
        return static_cast<To>(static_cast<std::make_signed_t<To>>(static_cast<std::make_signed_t<From>>(v)));
    }
    // All bits the sign.
    template <class T>
    T sign_fill(T v) {
        return static_cast<T>(static_cast<std::make_signed_t<T>>(v) < 0 ? -1 : 0);
    }
    template <class T>
    T carry() {
        return static_cast<T>(c.state.flags.cf());
    }
    template <unsigned cc>
    bool condition() {
        return c.state.flags.condition(cc);
    }
    template <class T>
    T select(bool condition, T yes, T no) {
        return condition ? yes : no;
    }

    template <semantics::ShiftKind kind, class T>
    [[gnu::always_inline]] T shift(T a, u8 count) {
        return semantics::shift_value<kind, T>(c.state.flags, a, count);
    }
    template <bool left, class T>
    [[gnu::always_inline]] T double_shift(T a, T b, u8 count) {
        return semantics::double_shift_value<left, T>(c.state.flags, a, b, count);
    }
    template <class T>
    T one_bit(T number) {
        return static_cast<T>(T{1} << number);
    }
    // CF is bit `number` of `a`; the other flags stay.
    template <class T>
    void carry_from(T a, T number) {
        c.state.flags.set_cf(a >> number & 1);
    }
    // The low half, with the flags of IMUL.
    template <class T>
    T imul(T a, T b) {
        using Wide = std::conditional_t<sizeof(T) == 8, i128, i64>;
        using Signed = std::make_signed_t<T>;
        const Wide wide = static_cast<Wide>(static_cast<Signed>(a)) * static_cast<Signed>(b);
        const T r = static_cast<T>(wide);
        const bool lost = wide != static_cast<Signed>(r);
        c.state.flags.set_arithmetic<T>(r, semantics::carries<T>(lost, lost));
        return r;
    }

    // --- flags, of r = a + b (+ carry), r = a - b (- borrow), r = logical result ---
    template <class T>
    void flags_add(T a, T b, T r) {
        c.state.flags.set_arithmetic<T>(r, static_cast<T>((a & b) | ((a | b) & ~r)));
    }
    template <class T>
    void flags_sub(T a, T b, T r) {
        c.state.flags.set_arithmetic<T>(r, static_cast<T>((~a & b) | ((~a | b) & r)));
    }
    template <class T>
    void flags_logic(T r) {
        c.state.flags.set_logical<T>(r);
    }
    // INC, DEC: as above, CF kept.
    template <class T>
    void flags_add_keep_carry(T a, T b, T r) {
        const bool cf = c.state.flags.cf();
        flags_add(a, b, r);
        c.state.flags.set_cf(cf);
    }
    template <class T>
    void flags_sub_keep_carry(T a, T b, T r) {
        const bool cf = c.state.flags.cf();
        flags_sub(a, b, r);
        c.state.flags.set_cf(cf);
    }

  protected:
    const Entry* e_;
};

template <class Self>
class Engine : public Values {
  public:
    using Values::get;
    using Values::put;
    using Values::Values;

    template <class T, Form form>
    [[gnu::always_inline]] bool get(Memory<form> m, const Insn& i, T& v) {
        return self().template load<T>(i.seg, address(m, i), v);
    }
    template <class T, Form form>
    [[gnu::always_inline]] bool put(Memory<form> m, const Insn& i, T v) {
        return self().template store<T>(i.seg, address(m, i), v);
    }
    // Read for a write that will follow with put_back(). After it succeeded, nothing faults.
    template <class T, class Place>
    [[gnu::always_inline]] bool get_for_update(Place p, const Insn& i, T& v) {
        return get<T>(p, i, v);
    }
    template <class T, Form form>
    [[gnu::always_inline]] bool get_for_update(Memory<form> m, const Insn& i, T& v) {
        return self().template load_for_update<T>(i.seg, address(m, i), v);
    }
    template <class T, class Place>
    [[gnu::always_inline]] void put_back(Place p, const Insn& i, T v) {
        (void)put<T>(p, i, v);
    }
    template <class T, Form form>
    [[gnu::always_inline]] void put_back(Memory<form>, const Insn&, T v) {
        self().template update<T>(v);
    }
    template <class T, unsigned stack>
    [[gnu::always_inline]] bool push(T v) {
        const u64 sp = cut<stack>(c.state.gpr[rsp] - sizeof(T));
        if (!self().template store<T>(Seg::ss, sp, v)) return false;
        set_sp<stack>(sp);
        return true;
    }
    template <class T, unsigned stack>
    [[gnu::always_inline]] bool pop(T& v) {
        const u64 sp = cut<stack>(c.state.gpr[rsp]);
        if (!self().template load<T>(Seg::ss, sp, v)) return false;
        set_sp<stack>(sp + sizeof(T));
        return true;
    }

  private:
    Self& self() { return static_cast<Self&>(*this); }
};

class Fast : public Engine<Fast> {
  public:
    using Engine::Engine;
    template <class T>
    [[gnu::always_inline]] bool load(Seg seg, u64 offset, T& v) {
        const u8* p = c.fast_load(seg, offset, sizeof(T));
        if (p == nullptr) [[unlikely]]
            return false;
        v = load_le<T>(p);
        return true;
    }
    template <class T>
    [[gnu::always_inline]] bool store(Seg seg, u64 offset, T v) {
        u8* p = c.fast_store(seg, offset, sizeof(T));
        if (p == nullptr) [[unlikely]]
            return false;
        store_le(p, v);
        return true;
    }
    template <class T>
    [[gnu::always_inline]] bool load_for_update(Seg seg, u64 offset, T& v) {
        place_ = c.fast_store(seg, offset, sizeof(T));
        if (place_ == nullptr) [[unlikely]]
            return false;
        v = load_le<T>(place_);
        return true;
    }
    template <class T>
    [[gnu::always_inline]] void update(T v) {
        store_le(place_, v);
    }
    bool raise(Vector) { return false; }

  private:
    u8* place_ = nullptr;
};

class Slow : public Engine<Slow> {
  public:
    using Engine::Engine;
    template <class T>
    bool load(Seg seg, u64 offset, T& v) {
        return c.load<T>(seg, offset, v);
    }
    template <class T>
    bool store(Seg seg, u64 offset, T v) {
        return c.store<T>(seg, offset, v);
    }
    template <class T>
    bool load_for_update(Seg seg, u64 offset, T& v) {
        if (!c.load_for_update_miss(seg, offset, sizeof(T))) return false;
        v = load_le<T>(c.scratch());
        return true;
    }
    template <class T>
    void update(T v) {
        store_le(c.scratch(), v);
        c.update_miss(sizeof(T));
    }
    bool raise(Vector vector) { return c.raise(vector); }
};

// One selection for all engines: what records is chosen together with what executes.
struct Steps {
    Step fast = nullptr;
    Step slow = nullptr;
    RecordStep record = nullptr;
    explicit operator bool() const { return fast != nullptr; }
};

// The steps of a semantic function.
template <auto semantic>
const Entry* fast_step(Core& c, const Entry* e) {
    Fast x(c, e);
    if (!semantic(x, e->insn)) [[unlikely]]
        return e->slow(c, e);
    return go_on(c, e + 1);
}
template <auto semantic>
const Entry* slow_step(Core& c, const Entry* e) {
    c.current = e;
    Slow x(c, e);
    if (!semantic(x, e->insn)) return leave_faulted(c, e);
    if (c.attention) return leave_behind(c, e);
    c.current = nullptr;
    return go_on(c, e + 1);
}

template <auto semantic>
bool record_step(Recorder& r, const Insn& i) {
    return semantic(r, i);
}

// What the slow code takes for an operand place: one address form for all.
template <class P>
struct AnyForm {
    using type = P;
};
template <Form form>
struct AnyForm<Memory<form>> {
    using type = Memory<form == Form::absolute ? form : Form::any>;
};
template <class P>
using Any = typename AnyForm<P>::type;

}  // namespace mynah
