// Far transfers of control: JMP, CALL, RET, IRET, and task switches (SDM vol. 3A 6.8, 6.12, ch. 8).
#pragma once

#include "cpu/system/descriptor.h"
#include "cpu/system/events.h"

namespace mynah {

// All of these: true when the transfer is complete (next_rip is the target, the mode is updated), false when
// a fault is latched.
bool far_jump(Core& core, u16 selector, u64 offset);
bool far_call(Core& core, u16 selector, u64 offset, unsigned osize);
bool far_return(Core& core, unsigned osize, u64 extra);
bool interrupt_return(Core& core, unsigned osize);

// INT n, INT3, INTO, INT1 as instructions: core.next_rip is pushed.
bool software_interrupt(Core& core, u8 vector, InterruptKind kind);

// SS and (E)SP or RSP for privilege level `level` out of the TSS. `ist` 1-7: that slot, long mode only.
bool read_inner_stack(Core& core, unsigned level, u32 ext, u16& ss, u64& sp);
bool read_inner_stack64(Core& core, unsigned level, unsigned ist, u32 ext, u64& sp);
// Checks the SS that came out of a TSS.
bool check_inner_ss(Core& core, u16 selector, unsigned level, u32 ext, Descriptor& d);

enum class TaskReason : u8 { jump, call, iret, interrupt };

// Through a task gate or a TSS descriptor.
struct TaskSwitch {
    TaskReason reason = TaskReason::jump;
    u32 ext = 0;
    bool has_error_code = false;
    u32 error_code = 0;
    u64 return_rip = 0;  // saved in the old TSS
};
// `selector` of the TSS; checks its descriptor and switches. Faults behind the point of no return are latched
// with core.rip in the new task.
bool switch_task(Core& core, u16 selector, const TaskSwitch& how);
// Error code of faults that a selector in the TSS or task gate causes: the vector differs by reason.
bool task_gate(Core& core, u16 tss_selector, const TaskSwitch& how);

// Completes a transfer: CS, target, mode. SS and EFLAGS may be new, too.
inline bool enter_code(Core& core, const SegmentRegister& cs, u64 rip) {
    core.state.seg(Seg::cs) = cs;
    core.next_rip = rip;
    core.update_mode(Core::Changed::stack_and_code);
    return true;
}

}  // namespace mynah
