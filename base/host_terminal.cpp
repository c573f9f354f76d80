#include "base/host_terminal.h"

#include <termios.h>
#include <unistd.h>
#include <csignal>

#include <atomic>
#include <initializer_list>

#include "base/check.h"

namespace mynah {

namespace {

// Signal handlers reach nothing but globals; these are the only ones.
termios saved_mode, raw_mode;
std::atomic<bool> is_raw{false};
std::atomic<int> requested_stop{0};

void restore() {
    if (is_raw.exchange(false)) ::tcsetattr(STDIN_FILENO, TCSANOW, &saved_mode);
}

void die_restored(int number) {
    restore();
    // SA_RESETHAND has brought the default back.
    ::raise(number);
}

void stop_and_continue(int number) {
    const bool was_raw = is_raw;
    restore();
    struct sigaction standard {
    }, old{};
    standard.sa_handler = SIG_DFL;
    ::sigaction(number, &standard, &old);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    ::raise(number);
    ::sigprocmask(SIG_UNBLOCK, &set, nullptr);  // stops here
    ::sigaction(number, &old, nullptr);
    if (was_raw) {
        ::tcsetattr(STDIN_FILENO, TCSANOW, &raw_mode);
        is_raw = true;
    }
}

void request_stop(int number) {
    requested_stop = number;
}

void handle(int number, void (*handler)(int), int flags) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    ::sigaction(number, &action, nullptr);
}

}  // namespace

std::unique_ptr<HostTerminal> HostTerminal::make_raw(bool keep_signals) {
    if (::tcgetattr(STDIN_FILENO, &saved_mode) != 0) return nullptr;
    MYNAH_CHECK(!is_raw);
    raw_mode = saved_mode;
    raw_mode.c_iflag &=
        ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    raw_mode.c_oflag |= OPOST;
    raw_mode.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | IEXTEN | (keep_signals ? 0 : ISIG));
    raw_mode.c_cflag = (raw_mode.c_cflag & ~static_cast<tcflag_t>(CSIZE | PARENB)) | CS8;
    raw_mode.c_cc[VMIN] = 1;
    raw_mode.c_cc[VTIME] = 0;
    for (int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGQUIT}) {
        struct sigaction old {};
        ::sigaction(number, nullptr, &old);
        // A sanitizer's or engine's own handler stays.
        if (old.sa_handler == SIG_DFL)
            handle(number, die_restored, static_cast<int>(SA_RESETHAND | SA_NODEFER));
    }
    handle(SIGTSTP, stop_and_continue, SA_RESTART);
    if (::tcsetattr(STDIN_FILENO, TCSANOW, &raw_mode) != 0) return nullptr;
    is_raw = true;
    return std::unique_ptr<HostTerminal>(new HostTerminal);
}

HostTerminal::~HostTerminal() {
    restore();
}

void catch_stop_signals() {
    for (int number : {SIGINT, SIGTERM}) handle(number, request_stop, static_cast<int>(SA_RESETHAND));
    handle(SIGHUP, request_stop, 0);
    handle(SIGPIPE, SIG_IGN, 0);
}

int stop_signal() {
    return requested_stop;
}

}  // namespace mynah
