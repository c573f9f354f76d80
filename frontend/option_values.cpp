// What each option takes.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "bios/cmos_layout.h"
#include "cpu/system/cpu_model.h"
#include "frontend/audio_options.h"
#include "frontend/dates.h"
#include "frontend/key_values.h"
#include "frontend/option_parser.h"

namespace mynah {

Status OptionParser::memory(const std::string& v) {
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

Status OptionParser::smp(const std::string& v) {
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

Status OptionParser::cpu(const std::string& v) {
    if (is_help(v)) return list(cpu_list());
    const std::string model = v.substr(0, v.find(','));
    if (!find_cpu_model(model)) {
        std::vector<std::string_view> names;
        for (const CpuModel& m : cpu_models()) names.push_back(m.name);
        const std::string_view near = closest(model, names);
        if (!near.empty()) return Error{fmt::format("there is no such model; did you mean {}?", near)};
    }
    if (auto chosen = choose_cpu(v); !chosen) return chosen.error();
    config().cpu = v;
    return Ok{};
}

Status OptionParser::machine(const std::string& v) {
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

Status OptionParser::accelerator(const std::string& v) {
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

Status OptionParser::boot(const std::string& v) {
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

Status OptionParser::serial(const std::string& v) {
    if (auto spec = parse_char_spec(v); !spec.ok()) return spec.error();
    if (config().serials.size() == 4) return Error{"there are four serial ports only"};
    config().serials.push_back({v});
    return Ok{};
}

Status OptionParser::monitor(const std::string& v) {
    if (auto spec = parse_char_spec(v); !spec.ok()) return spec.error();
    config().monitor.spec = v.starts_with("mon:") ? v.substr(4) : v;
    monitor_given_ = true;
    return Ok{};
}

Status OptionParser::debugcon(const std::string& v) {
    if (auto spec = parse_char_spec(v); !spec.ok()) return spec.error();
    config().debugcon.spec = v;
    return Ok{};
}

Status OptionParser::display(const std::string& v) {
    if (is_help(v)) return list("sdl\nnone\n");
    if (v != "none" && v != "sdl")
        return Error{fmt::format("there is no display \"{}\"; use -display sdl or none, or -nographic", v)};
    no_window_ = v == "none";
    if (no_window_) return Ok{};
    config().display = true;
    return check_window(window_);
}

Status OptionParser::vga(const std::string& v) {
    if (is_help(v))
        return list("std             VGA with VESA BIOS extensions\nnone            no display adapter\n");
    if (v != "std" && v != "none")
        return Error{fmt::format("there is no display adapter \"{}\"; use std or none", v)};
    config().vga = v == "std";
    return Ok{};
}

Status OptionParser::audiodev(const std::string& v) {
    if (is_help(v)) return list(audiodev_list());
    return add_audiodev(config(), v);
}

Status OptionParser::device(const std::string& v) {
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

Status OptionParser::global(const std::string& v) {
    static constexpr std::string_view key = "isa-debugcon.iobase=";
    if (!v.starts_with(key)) return Error{fmt::format("\"{}\" is not supported; there is {}PORT", v, key)};
    const auto n = parse_number(std::string_view(v).substr(key.size()));
    if (!n.ok()) return n.error();
    if (*n > 0xFFFF) return Error{"the port is at most 0xffff"};
    config().debugcon_port = static_cast<u16>(*n);
    return Ok{};
}

Status OptionParser::rtc(const std::string& v) {
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

Status OptionParser::icount(const std::string& v) {
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

Status OptionParser::clock(const std::string& v) {
    if (v != "realtime" && v != "deterministic")
        return Error{fmt::format("\"{}\" is neither realtime nor deterministic", v)};
    const ClockMode mode = v == "realtime" ? ClockMode::realtime : ClockMode::deterministic;
    if (clock_ && *clock_ != mode) return Error{"it contradicts -icount; drop one of them"};
    clock_ = mode;
    return Ok{};
}

Status OptionParser::parallel(const std::string& v) {
    if (v != "none") return Error{"there is no parallel port; use none, or leave it out"};
    return Ok{};
}

Status OptionParser::nic(const std::string& v) {
    if (v == "model=help") return list(NetworkOptions::model_list());
    return networks_.add_nic(v);
}

Status OptionParser::seed(const std::string& v) {
    const auto n = parse_number(v);
    if (!n.ok()) return n.error();
    config().seed = *n;
    return Ok{};
}

Status OptionParser::log_items(const std::string& v) {
    if (is_help(v)) return list(Log::item_list());
    Log probe;
    if (auto s = probe.enable(v); !s.ok()) return s;
    config().log_items = v;
    return Ok{};
}

Status OptionParser::positional(const std::string& v) {
    return drives_.add(fmt::format("\"{}\"", v), DriveInterface::ide, DriveMedia::disk, 0, v);
}

}  // namespace mynah
