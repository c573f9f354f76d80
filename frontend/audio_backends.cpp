#include "frontend/audio_backends.h"

#include "frontend/audio_sdl.h"
#include "frontend/audio_wav.h"

namespace mynah {

Result<AudioBackends> open_audio(const MachineConfig& config) {
    AudioBackends backends;
    for (const AudioConfig& audio : config.audio) {
        switch (audio.driver) {
            case AudioDriver::none:
                break;
            case AudioDriver::wav: {
                auto file = WavFile::create(audio.path);
                if (!file) return file.error();
                backends[audio.id] = std::move(*file);
                break;
            }
            case AudioDriver::sdl: {
                auto opened = open_sdl_audio();
                if (!opened) return opened.error();
                backends[audio.id] = std::move(*opened);
                break;
            }
        }
    }
    return backends;
}

}  // namespace mynah
