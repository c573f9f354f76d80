// What x87 instruction functions share: availability, pending exceptions, the register stack, the pointers,
// and how flags of an operation become visible.
#pragma once

#include "cpu/core.h"
#include "cpu/fpu/x87.h"
#include "cpu/x87/environment.h"

namespace mynah::x87 {

using fpu::Env;
using fpu::F80;
using fpu::Number;

inline constexpr F80 kIndefinite{0xC000000000000000, 0xFFFF};

class Unit {
  public:
    Unit(Core& c, const Insn& i) : core(c), insn(i), x(c.state.x87) {}

    Core& core;
    const Insn& insn;
    X87State& x;

    // #NM (CR0.EM, CR0.TS); for waiting instructions also #MF or FERR# of what is pending.
    [[nodiscard]] bool available();
    [[nodiscard]] bool ready();

    // The instruction can't fault any more: last-instruction pointers, C1 = 0.
    void enter() {
        note_pointers();
        x.status &= static_cast<u16>(~sw::c1);
    }
    void note_pointers();

    // --- registers ---
    unsigned physical(unsigned i) const { return (x.top() + i) & 7; }
    bool empty(unsigned i) const { return !(x.valid >> physical(i) & 1); }
    F80 st(unsigned i) const { return x.regs[physical(i)]; }
    void set(unsigned i, F80 v) {
        x.regs[physical(i)] = v;
        x.valid |= static_cast<u8>(1u << physical(i));
    }
    void free(unsigned i) { x.valid &= static_cast<u8>(~(1u << physical(i))); }
    void push(F80 v) {
        x.set_top(x.top() - 1);
        set(0, v);
    }
    void pop() {
        free(0);
        x.set_top(x.top() + 1);
    }

    // --- flags ---
    Env env() const { return Env::from_x87(x.control, x.status); }
    void set_conditions(u16 v) { x.status = static_cast<u16>((x.status & ~sw::conditions) | v); }
    // Makes what `e` collected visible. False: an unmasked exception that keeps a register result from being
    // written.
    bool settle(const Env& e);
    // The same for a result in memory, before anything is written: overflow and underflow prevent it too.
    static bool prevents_store(const Env& e) { return e.unmasked() & ~fpu::flag::inexact; }
    // IE and SF. True if masked: the indefinite goes where the result would.
    bool stack_underflow() { return stack_fault(false); }
    bool stack_overflow() { return stack_fault(true); }

  private:
    bool stack_fault(bool overflow);
    void raise(u32 flags);
};

// The last instruction left an unmasked exception: #MF, or with CR0.NE = 0 the PC/AT's way. False: stop here.
[[nodiscard]] bool deliver_pending(Core& core);

// Value of the operand's register field.
inline unsigned sti(const Insn& i) {
    return i.rm & 7;
}

// Selectors of the families; null if it is not theirs.
using Function = bool (*)(Core&, const Insn&);
Function arithmetic_function(const Insn& i);
Function move_function(const Insn& i);
Function special_function(const Insn& i);
Function control_function(const Insn& i);

}  // namespace mynah::x87
