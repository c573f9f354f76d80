#include "frontend/virtio_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "frontend/char_spec.h"

namespace mynah {

namespace {

enum class Kind { none, block, rng, serial, console };

// QEMU's names; those that end in -pci are aliases.
Kind kind_of(std::string_view driver) {
    if (driver == "virtio-blk-pci" || driver == "virtio-blk") return Kind::block;
    if (driver == "virtio-rng-pci" || driver == "virtio-rng") return Kind::rng;
    if (driver == "virtio-serial-pci" || driver == "virtio-serial") return Kind::serial;
    if (driver == "virtconsole") return Kind::console;
    return Kind::none;
}

// The transport is what QEMU calls modern; these say no more than that.
bool agrees(const KeyValue& kv) {
    return kv.key == "id" || (kv.key == "disable-legacy" && kv.value == "on") ||
           (kv.key == "disable-modern" && kv.value == "off");
}

Error unknown_key(const std::string& driver, const std::string& key, std::string_view there_are) {
    return Error{fmt::format("{} has no key \"{}\"; there {}", driver, key, there_are)};
}

Status add_block(const std::string& driver, std::span<const KeyValue> rest, DriveOptions& drives) {
    DriveOptions::Attachment a;
    a.source = "-device " + driver;
    for (const KeyValue& kv : rest) {
        if (kv.key == "drive") {
            a.id = kv.value;
        } else if (kv.key == "serial") {
            a.serial = kv.value;
        } else if (kv.key == "bootindex") {
            const auto n = parse_number(kv.value);
            if (!n) return Error{fmt::format("bootindex: {}", n.error().message)};
            if (*n > 0x7FFFFFFF) return Error{"bootindex is too big"};
            a.boot_index = static_cast<unsigned>(*n);
        } else if (!agrees(kv)) {
            return unknown_key(driver, kv.key, "are drive, serial and bootindex");
        }
    }
    if (a.id.empty()) return Error{"it needs drive=ID, the id of a -drive with if=none"};
    if (a.serial.size() > 20) return Error{"a serial number has at most 20 characters"};
    drives.attach(std::move(a));
    return Ok{};
}

}  // namespace

Status CharDevices::add(std::string_view text) {
    auto parts = parse_key_values(text, "backend");
    if (!parts) return parts.error();
    std::string backend, id, path;
    bool mux = false, server = false, wait = true;
    for (const KeyValue& kv : *parts) {
        const bool is_switch = kv.key == "mux" || kv.key == "server" || kv.key == "wait" ||
                               kv.key == "nowait" || kv.key == "signal";
        const auto on = is_switch && kv.has_value ? parse_switch(kv.value) : Result<bool>(true);
        if (!on) return Error{fmt::format("{}: {}", kv.key, on.error().message)};
        if (kv.key == "backend") {
            backend = kv.value;
        } else if (kv.key == "id") {
            id = kv.value;
        } else if (kv.key == "path") {
            path = kv.value;
        } else if (kv.key == "mux") {
            mux = *on;
        } else if (kv.key == "server") {
            server = *on;
        } else if (kv.key == "wait") {
            wait = *on;
        } else if (kv.key == "nowait") {
            wait = !*on;
        } else if (kv.key != "signal") {
            return Error{fmt::format("unknown key \"{}\"; there are id, path, mux, server and wait", kv.key)};
        }
    }
    if (id.empty()) return Error{"it needs id=NAME"};
    std::string spec = backend;
    if (backend == "stdio") {
        spec = mux ? "mon:stdio" : "stdio";
    } else if (backend == "file") {
        spec = "file:" + path;
    } else if (backend == "socket") {
        if (path.empty()) return Error{"a socket needs path=FILE; there are unix sockets only"};
        spec =
            fmt::format("unix:{}{}{}", path, server ? ",server=on" : "", server && !wait ? ",wait=off" : "");
    } else if (backend != "null") {
        return Error{fmt::format("\"{}\" is not supported; use stdio, file, socket or null", backend)};
    }
    if (auto parsed = parse_char_spec(spec); !parsed) return parsed.error();
    if (!by_id_.emplace(id, Entry{spec, false}).second)
        return Error{fmt::format("there are two with the id \"{}\"; rename one", id)};
    return Ok{};
}

Result<std::string> CharDevices::take(const std::string& id) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return Error{fmt::format("there is no -chardev with the id \"{}\"", id)};
    if (found->second.taken)
        return Error{fmt::format("the chardev \"{}\" has two users; give each its own", id)};
    found->second.taken = true;
    return found->second.spec;
}

bool VirtioOptions::knows(std::string_view driver) {
    return kind_of(driver) != Kind::none;
}

std::string VirtioOptions::help() {
    return "virtio-blk-pci  a disk: drive=ID of a -drive with if=none; serial=, bootindex=\n"
           "virtio-rng-pci  random numbers\n"
           "virtio-serial-pci  what virtconsole needs\n"
           "virtconsole     a console (Linux's hvc0): chardev=ID\n";
}

Status VirtioOptions::add_device(std::span<const KeyValue> parts, DriveOptions& drives) {
    const std::string& driver = parts[0].value;
    const auto rest = parts.subspan(1);
    const Kind kind = kind_of(driver);
    if (kind == Kind::block) return add_block(driver, rest, drives);
    std::string chardev;
    for (const KeyValue& kv : rest) {
        if (kind == Kind::console && kv.key == "chardev") {
            chardev = kv.value;
        } else if (!agrees(kv) && !(kind == Kind::console && kv.key == "name")) {
            return unknown_key(driver, kv.key, kind == Kind::console ? "is chardev" : "is none but id");
        }
    }
    if (kind == Kind::rng) ++rngs_;
    if (kind == Kind::serial) serial_ = true;
    if (kind == Kind::console) {
        if (!serial_) return Error{"it needs a -device virtio-serial-pci before it"};
        if (chardev.empty()) return Error{"it needs chardev=ID"};
        consoles_.push_back(chardev);
    }
    return Ok{};
}

Status VirtioOptions::finish(MachineConfig& config, CharDevices& chars) {
    config.virtio_rngs = rngs_;
    for (const std::string& id : consoles_) {
        auto spec = chars.take(id);
        if (!spec) return Error{fmt::format("-device virtconsole: {}", spec.error().message)};
        config.virtio_consoles.push_back({*spec});
    }
    return Ok{};
}

}  // namespace mynah
