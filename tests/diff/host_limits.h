// What the host's processor does not show here because of what lies between it and us, found out by trying: a
// kernel without 32-bit programs or LDTs, a hypervisor that runs the kernel in user mode, has descriptor
// tables of its own and executes some instructions in the processor's place.
#pragma once

#include <string>

#include "diff/generate.h"
#include "diff/native.h"

namespace mynah::test {

class HostLimits {
  public:
    explicit HostLimits(NativeCpu& native);
    // Can code of this size run, with the segments that this mode uses?
    bool runs(Mode mode) const;
    bool shows(const InsnRow& row) const;
    // Can the state be entered?
    bool enters(const UserState& s) const;
    // In words, what does not exist; empty on a plain Linux.
    std::string describe() const;

  private:
    bool legacy_code_ = false;        // code segment 23h
    bool descriptors_ = false;        // Linux's selectors, and LDTs
    bool any_stack_pointer_ = false;  // also one that is not canonical
    bool cpuid_ = false;              // a single step ends right behind it
    bool interrupts_ = false;         // INT n of a gate that is not for us faults where it stands
};

}  // namespace mynah::test
