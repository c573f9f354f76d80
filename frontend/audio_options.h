// -audiodev and what plays on it.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "frontend/key_values.h"
#include "machine/config.h"

namespace mynah {

// "wav,id=a,path=out.wav", "sdl,id=a", "none,id=a". Error: unknown driver or key, no id, an id twice.
Status add_audiodev(MachineConfig& config, const std::string& text);
// The keys behind "-device sb16".
Status add_sb16(MachineConfig& config, std::span<const KeyValue> keys);
// Whatever plays has a place to play on.
Status check_audio(const MachineConfig& config);
std::string audiodev_list();

}  // namespace mynah
