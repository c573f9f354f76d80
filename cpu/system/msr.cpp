#include "cpu/system/msr.h"

#include "base/bits.h"
#include "cpu/apic/local_apic.h"
#include "cpu/system/cpu_model.h"
#include "cpu/system/descriptor.h"
#include "cpu/system/kvm_clock.h"

namespace mynah {

namespace {

// SDM vol. 4 ch. 2 names, without their IA32_ prefix.
enum Msr : u32 {
    TIME_STAMP_COUNTER = 0x10,
    KVM_WALL_CLOCK_OLD = 0x11,
    KVM_SYSTEM_TIME_OLD = 0x12,
    PLATFORM_ID = 0x17,
    APIC_BASE = 0x1B,
    EBL_CR_POWERON = 0x2A,
    FEATURE_CONTROL = 0x3A,
    TSC_ADJUST = 0x3B,
    SPEC_CTRL = 0x48,
    PRED_CMD = 0x49,
    BIOS_UPDT_TRIG = 0x79,
    BIOS_SIGN_ID = 0x8B,
    PLATFORM_INFO = 0xCE,
    MPERF = 0xE7,
    APERF = 0xE8,
    MTRRCAP = 0xFE,
    ARCH_CAPABILITIES = 0x10A,
    FLUSH_CMD = 0x10B,
    BBL_CR_CTL3 = 0x11E,
    SYSENTER_CS = 0x174,
    SYSENTER_ESP = 0x175,
    SYSENTER_EIP = 0x176,
    MCG_CAP = 0x179,
    MCG_STATUS = 0x17A,
    MCG_CTL = 0x17B,
    PERF_STATUS = 0x198,
    PERF_CTL = 0x199,
    CLOCK_MODULATION = 0x19A,
    THERM_INTERRUPT = 0x19B,
    THERM_STATUS = 0x19C,
    MISC_ENABLE = 0x1A0,
    DEBUGCTL = 0x1D9,
    LAST_BRANCH_FROM = 0x1DB,
    LAST_INT_TO = 0x1DE,
    MTRR_PHYSBASE0 = 0x200,
    MTRR_FIX64K = 0x250,
    MTRR_FIX16K_80000 = 0x258,
    MTRR_FIX16K_A0000 = 0x259,
    MTRR_FIX4K_C0000 = 0x268,
    MTRR_FIX4K_F8000 = 0x26F,
    PAT = 0x277,
    MTRR_DEF_TYPE = 0x2FF,
    TSC_DEADLINE = 0x6E0,
    XSS = 0xDA0,
    KVM_WALL_CLOCK = 0x4B564D00,
    KVM_SYSTEM_TIME = 0x4B564D01,
    EFER = 0xC0000080,
    STAR = 0xC0000081,
    LSTAR = 0xC0000082,
    CSTAR = 0xC0000083,
    FMASK = 0xC0000084,
    FS_BASE = 0xC0000100,
    GS_BASE = 0xC0000101,
    KERNEL_GS_BASE = 0xC0000102,
    TSC_AUX = 0xC0000103,
    AMD_SYSCFG = 0xC0010010,
    AMD_HWCR = 0xC0010015,
    AMD_INT_PENDING = 0xC0010055,
    AMD_SMM_ADDR = 0xC0010112,
    AMD_OSVW_LENGTH = 0xC0010140,
    AMD_OSVW_STATUS = 0xC0010141,
    AMD_DE_CFG = 0xC0011029,
};

constexpr unsigned kVariableMtrrs = 8;

bool memory_type(u64 t, bool pat) {
    return t == 0 || t == 1 || (t >= 4 && t <= 6) || (pat && t == 7);
}

bool memory_types(u64 value, bool pat) {
    for (unsigned i = 0; i < 64; i += 8) {
        if (!memory_type(value >> i & 0xFF, pat)) return false;
    }
    return true;
}

// The index into mtrr_fixed, or -1.
int fixed_mtrr(u32 index) {
    if (index == MTRR_FIX64K) return 0;
    if (index == MTRR_FIX16K_80000 || index == MTRR_FIX16K_A0000)
        return static_cast<int>(index - MTRR_FIX16K_80000) + 1;
    if (index >= MTRR_FIX4K_C0000 && index <= MTRR_FIX4K_F8000)
        return static_cast<int>(index - MTRR_FIX4K_C0000) + 3;
    return -1;
}

u64 physical_mask(const CpuModel& m) {
    return (u64{1} << m.physical_bits) - 1;
}

enum class Answer : u8 { done, fault, unknown };

// Registers that need a feature are unknown without it.
Answer read_known(Core& core, u32 index, u64& v) {
    const CpuState& s = core.state;
    const CpuModel& m = core.model;
    const MsrState& msr = s.msr;
    const auto when = [&](Feature f, u64 value) {
        v = value;
        return m.has(f) ? Answer::done : Answer::unknown;
    };
    const auto just = [&](u64 value) {
        v = value;
        return Answer::done;
    };
    const bool p6 = m.has(Feature::mtrr), amd = m.vendor == Vendor::amd;
    switch (index) {
        case TIME_STAMP_COUNTER:
            return when(Feature::tsc, read_tsc(core));
        case APIC_BASE:
            return core.apic ? just(msr.apic_base) : Answer::unknown;
        case TSC_ADJUST:
            return when(Feature::tsc_adjust, msr.tsc_adjust);
        case SPEC_CTRL:
            return m.leaf7_edx >> 26 & 1 ? just(msr.spec_ctrl) : Answer::unknown;
        case ARCH_CAPABILITIES:
            return m.leaf7_edx >> 29 & 1 ? just(m.arch_capabilities) : Answer::unknown;
        case PLATFORM_ID:
        case EBL_CR_POWERON:
        case BBL_CR_CTL3:
        case MCG_CTL:
        case PERF_STATUS:
        case PERF_CTL:
        case CLOCK_MODULATION:
        case THERM_INTERRUPT:
        case THERM_STATUS:
            return p6 && !amd ? just(0) : Answer::unknown;
        case FEATURE_CONTROL:
            return m.max_leaf >= 4 && !amd ? just(1) : Answer::unknown;
        case PLATFORM_INFO:
            return m.max_leaf >= 4 && !amd ? just(kTscHz / kCrystalHz << 8) : Answer::unknown;
        case MPERF:
        case APERF:
            return m.has(Feature::lm) ? just(read_tsc(core)) : Answer::unknown;
        case BIOS_SIGN_ID:
            return p6 ? just(msr.bios_sign_id) : Answer::unknown;
        case MTRRCAP:
            return when(Feature::mtrr, kVariableMtrrs | 1 << 8 | 1 << 10);
        case SYSENTER_CS:
            return when(Feature::sep, msr.sysenter_cs);
        case SYSENTER_ESP:
            return when(Feature::sep, msr.sysenter_esp);
        case SYSENTER_EIP:
            return when(Feature::sep, msr.sysenter_eip);
        case MCG_CAP:
        case MCG_STATUS:
            return when(Feature::mca, 0);
        case 0:
        case 1:
            return when(Feature::mce, 0);  // the Pentium's P5_MC_ADDR and P5_MC_TYPE
        case MISC_ENABLE:
            return m.max_leaf >= 4 && !amd ? just(msr.misc_enable) : Answer::unknown;
        case DEBUGCTL:
            return p6 ? just(msr.debugctl) : Answer::unknown;
        case PAT:
            return when(Feature::pat, msr.pat);
        case MTRR_DEF_TYPE:
            return when(Feature::mtrr, msr.mtrr_def_type);
        case TSC_DEADLINE:
            return m.has(Feature::tsc_deadline) && core.apic ? just(core.apic->tsc_deadline())
                                                             : Answer::unknown;
        case XSS:
            return m.has(Feature::xsave) && m.max_leaf >= 13 ? just(msr.xss) : Answer::unknown;
        case EFER:
            return m.has(Feature::lm) || m.has(Feature::nx) ? just(s.efer) : Answer::unknown;
        case STAR:
            return when(Feature::syscall, msr.star);
        case LSTAR:
            return when(Feature::lm, msr.lstar);
        case CSTAR:
            return when(Feature::lm, msr.cstar);
        case FMASK:
            return when(Feature::syscall, msr.sfmask);
        case FS_BASE:
            return when(Feature::lm, s.seg(Seg::fs).base);
        case GS_BASE:
            return when(Feature::lm, s.seg(Seg::gs).base);
        case KERNEL_GS_BASE:
            return when(Feature::lm, msr.kernel_gs_base);
        case TSC_AUX:
            return when(Feature::rdtscp, msr.tsc_aux);
        case KVM_SYSTEM_TIME_OLD:
        case KVM_SYSTEM_TIME:
            return when(Feature::kvm_clock, msr.kvm_clock);
        case KVM_WALL_CLOCK_OLD:
        case KVM_WALL_CLOCK:
            return when(Feature::kvm_clock, msr.kvm_wall_clock);
        case AMD_SYSCFG:
        case AMD_HWCR:
        case AMD_INT_PENDING:
        case AMD_SMM_ADDR:
        case AMD_OSVW_LENGTH:
        case AMD_OSVW_STATUS:
            return amd ? just(0) : Answer::unknown;
        case AMD_DE_CFG:
            return amd ? just(2) : Answer::unknown;  // LFENCE serialises
        default:
            break;
    }
    if (index >= LAST_BRANCH_FROM && index <= LAST_INT_TO) return p6 && !amd ? just(0) : Answer::unknown;
    if (index >= MTRR_PHYSBASE0 && index < MTRR_PHYSBASE0 + 2 * kVariableMtrrs) {
        return when(Feature::mtrr, msr.mtrr_variable[index - MTRR_PHYSBASE0]);
    }
    if (const int n = fixed_mtrr(index); n >= 0)
        return when(Feature::mtrr, msr.mtrr_fixed[static_cast<unsigned>(n)]);
    if (index >= 0x800 && index <= 0x8FF) {
        if (!m.has(Feature::x2apic) || !core.apic) return Answer::unknown;
        return core.apic->read_x2apic(index, v) ? Answer::done : Answer::fault;
    }
    return Answer::unknown;
}

Answer write_efer(Core& core, u64 v) {
    CpuState& s = core.state;
    const CpuModel& m = core.model;
    u64 legal = efer::lma;
    if (m.has(Feature::syscall)) legal |= efer::sce;
    if (m.has(Feature::lm)) legal |= efer::lme;
    if (m.has(Feature::nx)) legal |= efer::nxe;
    if (v & ~legal) return Answer::fault;
    if (((v ^ s.efer) & efer::lme) && (s.cr0 & cr0::pg)) return Answer::fault;
    s.efer = (v & ~efer::lma) | (s.efer & efer::lma);
    core.update_mode();
    return Answer::done;
}

Answer write_variable_mtrr(Core& core, u32 n, u64 v) {
    const u64 reserved = ~physical_mask(core.model) | (n & 1 ? 0x7FF : 0xF00);
    if ((v & reserved) || (!(n & 1) && !memory_type(v & 0xFF, false))) return Answer::fault;
    core.state.msr.mtrr_variable[n] = v;
    return Answer::done;
}

Answer write_known(Core& core, u32 index, u64 v) {
    CpuState& s = core.state;
    const CpuModel& m = core.model;
    MsrState& msr = s.msr;
    const auto store = [&](bool exists, u64& where, bool legal = true) {
        if (!exists) return Answer::unknown;
        if (!legal) return Answer::fault;
        where = v;
        return Answer::done;
    };
    const auto ignore = [](bool exists) { return exists ? Answer::done : Answer::unknown; };
    const bool p6 = m.has(Feature::mtrr), amd = m.vendor == Vendor::amd, lm = m.has(Feature::lm);
    switch (index) {
        case TIME_STAMP_COUNTER:
            if (!m.has(Feature::tsc)) return Answer::unknown;
            write_tsc(core, v);
            return Answer::done;
        case APIC_BASE:
            if (!core.apic) return Answer::unknown;
            return core.apic->write_base(v) ? Answer::done : Answer::fault;
        case TSC_ADJUST: {
            if (!m.has(Feature::tsc_adjust)) return Answer::unknown;
            const u64 delta = v - msr.tsc_adjust;
            msr.tsc_adjust = v;
            msr.tsc_offset += delta;
            update_kvm_clock(core);
            if (core.apic) core.apic->tsc_changed(read_tsc(core));
            return Answer::done;
        }
        case SPEC_CTRL:
            return store(m.leaf7_edx >> 26 & 1, msr.spec_ctrl, (v & ~u64{7}) == 0);
        case PRED_CMD:
            return m.leaf7_edx >> 26 & 1 ? (v & ~u64{1} ? Answer::fault : Answer::done) : Answer::unknown;
        case FLUSH_CMD:
            return Answer::unknown;
        case ARCH_CAPABILITIES:
            return Answer::fault;
        case BIOS_UPDT_TRIG:
            return ignore(p6);
        case BIOS_SIGN_ID:
            return store(p6, msr.bios_sign_id);
        case EBL_CR_POWERON:
        case BBL_CR_CTL3:
        case MCG_CTL:
        case PERF_CTL:
        case CLOCK_MODULATION:
        case THERM_INTERRUPT:
        case THERM_STATUS:
            return ignore(p6 && !amd);
        // Locked by firmware.
        case FEATURE_CONTROL:
            return m.max_leaf >= 4 && !amd ? Answer::fault : Answer::unknown;
        case MPERF:
        case APERF:
            return ignore(lm);
        case MTRRCAP:
            return Answer::fault;
        case SYSENTER_CS:
            return store(m.has(Feature::sep), msr.sysenter_cs);
        case SYSENTER_ESP:
            return store(m.has(Feature::sep), msr.sysenter_esp, !lm || canonical(v));
        case SYSENTER_EIP:
            return store(m.has(Feature::sep), msr.sysenter_eip, !lm || canonical(v));
        case MCG_STATUS:
            return ignore(m.has(Feature::mca));
        case 0:
        case 1:
            return ignore(m.has(Feature::mce));
        case MISC_ENABLE:
            return store(m.max_leaf >= 4 && !amd, msr.misc_enable);
        // Without branch records and trace messages their bits stay 0.
        case DEBUGCTL:
            v &= debugctl::btf;
            return store(p6, msr.debugctl);
        case PAT:
            return store(m.has(Feature::pat), msr.pat, memory_types(v, true));
        case MTRR_DEF_TYPE:
            return store(m.has(Feature::mtrr), msr.mtrr_def_type,
                         !(v & ~u64{0xCFF}) && memory_type(v & 0xFF, false));
        case TSC_DEADLINE:
            if (!m.has(Feature::tsc_deadline) || !core.apic) return Answer::unknown;
            core.apic->write_tsc_deadline(v, read_tsc(core));
            return Answer::done;
        case XSS:
            return store(m.has(Feature::xsave) && m.max_leaf >= 13, msr.xss, v == 0);
        case EFER:
            return lm || m.has(Feature::nx) ? write_efer(core, v) : Answer::unknown;
        case STAR:
            return store(m.has(Feature::syscall), msr.star);
        case LSTAR:
            return store(lm, msr.lstar, canonical(v));
        case CSTAR:
            return store(lm, msr.cstar, canonical(v));
        case FMASK:
            return store(m.has(Feature::syscall), msr.sfmask, v >> 32 == 0);
        case FS_BASE:
        case GS_BASE: {
            const Answer a = store(lm, s.seg(index == FS_BASE ? Seg::fs : Seg::gs).base, canonical(v));
            if (a == Answer::done) core.update_mode();
            return a;
        }
        case KERNEL_GS_BASE:
            return store(lm, msr.kernel_gs_base, canonical(v));
        case TSC_AUX:
            return store(m.has(Feature::rdtscp), msr.tsc_aux, v >> 32 == 0);
        case KVM_SYSTEM_TIME_OLD:
        case KVM_SYSTEM_TIME: {
            const Answer a = store(m.has(Feature::kvm_clock), msr.kvm_clock);
            if (a == Answer::done) update_kvm_clock(core);
            return a;
        }
        case KVM_WALL_CLOCK_OLD:
        case KVM_WALL_CLOCK: {
            const Answer a = store(m.has(Feature::kvm_clock), msr.kvm_wall_clock);
            if (a == Answer::done) write_kvm_wall_clock(core, v);
            return a;
        }
        case AMD_SYSCFG:
        case AMD_HWCR:
        case AMD_INT_PENDING:
        case AMD_SMM_ADDR:
        case AMD_OSVW_LENGTH:
        case AMD_OSVW_STATUS:
        case AMD_DE_CFG:
            return ignore(amd);
        default:
            break;
    }
    if (index >= MTRR_PHYSBASE0 && index < MTRR_PHYSBASE0 + 2 * kVariableMtrrs) {
        return m.has(Feature::mtrr) ? write_variable_mtrr(core, index - MTRR_PHYSBASE0, v) : Answer::unknown;
    }
    if (const int n = fixed_mtrr(index); n >= 0) {
        return store(m.has(Feature::mtrr), msr.mtrr_fixed[static_cast<unsigned>(n)], memory_types(v, false));
    }
    if (index >= 0x800 && index <= 0x8FF) {
        if (!m.has(Feature::x2apic) || !core.apic) return Answer::unknown;
        return core.apic->write_x2apic(index, v) ? Answer::done : Answer::fault;
    }
    return Answer::unknown;
}

// Machine check banks, performance counters and the like: one policy for each model.
bool finish(Core& core, Answer answer, const char* what, u32 index, u64 value) {
    if (answer == Answer::done) return true;
    if (answer == Answer::unknown) {
        core.log(LogItem::unimplemented, "{} of unknown MSR {:x} (value {:x}) at {:x}", what, index, value,
                 core.rip);
        if (!core.model.unknown_msr_faults) return true;
    }
    return core.raise(Vector::gp, 0);
}

}  // namespace

bool read_msr(Core& core, u32 index, u64& value) {
    value = 0;
    u64 v = 0;
    const Answer answer = read_known(core, index, v);
    if (answer == Answer::done) value = v;
    return finish(core, answer, "read", index, 0);
}

bool write_msr(Core& core, u32 index, u64 value) {
    return finish(core, write_known(core, index, value), "write", index, value);
}

u64 read_tsc(const Core& core) {
    static_assert(kTscHz == 1'000'000'000);
    return core.host.now() + core.state.msr.tsc_offset;
}

void write_tsc(Core& core, u64 value) {
    MsrState& msr = core.state.msr;
    const u64 delta = value - read_tsc(core);
    msr.tsc_offset += delta;
    msr.tsc_adjust += delta;  // SDM vol. 3B 19.17.3
    update_kvm_clock(core);
    if (core.apic) core.apic->tsc_changed(value);
}

}  // namespace mynah
