#include "frontend/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/log.h"
#include "bios/cmos_layout.h"
#include "cpu/system/cpu_model.h"
#include "frontend/audio_options.h"
#include "frontend/char_spec.h"
#include "frontend/dates.h"
#include "frontend/drive_options.h"
#include "frontend/host_network.h"
#include "frontend/key_values.h"
#include "frontend/network_options.h"
#include "frontend/virtio_options.h"

namespace mynah {

namespace {

using Values = std::vector<KeyValue>;

// Everything that is gathered before it can be judged as a whole.
struct OptionRow;

bool is_help(std::string_view v) {
    return v == "help" || v == "?";
}

struct Parser {
    Parser(HostTime now, WindowSupport window) : now_(now), window_(window) {}

    Result<CommandLine> parse(std::span<const std::string> arguments);

    Status one(const OptionRow& row, std::string_view as_typed, const std::string* value);
    Status finish();
    Status finish_streams();

    Status memory(const std::string& v);
    Status smp(const std::string& v);
    Status cpu(const std::string& v);
    Status machine(const std::string& v);
    Status accelerator(const std::string& v);
    Status boot(const std::string& v);
    Status serial(const std::string& v);
    Status monitor(const std::string& v);
    Status debugcon(const std::string& v);
    Status display(const std::string& v);
    Status vga(const std::string& v);
    Status device(const std::string& v);
    Status audiodev(const std::string& v);
    Status global(const std::string& v);
    Status rtc(const std::string& v);
    Status icount(const std::string& v);
    Status clock(const std::string& v);
    Status nic(const std::string& v);
    Status parallel(const std::string& v);
    Status seed(const std::string& v);
    Status log_items(const std::string& v);
    Status positional(const std::string& v);

    MachineConfig& config() { return line_.machine; }
    // Nothing but this text is asked for.
    Status list(std::string text) {
        line_.action = CommandLine::Action::list;
        line_.list = std::move(text);
        return Ok{};
    }

    HostTime now_;
    WindowSupport window_;
    CommandLine line_;
    DriveOptions drives_;
    NetworkOptions networks_;
    VirtioOptions virtio_;
    CharDevices chars_;
    bool nographic_ = false, no_window_ = false, snapshot_ = false;
    bool monitor_given_ = false;
    std::optional<i64> rtc_;
    std::optional<ClockMode> clock_;
    std::map<std::string_view, std::string> seen_;
};

// One option; its handler is a member, a plain setter or both null for those that are only refused.
struct OptionRow {
    std::string_view name;      // without dashes
    std::string_view argument;  // what the help calls its value; empty: a flag
    std::string_view help;
    Status (*take)(Parser&, const std::string& value);
    bool repeats = false;
};

template <Status (Parser::*member)(const std::string&)>
Status call(Parser& p, const std::string& v) {
    return (p.*member)(v);
}

const std::vector<OptionRow>& option_rows() {
    using P = Parser;
    using S = const std::string&;
    constexpr auto ide = DriveInterface::ide, floppy = DriveInterface::floppy;
    constexpr auto disk = DriveMedia::disk, cdrom = DriveMedia::cdrom;
    static const std::vector<OptionRow> rows = {
        {"m", "SIZE", "guest memory: MiB, or with K, M, G (256)", call<&P::memory>},
        {"smp", "N", "processors (1)", call<&P::smp>},
        {"cpu", "MODEL", "processor model (max); -cpu help lists them; MODEL,kvm=on: KVM's clock", call<&P::cpu>},
        {"M", "pc[,pcspk-audiodev=ID]", "machine: pc (i440FX + PIIX3); where its speaker plays",
         call<&P::machine>},
        {"machine", "pc", "the same as -M", call<&P::machine>},
        {"accel", "jit|interp|verify[,tb-size=MiB]", "how guest code runs (tcg means jit)",
         call<&P::accelerator>, true},
        {"perfmap", "", "name translated code in /tmp/perf-PID.map for Linux perf",
         [](P& p, S) -> Status { return p.config().perf_map = true, Ok{}; }},
        {"kernel", "FILE", "boot a bzImage, multiboot or PVH kernel without firmware",
         [](P& p, S v) -> Status { return p.config().kernel = v, Ok{}; }},
        {"initrd", "FILE", "initial RAM disk, or multiboot modules: \"a args,b args\"",
         [](P& p, S v) -> Status { return p.config().initrd = v, Ok{}; }},
        {"append", "TEXT", "the kernel's command line",
         [](P& p, S v) -> Status { return p.config().append = v, Ok{}; }},
        {"bios", "FILE", "firmware image (SeaBIOS)",
         [](P& p, S v) -> Status { return p.config().bios = v, Ok{}; }},
        {"L", "FOLDER", "look for firmware here first",
         [](P& p, S v) -> Status {
             auto& path = p.config().firmware_path;
             path.insert(path.begin(), v);
             return Ok{};
         },
         true},
        {"hda", "FILE", "IDE disks", [](P& p, S v) { return p.drives_.add("-hda", ide, disk, 0, v); }},
        {"hdb", "FILE", "", [](P& p, S v) { return p.drives_.add("-hdb", ide, disk, 1, v); }},
        {"hdc", "FILE", "", [](P& p, S v) { return p.drives_.add("-hdc", ide, disk, 2, v); }},
        {"hdd", "FILE", "", [](P& p, S v) { return p.drives_.add("-hdd", ide, disk, 3, v); }},
        {"cdrom", "FILE", "CD-ROM image",
         [](P& p, S v) { return p.drives_.add("-cdrom", ide, cdrom, 2, v); }},
        {"fda", "FILE", "floppy images", [](P& p, S v) { return p.drives_.add("-fda", floppy, disk, 0, v); }},
        {"fdb", "FILE", "", [](P& p, S v) { return p.drives_.add("-fdb", floppy, disk, 1, v); }},
        {"drive",
         "file=F,if=ide|virtio|floppy|none,id=ID,index=N,media=disk|cdrom,format=raw|qcow2,readonly=on,"
         "snapshot=on,discard=unmap",
         "a drive", [](P& p, S v) { return p.drives_.add_drive(v); }, true},
        {"snapshot", "", "keep writes to disks in memory",
         [](P& p, S) -> Status { return p.snapshot_ = true, Ok{}; }},
        {"boot", "[order=]LETTERS[,menu=on]", "boot order: a floppy, c disk, d CD-ROM, n network (cad)",
         call<&P::boot>},
        {"serial", "CHARDEV",
         "a serial port: stdio, mon:stdio, file:PATH, unix:PATH[,server][,nowait], null, none",
         call<&P::serial>, true},
        {"monitor", "CHARDEV", "the human monitor", call<&P::monitor>},
        {"debugcon", "CHARDEV", "debug output of port E9h", call<&P::debugcon>},
        {"nographic", "", "no window; serial port and monitor on the terminal (Ctrl-A H for help)",
         [](P& p, S) -> Status { return p.nographic_ = true, Ok{}; }},
        {"display", "sdl|none", "a window (where there is a screen) or none", call<&P::display>},
        {"vga", "std|none", "display adapter", call<&P::vga>},
        {"audiodev", "wav|sdl|none,id=ID[,path=FILE]", "where sound goes; -audiodev help lists the drivers",
         call<&P::audiodev>, true},
        {"device", "NAME[,KEY=VALUE]",
         "a device, as e1000,netdev=ID, virtio-blk-pci,drive=ID or sb16,audiodev=ID; -device help lists them",
         call<&P::device>, true},
        {"chardev", "stdio|file|socket|null,id=ID[,path=FILE]", "a character device for -device virtconsole",
         [](P& p, S v) { return p.chars_.add(v); }, true},
        {"global", "isa-debugcon.iobase=PORT", "moves the debug port", call<&P::global>, true},
        {"nodefaults", "", "only the devices that are asked for",
         [](P& p, S) -> Status { return p.config().default_devices = false, Ok{}; }},
        {"parallel", "none", "parallel port (there is none)", call<&P::parallel>, true},
        {"nic", "user[,model=NAME,mac=ADDR,hostfwd=RULE,...]|none",
         "a network adapter on a network of its own (e1000); -nic model=help lists them", call<&P::nic>,
         true},
        {"netdev", "user,id=ID[,hostfwd=tcp|udp:[ADDR]:PORT-[ADDR]:PORT,restrict=on,...]",
         "the network for -device e1000,netdev=ID", [](P& p, S v) { return p.networks_.add_netdev(v); },
         true},
        {"net", "none", "", [](P& p, S v) { return p.networks_.add_net(v); }, true},
        {"object", "filter-dump,id=ID,netdev=ID,file=FILE", "write a network's frames to a pcap file",
         [](P& p, S v) { return p.networks_.add_object(v); }, true},
        {"rtc", "base=utc|localtime|DATE", "the clock's start, a date as 2024-01-31T12:00:00", call<&P::rtc>},
        {"clock", "realtime|deterministic", "whose time the guest sees (realtime)", call<&P::clock>},
        {"icount", "shift=N", "deterministic time, 2^N ns an instruction", call<&P::icount>},
        {"seed", "N", "random numbers of the guest's processor under the deterministic clock",
         call<&P::seed>},
        {"no-reboot", "", "exit when the guest resets",
         [](P& p, S) -> Status { return p.config().reboot = false, Ok{}; }},
        {"no-shutdown", "", "stop, but do not exit, when the guest powers off",
         [](P& p, S) -> Status { return p.config().shut_down = false, Ok{}; }},
        {"S", "", "do not start the processor; type c in the monitor",
         [](P& p, S) -> Status { return p.config().start_paused = true, Ok{}; }},
        {"loadvm", "FILE", "start from a saved machine",
         [](P& p, S v) -> Status { return p.config().load_snapshot = v, Ok{}; }},
        {"d", "ITEMS", "log, as in int,cpu_reset; -d help lists what there is", call<&P::log_items>},
        {"D", "FILE", "write the log to a file",
         [](P& p, S v) -> Status { return p.config().log_file = v, Ok{}; }},
        {"name", "TEXT", "ignored", [](P&, S) -> Status { return Ok{}; }},
        {"help", "", "this text",
         [](P& p, S) -> Status { return p.line_.action = CommandLine::Action::help, Ok{}; }},
        {"h", "", "", [](P& p, S) -> Status { return p.line_.action = CommandLine::Action::help, Ok{}; }},
        {"version", "", "the version",
         [](P& p, S) -> Status { return p.line_.action = CommandLine::Action::version, Ok{}; }},
    };
    return rows;
}

// QEMU options whose absence deserves more than "unknown".
struct Refused {
    std::string_view name, why;
};
constexpr Refused kRefused[] = {
    {"enable-kvm", "guest code is translated here, never run by KVM; leave it out"},
    {"gdb", "the gdb stub is not there yet; leave it out"},
    {"s", "the gdb stub is not there yet; leave it out"},
    {"qmp", "QMP is not there yet; use -monitor"},
    {"vnc", "VNC is not there yet; use -nographic or -display none"},
    {"usb", "there is no USB; leave it out"},
    {"daemonize", "it always runs in the foreground; leave it out, or start it with &"},
};

Status Parser::memory(const std::string& v) {
    auto parts = parse_key_values(v, "size");
    if (!parts.ok()) return parts.error();
    for (const KeyValue& kv : *parts) {
        if (kv.key != "size")
            return Error{fmt::format("\"{}\" is not supported; give the size only", kv.key)};
        const auto size = parse_size(kv.value, MiB);
        if (!size.ok()) return size.error();
        if (*size < MiB) return Error{"a PC needs at least 1M"};
        if (*size > 512 * GiB) return Error{"at most 512G can be given"};
        config().memory = align_up(*size, 4096);
    }
    return Ok{};
}

Status Parser::smp(const std::string& v) {
    auto parts = parse_key_values(v, "cpus");
    if (!parts.ok()) return parts.error();
    for (const KeyValue& kv : *parts) {
        static constexpr std::string_view keys[] = {"cpus", "cores", "threads", "sockets", "maxcpus", "dies"};
        if (std::find(std::begin(keys), std::end(keys), kv.key) == std::end(keys)) {
            return Error{fmt::format("unknown key \"{}\"", kv.key)};
        }
        const auto n = parse_number(kv.value);
        if (!n.ok()) return n.error();
        if (*n != 1) return Error{"more than one processor is not there yet; use -smp 1"};
    }
    return Ok{};
}

Status Parser::cpu(const std::string& v) {
    std::string known;
    std::vector<std::string_view> names;
    for (const CpuModel& m : cpu_models()) {
        known += fmt::format("{}{}", known.empty() ? "" : " ", m.name);
        names.push_back(m.name);
    }
    if (is_help(v)) return list(cpu_list());
    const std::string model = v.substr(0, v.find(','));
    if (!find_cpu_model(model)) {
        const std::string_view near = closest(model, names);
        if (!near.empty()) return Error{fmt::format("there is no such model; did you mean {}?", near)};
        return Error{fmt::format("there is no such model; there are {}", known)};
    }
    if (auto chosen = choose_cpu(v); !chosen) return chosen.error();
    config().cpu = v;
    return Ok{};
}

Status Parser::machine(const std::string& v) {
    if (is_help(v)) return list("pc              i440FX + PIIX3 (also as pc-i440fx-VERSION)\n");
    auto parts = parse_key_values(v, "type");
    if (!parts.ok()) return parts.error();
    for (const KeyValue& kv : *parts) {
        if (kv.key == "type") {
            if (kv.value != "pc" && !kv.value.starts_with("pc-i440fx-")) {
                return Error{fmt::format("there is no machine \"{}\"; use pc", kv.value)};
            }
        } else if (kv.key == "accel") {
            if (auto s = accelerator(kv.value); !s.ok()) return s;
        } else if (kv.key == "pcspk-audiodev") {
            config().speaker_audiodev = kv.value;
        } else if (kv.key == "vmport") {
            if (kv.value == "auto") continue;
            const auto on = parse_switch(kv.value);
            if (!on.ok()) return on.error();
            config().vmport = *on;
        } else if (kv.key == "graphics" || kv.key == "usb" || kv.key == "smm") {
            const auto on = parse_switch(kv.value);
            if (!on.ok()) return on.error();
            if (kv.key == "graphics" ? !*on : *on) {
                if (kv.key != "graphics") return Error{fmt::format("there is no {}; leave it out", kv.key)};
                nographic_ = true;
            }
        } else if (kv.key != "hpet" && kv.key != "acpi" && kv.key != "pit") {
            return Error{fmt::format("unknown key \"{}\"", kv.key)};
        } else if (const auto on = parse_switch(kv.value); !on.ok() || !*on) {
            return Error{fmt::format("{} is always on", kv.key)};
        }
    }
    return Ok{};
}

Status Parser::accelerator(const std::string& v) {
    if (is_help(v))
        return list(
            "jit      translated code, the interpreter for the rest (default)\n"
            "interp   the interpreter alone\n"
            "verify   translated code, checked against the interpreter\n"
            "tcg      means jit\n");
    auto parts = parse_key_values(v, "accel");
    if (!parts.ok()) return parts.error();
    for (const KeyValue& kv : *parts) {
        if (kv.key == "accel") {
            if (kv.value == "jit" || kv.value == "tcg") {
                config().accel = AccelKind::jit;
            } else if (kv.value == "interp") {
                config().accel = AccelKind::interp;
            } else if (kv.value == "verify") {
                config().accel = AccelKind::verify;
            } else {
                return Error{
                    fmt::format("there is no accelerator \"{}\"; use jit, interp or verify", kv.value)};
            }
        } else if (kv.key == "tb-size") {
            const auto mib = parse_number(kv.value);
            if (!mib || *mib < 1 || *mib > 1024)
                return Error{fmt::format("tb-size={}: give 1 to 1024 MiB of translated code", kv.value)};
            config().translation_bytes = *mib * MiB;
        } else {
            return Error{fmt::format("unknown key \"{}\"; there is tb-size", kv.key)};
        }
    }
    return Ok{};
}

Status Parser::boot(const std::string& v) {
    auto parts = parse_key_values(v, "order");
    if (!parts.ok()) return parts.error();
    for (const KeyValue& kv : *parts) {
        if (kv.key == "order") {
            if (auto s = check_boot_order(kv.value); !s.ok()) return s;
            config().boot_order = kv.value;
        } else if (kv.key == "menu") {
            const auto on = parse_switch(kv.value);
            if (!on.ok()) return on.error();
            config().boot_menu = *on;
        } else {
            return Error{fmt::format("\"{}\" is not supported; there are order and menu", kv.key)};
        }
    }
    return Ok{};
}

Status Parser::serial(const std::string& v) {
    if (auto spec = parse_char_spec(v); !spec.ok()) return spec.error();
    if (config().serials.size() == 4) return Error{"there are four serial ports only"};
    config().serials.push_back({v});
    return Ok{};
}

Status Parser::monitor(const std::string& v) {
    if (auto spec = parse_char_spec(v); !spec.ok()) return spec.error();
    config().monitor.spec = v.starts_with("mon:") ? v.substr(4) : v;
    monitor_given_ = true;
    return Ok{};
}

Status Parser::debugcon(const std::string& v) {
    if (auto spec = parse_char_spec(v); !spec.ok()) return spec.error();
    config().debugcon.spec = v;
    return Ok{};
}

Status Parser::display(const std::string& v) {
    if (is_help(v)) return list("sdl\nnone\n");
    if (v != "none" && v != "sdl")
        return Error{fmt::format("there is no display \"{}\"; use -display sdl or none, or -nographic", v)};
    no_window_ = v == "none";
    if (no_window_) return Ok{};
    config().display = true;
    return check_window(window_);
}

Status Parser::vga(const std::string& v) {
    if (is_help(v))
        return list("std             VGA with VESA BIOS extensions\nnone            no display adapter\n");
    if (v != "std" && v != "none")
        return Error{fmt::format("there is no display adapter \"{}\"; use std or none", v)};
    config().vga = v == "std";
    return Ok{};
}

Status Parser::audiodev(const std::string& v) {
    if (is_help(v)) return list(audiodev_list());
    return add_audiodev(config(), v);
}

Status Parser::device(const std::string& v) {
    if (is_help(v)) {
        return list(
            std::string(
                "isa-debug-exit  a write of N ends mynah with code (N << 1) | 1; iobase=501h, iosize=2\n"
                "pc-testdev      ports for interrupt and port tests\n"
                "sb16            a Sound Blaster 16: audiodev=ID, iobase=0x220, irq=5, dma=1, dma16=5\n") +
            NetworkOptions::model_list() + VirtioOptions::help());
    }
    auto parts = parse_key_values(v, "driver");
    if (!parts.ok()) return parts.error();
    const std::string& driver = parts->front().value;
    const auto rest = std::span(*parts).subspan(1);
    if (VirtioOptions::knows(driver)) return virtio_.add_device(*parts, drives_);
    if (driver == "pc-testdev") {
        if (!rest.empty()) return Error{fmt::format("pc-testdev has no key \"{}\"", rest[0].key)};
        config().pc_testdev = true;
        return Ok{};
    }
    if (driver == "sb16") return add_sb16(config(), rest);
    if (NetworkOptions::is_adapter(driver)) return networks_.add_device(driver, rest);
    if (driver != "isa-debug-exit") {
        return Error{fmt::format("there is no device \"{}\"; -device help lists them", driver)};
    }
    if (config().isa_debug_exit) return Error{"isa-debug-exit is given twice"};
    IsaDebugExitConfig exit;
    for (const KeyValue& kv : rest) {
        if (kv.key == "id") continue;
        const auto n = parse_number(kv.value);
        if (kv.key != "iobase" && kv.key != "iosize") {
            return Error{
                fmt::format("isa-debug-exit has no key \"{}\"; there are iobase and iosize", kv.key)};
        }
        if (!n.ok()) return Error{fmt::format("{}: {}", kv.key, n.error().message)};
        if (kv.key == "iosize") {
            if (*n != 1 && *n != 2 && *n != 4) return Error{"iosize is 1, 2 or 4"};
            exit.iosize = static_cast<u16>(*n);
        } else {
            if (*n > 0xFFFF) return Error{"iobase is a port, at most 0xffff"};
            exit.iobase = static_cast<u16>(*n);
        }
    }
    if (exit.iobase + exit.iosize > 0x10000) return Error{"iobase + iosize is beyond the last port"};
    config().isa_debug_exit = exit;
    return Ok{};
}

Status Parser::global(const std::string& v) {
    static constexpr std::string_view key = "isa-debugcon.iobase=";
    if (!v.starts_with(key)) return Error{fmt::format("\"{}\" is not supported; there is {}PORT", v, key)};
    const auto n = parse_number(std::string_view(v).substr(key.size()));
    if (!n.ok()) return n.error();
    if (*n > 0xFFFF) return Error{"the port is at most 0xffff"};
    config().debugcon_port = static_cast<u16>(*n);
    return Ok{};
}

Status Parser::rtc(const std::string& v) {
    auto parts = parse_key_values(v, "base");
    if (!parts.ok()) return parts.error();
    for (const KeyValue& kv : *parts) {
        if (kv.key == "base") {
            if (kv.value == "utc") {
                rtc_ = now_.utc;
            } else if (kv.value == "localtime") {
                rtc_ = now_.local;
            } else {
                const auto date = parse_date(kv.value);
                if (!date.ok()) return date.error();
                rtc_ = *date;
            }
        } else if (kv.key == "clock") {
            if (kv.value != "vm" && kv.value != "host" && kv.value != "rt")
                return Error{"clock is vm, host or rt"};
        } else if (kv.key != "driftfix" || kv.value != "none") {
            return Error{fmt::format("\"{}={}\" is not supported; there is base", kv.key, kv.value)};
        }
    }
    return Ok{};
}

Status Parser::icount(const std::string& v) {
    auto parts = parse_key_values(v, "shift");
    if (!parts.ok()) return parts.error();
    for (const KeyValue& kv : *parts) {
        if (kv.key == "shift") {
            const auto n = parse_number(kv.value);
            if (!n.ok() || *n > 10)
                return Error{fmt::format("shift \"{}\" is not a number from 0 to 10", kv.value)};
            config().icount_shift = static_cast<unsigned>(*n);
        } else if (kv.key != "sleep" && kv.key != "align") {
            return Error{fmt::format("\"{}\" is not supported; there is shift", kv.key)};
        }
    }
    if (clock_ == ClockMode::realtime) return Error{"it contradicts --clock realtime; drop one of them"};
    clock_ = ClockMode::deterministic;
    return Ok{};
}

Status Parser::clock(const std::string& v) {
    if (v != "realtime" && v != "deterministic")
        return Error{fmt::format("\"{}\" is neither realtime nor deterministic", v)};
    const ClockMode mode = v == "realtime" ? ClockMode::realtime : ClockMode::deterministic;
    if (clock_ && *clock_ != mode) return Error{"it contradicts -icount; drop one of them"};
    clock_ = mode;
    return Ok{};
}

Status Parser::parallel(const std::string& v) {
    if (v != "none") return Error{"there is no parallel port; use none, or leave it out"};
    return Ok{};
}

Status Parser::nic(const std::string& v) {
    if (v == "model=help") return list(NetworkOptions::model_list());
    return networks_.add_nic(v);
}

Status Parser::seed(const std::string& v) {
    const auto n = parse_number(v);
    if (!n.ok()) return n.error();
    config().seed = *n;
    return Ok{};
}

Status Parser::log_items(const std::string& v) {
    if (is_help(v)) return list(Log::item_list());
    Log probe;
    if (auto s = probe.enable(v); !s.ok()) return s;
    config().log_items = v;
    return Ok{};
}

Status Parser::positional(const std::string& v) {
    return drives_.add(fmt::format("\"{}\"", v), DriveInterface::ide, DriveMedia::disk, 0, v);
}

Status Parser::one(const OptionRow& row, std::string_view typed, const std::string* value) {
    const std::string text = value ? *value : std::string();
    if (!row.repeats) {
        const auto [it, first] = seen_.emplace(row.name, text);
        if (!first) {
            if (it->second == text) return Ok{};
            return Error{
                fmt::format("{} is given twice, with \"{}\" and \"{}\"; drop one", typed, it->second, text)};
        }
    }
    const Status s = row.take(*this, text);
    if (s.ok()) return s;
    const std::string& why = s.error().message;
    return Error{why.starts_with(typed) ? why : fmt::format("{} {}: {}", typed, text, why)};
}

// Who gets the terminal, as in QEMU: -nographic shares it between the first serial port and the monitor
// unless one of them goes elsewhere. Without a window there is no other place for them.
Status Parser::finish_streams() {
    MachineConfig& c = config();
    if (c.display && nographic_) return Error{"-display sdl contradicts -nographic; drop one of them"};
    if (window_ == WindowSupport::ready && !nographic_ && !no_window_) c.display = true;
    const bool terminal = nographic_ || (!no_window_ && !c.display);
    const bool serial_given = !c.serials.empty();
    if (terminal && c.default_devices) {
        if (!serial_given) c.serials.push_back({monitor_given_ ? "stdio" : "mon:stdio"});
        const bool shared = c.serials[0].spec == "mon:stdio";
        const bool free = std::none_of(c.serials.begin(), c.serials.end(),
                                       [](const CharConfig& s) { return s.spec.ends_with("stdio"); }) &&
                          c.debugcon.spec != "stdio";
        if (!monitor_given_ && !shared && nographic_ && free) c.monitor.spec = "stdio";
    } else if (!serial_given && c.default_devices) {
        c.serials.push_back({"null"});
    }
    unsigned users = c.monitor.spec == "stdio";
    users += c.debugcon.spec.ends_with("stdio");
    for (const CharConfig& s : c.serials) users += s.spec.ends_with("stdio");
    for (const VirtioConsoleConfig& v : c.virtio_consoles) users += v.spec.ends_with("stdio");
    if (users > 1)
        return Error{
            "only one of -serial, -monitor, -debugcon and -chardev can use stdio; use -serial mon:stdio to "
            "share it"};
    return Ok{};
}

Status Parser::finish() {
    MachineConfig& c = config();
    if (!c.kernel.empty() && !c.bios.empty()) {
        return Error{"-kernel boots without firmware and -bios with it; drop one of them"};
    }
    if (c.kernel.empty() && !c.initrd.empty()) return Error{"-initrd needs -kernel"};
    if (c.kernel.empty() && !c.append.empty()) return Error{"-append needs -kernel"};
    if (auto s = check_audio(c); !s.ok()) return s;
    auto drives = drives_.finish(snapshot_);
    if (!drives.ok()) return drives.error();
    c.drives = std::move(*drives);
    if (Status s = virtio_.finish(c, chars_); !s) return s;
    c.clock = clock_.value_or(ClockMode::realtime);
    // As in QEMU one adapter is there unasked; but not where runs are to repeat, which a network upsets.
    auto nics = networks_.finish(c.default_devices && c.clock == ClockMode::realtime && has_user_networks());
    if (!nics.ok()) return nics.error();
    c.nics = std::move(*nics);
    c.rtc_seconds = rtc_.value_or(c.clock == ClockMode::deterministic ? kDeterministicRtc : now_.utc);
    return finish_streams();
}

Result<CommandLine> Parser::parse(std::span<const std::string> arguments) {
    for (size_t i = 0; i < arguments.size(); ++i) {
        const std::string& typed = arguments[i];
        if (typed.size() < 2 || typed[0] != '-') {
            if (auto s = positional(typed); !s.ok()) return s.error();
            continue;
        }
        std::string_view name = typed;
        name.remove_prefix(name.starts_with("--") ? 2 : 1);
        std::optional<std::string> value;
        if (const size_t equals = name.find('=');
            typed.starts_with("--") && equals != std::string_view::npos) {
            value = name.substr(equals + 1);
            name = name.substr(0, equals);
        }
        const auto& rows = option_rows();
        const auto row =
            std::find_if(rows.begin(), rows.end(), [&](const OptionRow& r) { return r.name == name; });
        if (row == rows.end()) {
            for (const Refused& r : kRefused) {
                if (r.name == name) return Error{fmt::format("{}: {}", typed, r.why)};
            }
            std::vector<std::string_view> names;
            for (const OptionRow& r : rows) names.push_back(r.name);
            const std::string_view near = closest(name, names);
            return Error{near.empty() ? fmt::format("unknown option {}; --help lists them all", typed)
                                      : fmt::format("unknown option {}; did you mean -{}?", typed, near)};
        }
        if (row->argument.empty() && value) return Error{fmt::format("-{} takes no value", name)};
        if (!row->argument.empty() && !value) {
            if (i + 1 == arguments.size())
                return Error{fmt::format("{} needs a value: {}", typed, row->argument)};
            value = arguments[++i];
        }
        if (auto s = one(*row, fmt::format("-{}", name), value ? &*value : nullptr); !s.ok())
            return s.error();
        if (line_.action != CommandLine::Action::run) return line_;
    }
    if (auto s = finish(); !s.ok()) return s.error();
    return line_;
}

}  // namespace

Status check_window(WindowSupport window) {
    if (window == WindowSupport::not_built)
        return Error{
            "this mynah was built without a window; install libsdl2-dev, libimgui-dev and "
            "libtomlplusplus-dev and "
            "build it again, or use -nographic"};
    if (window == WindowSupport::no_display)
        return Error{
            "there is no screen for a window (neither DISPLAY nor WAYLAND_DISPLAY is set); use -nographic, "
            "or "
            "mynah --help for more"};
    return Ok{};
}

Result<CommandLine> parse_command_line(std::span<const std::string> arguments, HostTime now,
                                       WindowSupport window) {
    return Parser(now, window).parse(arguments);
}

std::string cpu_list() {
    std::string text;
    for (const CpuModel& m : cpu_models()) text += fmt::format("{:16}{}\n", m.name, m.brand);
    return text;
}

std::string help_text() {
    std::string text =
        "mynah: a PC emulator. Usage: mynah [options] [disk image]\n"
        "                             mynah run NAME [options]   a machine of the library\n"
        "                             mynah list                 what there is in the library\n"
        "                             mynah                      the library in a window\n"
        "                             mynah img COMMAND          disk images (mynah img --help)\n"
        "Options are QEMU's; one or two dashes.\n\n";
    for (const OptionRow& row : option_rows()) {
        if (row.help.empty()) continue;
        const std::string left = fmt::format("  -{} {}", row.name, row.argument);
        text += left.size() < 34 ? fmt::format("{:34}{}\n", left, row.help)
                                 : fmt::format("{}\n{:34}{}\n", left, "", row.help);
    }
    text +=
        "\nExample: mynah -m 256 -kernel vmlinuz -initrd initrd.gz -append console=ttyS0 -nographic\n"
        "Keys with -nographic: Ctrl-A X ends mynah, Ctrl-A C switches to the monitor, Ctrl-A H shows more.\n";
    return text;
}

}  // namespace mynah
