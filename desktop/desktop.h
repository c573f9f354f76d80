// The window: a library of machines, or one machine.
#pragma once

#include <string>

#include "desktop/library.h"
#include "frontend/options.h"
#include "machine/config.h"

namespace mynah {

WindowSupport window_support();

// Shows one machine until it ends or the window is closed. `folder`: where states and pictures go; made when
// needed. Returns the exit code. Error: no window, or the machine cannot be made.
Result<int> run_in_window(const MachineConfig& config, const std::string& name, const std::string& folder);

// The library and, one at a time, the machines that are started from it. Returns the exit code.
Result<int> run_library(const Library& library);

}  // namespace mynah
