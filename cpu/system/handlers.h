// The functions behind system_handler(), by the names of the instructions.
#pragma once

#include "cpu/core.h"
#include "cpu/insn.h"

namespace mynah {

// 16-bit source operand, register or memory.
bool read_operand16(Core& core, const Insn& i, u16& value);
// SLDT, STR, SMSW, MOV r/m, Sreg: 16 bits to memory, zero-extended to a register of the operand size.
bool write_operand_zx(Core& core, const Insn& i, u64 value);
// m16:16, m16:32 or m16:64.
bool load_pointer(Core& core, const Insn& i, u64& offset, u16& selector);
// CR4.UMIP: false, with #GP(0), when it forbids SGDT and the like here.
bool umip_allows(Core& core);

namespace handlers {

// control.cpp
bool mov_to_cr(Core& core, const Insn& i);
bool mov_from_cr(Core& core, const Insn& i);
bool mov_to_dr(Core& core, const Insn& i);
bool mov_from_dr(Core& core, const Insn& i);
bool clts(Core& core, const Insn& i);
bool lmsw(Core& core, const Insn& i);
bool smsw(Core& core, const Insn& i);
bool xgetbv(Core& core, const Insn& i);
bool xsetbv(Core& core, const Insn& i);
bool invlpg(Core& core, const Insn& i);
bool invpcid(Core& core, const Insn& i);

// segment_ops.cpp
bool mov_to_sreg(Core& core, const Insn& i);
bool mov_from_sreg(Core& core, const Insn& i);
bool push_sreg(Core& core, const Insn& i);
bool pop_sreg(Core& core, const Insn& i);
bool load_far_pointer(Core& core, const Insn& i);
bool lgdt(Core& core, const Insn& i);
bool lidt(Core& core, const Insn& i);
bool sgdt(Core& core, const Insn& i);
bool sidt(Core& core, const Insn& i);
bool lldt(Core& core, const Insn& i);
bool ltr(Core& core, const Insn& i);
bool sldt(Core& core, const Insn& i);
bool str(Core& core, const Insn& i);
bool lar(Core& core, const Insn& i);
bool lsl(Core& core, const Insn& i);
bool verr(Core& core, const Insn& i);
bool verw(Core& core, const Insn& i);
bool arpl(Core& core, const Insn& i);

// fast_calls.cpp
bool swapgs(Core& core, const Insn& i);
bool fs_gs_base(Core& core, const Insn& i);
bool syscall(Core& core, const Insn& i);
bool sysret(Core& core, const Insn& i);
bool sysenter(Core& core, const Insn& i);
bool sysexit(Core& core, const Insn& i);

}  // namespace handlers
}  // namespace mynah
