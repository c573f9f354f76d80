// In place of the window where SDL2, Dear ImGui or toml++ is missing.
#include "desktop/desktop.h"

namespace mynah {

WindowSupport window_support() {
    return WindowSupport::not_built;
}

Result<int> run_in_window(const MachineConfig&, const std::string&, const std::string&) {
    return check_window(WindowSupport::not_built).error();
}

Result<int> run_library(const Library&) {
    return check_window(WindowSupport::not_built).error();
}

}  // namespace mynah
