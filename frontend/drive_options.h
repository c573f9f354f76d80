// -drive, -hda to -hdd, -cdrom, -fda, -fdb: collects drives and gives them their places.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "machine/config.h"

namespace mynah {

class DriveOptions {
  public:
    Status add_drive(std::string_view text);
    // `index`: as in DriveConfig. `option` is the option's name, for messages.
    Status add(std::string_view option, DriveInterface interface, DriveMedia media, unsigned index,
               std::string_view file);
    // A device that takes a -drive with if=none, by its id.
    struct Attachment {
        std::string id, serial = {};
        std::optional<unsigned> boot_index = {};
        std::string source = {};  // how it was asked for
    };
    void attach(Attachment a) { attachments_.push_back(std::move(a)); }
    // Gives indexes to drives that have none, after all options are known; `snapshot` marks every disk.
    Result<std::vector<DriveConfig>> finish(bool snapshot);

  private:
    struct Entry {
        DriveConfig drive;
        bool has_index = false;
        std::string source;  // how it was asked for
        std::string id = {};
        bool detached = false;  // if=none
    };
    Status attach_all();

    std::vector<Entry> entries_;
    std::vector<Attachment> attachments_;
};

}  // namespace mynah
