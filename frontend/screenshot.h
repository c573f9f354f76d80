// Pictures of the guest's screen.
#pragma once

#include <string>

#include "base/result.h"
#include "devices/frame.h"

namespace mynah {

// Writes PNG or PPM, by the file name's ending. Error: another ending, or what the host said; nothing
// half-written.
Status write_screenshot(const Frame& frame, const std::string& path);

}  // namespace mynah
