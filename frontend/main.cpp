#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "base/host_terminal.h"
#include "desktop/desktop.h"
#include "frontend/img_command.h"
#include "frontend/options.h"
#include "frontend/session.h"

namespace mynah {

namespace {

constexpr int kUsageError = 2;

int fail(const Error& error) {
    std::fprintf(stderr, "mynah: %s\n", error.message.c_str());
    return kUsageError;
}

int list_machines(const Library& library) {
    for (const Library::Entry& entry : library.list()) {
        const std::string what =
            entry.profile ? describe_profile(*entry.profile) : entry.profile.error().message;
        std::printf("%-20s %s\n", entry.name.c_str(), what.c_str());
    }
    return 0;
}

// `name` and `folder`: of a machine of the library, for its window.
int run(const std::vector<std::string>& arguments, const std::string& name, const std::string& folder) {
    const auto line = parse_command_line(arguments, host_time(), window_support());
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
    if (line->machine.display) {
        const auto code = run_in_window(line->machine, name, folder);
        return code ? *code : fail(code.error());
    }
    auto session = Session::create(line->machine);
    if (!session) return fail(session.error());
    return (*session)->run();
}

int run_from_library(const std::vector<std::string>& arguments) {
    const auto library = Library::of_user();
    if (!library) return fail(library.error());
    if (arguments.empty()) {
        if (const Status s = check_window(window_support()); !s) return fail(s.error());
        catch_stop_signals();
        const auto code = run_library(*library);
        return code ? *code : fail(code.error());
    }
    if (arguments[0] == "list") return list_machines(*library);
    if (arguments.size() < 2)
        return fail(Error{"run needs the name of a machine; mynah list shows which there are"});
    const std::string& name = arguments[1];
    const auto profile = library->load(name);
    if (!profile) return fail(profile.error());
    const std::string folder = library->folder_of(name);
    return run(profile_arguments(*profile, folder, std::span(arguments).subspan(2)), name, folder);
}

}  // namespace

}  // namespace mynah

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    // An image of such a name can be given as ./run.
    if (!arguments.empty() && arguments[0] == "img")
        return mynah::run_img_command(std::span(arguments).subspan(1));
    if (arguments.empty() || arguments[0] == "run" || (arguments[0] == "list" && arguments.size() == 1))
        return mynah::run_from_library(arguments);
    return mynah::run(arguments, "mynah", ".");
}
