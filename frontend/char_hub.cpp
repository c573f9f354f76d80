#include "frontend/char_hub.h"

#include <fmt/format.h>

#include <algorithm>

namespace mynah {

namespace {
constexpr u64 kFlushTime = 2'000'000'000;
}

Result<HostChar*> CharHub::open(std::string_view option, const std::string& text) {
    const auto spec = parse_char_spec(text);
    if (!spec.ok()) return Error{fmt::format("{} {}: {}", option, text, spec.error().message)};
    if (spec->kind == CharSpec::Kind::none) return static_cast<HostChar*>(nullptr);
    auto opened = open_char(*spec);
    if (!opened.ok()) return Error{fmt::format("{} {}: {}", option, text, opened.error().message)};
    if (spec->kind == CharSpec::Kind::stdio) uses_terminal_ = true;
    if (spec->wait) waiting_for_ += fmt::format("{}{}", waiting_for_.empty() ? "" : ", ", text);
    streams_.push_back(std::move(*opened));
    return streams_.back().get();
}

Result<std::unique_ptr<CharHub>> CharHub::create(const MachineConfig& config,
                                                 const TerminalActions& actions) {
    std::unique_ptr<CharHub> hub(new CharHub);
    bool shared = false;
    for (const CharConfig& c : config.serials) {
        auto stream = hub->open("-serial", c.spec);
        if (!stream.ok()) return stream.error();
        if (*stream && c.spec.starts_with("mon:")) {
            hub->mux_ = std::make_unique<TerminalMux>(**stream, actions);
            hub->shared_serial_ = static_cast<unsigned>(hub->serials_.size());
            hub->serials_.push_back(&hub->mux_->serial());
            hub->monitor_ = &hub->mux_->monitor();
            hub->monitor_echo_ = shared = true;
        } else {
            hub->serials_.push_back(*stream);
        }
    }
    auto debugcon = hub->open("-debugcon", config.debugcon.spec);
    if (!debugcon.ok()) return debugcon.error();
    hub->debugcon_ = *debugcon;
    if (!shared || config.monitor.spec != "none") {
        auto monitor = hub->open("-monitor", config.monitor.spec);
        if (!monitor.ok()) return monitor.error();
        if (*monitor) {
            hub->monitor_ = *monitor;
            hub->monitor_stream_ = *monitor;
            hub->monitor_echo_ = true;
        }
    }
    // Last, so that no error message meets a raw terminal. Only where all keys have a meaning is Ctrl-C one
    // of them.
    if (hub->uses_terminal_) hub->terminal_ = HostTerminal::make_raw(!hub->mux_);
    return hub;
}

CharHub::~CharHub() {
    flush();
}

void CharHub::poll() {
    for (const auto& s : streams_) s->poll();
    if (mux_) mux_->poll();
}

bool CharHub::input_waiting() const {
    const auto waiting = [](CharBackend* c) { return c != nullptr && c->input_waiting(); };
    return std::any_of(serials_.begin(), serials_.end(), waiting) || waiting(monitor_);
}

void CharHub::wait(u64 nanoseconds, int other) const {
    std::vector<int> fds{other};
    for (const auto& s : streams_) s->add_inputs(fds);
    host_wait(fds, nanoseconds);
}

bool CharHub::ready() const {
    return std::all_of(streams_.begin(), streams_.end(), [](const auto& s) { return s->connected(); });
}

void CharHub::flush() {
    for (const auto& s : streams_) s->flush(kFlushTime);
}

}  // namespace mynah
