// Opens what the -audiodev options ask for.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "devices/audio.h"
#include "machine/config.h"

namespace mynah {

using AudioBackends = std::map<std::string, std::unique_ptr<AudioBackend>>;  // by id; "none" has none

// Error: a file that cannot be written, no SDL.
Result<AudioBackends> open_audio(const MachineConfig& config);

}  // namespace mynah
