// What a monitor says of itself (VESA Enhanced EDID Standard, release A, 1.4): the sizes that a guest offers.
#pragma once

#include <array>

#include "base/types.h"

namespace mynah {

using Edid = std::array<u8, 128>;

// A monitor of 640x480 to 1920x1200 at 60 Hz that likes 1024x768 best.
Edid make_edid();

}  // namespace mynah
