#include "cpu/x87/unit.h"

#include "cpu/interp/handler.h"
#include "cpu/interp/interrupts.h"
#include "cpu/system/cpu_model.h"
#include "cpu/x87/mmx.h"

namespace mynah {

namespace x87 {

// SDM vol. 1 8.7. With CR0.NE = 0, FERR# has been asserted since; a processor waits here for the interrupt
// that comes of it unless IGNNE# is asserted. If none can be taken now, waiting would be for ever, so the
// instruction goes on.
bool deliver_pending(Core& core) {
    if (core.state.cr0 & cr0::ne) return core.raise(Vector::mf);
    if (core.host.ignne()) return true;
    core.host.set_ferr(true);
    if (interrupt_pending(core) && (core.state.eflags & eflags::intr)) {
        core.next_rip = core.rip;
        core.attention = true;
        return false;
    }
    return true;
}

bool Unit::available() {
    if (core.state.cr0 & (cr0::em | cr0::ts)) return core.raise(Vector::nm);
    return true;
}

bool Unit::ready() {
    if (!available()) return false;
    return !(x.status & sw::summary) || deliver_pending(core);
}

void Unit::note_pointers() {
    x.fip = core.rip;
    x.fcs = core.state.seg(Seg::cs).selector;
    x.opcode = fop(insn);
    if (insn.memory() && !core.model.has(Feature::fdp_excptn_only)) {
        x.fdp = core.effective_address(insn);
        x.fds = core.state.seg(insn.seg).selector;
    }
}

void Unit::raise(u32 flags) {
    x.status |= static_cast<u16>(flags);
    if (!(flags & ~x.control & sw::exceptions)) return;
    if (insn.memory() && core.model.has(Feature::fdp_excptn_only)) {
        x.fdp = core.effective_address(insn);
        x.fds = core.state.seg(insn.seg).selector;
    }
    update_summary(core);
}

bool Unit::settle(const Env& e) {
    const u32 flags = e.visible_flags();
    if (e.rounded_up && (flags & fpu::flag::inexact)) x.status |= sw::c1;
    if (flags == 0) return true;
    raise(flags);
    return !(flags & ~x.control & fpu::flag::before);
}

bool Unit::stack_fault(bool overflow) {
    x.status |= sw::stack_fault;
    x.status = static_cast<u16>(overflow ? x.status | sw::c1 : x.status & ~sw::c1);
    raise(fpu::flag::invalid);
    return x.control & fpu::flag::invalid;
}

void update_summary(Core& core) {
    X87State& x = core.state.x87;
    const bool was = x.status & sw::summary;
    const bool now = x.status & ~x.control & sw::exceptions;
    x.status &= static_cast<u16>(~(sw::summary | sw::busy));
    if (now) x.status |= sw::summary | sw::busy;
    if (now && !(core.state.cr0 & cr0::ne)) core.host.set_ferr(true);
    if (was && !now) core.host.set_ferr(false);
}

u16 full_tag_word(const X87State& x) {
    unsigned tags = 0;
    for (unsigned n = 0; n < 8; ++n) {
        unsigned tag = 3;
        if (x.valid >> n & 1) {
            const fpu::F80& v = x.regs[n];
            const unsigned e = v.sign_exponent & 0x7FFF;
            tag = e == 0 && v.significand == 0 ? 1 : e == 0 || e == 0x7FFF || !(v.significand >> 63) ? 2 : 0;
        }
        tags |= tag << (2 * n);
    }
    return static_cast<u16>(tags);
}

void set_full_tag_word(X87State& x, u16 tags) {
    x.valid = 0;
    for (unsigned n = 0; n < 8; ++n) x.valid |= static_cast<u8>((tags >> (2 * n) & 3) != 3) << n;
}

void initialize(Core& core) {
    X87State& x = core.state.x87;
    x.control = 0x37F;
    x.status &= sw::summary;
    update_summary(core);
    x.valid = 0;
    x.opcode = 0;
    x.fip = x.fdp = 0;
    x.fcs = x.fds = 0;
}

}  // namespace x87

bool mmx_available(Core& core) {
    if (core.state.cr0 & cr0::em) return core.raise(Vector::ud);
    if (core.state.cr0 & cr0::ts) return core.raise(Vector::nm);
    return !(core.state.x87.status & x87::sw::summary) || x87::deliver_pending(core);
}

Handler x87_handler(const Insn& insn) {
    if (insn.op != Op::FPU && insn.op != Op::FWAIT) return nullptr;
    if (const Handler h = x87::arithmetic_function(insn)) return h;
    if (const Handler h = x87::move_function(insn)) return h;
    if (const Handler h = x87::special_function(insn)) return h;
    return x87::control_function(insn);
}

}  // namespace mynah
