// Which function executes which system instruction, and the short ones among them.
#include "cpu/system/handlers.h"

#include "cpu/interp/handler.h"
#include "cpu/system/cpu_model.h"
#include "cpu/system/cpuid.h"
#include "cpu/system/msr.h"
#include "cpu/system/transfer.h"

namespace mynah {

bool load_pointer(Core& core, const Insn& i, u64& offset, u16& selector) {
    const u64 at = core.effective_address(i);
    const u64 mask = i.asize == 8 ? ~u64{0} : i.asize == 4 ? 0xFFFFFFFF : 0xFFFF;
    if (i.osize == 8) {
        if (!core.load<u64>(i.seg, at, offset)) return false;
    } else if (i.osize == 4) {
        u32 v = 0;
        if (!core.load<u32>(i.seg, at, v)) return false;
        offset = v;
    } else {
        u16 v = 0;
        if (!core.load<u16>(i.seg, at, v)) return false;
        offset = v;
    }
    return core.load<u16>(i.seg, (at + i.osize) & mask, selector);
}

namespace handlers {
namespace {

bool privileged(Core& core) {
    return core.cpl() == 0 ? true : core.raise(Vector::gp, 0);
}

// A complete transfer and a latched fault both end the block.
bool jmp_far(Core& core, const Insn& i) {
    (void)far_jump(core, static_cast<u16>(i.disp), i.imm);
    return false;
}

bool jmp_far_ind(Core& core, const Insn& i) {
    u64 offset = 0;
    u16 selector = 0;
    if (load_pointer(core, i, offset, selector)) (void)far_jump(core, selector, offset);
    return false;
}

bool call_far(Core& core, const Insn& i) {
    (void)far_call(core, static_cast<u16>(i.disp), i.imm, i.osize);
    return false;
}

bool call_far_ind(Core& core, const Insn& i) {
    u64 offset = 0;
    u16 selector = 0;
    if (load_pointer(core, i, offset, selector)) (void)far_call(core, selector, offset, i.osize);
    return false;
}

bool ret_far(Core& core, const Insn& i) {
    (void)far_return(core, i.osize, static_cast<u16>(i.imm));
    return false;
}

bool iret(Core& core, const Insn& i) {
    (void)interrupt_return(core, i.osize);
    return false;
}

bool int_n(Core& core, const Insn& i) {
    (void)software_interrupt(core, static_cast<u8>(i.imm), InterruptKind::software);
    return false;
}

bool int3(Core& core, const Insn&) {
    (void)software_interrupt(core, static_cast<u8>(Vector::bp), InterruptKind::exception_instruction);
    return false;
}

bool into(Core& core, const Insn&) {
    if (!core.state.flags.of()) return true;
    (void)software_interrupt(core, static_cast<u8>(Vector::of), InterruptKind::exception_instruction);
    return false;
}

bool int1(Core& core, const Insn&) {
    (void)software_interrupt(core, static_cast<u8>(Vector::db), InterruptKind::privileged);
    return false;
}

bool hlt(Core& core, const Insn&) {
    if (!privileged(core)) return false;
    core.state.activity = Activity::halted;
    core.attention = true;
    return false;
}

// The extensions that MONITOR and MWAIT are asked for.
u64 hints(const Core& core) {
    const u64 v = core.state.gpr[rcx];
    return core.mode.code64() ? v : static_cast<u32>(v);
}

bool monitor(Core& core, const Insn& i) {
    CpuState& s = core.state;
    if (core.cpl() != 0) return core.raise(Vector::ud);
    if (hints(core) != 0) return core.raise(Vector::gp, 0);
    const u64 a = i.asize == 8   ? s.gpr[rax]
                  : i.asize == 4 ? static_cast<u32>(s.gpr[rax])
                                 : static_cast<u16>(s.gpr[rax]);
    u8 byte = 0;
    if (!core.load<u8>(i.seg, a, byte)) return false;
    s.monitor_armed = true;
    return true;
}

// Waits for an interrupt, with ECX bit 0 for a masked one too; a store to the monitored line by a device does
// not end the wait, which the architecture allows software to see only as a late wake-up by the next
// interrupt. Without an armed monitor there is no wait: what an interrupt's handler stored between MONITOR
// and MWAIT must not be slept over.
bool mwait(Core& core, const Insn&) {
    CpuState& s = core.state;
    if (core.cpl() != 0) return core.raise(Vector::ud);
    if (hints(core) > 1) return core.raise(Vector::gp, 0);
    if (!s.monitor_armed) return true;
    s.monitor_armed = false;
    s.activity = hints(core) == 1 ? Activity::mwait_masked : Activity::mwait;
    core.attention = true;
    return false;
}

bool set_ac(Core& core, const Insn& i) {
    if (core.cpl() != 0) return core.raise(Vector::ud);
    u32& flags = core.state.eflags;
    flags = i.op == Op::STAC ? flags | eflags::ac : flags & ~eflags::ac;
    core.update_privilege();
    return true;
}

bool rdmsr(Core& core, const Insn&) {
    CpuState& s = core.state;
    u64 v = 0;
    if (!privileged(core) || !read_msr(core, static_cast<u32>(s.gpr[rcx]), v)) return false;
    s.gpr[rax] = static_cast<u32>(v);
    s.gpr[rdx] = v >> 32;
    return true;
}

bool wrmsr(Core& core, const Insn&) {
    CpuState& s = core.state;
    if (!privileged(core)) return false;
    core.attention = true;
    return write_msr(core, static_cast<u32>(s.gpr[rcx]), s.gpr[rdx] << 32 | static_cast<u32>(s.gpr[rax]));
}

bool rdtsc(Core& core, const Insn& i) {
    CpuState& s = core.state;
    if ((s.cr4 & cr4::tsd) && core.cpl() != 0) return core.raise(Vector::gp, 0);
    const u64 tsc = read_tsc(core);
    s.gpr[rax] = static_cast<u32>(tsc);
    s.gpr[rdx] = tsc >> 32;
    if (i.op == Op::RDTSCP) s.gpr[rcx] = static_cast<u32>(s.msr.tsc_aux);
    return true;
}

// The two counters of the P6 family exist and stand still.
bool rdpmc(Core& core, const Insn&) {
    CpuState& s = core.state;
    const bool allowed = (s.cr4 & cr4::pce) || core.cpl() == 0;
    if (!allowed || static_cast<u32>(s.gpr[rcx]) > 1) return core.raise(Vector::gp, 0);
    s.gpr[rax] = s.gpr[rdx] = 0;
    return true;
}

bool cpuid_insn(Core& core, const Insn&) {
    CpuState& s = core.state;
    const CpuidResult r = cpuid(core, static_cast<u32>(s.gpr[rax]), static_cast<u32>(s.gpr[rcx]));
    s.gpr[rax] = r.eax;
    s.gpr[rbx] = r.ebx;
    s.gpr[rcx] = r.ecx;
    s.gpr[rdx] = r.edx;
    return true;
}

// Caches are not modelled.
bool cache_instruction(Core& core, const Insn&) {
    return privileged(core);
}

// Outside of system management mode (SDM vol. 2 RSM).
bool rsm(Core& core, const Insn&) {
    return core.raise(Vector::ud);
}

}  // namespace
}  // namespace handlers

Handler system_handler(const Insn& insn) {
    using namespace handlers;
    switch (insn.op) {
        case Op::JMP_FAR:
            return jmp_far;
        case Op::JMP_FAR_IND:
            return jmp_far_ind;
        case Op::CALL_FAR:
            return call_far;
        case Op::CALL_FAR_IND:
            return call_far_ind;
        case Op::RET_FAR:
            return ret_far;
        case Op::IRET:
            return iret;
        case Op::INT:
            return int_n;
        case Op::INT3:
            return int3;
        case Op::INT1:
            return int1;
        case Op::INTO:
            return into;
        case Op::HLT:
            return hlt;
        case Op::MOV_SREG_RM:
            return mov_to_sreg;
        case Op::MOV_RM_SREG:
            return mov_from_sreg;
        case Op::PUSH_SREG:
            return push_sreg;
        case Op::POP_SREG:
            return pop_sreg;
        case Op::LES:
        case Op::LDS:
        case Op::LSS:
        case Op::LFS:
        case Op::LGS:
            return load_far_pointer;
        case Op::MOV_CR_R:
            return mov_to_cr;
        case Op::MOV_R_CR:
            return mov_from_cr;
        case Op::MOV_DR_R:
            return mov_to_dr;
        case Op::MOV_R_DR:
            return mov_from_dr;
        case Op::CLTS:
            return clts;
        case Op::LMSW:
            return lmsw;
        case Op::SMSW:
            return smsw;
        case Op::LGDT:
            return lgdt;
        case Op::LIDT:
            return lidt;
        case Op::SGDT:
            return sgdt;
        case Op::SIDT:
            return sidt;
        case Op::LLDT:
            return lldt;
        case Op::LTR:
            return ltr;
        case Op::SLDT:
            return sldt;
        case Op::STR:
            return handlers::str;
        case Op::LAR:
            return lar;
        case Op::LSL:
            return lsl;
        case Op::VERR:
            return verr;
        case Op::VERW:
            return verw;
        case Op::ARPL:
            return arpl;
        case Op::INVLPG:
            return invlpg;
        case Op::INVD:
        case Op::WBINVD:
            return cache_instruction;
        case Op::INVPCID:
            return invpcid;
        case Op::SWAPGS:
            return swapgs;
        case Op::RDFSBASE:
        case Op::RDGSBASE:
        case Op::WRFSBASE:
        case Op::WRGSBASE:
            return fs_gs_base;
        case Op::CLAC:
        case Op::STAC:
            return set_ac;
        case Op::SYSCALL:
            return handlers::syscall;
        case Op::SYSRET:
            return sysret;
        case Op::SYSENTER:
            return sysenter;
        case Op::SYSEXIT:
            return sysexit;
        case Op::RDMSR:
            return rdmsr;
        case Op::WRMSR:
            return wrmsr;
        case Op::RDTSC:
        case Op::RDTSCP:
            return rdtsc;
        case Op::RDPMC:
            return rdpmc;
        case Op::CPUID:
            return cpuid_insn;
        case Op::XGETBV:
            return xgetbv;
        case Op::XSETBV:
            return xsetbv;
        case Op::MONITOR:
            return monitor;
        case Op::MWAIT:
            return mwait;
        case Op::RSM:
            return rsm;
        default:
            return nullptr;
    }
}

}  // namespace mynah
