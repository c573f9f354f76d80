// -device virtio-... and -chardev: what they name, until all options are known.
#pragma once

#include <map>
#include <span>
#include <string>

#include "base/result.h"
#include "frontend/drive_options.h"
#include "frontend/key_values.h"
#include "machine/config.h"

namespace mynah {

// -chardev BACKEND,id=ID,...: character devices by their ids, in the spelling of -serial.
class CharDevices {
  public:
    Status add(std::string_view text);
    // Error: no such id, or one that something else has taken.
    Result<std::string> take(const std::string& id);

  private:
    struct Entry {
        std::string spec;
        bool taken = false;
    };
    std::map<std::string, Entry> by_id_;
};

class VirtioOptions {
  public:
    // Whether `driver` is one of ours.
    static bool knows(std::string_view driver);
    // Lines for -device help.
    static std::string help();
    // A -device whose first part is the driver.
    Status add_device(std::span<const KeyValue> parts, DriveOptions& drives);
    // After all options.
    Status finish(MachineConfig& config, CharDevices& chars);

  private:
    unsigned rngs_ = 0;
    bool serial_ = false;
    std::vector<std::string> consoles_;  // ids of character devices
};

}  // namespace mynah
