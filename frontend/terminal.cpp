#include "frontend/terminal.h"

namespace mynah {

namespace {

constexpr u8 kCtrlA = 1;
// Bytes a side may have unread; the rest waits in the stream.
constexpr size_t kMaxUnread = 4096;

constexpr std::string_view kHelp =
    "\r\n"
    "C-a h    print this help\r\n"
    "C-a x    exit mynah\r\n"
    "C-a b    send break\r\n"
    "C-a c    switch between console and monitor\r\n"
    "C-a C-a  send C-a\r\n";

}  // namespace

bool TerminalMux::Side::read(u8& byte) {
    if (queue.empty()) return false;
    byte = queue.front();
    queue.pop_front();
    return true;
}

TerminalMux::TerminalMux(HostChar& stream, TerminalActions actions)
    : stream_(stream), actions_(std::move(actions)), serial_(stream), monitor_(stream), focus_(&serial_) {}

void TerminalMux::print(std::string_view text) {
    stream_.write({reinterpret_cast<const u8*>(text.data()), text.size()});
}

void TerminalMux::poll() {
    u8 byte;
    while (focus_->queue.size() < kMaxUnread && stream_.read(byte)) key(byte);
}

void TerminalMux::key(u8 byte) {
    if (!escaped_) {
        escaped_ = byte == kCtrlA;
        if (!escaped_) focus_->queue.push_back(byte);
        return;
    }
    escaped_ = false;
    switch (byte) {
        case kCtrlA:
            focus_->queue.push_back(byte);
            break;
        case 'x':
        case 'X':
            print("\r\nmynah: terminated\r\n");
            if (actions_.quit) actions_.quit();
            break;
        case 'c':
        case 'C':
            focus_ = focus_ == &serial_ ? &monitor_ : &serial_;
            if (focus_ == &monitor_) ++monitor_visits_;
            break;
        case 'b':
        case 'B':
            if (actions_.send_break) actions_.send_break();
            break;
        case 'h':
        case 'H':
        case '?':
            print(kHelp);
            break;
        default:
            break;  // as in QEMU, an unknown key is dropped
    }
}

}  // namespace mynah
