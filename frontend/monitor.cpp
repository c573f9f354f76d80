#include "frontend/monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "frontend/examine.h"
#include "frontend/screenshot.h"

namespace mynah {

namespace {

std::vector<std::string_view> split_words(std::string_view line) {
    std::vector<std::string_view> words;
    while (true) {
        const size_t begin = line.find_first_not_of(" \t");
        if (begin == std::string_view::npos) return words;
        line.remove_prefix(begin);
        const size_t end = std::min(line.find_first_of(" \t"), line.size());
        words.push_back(line.substr(0, end));
        line.remove_prefix(end);
    }
}

// Monitor text for terminals that are in raw mode.
std::string with_carriage_returns(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\n') out += '\r';
        out += c;
    }
    return out;
}

constexpr std::string_view kPrompt = "(mynah) ";

constexpr Nanoseconds kMillisecond = 1'000'000;
// How long sendkey holds its keys, in milliseconds.
constexpr u64 kDefaultHold = 100;
constexpr u64 kLongestHold = 60'000;

}  // namespace

struct Monitor::Command {
    std::string_view name;
    std::string_view usage;
    std::string_view what;
    std::string (*run)(Monitor&, const Words&);
};

const std::vector<Monitor::Command>& Monitor::commands() {
    static const std::vector<Command> table{
        {"help", "[command]", "show the commands", [](Monitor& m, const Words& w) { return m.help(w); }},
        {"info", "registers|status|mem|tlb|jit|pic|block|network|pci|mtree|version",
         "show the state of something", [](Monitor& m, const Words& w) { return m.info(w); }},
        {"x", "/FMT addr", "show memory at a linear address",
         [](Monitor& m, const Words& w) { return m.examine(w, false); }},
        {"xp", "/FMT addr", "show physical memory",
         [](Monitor& m, const Words& w) { return m.examine(w, true); }},
        {"screendump", "FILE.png|FILE.ppm", "write a picture of the screen",
         [](Monitor& m, const Words& w) { return m.screendump(w); }},
        {"sendkey", "KEY[-KEY...] [MS]", "press keys together, as in ctrl-alt-delete, and hold them (100 ms)",
         [](Monitor& m, const Words& w) { return m.sendkey(w); }},
        {"change", "[-f] DRIVE FILE", "put another image into a CD-ROM or floppy drive (info block)",
         [](Monitor& m, const Words& w) { return m.change(w); }},
        {"eject", "[-f] DRIVE", "take the medium out; -f: also from a locked tray",
         [](Monitor& m, const Words& w) { return m.eject(w); }},
        {"system_reset", "", "press the reset button",
         [](Monitor& m, const Words&) {
             m.machine_.reset();
             return std::string();
         }},
        {"system_powerdown", "", "press the power button",
         [](Monitor& m, const Words&) {
             m.machine_.power_button();
             return std::string();
         }},
        {"stop", "", "stop the guest",
         [](Monitor& m, const Words&) {
             m.machine_.pause();
             return std::string();
         }},
        {"cont", "", "go on after stop",
         [](Monitor& m, const Words&) {
             m.machine_.resume();
             return std::string();
         }},
        {"savevm", "FILE", "save the whole machine to a file",
         [](Monitor& m, const Words& w) { return m.snapshot(w, true); }},
        {"loadvm", "FILE", "bring back a saved machine",
         [](Monitor& m, const Words& w) { return m.snapshot(w, false); }},
        {"quit", "", "end mynah",
         [](Monitor& m, const Words&) {
             m.machine_.quit(0);
             return std::string();
         }},
    };
    return table;
}

std::string Monitor::execute(std::string_view line) {
    Words words = split_words(line);
    if (words.empty()) return {};
    std::string_view name = words[0];
    if (name == "?") name = "help";
    if (name == "c") name = "cont";
    if (name == "q") name = "quit";
    // "x/4i addr" is the same as "x /4i addr".
    if (const size_t slash = name.find('/'); slash != std::string_view::npos && slash > 0) {
        words.insert(words.begin() + 1, name.substr(slash));
        name = name.substr(0, slash);
    }
    for (const Command& c : commands()) {
        if (c.name == name) return c.run(*this, words);
    }
    return fmt::format("unknown command: '{}' (help shows what there is)\n", name);
}

std::string Monitor::help(const Words& words) {
    std::string out;
    for (const Command& c : commands()) {
        if (words.size() > 1 && words[1] != c.name) continue;
        out += fmt::format("{} {} -- {}\n", c.name, c.usage, c.what);
    }
    return out.empty() ? "no such command\n" : out;
}

std::string Monitor::info(const Words& words) {
    const std::string_view what = words.size() > 1 ? words[1] : "";
    if (what == "registers") return "CPU#0\n" + machine_.cpu().describe_registers();
    if (what == "status") {
        const bool running = machine_.run_state() == RunState::running;
        return fmt::format("VM status: {}\ninstructions: {}\n", running ? "running" : "paused",
                           machine_.instructions());
    }
    if (what == "mem") return machine_.cpu().mmu().describe_mappings(false);
    if (what == "tlb") return machine_.cpu().mmu().describe_mappings(true);
    if (what == "pic") return machine_.info_pic();
    if (what == "jit") return machine_.info_jit();
    if (what == "block") return machine_.info_block();
    if (what == "network") return machine_.info_network(network_);
    if (what == "pci") return machine_.info_pci();
    if (what == "mtree") return machine_.memory().describe();
    if (what == "version") return MYNAH_VERSION "\n";
    return "info: registers, status, mem, tlb, jit, pic, block, network, pci, mtree, version\n";
}

Result<u64> Monitor::evaluate(std::string_view expression) const {
    u64 sum = 0;
    bool minus = false;
    while (true) {
        const size_t end = std::min(expression.find_first_of("+-", 1), expression.size());
        const std::string_view term = expression.substr(0, end);
        std::optional<u64> value;
        if (term.starts_with('$')) {
            value = register_value(machine_.cpu().state(), term.substr(1));
        } else {
            const bool hex = term.starts_with("0x") || term.starts_with("0X");
            const std::string_view digits = hex ? term.substr(2) : term;
            u64 v = 0;
            const auto [rest, error] = std::from_chars(digits.begin(), digits.end(), v, hex ? 16 : 10);
            if (error == std::errc() && rest == digits.end()) value = v;
        }
        if (!value) return Error{fmt::format("'{}' is neither a number nor a register", term)};
        sum = minus ? sum - *value : sum + *value;
        if (end == expression.size()) return sum;
        minus = expression[end] == '-';
        expression.remove_prefix(end + 1);
    }
}

std::string Monitor::examine(const Words& words, bool physical) {
    size_t next = 1;
    ExamineFormat format;
    if (words.size() > next && words[next].starts_with('/')) {
        const auto parsed = ExamineFormat::parse(words[next].substr(1));
        if (!parsed) return parsed.error().message + "\n";
        format = *parsed;
        ++next;
    }
    if (words.size() <= next) return "address wanted\n";
    const auto address = evaluate(words[next]);
    if (!address) return address.error().message + "\n";
    return examine_memory(machine_, format, *address, physical);
}

std::string Monitor::screendump(const Words& words) {
    if (words.size() != 2) return "file name wanted\n";
    const Status done = write_screenshot(machine_.screen(), std::string(words[1]));
    return done ? std::string() : done.error().message + "\n";
}

std::string Monitor::sendkey(const Words& words) {
    if (words.size() < 2) return "keys wanted\n";
    std::vector<std::string_view> keys;
    std::string_view rest = words[1];
    while (!rest.empty()) {
        const size_t end = std::min(rest.find('-'), rest.size());
        keys.push_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    u64 hold = kDefaultHold;
    if (words.size() > 2) {
        const auto given = evaluate(words[2]);
        if (!given) return given.error().message + "\n";
        if (*given == 0 || *given > kLongestHold)
            return fmt::format("the time to hold is 1 to {} ms\n", kLongestHold);
        hold = *given;
    }
    if (words.size() > 3) return "more than keys and a time is given; join keys with '-'\n";
    const Status done = machine_.type_keys(keys, hold * kMillisecond);
    return done ? std::string() : done.error().message + "\n";
}

std::string Monitor::change(Words words) {
    const bool force = std::erase(words, "-f") != 0;
    if (words.size() != 3) return "a drive and a file name are wanted\n";
    const Status done = machine_.change_medium(words[1], std::string(words[2]), force);
    return done ? std::string() : done.error().message + "\n";
}

std::string Monitor::eject(Words words) {
    const bool force = std::erase(words, "-f") != 0;
    if (words.size() != 2) return "a drive is wanted\n";
    const Status done = machine_.eject(words[1], force);
    return done ? std::string() : done.error().message + "\n";
}

std::string Monitor::snapshot(const Words& words, bool save) {
    if (words.size() != 2) return "file name wanted\n";
    const std::string path(words[1]);
    const Status done = save ? machine_.save_file(path) : machine_.load_file(path);
    return done ? std::string() : done.error().message + "\n";
}

void MonitorConsole::print(std::string_view text) {
    const std::string out = echo_ ? with_carriage_returns(text) : std::string(text);
    console_.write({reinterpret_cast<const u8*>(out.data()), out.size()});
}

void MonitorConsole::start(bool shared) {
    // The guest may have left the cursor anywhere.
    if (shared) print("\n");
    if (!shared) line_.clear();  // typed by somebody else
    if (!shared || !greeted_)
        print(fmt::format("mynah {} monitor - type 'help' for the commands\n", MYNAH_VERSION));
    greeted_ = true;
    print(fmt::format("{}{}", kPrompt, line_));
}

void MonitorConsole::poll() {
    u8 c;
    while (console_.read(c)) {
        if (c == '\r' || c == '\n') {
            if (echo_) print("\n");
            const std::string line = std::exchange(line_, {});
            print(monitor_.execute(line));
            // After quit the host's own prompt comes next.
            if (!monitor_.finished()) print(kPrompt);
        } else if (c == 8 || c == 127) {
            if (line_.empty()) continue;
            line_.pop_back();
            if (echo_) print("\b \b");
        } else if (c >= ' ' && line_.size() < 4096) {
            line_ += static_cast<char>(c);
            if (echo_) console_.write({&c, 1});
        }
    }
}

}  // namespace mynah
