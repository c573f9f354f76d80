// How a command line becomes a configuration: what is gathered before it can be judged as a whole. Only for
// the files of the command line's options; others use options.h.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/char_spec.h"
#include "frontend/drive_options.h"
#include "frontend/network_options.h"
#include "frontend/options.h"
#include "frontend/virtio_options.h"

namespace mynah {

struct OptionRow;

// Whether a list of the possible values is asked for.
inline bool is_help(std::string_view v) {
    return v == "help" || v == "?";
}

struct OptionParser {
    OptionParser(HostTime now, WindowSupport window) : now_(now), window_(window) {}

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

// One option and what takes its value.
struct OptionRow {
    std::string_view name;      // without dashes
    std::string_view argument;  // what the help calls its value; empty: a flag
    std::string_view help;
    Status (*take)(OptionParser&, const std::string& value);
    bool repeats = false;
};

const std::vector<OptionRow>& option_rows();

}  // namespace mynah
