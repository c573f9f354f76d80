#include "frontend/audio_options.h"

#include <fmt/format.h>

#include <algorithm>

namespace mynah {

namespace {

bool one_of(u64 value, std::initializer_list<u64> list) {
    return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

std::string audiodev_list() {
    return "wav      a file: id=ID,path=FILE (mynah.wav), 48 kHz, 16 bits, stereo\n"
           "sdl      the host's sound system through SDL: id=ID\n"
           "none     nowhere: id=ID\n";
}

Status add_audiodev(MachineConfig& config, const std::string& text) {
    auto parts = parse_key_values(text, "driver");
    if (!parts.ok()) return parts.error();
    AudioConfig audio;
    for (const KeyValue& kv : *parts) {
        if (kv.key == "driver") {
            if (kv.value == "wav") {
                audio.driver = AudioDriver::wav;
            } else if (kv.value == "sdl") {
                audio.driver = AudioDriver::sdl;
            } else if (kv.value == "none") {
                audio.driver = AudioDriver::none;
            } else {
                return Error{fmt::format("there is no audio driver \"{}\"; use wav, sdl or none", kv.value)};
            }
        } else if (kv.key == "id") {
            audio.id = kv.value;
        } else if (kv.key == "path" && audio.driver == AudioDriver::wav) {
            audio.path = kv.value;
        } else {
            return Error{fmt::format("unknown key \"{}\"; there are id{}", kv.key,
                                     audio.driver == AudioDriver::wav ? " and path" : "")};
        }
    }
    if (audio.id.empty()) return Error{"it needs an id for devices to refer to: id=NAME"};
    if (audio.path.empty()) audio.path = "mynah.wav";
    if (std::any_of(config.audio.begin(), config.audio.end(),
                    [&](const AudioConfig& a) { return a.id == audio.id; }))
        return Error{fmt::format("the id \"{}\" is given twice", audio.id)};
    config.audio.push_back(std::move(audio));
    return Ok{};
}

Status add_sb16(MachineConfig& config, std::span<const KeyValue> keys) {
    if (config.sb16) return Error{"sb16 is given twice"};
    Sb16Config sb16;
    for (const KeyValue& kv : keys) {
        if (kv.key == "id") continue;
        if (kv.key == "audiodev") {
            sb16.audiodev = kv.value;
            continue;
        }
        const auto n = parse_number(kv.value);
        if (!one_of(true, {kv.key == "iobase", kv.key == "irq", kv.key == "dma", kv.key == "dma16"}))
            return Error{fmt::format("sb16 has no key \"{}\"; there are audiodev, iobase, irq, dma and dma16",
                                     kv.key)};
        if (!n.ok()) return Error{fmt::format("{}: {}", kv.key, n.error().message)};
        if (kv.key == "iobase") {
            if (!one_of(*n, {0x220, 0x240, 0x260, 0x280}))
                return Error{"iobase is 0x220, 0x240, 0x260 or 0x280"};
            sb16.iobase = static_cast<u16>(*n);
        } else if (kv.key == "irq") {
            if (!one_of(*n, {2, 5, 7, 9, 10})) return Error{"irq is 2 (9), 5, 7 or 10"};
            sb16.irq = static_cast<u8>(*n == 2 ? 9 : *n);
        } else if (kv.key == "dma") {
            if (!one_of(*n, {0, 1, 3})) return Error{"dma is 0, 1 or 3"};
            sb16.dma = static_cast<u8>(*n);
        } else {
            if (!one_of(*n, {5, 6, 7})) return Error{"dma16 is 5, 6 or 7"};
            sb16.dma16 = static_cast<u8>(*n);
        }
    }
    config.sb16 = sb16;
    return Ok{};
}

Status check_audio(const MachineConfig& config) {
    const auto check = [&](const std::string& id, std::string_view what) -> Status {
        if (id.empty()) return Ok{};
        for (const AudioConfig& a : config.audio) {
            if (a.id == id) return Ok{};
        }
        return Error{fmt::format("{}: there is no -audiodev with id={}", what, id)};
    };
    if (auto s = check(config.speaker_audiodev, "pcspk-audiodev"); !s.ok()) return s;
    return config.sb16 ? check(config.sb16->audiodev, "sb16") : Ok{};
}

}  // namespace mynah
