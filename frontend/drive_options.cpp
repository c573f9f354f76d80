#include "frontend/drive_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "frontend/key_values.h"

namespace mynah {

namespace {

constexpr unsigned kIdePlaces = 4, kFloppyPlaces = 2, kVirtioPlaces = 24;

unsigned places(DriveInterface interface) {
    if (interface == DriveInterface::virtio) return kVirtioPlaces;
    return interface == DriveInterface::ide ? kIdePlaces : kFloppyPlaces;
}

std::string_view interface_name(DriveInterface interface) {
    if (interface == DriveInterface::virtio) return "virtio";
    return interface == DriveInterface::ide ? "IDE" : "floppy";
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

Status DriveOptions::add(std::string_view option, DriveInterface interface, DriveMedia media, unsigned index,
                         std::string_view file) {
    if (file.empty()) return Error{fmt::format("{} needs a file name", option)};
    Entry e;
    e.drive.interface = interface;
    e.drive.media = media;
    e.drive.index = index;
    e.drive.file = file;
    e.drive.read_only = media == DriveMedia::cdrom;
    e.has_index = true;
    e.source = option;
    entries_.push_back(std::move(e));
    return Ok{};
}

Status DriveOptions::add_drive(std::string_view text) {
    const auto fail = [&](std::string_view why) { return Error{fmt::format("-drive {}: {}", text, why)}; };
    const auto parts = parse_key_values(text);
    if (!parts.ok()) return fail(parts.error().message);
    Entry e;
    e.source = fmt::format("-drive {}", text);
    std::optional<u64> bus, unit, index;
    std::optional<bool> read_only;
    bool has_media = false;
    for (const KeyValue& kv : *parts) {
        const auto& [key, value, has_value] = kv;
        if (!has_value) return fail(fmt::format("\"{}\" needs a value", key));
        if (key == "file") {
            e.drive.file = value;
        } else if (key == "format") {
            const auto format = parse_image_format(value);
            if (!format.ok()) return fail(format.error().message);
            e.drive.format = *format;
        } else if (key == "if") {
            if (value == "ide") {
                e.drive.interface = DriveInterface::ide;
            } else if (value == "floppy") {
                e.drive.interface = DriveInterface::floppy;
            } else if (value == "virtio" || value == "none") {
                e.drive.interface = DriveInterface::virtio;
                e.detached = value == "none";
            } else {
                return fail(fmt::format(
                    "interface \"{}\" is not supported; use if=ide, if=virtio, if=floppy or if=none", value));
            }
        } else if (key == "media") {
            if (value != "disk" && value != "cdrom") return fail("media is disk or cdrom");
            e.drive.media = value == "cdrom" ? DriveMedia::cdrom : DriveMedia::disk;
            has_media = true;
        } else if (key == "index" || key == "bus" || key == "unit") {
            const auto number = parse_number(value);
            if (!number.ok()) return fail(number.error().message);
            (key == "index" ? index : key == "bus" ? bus : unit) = *number;
        } else if (key == "discard") {
            if (!is_one_of(value, {"unmap", "on", "ignore", "off"}))
                return fail("discard is unmap or ignore");
            e.drive.discard = value == "unmap" || value == "on";
        } else if (is_one_of(key, {"readonly", "read-only", "snapshot"})) {
            const auto on = parse_switch(value);
            if (!on.ok()) return fail(fmt::format("{}: {}", key, on.error().message));
            if (key == "snapshot") {
                e.drive.snapshot = *on;
            } else {
                read_only = *on;
            }
        } else if (key == "id") {
            e.id = value;
        } else if (!is_one_of(key, {"cache", "aio", "detect-zeroes", "rerror", "werror"})) {
            return fail(fmt::format("unknown key \"{}\"", key));
        }
    }
    const bool cdrom = e.drive.media == DriveMedia::cdrom;
    if (cdrom && e.drive.interface == DriveInterface::floppy) return fail("a floppy drive takes no CD-ROM");
    const bool virtio = e.drive.interface == DriveInterface::virtio;
    if (cdrom && virtio) return fail("a CD-ROM drive is IDE's; use if=ide");
    if (e.detached && e.id.empty()) return fail("if=none needs id=NAME, for a -device with drive=NAME");
    if (e.drive.file.empty() && !cdrom && e.drive.interface != DriveInterface::floppy) {
        return fail(has_media ? "a disk needs file=" : "it needs file=");
    }
    if (cdrom && read_only == false) return fail("a CD-ROM is always read-only");
    e.drive.read_only = read_only.value_or(cdrom);
    if (index && (bus || unit)) return fail("give either index or bus and unit");
    if (virtio && (bus || unit)) return fail("virtio disks have an index only");
    if (bus || unit) {
        if (bus.value_or(0) > 1 || unit.value_or(0) > 1) return fail("bus and unit are 0 or 1");
        index = e.drive.interface == DriveInterface::ide ? bus.value_or(0) * 2 + unit.value_or(0)
                                                         : unit.value_or(0);
    }
    if (index) {
        if (*index >= places(e.drive.interface)) {
            return fail(fmt::format("index {} is out of range; {} drives are 0 to {}", *index,
                                    interface_name(e.drive.interface), places(e.drive.interface) - 1));
        }
        e.drive.index = static_cast<unsigned>(*index);
        e.has_index = true;
    }
    entries_.push_back(std::move(e));
    return Ok{};
}

Status DriveOptions::attach_all() {
    for (const Attachment& a : attachments_) {
        const auto found =
            std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.id == a.id; });
        if (found == entries_.end())
            return Error{fmt::format("{}: there is no -drive with the id \"{}\"", a.source, a.id)};
        if (!found->detached)
            return Error{fmt::format("{}: {} is in use already; give it if=none", a.source, found->source)};
        found->detached = false;
        found->drive.serial = a.serial;
        found->drive.boot_index = a.boot_index;
    }
    for (const Entry& e : entries_) {
        if (e.detached)
            return Error{
                fmt::format("{}: no -device has drive={}; add one, or give an interface", e.source, e.id)};
    }
    return Ok{};
}

Result<std::vector<DriveConfig>> DriveOptions::finish(bool snapshot) {
    if (Status s = attach_all(); !s) return s.error();
    const auto holder = [&](DriveInterface interface, unsigned index, const Entry* except) -> const Entry* {
        for (const Entry& e : entries_) {
            if (&e != except && e.has_index && e.drive.interface == interface && e.drive.index == index)
                return &e;
        }
        return nullptr;
    };
    for (const Entry& e : entries_) {
        if (!e.has_index) continue;
        if (const Entry* other = holder(e.drive.interface, e.drive.index, &e)) {
            return Error{fmt::format("{} and {} both want {} place {}; give one another index", other->source,
                                     e.source, interface_name(e.drive.interface), e.drive.index)};
        }
    }
    std::vector<DriveConfig> out;
    for (Entry& e : entries_) {
        if (!e.has_index) {
            // As in QEMU, the third place is where a CD-ROM goes first.
            unsigned index = e.drive.media == DriveMedia::cdrom ? 2 : 0;
            if (holder(e.drive.interface, index, &e)) index = 0;
            while (index < places(e.drive.interface) && holder(e.drive.interface, index, &e)) ++index;
            if (index == places(e.drive.interface)) {
                return Error{fmt::format("{}: there is no {} place left", e.source,
                                         interface_name(e.drive.interface))};
            }
            e.drive.index = index;
            e.has_index = true;
        }
        if (snapshot && e.drive.media == DriveMedia::disk) e.drive.snapshot = true;
        out.push_back(e.drive);
    }
    return out;
}

}  // namespace mynah
