// Sound through SDL to the host's sound system. Exists where mynah was built with SDL 2.
#pragma once

#include <memory>

#include "base/result.h"
#include "devices/audio.h"

namespace mynah {

// Error: built without SDL, or what SDL says. SDL calls from a thread of its own; frames wait in between in a
// ring of a fifth of a second: what does not fit is dropped, what is missing is silence.
Result<std::unique_ptr<AudioBackend>> open_sdl_audio();

}  // namespace mynah
