#include "cpu/system/control.h"

#include "cpu/apic/local_apic.h"
#include "cpu/sse/access.h"
#include "cpu/system/cpu_model.h"
#include "cpu/system/cpuid.h"
#include "cpu/system/descriptor.h"
#include "cpu/system/handlers.h"

namespace mynah {

namespace {

bool reload_pdptes(Core& core, u64 cr3_value) {
    if (!core.mmu.load_pdptes(cr3_value)) return core.raise(Vector::gp, 0);
    core.state.pdpte = core.mmu.pdptes();
    return true;
}

// DR4 and DR5 are DR6 and DR7 unless CR4.DE. False: #UD, or #DB when DR7.GD guards the registers.
bool check_debug_access(Core& core, unsigned& n) {
    CpuState& s = core.state;
    if ((n == 4 || n == 5) && (s.cr4 & cr4::de)) return core.raise(Vector::ud);
    if (core.cpl() != 0) return core.raise(Vector::gp, 0);
    if (s.dr[7] >> 13 & 1) return core.raise(Fault{.vector = Vector::db, .address = 1u << 13});
    if (n == 4 || n == 5) n += 2;
    return true;
}

}  // namespace

u64 supported_cr4(const CpuModel& m) {
    constexpr struct {
        Feature feature;
        u64 bits;
    } kBits[] = {
        {Feature::vme, cr4::vme | cr4::pvi},
        {Feature::tsc, cr4::tsd},
        {Feature::de, cr4::de},
        {Feature::pse, cr4::pse},
        {Feature::pae, cr4::pae},
        {Feature::mce, cr4::mce},
        {Feature::pge, cr4::pge},
        {Feature::rdpmc, cr4::pce},
        {Feature::fxsr, cr4::osfxsr},
        {Feature::sse, cr4::osxmmexcpt},
        {Feature::umip, cr4::umip},
        {Feature::fsgsbase, cr4::fsgsbase},
        {Feature::pcid, cr4::pcide},
        {Feature::xsave, cr4::osxsave},
        {Feature::smep, cr4::smep},
        {Feature::smap, cr4::smap},
    };
    u64 v = 0;
    for (const auto& b : kBits) v |= m.has(b.feature) ? b.bits : 0;
    return v;
}

bool write_cr0(Core& core, u64 value) {
    CpuState& s = core.state;
    if (value >> 32) return core.raise(Vector::gp, 0);
    constexpr u64 legal =
        cr0::pe | cr0::mp | cr0::em | cr0::ts | cr0::ne | cr0::wp | cr0::am | cr0::nw | cr0::cd | cr0::pg;
    value = (value & legal) | cr0::et;
    const u64 changed = value ^ s.cr0;
    const bool paging = value & cr0::pg;
    if (paging && !(value & cr0::pe)) return core.raise(Vector::gp, 0);
    if ((value & cr0::nw) && !(value & cr0::cd)) return core.raise(Vector::gp, 0);
    u64 efer_value = s.efer;
    if (changed & cr0::pg) {
        if (!paging && ((s.cr4 & cr4::pcide) || core.mode.code64())) return core.raise(Vector::gp, 0);
        if (paging && (s.efer & efer::lme)) {
            // Activating IA-32e mode (SDM vol. 3A 10.8.5).
            const bool tss16 = (s.seg(Seg::tr).type() & 0xD) == 1 && s.seg(Seg::tr).present();
            if (!(s.cr4 & cr4::pae) || s.seg(Seg::cs).long_code() || tss16) return core.raise(Vector::gp, 0);
            efer_value |= efer::lma;
        }
        if (!paging) efer_value &= ~efer::lma;
    }
    const bool pae = paging && (s.cr4 & cr4::pae) && !(efer_value & efer::lma);
    if (pae && (changed & (cr0::pg | cr0::cd | cr0::nw)) && !reload_pdptes(core, s.cr3)) return false;
    s.cr0 = value;
    s.efer = efer_value;
    core.log(LogItem::mmu, "CR0={:08x}", value);
    core.update_mode();
    return true;
}

bool write_cr3(Core& core, u64 value) {
    CpuState& s = core.state;
    if (core.mode.long_mode) {
        if (s.cr4 & cr4::pcide) value &= ~(u64{1} << 63);  // "keep the TLB entries"
        if (value >> core.model.physical_bits) return core.raise(Vector::gp, 0);
    } else {
        value &= 0xFFFFFFFF;
        if ((s.cr0 & cr0::pg) && (s.cr4 & cr4::pae) && !reload_pdptes(core, value)) return false;
    }
    s.cr3 = value;
    core.log(LogItem::mmu, "CR3={:08x}", value);
    core.update_mode();
    return true;
}

bool write_cr4(Core& core, u64 value) {
    CpuState& s = core.state;
    if (value & ~supported_cr4(core.model)) return core.raise(Vector::gp, 0);
    const u64 changed = value ^ s.cr4;
    if (core.mode.long_mode && !(value & cr4::pae)) return core.raise(Vector::gp, 0);
    if ((changed & value & cr4::pcide) && (!core.mode.long_mode || (s.cr3 & 0xFFF)))
        return core.raise(Vector::gp, 0);
    const bool pae = (s.cr0 & cr0::pg) && (value & cr4::pae) && !core.mode.long_mode;
    if (pae && (changed & (cr4::pae | cr4::pge | cr4::pse | cr4::smep)) && !reload_pdptes(core, s.cr3))
        return false;
    s.cr4 = value;
    core.log(LogItem::mmu, "CR4={:08x}", value);
    core.update_mode();
    return true;
}

namespace handlers {

bool mov_to_cr(Core& core, const Insn& i) {
    CpuState& s = core.state;
    const u64 value = core.mode.code64() ? s.gpr[i.rm] : static_cast<u32>(s.gpr[i.rm]);
    if (i.reg == 1 || (i.reg > 4 && !(i.reg == 8 && core.mode.code64()))) return core.raise(Vector::ud);
    if (core.cpl() != 0) return core.raise(Vector::gp, 0);
    switch (i.reg) {
        case 0:
            return write_cr0(core, value);
        case 2:
            s.cr2 = value;
            return true;
        case 3:
            return write_cr3(core, value);
        case 4:
            return write_cr4(core, value);
        default:
            if (value >> 4) return core.raise(Vector::gp, 0);
            if (core.apic) core.apic->set_tpr(static_cast<u8>(value << 4));
            core.attention = true;
            return true;
    }
}

bool mov_from_cr(Core& core, const Insn& i) {
    CpuState& s = core.state;
    if (i.reg == 1 || (i.reg > 4 && !(i.reg == 8 && core.mode.code64()))) return core.raise(Vector::ud);
    if (core.cpl() != 0) return core.raise(Vector::gp, 0);
    u64 value = 0;
    switch (i.reg) {
        case 0:
            value = s.cr0;
            break;
        case 2:
            value = s.cr2;
            break;
        case 3:
            value = s.cr3;
            break;
        case 4:
            value = s.cr4;
            break;
        default:
            value = core.apic ? core.apic->tpr() >> 4 : 0u;
    }
    s.gpr[i.rm] = core.mode.code64() ? value : static_cast<u32>(value);
    return true;
}

bool mov_to_dr(Core& core, const Insn& i) {
    CpuState& s = core.state;
    unsigned n = i.reg;
    if (!check_debug_access(core, n)) return false;
    u64 value = core.mode.code64() ? s.gpr[i.rm] : static_cast<u32>(s.gpr[i.rm]);
    if (n >= 6 && value >> 32) return core.raise(Vector::gp, 0);
    if (n == 6) value = (value & 0xE00F) | 0xFFFF0FF0;
    if (n == 7) value = (value & 0xFFFF23FF) | 0x400;
    s.dr[n] = value;
    core.update_mode();
    core.attention = true;
    return true;
}

bool mov_from_dr(Core& core, const Insn& i) {
    unsigned n = i.reg;
    if (!check_debug_access(core, n)) return false;
    const u64 value = core.state.dr[n];
    core.state.gpr[i.rm] = core.mode.code64() ? value : static_cast<u32>(value);
    return true;
}

bool clts(Core& core, const Insn&) {
    if (core.cpl() != 0) return core.raise(Vector::gp, 0);
    core.state.cr0 &= ~cr0::ts;
    return true;
}

bool lmsw(Core& core, const Insn& i) {
    CpuState& s = core.state;
    if (core.cpl() != 0) return core.raise(Vector::gp, 0);
    u16 v = 0;
    if (!read_operand16(core, i, v)) return false;
    // PE can be set, not cleared.
    return write_cr0(core, (s.cr0 & ~u64{0xE}) | (v & 0xF));
}

bool smsw(Core& core, const Insn& i) {
    if (!umip_allows(core)) return false;
    return write_operand_zx(core, i, core.state.cr0);
}

bool xgetbv(Core& core, const Insn&) {
    CpuState& s = core.state;
    if (!(s.cr4 & cr4::osxsave)) return core.raise(Vector::ud);
    const u32 index = static_cast<u32>(s.gpr[rcx]);
    if (index > 1 || (index == 1 && !core.model.has(Feature::xgetbv1))) return core.raise(Vector::gp, 0);
    const u64 value = index == 1 ? s.xcr0 & sse::components_in_use(core) : s.xcr0;
    s.gpr[rax] = static_cast<u32>(value);
    s.gpr[rdx] = value >> 32;
    return true;
}

bool xsetbv(Core& core, const Insn&) {
    CpuState& s = core.state;
    if (!(s.cr4 & cr4::osxsave)) return core.raise(Vector::ud);
    const u64 value = s.gpr[rdx] << 32 | static_cast<u32>(s.gpr[rax]);
    const bool bad = core.cpl() != 0 || static_cast<u32>(s.gpr[rcx]) != 0 || !(value & 1) ||
                     (value & ~supported_xcr0(core.model)) || ((value & 4) && !(value & 2));
    if (bad) return core.raise(Vector::gp, 0);
    s.xcr0 = value;
    core.update_mode();
    return true;
}

bool invlpg(Core& core, const Insn& i) {
    if (core.cpl() != 0) return core.raise(Vector::gp, 0);
    // No segment or canonical checks (SDM vol. 2 INVLPG).
    const bool based = !core.mode.code64() || i.seg == Seg::fs || i.seg == Seg::gs;
    u64 a = core.effective_address(i) + (based ? core.state.seg(i.seg).base : 0);
    if (!core.mode.code64()) a &= 0xFFFFFFFF;
    core.mmu.invalidate_page(a);
    return true;
}

bool invpcid(Core& core, const Insn& i) {
    CpuState& s = core.state;
    if (core.cpl() != 0) return core.raise(Vector::gp, 0);
    const u64 type = core.mode.code64() ? s.gpr[i.reg] : static_cast<u32>(s.gpr[i.reg]);
    u64 linear = 0;
    std::array<u64, 2> d{};
    if (!core.linear(i.seg, core.effective_address(i), 16, Access::read, linear)) return false;
    if (!core.load_slow(linear, d.data(), 16, core.mmu.privilege())) return false;
    const bool pcide = s.cr4 & cr4::pcide;
    if (type > 3 || d[0] >> 12 || (type <= 1 && !pcide && d[0] != 0) || (type == 0 && !canonical(d[1]))) {
        return core.raise(Vector::gp, 0);
    }
    if (type == 0) core.mmu.invalidate_page(d[1]);
    // Cached translations are coherent with the tables, and contexts are no PCIDs: the other types drop
    // nothing that could be seen.
    return true;
}

}  // namespace handlers
}  // namespace mynah
