#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "base/host_terminal.h"
#include "frontend/img_command.h"
#include "frontend/options.h"
#include "frontend/session.h"

namespace {

constexpr int kUsageError = 2;

int fail(const mynah::Error& error) {
    std::fprintf(stderr, "mynah: %s\n", error.message.c_str());
    return kUsageError;
}

}  // namespace

int main(int argc, char** argv) {
    using namespace mynah;
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (!arguments.empty() && arguments[0] == "img") return run_img_command(std::span(arguments).subspan(1));
    const auto line = parse_command_line(arguments, host_time());
    if (!line) return fail(line.error());
    switch (line->action) {
        case CommandLine::Action::help:
            std::fputs(help_text().c_str(), stdout);
            return 0;
        case CommandLine::Action::version:
            std::puts("mynah " MYNAH_VERSION);
            return 0;
        case CommandLine::Action::list:
            std::fputs(line->list.c_str(), stdout);
            return 0;
        case CommandLine::Action::run:
            break;
    }
    catch_stop_signals();
    auto session = Session::create(line->machine);
    if (!session) return fail(session.error());
    return (*session)->run();
}
