// KVM's paravirtual clock: two structures in guest memory that a guest reads its time from (Linux,
// Documentation/virt/kvm/x86/msr.rst). Offered with -cpu MODEL,kvm=on.
#pragma once

#include "cpu/core.h"

namespace mynah {

// The clock at kTscHz in terms of the time-stamp counter: to be called when the guest has enabled it and
// whenever the counter was set. Nothing is written where the guest named no memory. In between, and over
// snapshots, it stays true: time is the counter less an offset.
void update_kvm_clock(Core& core);
// The wall clock's time when the paravirtual clock was 0, at a physical address of the guest's.
void write_kvm_wall_clock(Core& core, u64 address);

}  // namespace mynah
