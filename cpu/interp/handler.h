// What executes one instruction, and which family has it. Asked once when an instruction is predecoded.
//
// A handler returns true when the next instruction of the block may follow at once. It returns false when the
// stream stops here: either a fault is latched (`Core::raise`; nothing the guest can see has changed), or the
// instruction is complete and the run loop has to look (a mode changed, an event may be due, translations or
// code were dropped). A branch stores its target in Core::next_rip and returns true; its row has
// `ends_block`. Whoever changes IF, TF, RF, VM, a debug register, a shadow or `activity` also sets
// Core::attention.
//
// On entry `rip`, `next_rip` and `retired` are exact.
#pragma once

#include "cpu/insn.h"

namespace mynah {

class Core;

using Handler = bool (*)(Core&, const Insn&);

// Each returns null for an operation of another family.
// system: far transfers, INT n..INTO, IRET, and from HLT to RSM in ops.inc (segments, control and debug
// registers, descriptor tables, MSRs, CPUID, RDTSC, SYSCALL...), but not IN, OUT, PUSHF, POPF, CLI, STI.
Handler system_handler(const Insn& insn);
// x87: FPU, FWAIT.
Handler x87_handler(const Insn& insn);
// sse: EMMS, everything from MOVD on (MMX, SSE, AES, PCLMULQDQ, AVX, FMA), FXSAVE to STMXCSR. The integer
// ones among them (MOVNTI, CRC32, fences, PREFETCH, CLFLUSH, RDRAND) are not.
Handler sse_handler(const Insn& insn);

}  // namespace mynah
