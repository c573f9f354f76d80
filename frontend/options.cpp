#include "frontend/options.h"

#include <fmt/format.h>

#include <algorithm>

#include "cpu/system/cpu_model.h"
#include "frontend/audio_options.h"
#include "frontend/host_network.h"
#include "frontend/key_values.h"
#include "frontend/option_parser.h"

namespace mynah {

namespace {

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

}  // namespace

Status OptionParser::one(const OptionRow& row, std::string_view typed, const std::string* value) {
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
Status OptionParser::finish_streams() {
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

Status OptionParser::finish() {
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

Result<CommandLine> OptionParser::parse(std::span<const std::string> arguments) {
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
    return OptionParser(now, window).parse(arguments);
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
