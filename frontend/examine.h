// The monitor's memory dumps (x, xp) and register names.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "machine/machine.h"

namespace mynah {

// "/16xb": how many, how to show (x d u o c i), and the size of one (b h w g).
struct ExamineFormat {
    unsigned count = 1;
    char format = 'x';
    unsigned size = 4;
    static Result<ExamineFormat> parse(std::string_view text);
};

// Lines "address: values". Unreadable memory is said, not faulted.
std::string examine_memory(Machine& machine, ExamineFormat format, u64 address, bool physical);

// One line for the first instruction in `code`, as x/i shows it. `bits`: 16, 32 or 64.
std::string disassemble_instruction(std::span<const u8> code, u64 address, unsigned bits);

// "eax", "rip", "cs.base"...: value, or nothing.
std::optional<u64> register_value(const CpuState& state, std::string_view name);

}  // namespace mynah
