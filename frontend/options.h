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

// Whether -display sdl can be had.
enum class WindowSupport : u8 {
    not_built,   // without SDL2 or Dear ImGui
    no_display,  // no screen to open it on
    ready,       // it is the default then, as in QEMU
};

// `arguments` without the program's name. An error means exit code 2.
Result<CommandLine> parse_command_line(std::span<const std::string> arguments, HostTime now,
                                       WindowSupport window = WindowSupport::not_built);
// Why there is no window and what to do; nothing when there is one.
Status check_window(WindowSupport window);

std::string help_text();
// The models of -cpu, one a line.
std::string cpu_list();

// RTC start under --clock deterministic when -rtc gives none: 2024-01-01.
inline constexpr i64 kDeterministicRtc = 1704067200;

}  // namespace mynah
