// Stack instructions that move more than a register, and the flags image (SDM vol. 2: ENTER, PUSHA, POPA,
// POP, PUSHF, POPF, CLI, STI).
#include "cpu/interp/families.h"
#include "cpu/interp/operand_access.h"
#include "cpu/system/events.h"

namespace mynah {

namespace {

u64 cut_stack(const Core& c, u64 sp) {
    return cut_to(sp, c.mode.stack_size);
}

bool load_sized(Core& c, u64 sp, unsigned size, u64& v) {
    return by_word_size(size, [&]<class T>() {
        T t;
        if (!c.load<T>(Seg::ss, sp, t)) return false;
        v = t;
        return true;
    });
}

bool store_sized(Core& c, u64 sp, unsigned size, u64 v) {
    return by_word_size(size, [&]<class T>() { return c.store<T>(Seg::ss, sp, static_cast<T>(v)); });
}

bool can_store(Core& c, u64 sp, unsigned size) {
    u64 a;
    return c.linear(Seg::ss, sp, size, Access::write, a) && c.probe_write(a, size);
}

// The address of a memory destination counts the stack pointer behind the pop.
template <class T>
bool pop_memory(Core& c, const Insn& i) {
    const u64 old = c.state.gpr[rsp];
    T v;
    if (!c.load<T>(Seg::ss, c.stack_pointer(), v)) return false;
    c.set_stack_pointer(c.stack_pointer() + sizeof(T));
    if (c.store_operand<T>(i, v)) return true;
    c.state.gpr[rsp] = old;
    return false;
}

bool pusha(Core& c, const Insn& i) {
    const u64 sp = c.stack_pointer();
    for (unsigned n = 1; n <= 8; ++n) {
        if (!can_store(c, cut_stack(c, sp - n * i.osize), i.osize)) return false;
    }
    for (unsigned n = 0; n < 8; ++n) {
        if (!store_sized(c, cut_stack(c, sp - (n + 1) * i.osize), i.osize, c.state.gpr[n])) return false;
    }
    c.set_stack_pointer(sp - u64{8} * i.osize);
    return true;
}

bool popa(Core& c, const Insn& i) {
    const u64 sp = c.stack_pointer();
    u64 v[8];
    for (unsigned n = 0; n < 8; ++n) {
        if (!load_sized(c, cut_stack(c, sp + n * i.osize), i.osize, v[7 - n])) return false;
    }
    for (unsigned n = 0; n < 8; ++n) {
        if (n != rsp) set_sized(c, n, v[n], i.osize);
    }
    c.set_stack_pointer(sp + u64{8} * i.osize);
    return true;
}

bool enter(Core& c, const Insn& i) {
    const unsigned size = i.osize, level = static_cast<unsigned>(i.disp) & 31;
    u64 sp = c.stack_pointer();
    u64 bp = c.state.gpr[rbp];
    const u64 frame = cut_stack(c, sp - size);
    // Nothing but the stack below SP is written before the last check, and that the guest may not rely on;
    // the registers change at the end.
    if (!store_sized(c, frame, size, bp)) return false;
    sp = frame;
    for (unsigned n = 1; n < level; ++n) {
        bp = cut_stack(c, bp - size);
        u64 v;
        if (!load_sized(c, bp, size, v)) return false;
        sp = cut_stack(c, sp - size);
        if (!store_sized(c, sp, size, v)) return false;
    }
    if (level != 0) {
        sp = cut_stack(c, sp - size);
        if (!store_sized(c, sp, size, frame)) return false;
    }
    sp = cut_stack(c, sp - static_cast<u16>(i.imm));
    if (!can_store(c, sp, size)) return false;
    set_sized(c, rbp, frame, size);
    c.set_stack_pointer(sp);
    return true;
}

unsigned iopl(const Core& c) {
    return c.state.eflags >> 12 & 3;
}

// v8086 below IOPL 3: only 16-bit images, and only with VME (SDM vol. 3B 20.3).
bool virtual_flags(const Core& c) {
    return c.mode.v8086 && iopl(c) < 3;
}

bool pushf(Core& c, const Insn& i) {
    u32 v = c.state.read_eflags() & ~(eflags::vm | eflags::rf);
    if (virtual_flags(c)) {
        if (!(c.state.cr4 & cr4::vme) || i.osize != 2) return c.raise(Vector::gp, 0);
        v = (v & ~eflags::intr) | eflags::iopl | (v & eflags::vif ? eflags::intr : 0);
    }
    return c.push(v, i.osize);
}

bool popf(Core& c, const Insn& i) {
    const u64 old = c.state.gpr[rsp];
    const bool virtualised = virtual_flags(c);
    if (virtualised && (!(c.state.cr4 & cr4::vme) || i.osize != 2)) return c.raise(Vector::gp, 0);
    u64 v;
    if (!c.pop(v, i.osize)) return false;
    const u32 image = static_cast<u32>(v);
    if (!virtualised) {
        set_flags_from_image(c, image, i.osize);
        return true;
    }
    if ((image & eflags::tf) || ((image & eflags::intr) && (c.state.eflags & eflags::vip))) {
        c.state.gpr[rsp] = old;
        return c.raise(Vector::gp, 0);
    }
    constexpr u32 kChanges = eflags::arithmetic | eflags::tf | eflags::df | eflags::nt;
    u32 flags = (c.state.read_eflags() & ~(kChanges | eflags::vif)) | (image & kChanges);
    if (image & eflags::intr) flags |= eflags::vif;
    c.state.write_eflags(flags);
    c.attention = true;
    return true;
}

bool cli(Core& c, const Insn& i) {
    const bool set = i.op == Op::STI;
    u32& f = c.state.eflags;
    if (!c.mode.protected_mode || (c.mode.v8086 ? iopl(c) == 3 : c.mode.cpl <= iopl(c))) {
        if (set) {
            // One more instruction before the first interrupt.
            if (!(f & eflags::intr)) c.state.interrupt_shadow = true;
            f |= eflags::intr;
            c.attention = true;
        } else {
            f &= ~eflags::intr;
        }
        return true;
    }
    const bool virtual_if =
        c.mode.v8086 ? (c.state.cr4 & cr4::vme) != 0 : c.mode.cpl == 3 && (c.state.cr4 & cr4::pvi);
    if (!virtual_if) return c.raise(Vector::gp, 0);
    if (set && (f & eflags::vip)) return c.raise(Vector::gp, 0);
    f = set ? f | eflags::vif : f & ~eflags::vif;
    return true;
}

}  // namespace

Handler stack_handler(const Insn& i) {
    switch (i.op) {
        case Op::POP:
            return by_word_size(i.osize, []<class T>() -> Handler { return pop_memory<T>; });
        case Op::PUSHA:
            return pusha;
        case Op::POPA:
            return popa;
        case Op::ENTER:
            return enter;
        case Op::PUSHF:
            return pushf;
        case Op::POPF:
            return popf;
        case Op::CLI:
        case Op::STI:
            return cli;
        default:
            return nullptr;
    }
}

}  // namespace mynah
