// Delivery of exceptions and interrupts (SDM vol. 3A ch. 6, vol. 3B ch. 20, vol. 2 INT n).
#include "cpu/system/events.h"
#include "cpu/system/transfer.h"

namespace mynah {

namespace {

struct Event {
    u8 vector = 0;
    InterruptKind kind = InterruptKind::external;
    bool has_error_code = false;
    u32 error_code = 0;
    u64 return_rip = 0;
    bool set_rf = false;  // in the pushed image

    bool software() const {
        return kind == InterruptKind::software || kind == InterruptKind::exception_instruction;
    }
    u32 ext() const { return software() ? 0 : 1; }
    // Error code for what is wrong with the gate itself.
    u32 gate_error() const { return vector * 8u + 2 + ext(); }
};

u32 flags_image(const Core& core, const Event& e) {
    return core.state.read_eflags() | (e.set_rf ? eflags::rf : 0);
}

void clear_flags(Core& core, u32 mask) {
    core.state.eflags &= ~mask;
    core.attention = true;
}

// Sets state.rip too: events come between instructions.
bool arrive(Core& core, const SegmentRegister& cs, u64 rip) {
    enter_code(core, cs, rip);
    core.state.rip = rip;
    return true;
}

// Through the table of real mode; also VME's redirected software interrupts, whose table is at linear 0.
bool deliver_real(Core& core, const Event& e) {
    CpuState& s = core.state;
    const bool v8086 = core.mode.v8086;
    if (!v8086 && e.vector * 4u + 3 > s.idtr.limit) return core.raise(Vector::gp, e.gate_error());
    u32 target = 0;
    const u64 at = (v8086 ? 0 : s.idtr.base) + e.vector * 4u;
    if (!read_memory(core, at, &target, 4, v8086 ? Privilege::user : Privilege::supervisor)) return false;
    const u64 ip = target & 0xFFFF;
    if (ip > s.seg(Seg::cs).limit) return core.raise(Vector::gp, 0);
    u32 image = flags_image(core, e);
    u32 cleared = eflags::tf | eflags::ac | eflags::rf | eflags::intr;
    const bool virtual_if = v8086 && (s.eflags & eflags::iopl) != eflags::iopl;
    if (virtual_if) {
        image = (image & ~eflags::intr) | eflags::iopl | (s.eflags & eflags::vif ? eflags::intr : 0);
        cleared = eflags::tf | eflags::rf | eflags::vif;
    } else if (v8086) {
        cleared = eflags::tf | eflags::rf | eflags::intr;
    }
    StackFrame frame(core, s.seg(Seg::ss), core.stack_pointer(), core.mode.stack_size, core.mmu.privilege());
    frame.push(image, 2);
    frame.push(s.seg(Seg::cs).selector, 2);
    frame.push(e.return_rip, 2);
    if (!frame.check(0, e.ext())) return false;
    frame.write();
    core.set_stack_pointer(frame.sp());
    clear_flags(core, cleared);
    load_real_segment(core, Seg::cs, static_cast<u16>(target >> 16));
    core.next_rip = s.rip = ip;
    core.update_mode(Core::Changed::stack_and_code);
    return true;
}

bool check_handler_code(Core& core, u16 selector, u32 ext, Descriptor& code) {
    if (null_selector(selector)) return core.raise(Vector::gp, ext);
    if (!read_descriptor(core, selector, Vector::gp, ext, code)) return false;
    if (!code.is_code() || code.dpl() > core.cpl()) return raise_selector(core, Vector::gp, selector, ext);
    if (core.mode.long_mode && (!code.long_code() || code.big())) {
        return raise_selector(core, Vector::gp, selector, ext);
    }
    if (!code.present()) return raise_selector(core, Vector::np, selector, ext);
    return true;
}

void clear_after_gate(Core& core, bool interrupt_gate) {
    clear_flags(core,
                eflags::tf | eflags::vm | eflags::rf | eflags::nt | (interrupt_gate ? eflags::intr : 0));
}

bool deliver_long(Core& core, const Event& e) {
    CpuState& s = core.state;
    const u32 ext = e.ext();
    if (e.vector * 16u + 15 > s.idtr.limit) return core.raise(Vector::gp, e.gate_error());
    Descriptor gate;
    const u64 at = s.idtr.base + e.vector * 16u;
    if (!read_system(core, at, gate.low) || !read_system(core, at + 8, gate.high)) return false;
    const SystemType type = gate.system_type();
    const bool interrupt_gate = type == SystemType::interrupt_gate32;
    if (gate.segment() || !(interrupt_gate || type == SystemType::trap_gate32)) {
        return core.raise(Vector::gp, e.gate_error());
    }
    if (e.software() && gate.dpl() < core.cpl()) return core.raise(Vector::gp, e.gate_error());
    if (!gate.present()) return core.raise(Vector::np, e.gate_error());

    Descriptor code;
    if (!check_handler_code(core, gate.gate_selector(), ext, code)) return false;
    const bool inner = !code.conforming() && code.dpl() < core.cpl();
    const unsigned level = inner ? code.dpl() : core.cpl();
    u64 sp = s.gpr[rsp];
    if (const unsigned ist = gate.gate_ist()) {
        if (!read_inner_stack64(core, level, ist, ext, sp)) return false;
    } else if (inner) {
        if (!read_inner_stack64(core, level, 0, ext, sp)) return false;
    }
    const SegmentRegister cs = code_register(code, level);
    if (!canonical(gate.gate_offset64())) return core.raise(Vector::gp, ext);
    StackFrame frame(core, {}, sp & ~u64{15}, 8, privilege_at(core, level));
    frame.push(s.seg(Seg::ss).selector, 8);
    frame.push(s.gpr[rsp], 8);
    frame.push(flags_image(core, e), 8);
    frame.push(s.seg(Seg::cs).selector, 8);
    frame.push(e.return_rip, 8);
    if (e.has_error_code) frame.push(e.error_code, 8);
    if (!frame.check(0, ext) || !mark_accessed(core, code)) return false;
    frame.write();
    s.gpr[rsp] = frame.sp();
    if (inner) s.seg(Seg::ss) = null_register(static_cast<u16>(level), level);
    clear_after_gate(core, interrupt_gate);
    SegmentRegister entered = cs;
    entered.attributes |= 1;
    return arrive(core, entered, gate.gate_offset64());
}

// Interrupt and trap gates of protected mode, 16 and 32 bits, also out of virtual-8086 mode.
bool deliver_gate(Core& core, const Event& e, const Descriptor& gate) {
    CpuState& s = core.state;
    const u32 ext = e.ext();
    const bool v8086 = core.mode.v8086;
    const bool interrupt_gate = !(gate.type() & 1);
    const unsigned size = gate.type() & 8 ? 4 : 2;
    const u64 offset = size == 4 ? gate.gate_offset32() : gate.gate_offset16();
    Descriptor code;
    if (!check_handler_code(core, gate.gate_selector(), ext, code)) return false;
    const bool inner = !code.conforming() && code.dpl() < core.cpl();
    if (v8086 && !(inner && code.dpl() == 0)) return raise_selector(core, Vector::gp, code.selector, ext);

    const u32 image = flags_image(core, e);
    if (!inner) {
        const unsigned cpl = core.cpl();
        StackFrame frame(core, s.seg(Seg::ss), core.stack_pointer(), core.mode.stack_size,
                         core.mmu.privilege());
        frame.push(image, size);
        frame.push(s.seg(Seg::cs).selector, size);
        frame.push(e.return_rip, size);
        if (e.has_error_code) frame.push(e.error_code, size);
        if (!frame.check(0, ext) || !check_code_offset(core, code_register(code, cpl), offset, ext))
            return false;
        if (!mark_accessed(core, code)) return false;
        frame.write();
        core.set_stack_pointer(frame.sp());
        clear_after_gate(core, interrupt_gate);
        return arrive(core, code_register(code, cpl), offset);
    }

    const unsigned level = code.dpl();
    u16 ss_selector = 0;
    u64 sp = 0;
    Descriptor ss;
    if (!read_inner_stack(core, level, ext, ss_selector, sp)) return false;
    if (!check_inner_ss(core, ss_selector, level, ext, ss)) return false;
    const unsigned width = stack_width(ss.to_register(ss_selector), false);
    StackFrame frame(core, ss.to_register(ss_selector), sp, width, privilege_at(core, level));
    if (v8086) {
        for (const Seg seg : {Seg::gs, Seg::fs, Seg::ds, Seg::es}) frame.push(s.seg(seg).selector, size);
    }
    frame.push(s.seg(Seg::ss).selector, size);
    frame.push(s.gpr[rsp], size);
    frame.push(image, size);
    frame.push(s.seg(Seg::cs).selector, size);
    frame.push(e.return_rip, size);
    if (e.has_error_code) frame.push(e.error_code, size);
    if (!frame.check(ss_selector, ext)) return false;
    if (!check_code_offset(core, code_register(code, level), offset, ext)) return false;
    if (!mark_accessed(core, ss) || !mark_accessed(core, code)) return false;
    frame.write();
    if (v8086) {
        for (const Seg seg : {Seg::gs, Seg::fs, Seg::ds, Seg::es}) s.seg(seg) = null_register(0, 0);
    }
    s.seg(Seg::ss) = ss.to_register(ss_selector);
    set_stack_pointer(core, frame.sp(), width);
    clear_after_gate(core, interrupt_gate);
    return arrive(core, code_register(code, level), offset);
}

bool deliver_protected(Core& core, const Event& e) {
    CpuState& s = core.state;
    if (e.vector * 8u + 7 > s.idtr.limit) return core.raise(Vector::gp, e.gate_error());
    Descriptor gate;
    if (!read_system(core, static_cast<u32>(s.idtr.base + e.vector * 8u), gate.low)) return false;
    const SystemType type = gate.system_type();
    switch (type) {
        case SystemType::task_gate:
        case SystemType::interrupt_gate16:
        case SystemType::trap_gate16:
        case SystemType::interrupt_gate32:
        case SystemType::trap_gate32:
            break;
        default:
            return core.raise(Vector::gp, e.gate_error());
    }
    if (gate.segment()) return core.raise(Vector::gp, e.gate_error());
    if (e.software() && gate.dpl() < core.cpl()) return core.raise(Vector::gp, e.gate_error());
    if (!gate.present()) return core.raise(Vector::np, e.gate_error());
    if (type != SystemType::task_gate) return deliver_gate(core, e, gate);
    if (e.set_rf) s.eflags |= eflags::rf;
    const bool ok = task_gate(core, gate.gate_selector(),
                              {.reason = TaskReason::interrupt,
                               .ext = e.ext(),
                               .has_error_code = e.has_error_code,
                               .error_code = e.error_code,
                               .return_rip = e.return_rip});
    if (ok) s.rip = core.next_rip;
    return ok;
}

// Where VME sends INT n of a virtual-8086 program: to its own table if the TSS's bitmap says so.
bool redirected(Core& core, u8 vector, bool& redirect) {
    const SegmentRegister& tr = core.state.seg(Seg::tr);
    redirect = false;
    if (!(core.state.cr4 & cr4::vme)) return true;
    if (!(tr.type() & 8) || tr.limit < 103) return core.raise(Vector::gp, 0);
    u16 io_map = 0;
    if (!read_system(core, static_cast<u32>(tr.base + 102), io_map)) return false;
    if (io_map < 32) return core.raise(Vector::gp, 0);
    const u32 at = io_map - 32u + vector / 8u;
    if (at > tr.limit) return core.raise(Vector::gp, 0);
    u8 map = 0;
    if (!read_system(core, static_cast<u32>(tr.base + at), map)) return false;
    redirect = !(map >> (vector & 7) & 1);
    return true;
}

bool deliver(Core& core, const Event& e) {
    if (core.log.enabled(LogItem::interrupts)) {
        const CpuState& s = core.state;
        core.log(LogItem::interrupts,
                 "int {:02x} kind={} error={:x} cpl={} at {:04x}:{:x} sp={:04x}:{:x} cr2={:x} eflags={:x}",
                 e.vector, static_cast<unsigned>(e.kind), e.error_code, core.cpl(), s.seg(Seg::cs).selector,
                 e.return_rip, s.seg(Seg::ss).selector, s.gpr[rsp], s.cr2, s.read_eflags());
    }
    core.faulted = false;
    core.repeat_pause = ~u64{0};
    core.state.monitor_armed = false;
    if (!core.mode.protected_mode) return deliver_real(core, e);
    if (core.mode.long_mode) return deliver_long(core, e);
    if (core.mode.v8086 && e.kind == InterruptKind::software) {
        bool redirect = false;
        if (!redirected(core, e.vector, redirect)) return false;
        if (redirect) return deliver_real(core, e);
        if ((core.state.eflags & eflags::iopl) != eflags::iopl) return core.raise(Vector::gp, 0);
    }
    return deliver_protected(core, e);
}

enum class Class : u8 { benign, contributory, page_fault, double_fault };

Class class_of(Vector v) {
    switch (v) {
        case Vector::de:
        case Vector::ts:
        case Vector::np:
        case Vector::ss:
        case Vector::gp:
            return Class::contributory;
        case Vector::pf:
            return Class::page_fault;
        case Vector::df:
            return Class::double_fault;
        default:
            return Class::benign;
    }
}

// SDM vol. 3A table 6-5.
bool makes_double(Class first, Class second) {
    if (second == Class::benign) return false;
    if (first == Class::contributory) return second == Class::contributory;
    return first == Class::page_fault;
}

Event event_of(Core& core, const Fault& fault) {
    CpuState& s = core.state;
    Event e;
    e.vector = static_cast<u8>(fault.vector);
    e.kind = InterruptKind::external;
    e.has_error_code = fault.has_error_code;
    e.error_code = fault.error_code;
    e.return_rip = fault.trap ? core.next_rip : core.rip;
    e.set_rf = !fault.trap || core.in_repeat();
    if (fault.vector == Vector::pf) s.cr2 = fault.address;
    if (fault.vector == Vector::db) {
        // An instruction breakpoint is the one fault that leaves RF as it is (SDM vol. 3B 18.3.1.1).
        if (!fault.trap && !(fault.address & (1u << 13))) e.set_rf = false;
        s.dr[6] = (s.dr[6] & ~u64{0xF}) | fault.address | 0xFFFF0FF0;
        s.dr[7] &= ~u64{1 << 13};
        s.msr.debugctl &= ~debugctl::btf;
    }
    return e;
}

bool shut_down(Core& core) {
    CpuState& s = core.state;
    core.faulted = false;
    s.activity = Activity::shutdown;
    core.attention = true;
    core.log(LogItem::cpu_reset,
             "triple fault: at {:04x}:{:x} sp={:04x}:{:x} cr0={:x} cr2={:x} cr3={:x} cr4={:x} efer={:x} "
             "idt={:x}+{:x}; last "
             "#{} error {:x}",
             s.seg(Seg::cs).selector, core.rip, s.seg(Seg::ss).selector, s.gpr[rsp], s.cr0, s.cr2, s.cr3,
             s.cr4, s.efer, s.idtr.base, s.idtr.limit, static_cast<unsigned>(core.fault.vector),
             core.fault.error_code);
    return false;
}

// Delivers faults until one arrives. `during`: what was being delivered when `fault` came up.
bool deliver_chain(Core& core, Fault fault, Class during) {
    for (;;) {
        const Class now = class_of(fault.vector);
        if (during == Class::double_fault && now != Class::benign) return shut_down(core);
        if (makes_double(during, now)) {
            if (fault.vector == Vector::pf) core.state.cr2 = fault.address;
            fault = Fault{.vector = Vector::df, .has_error_code = true};
        }
        Event e = event_of(core, fault);
        // Real mode pushes no error codes.
        if (!core.mode.protected_mode) e.has_error_code = false;
        if (deliver(core, e)) {
            core.faulted = false;
            return true;
        }
        during = class_of(fault.vector);
        fault = core.fault;
        fault.trap = false;
    }
}

}  // namespace

bool deliver_fault(Core& core, const Fault& fault) {
    // By value: nested faults are latched in core.fault.
    const Fault first = fault;
    // If a trap's delivery faults, what returns is still the trap's address.
    if (first.trap) core.rip = core.next_rip;
    return deliver_chain(core, first, Class::benign);
}

bool deliver_interrupt(Core& core, u8 vector, InterruptKind kind) {
    CpuState& s = core.state;
    core.rip = core.next_rip = s.rip;
    const bool in_repeat = core.in_repeat();
    if (deliver(core, Event{.vector = vector, .kind = kind, .return_rip = s.rip, .set_rf = in_repeat}))
        return true;
    return deliver_chain(core, core.fault, Class::benign);
}

bool software_interrupt(Core& core, u8 vector, InterruptKind kind) {
    return deliver(core, Event{.vector = vector, .kind = kind, .return_rip = core.next_rip});
}

namespace {

// IOPL, then the bitmap of the TSS.
bool port_permitted(Core& core, u16 port, unsigned width) {
    const CpuState& s = core.state;
    if (!core.mode.protected_mode) return true;
    if (!core.mode.v8086 && core.cpl() <= (s.eflags >> 12 & 3)) return true;
    const SegmentRegister& tr = s.seg(Seg::tr);
    if (!(tr.type() & 8) || tr.limit < 103) return core.raise(Vector::gp, 0);
    const auto address = [&](u64 offset) {
        return core.mode.long_mode ? tr.base + offset : static_cast<u32>(tr.base + offset);
    };
    u16 io_map = 0;
    if (!read_system(core, address(102), io_map)) return false;
    // Two bytes are read always.
    const u32 at = io_map + port / 8u;
    if (at + 1 > tr.limit) return core.raise(Vector::gp, 0);
    u16 bits = 0;
    if (!read_system(core, address(at), bits)) return false;
    const u32 mask = ((1u << width) - 1) << (port & 7);
    return (bits & mask) == 0 ? true : core.raise(Vector::gp, 0);
}

// Breakpoints on ports, with CR4.DE: traps behind the instruction (SDM vol. 3B 18.2.4).
void check_port_breakpoints(Core& core, u16 port, unsigned width) {
    CpuState& s = core.state;
    if (!(s.cr4 & cr4::de) || (s.dr[7] & 0xFF) == 0) return;
    for (unsigned n = 0; n < 4; ++n) {
        const u64 control = s.dr[7] >> (16 + 4 * n) & 15;
        if (!(s.dr[7] >> (2 * n) & 3) || (control & 3) != 2) continue;
        static constexpr u64 kLength[4] = {1, 2, 8, 4};
        const u64 length = kLength[control >> 2];
        const u64 base = s.dr[n] & ~(length - 1);
        if (port >= base + length || base >= u64{port} + width) continue;
        s.pending_debug |= u64{1} << n;
        core.attention = true;
    }
}

}  // namespace

bool check_io_permission(Core& core, u16 port, unsigned width) {
    if (!port_permitted(core, port, width)) return false;
    check_port_breakpoints(core, port, width);
    return true;
}

// The checks of POPF are behind its caller; here is only what may change (SDM vol. 2 POPF).
void set_flags_from_image(Core& core, u32 value, unsigned osize) {
    CpuState& s = core.state;
    const unsigned iopl = s.eflags >> 12 & 3;
    u32 mask = eflags::arithmetic | eflags::tf | eflags::df | eflags::nt;
    if (osize != 2) mask |= eflags::ac | eflags::id;
    if (core.mode.v8086) {
        if (iopl == 3) {
            mask |= eflags::intr;
        } else if (s.cr4 & cr4::vme) {
            s.eflags = (s.eflags & ~eflags::vif) | (value & eflags::intr ? eflags::vif : 0);
        }
    } else {
        if (core.cpl() <= iopl) mask |= eflags::intr;
        if (core.cpl() == 0) mask |= eflags::iopl;
    }
    const u32 old = s.read_eflags();
    u32 flags = (old & ~mask) | (value & mask);
    if (osize != 2) flags &= ~eflags::rf;
    s.write_eflags(flags);
    constexpr u32 kWatched = eflags::intr | eflags::tf | eflags::vif | eflags::ac;
    if ((old ^ s.eflags) & kWatched || flags & eflags::tf) {
        core.attention = true;
        if ((old ^ s.eflags) & eflags::ac) core.update_mode();
    }
}

}  // namespace mynah
