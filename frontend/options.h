// The command line, in QEMU's spelling, as a MachineConfig. Every error is one line: what is wrong and what
// to do.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "frontend/dates.h"
#include "machine/config.h"

namespace mynah {

struct CommandLine {
    enum class Action : u8 { run, help, version, list };
    Action action = Action::run;
    MachineConfig machine;
    std::string list;  // what an option's "help" asks for
};

// `arguments` without the program's name. An error means exit code 2.
Result<CommandLine> parse_command_line(std::span<const std::string> arguments, HostTime now);

std::string help_text();
// The models of -cpu, one a line.
std::string cpu_list();

// RTC start under --clock deterministic when -rtc gives none: 2024-01-01.
inline constexpr i64 kDeterministicRtc = 1704067200;

}  // namespace mynah
