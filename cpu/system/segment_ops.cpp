// Instructions on segment registers, descriptor tables and descriptors (SDM vol. 2).
#include <algorithm>

#include "cpu/system/descriptor.h"
#include "cpu/system/handlers.h"

namespace mynah {

bool read_operand16(Core& core, const Insn& i, u16& value) {
    if (i.memory()) return core.load_operand<u16>(i, value);
    value = core.reg<u16>(i.rm);
    return true;
}

bool write_operand_zx(Core& core, const Insn& i, u64 value) {
    if (i.memory()) return core.store_operand<u16>(i, static_cast<u16>(value));
    if (i.osize == 2) {
        core.set_reg<u16>(i.rm, static_cast<u16>(value));
    } else {
        core.state.gpr[i.rm] = i.osize == 4 ? static_cast<u32>(value) : value;
    }
    return true;
}

bool umip_allows(Core& core) {
    if (core.cpl() == 0 || !(core.state.cr4 & cr4::umip)) return true;
    return core.raise(Vector::gp, 0);
}

namespace {

bool privileged(Core& core) {
    return core.cpl() == 0 ? true : core.raise(Vector::gp, 0);
}

// MOV SS and POP SS hold off interrupts and debug traps for one instruction, unless they already did.
bool loaded(Core& core, Seg seg) {
    if (seg != Seg::ss) return true;
    core.state.debug_shadow = true;
    core.attention = true;
    return false;
}

bool load_table(Core& core, const Insn& i, DescriptorTable& table) {
    if (!privileged(core)) return false;
    const unsigned size = core.mode.code64() ? 10 : 6;
    const u64 offset = core.effective_address(i);
    u64 linear = 0;
    std::array<u8, 10> bytes{};
    if (!core.linear(i.seg, offset, size, Access::read, linear)) return false;
    if (!read_memory(core, linear, bytes.data(), size, core.mmu.privilege())) return false;
    u64 base = core.mode.code64() ? load_le<u64>(&bytes[2]) : load_le<u32>(&bytes[2]);
    if (core.mode.code64()) {
        if (!canonical(base)) return core.raise(Vector::gp, 0);
    } else if (i.osize == 2) {
        base &= 0xFFFFFF;
    }
    table.limit = load_le<u16>(&bytes[0]);
    table.base = base;
    return true;
}

bool store_table(Core& core, const Insn& i, const DescriptorTable& table) {
    if (!umip_allows(core)) return false;
    const unsigned size = core.mode.code64() ? 10 : 6;
    u64 linear = 0;
    std::array<u8, 10> bytes{};
    store_le(&bytes[0], table.limit);
    store_le(&bytes[2], table.base);
    if (!core.linear(i.seg, core.effective_address(i), size, Access::write, linear)) return false;
    return write_memory(core, linear, bytes.data(), size, core.mmu.privilege());
}

// LLDT and LTR: a system descriptor out of the GDT, 16 bytes in IA-32e mode.
bool read_gdt_system(Core& core, u16 selector, Descriptor& d) {
    if (selector & 4) return raise_selector(core, Vector::gp, selector);
    return read_descriptor(core, selector, Vector::gp, 0, d, core.mode.long_mode);
}

void set_zf(Core& core, bool on) {
    core.state.flags.set_zf(on);
}

// May the program at this CPL see the segment (LAR, LSL, VERR, VERW)?
bool visible(const Core& core, const Descriptor& d) {
    if (d.is_code() && d.conforming()) return true;
    return d.dpl() >= std::max(core.cpl(), d.selector & 3u);
}

bool lar_type(const Core& core, const Descriptor& d) {
    if (d.segment()) return true;
    const u32 types = core.mode.long_mode ? 0x1A04 : 0x1A3E;  // bit per type
    return types >> d.type() & 1;
}

bool lsl_type(const Core& core, const Descriptor& d) {
    if (d.segment()) return true;
    const u32 types = core.mode.long_mode ? 0x0A04 : 0x0A0E;
    return types >> d.type() & 1;
}

// Finds the descriptor of an operand for LAR and the like. `found` is false where ZF shall be 0.
bool find_operand(Core& core, const Insn& i, Descriptor& d, bool& found) {
    u16 selector = 0;
    found = false;
    if (!read_operand16(core, i, selector)) return false;
    if (null_selector(selector)) return true;
    return find_descriptor(core, selector, d, found);
}

void set_result(Core& core, const Insn& i, u64 value) {
    if (i.osize == 2) {
        core.set_reg<u16>(i.reg, static_cast<u16>(value));
    } else {
        core.state.gpr[i.reg] = static_cast<u32>(value);
    }
}

bool verify(Core& core, const Insn& i, bool write) {
    Descriptor d;
    bool found = false;
    if (!find_operand(core, i, d, found)) return false;
    set_zf(core, found && d.segment() && visible(core, d) && (write ? d.writable_data() : d.readable()));
    return true;
}

}  // namespace

namespace handlers {

bool mov_to_sreg(Core& core, const Insn& i) {
    u16 selector = 0;
    if (i.reg == static_cast<u8>(Seg::cs) || i.reg > static_cast<u8>(Seg::gs)) return core.raise(Vector::ud);
    if (!read_operand16(core, i, selector)) return false;
    const Seg seg = static_cast<Seg>(i.reg);
    return load_segment(core, seg, selector) && loaded(core, seg);
}

bool mov_from_sreg(Core& core, const Insn& i) {
    if (i.reg > static_cast<u8>(Seg::gs)) return core.raise(Vector::ud);
    return write_operand_zx(core, i, core.state.segs[i.reg].selector);
}

// The register is in bits 3-5 of the opcode.
bool push_sreg(Core& core, const Insn& i) {
    const u16 selector = core.state.segs[i.opcode >> 3 & 7].selector;
    if (i.osize != 4) return core.push(selector, i.osize);
    // Recent processors move ESP by 4 and write 16 bits (SDM vol. 2 PUSH).
    const u64 mask = core.mode.stack_size == 4 ? 0xFFFFFFFF : 0xFFFF;
    const u64 sp = (core.stack_pointer() - 4) & mask;
    if (!core.store<u16>(Seg::ss, sp, selector)) return false;
    core.set_stack_pointer(sp);
    return true;
}

bool pop_sreg(Core& core, const Insn& i) {
    const Seg seg = static_cast<Seg>(i.opcode >> 3 & 7);
    const unsigned width = core.mode.stack_size;
    StackReader stack(core);
    u64 selector = 0;
    if (!stack.pop(selector, i.osize)) return false;
    const u64 sp = stack.sp();
    if (!load_segment(core, seg, static_cast<u16>(selector))) return false;
    set_stack_pointer(core, sp, width);
    return loaded(core, seg);
}

bool load_far_pointer(Core& core, const Insn& i) {
    Seg seg = Seg::ds;
    switch (i.op) {
        case Op::LES:
            seg = Seg::es;
            break;
        case Op::LSS:
            seg = Seg::ss;
            break;
        case Op::LFS:
            seg = Seg::fs;
            break;
        case Op::LGS:
            seg = Seg::gs;
            break;
        default:
            break;
    }
    u64 offset = 0;
    u16 selector = 0;
    if (!load_pointer(core, i, offset, selector) || !load_segment(core, seg, selector)) return false;
    if (i.osize == 2) {
        core.set_reg<u16>(i.reg, static_cast<u16>(offset));
    } else {
        core.state.gpr[i.reg] = offset;
    }
    return true;
}

bool lgdt(Core& core, const Insn& i) {
    return load_table(core, i, core.state.gdtr);
}
bool lidt(Core& core, const Insn& i) {
    return load_table(core, i, core.state.idtr);
}
bool sgdt(Core& core, const Insn& i) {
    return store_table(core, i, core.state.gdtr);
}
bool sidt(Core& core, const Insn& i) {
    return store_table(core, i, core.state.idtr);
}

bool lldt(Core& core, const Insn& i) {
    u16 selector = 0;
    Descriptor d;
    if (!privileged(core) || !read_operand16(core, i, selector)) return false;
    if (null_selector(selector)) {
        core.state.seg(Seg::ldtr) = null_register(selector, 0);
        return true;
    }
    if (!read_gdt_system(core, selector, d)) return false;
    const bool wrong = d.segment() || d.system_type() != SystemType::ldt || (d.high >> 40 & 31);
    if (wrong) return raise_selector(core, Vector::gp, selector);
    if (!d.present()) return raise_selector(core, Vector::np, selector);
    core.state.seg(Seg::ldtr) = d.to_register(selector);
    return true;
}

bool ltr(Core& core, const Insn& i) {
    u16 selector = 0;
    Descriptor d;
    if (!privileged(core) || !read_operand16(core, i, selector)) return false;
    if (null_selector(selector)) return core.raise(Vector::gp, 0);
    if (!read_gdt_system(core, selector, d)) return false;
    const bool tss = d.system_type() == SystemType::tss32 ||
                     (d.system_type() == SystemType::tss16 && !core.mode.long_mode);
    if (d.segment() || !tss || (d.high >> 40 & 31)) return raise_selector(core, Vector::gp, selector);
    if (!d.present()) return raise_selector(core, Vector::np, selector);
    if (!mark_busy(core, d, true)) return false;
    SegmentRegister& tr = core.state.seg(Seg::tr);
    tr = d.to_register(selector);
    tr.attributes |= 2;
    return true;
}

bool sldt(Core& core, const Insn& i) {
    return umip_allows(core) && write_operand_zx(core, i, core.state.seg(Seg::ldtr).selector);
}

bool str(Core& core, const Insn& i) {
    return umip_allows(core) && write_operand_zx(core, i, core.state.seg(Seg::tr).selector);
}

bool lar(Core& core, const Insn& i) {
    Descriptor d;
    bool found = false;
    if (!find_operand(core, i, d, found)) return false;
    const bool ok = found && lar_type(core, d) && visible(core, d);
    // Bits 16-19, the limit's, are undefined in the SDM; processors leave them as they are (AMD64 APM vol. 3
    // LAR).
    if (ok) set_result(core, i, (d.low >> 32) & (i.osize == 2 ? 0xFF00 : 0x00FFFF00));
    set_zf(core, ok);
    return true;
}

bool lsl(Core& core, const Insn& i) {
    Descriptor d;
    bool found = false;
    if (!find_operand(core, i, d, found)) return false;
    const bool ok = found && lsl_type(core, d) && visible(core, d);
    if (ok) set_result(core, i, d.limit());
    set_zf(core, ok);
    return true;
}

bool verr(Core& core, const Insn& i) {
    return verify(core, i, false);
}
bool verw(Core& core, const Insn& i) {
    return verify(core, i, true);
}

bool arpl(Core& core, const Insn& i) {
    const u16 rpl = core.reg<u16>(i.reg) & 3;
    u16 value = 0;
    u64 linear = 0;
    if (i.memory()) {
        if (!core.linear(i.seg, core.effective_address(i), 2, Access::write, linear)) return false;
        if (!core.probe_write(linear, 2) || !core.load_linear<u16>(linear, value)) return false;
    } else {
        value = core.reg<u16>(i.rm);
    }
    const bool raise = (value & 3) < rpl;
    if (raise) {
        value = static_cast<u16>((value & ~3) | rpl);
        if (!i.memory()) {
            core.set_reg<u16>(i.rm, value);
        } else if (!core.store_linear<u16>(linear, value)) {
            return false;
        }
    }
    set_zf(core, raise);
    return true;
}

}  // namespace handlers
}  // namespace mynah
