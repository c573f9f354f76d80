#include "frontend/session.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <utility>

#include "base/host_terminal.h"
#include "frontend/examine.h"

namespace mynah {

namespace {

// How long a stopped or idle machine sleeps at most before it looks at signals.
constexpr Nanoseconds kLongestWait = 100'000'000;
// How long a running machine lets bytes lie on the host. A slice takes less, and asking the host's kernel may
// take as long as a tenth of one.
constexpr u64 kPollEvery = 500'000;

u64 monotonic_nanoseconds() {
    const auto t = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(t).count());
}

u64 random_number() {
    std::random_device device;
    return u64{device()} << 32 | device();
}

// Whether a stream of this kind can bring input.
bool gives_input(const std::string& spec) {
    return spec != "none" && spec != "null" && !spec.empty() && !spec.starts_with("file:");
}

bool outside_input(const MachineConfig& config) {
    if (gives_input(config.monitor.spec)) return true;
    return std::any_of(config.serials.begin(), config.serials.end(),
                       [](const CharConfig& c) { return gives_input(c.spec); });
}

}  // namespace

Result<std::unique_ptr<Session>> Session::create(const MachineConfig& config) {
    std::unique_ptr<Session> session(new Session(!outside_input(config)));
    Session* s = session.get();
    if (Status ok = s->log_.enable(config.log_items); !ok) return ok.error();
    s->log_.set_disassembler(disassemble_instruction);
    if (!config.log_file.empty()) {
        if (Status ok = s->log_.open(config.log_file); !ok) return ok.error();
    }
    auto hub =
        CharHub::create(config, {.quit = [s] { s->quit_ = true; },
                                 .send_break = [s] { s->machine_->serial_break(s->hub_->shared_serial()); }});
    if (!hub) return hub.error();
    s->hub_ = std::move(*hub);
    auto audio = open_audio(config);
    if (!audio) return audio.error();
    s->audio_ = std::move(*audio);
    MachineHost host{monotonic_nanoseconds, s->hub_->serials(), s->hub_->debugcon(), random_number()};
    for (const auto& [id, backend] : s->audio_) host.audio[id] = backend.get();
    auto machine = Machine::create(config, std::move(host), s->log_);
    if (!machine) return machine.error();
    s->machine_ = std::move(*machine);
    s->monitor_ = std::make_unique<Monitor>(*s->machine_);
    if (CharBackend* console = s->hub_->monitor()) {
        s->console_ = std::make_unique<MonitorConsole>(*s->monitor_, *console, s->hub_->monitor_echo());
    }
    return session;
}

void Session::take_input() {
    if (const u64 now = monotonic_nanoseconds(); now >= next_poll_) {
        next_poll_ = now + kPollEvery;
        hub_->poll();
    }
    if (console_ && std::exchange(greeted_, hub_->monitor_visits()) != hub_->monitor_visits())
        console_->start(hub_->monitor_is_shared());
    if (!hub_->input_waiting()) return;
    if (console_) console_->poll();
    const auto& serials = hub_->serials();
    for (unsigned i = 0; i < serials.size(); ++i) {
        if (serials[i] != nullptr && serials[i]->input_waiting()) machine_->serial_input_ready(i);
    }
}

void Session::idle(Nanoseconds time) {
    const Nanoseconds wait = std::min(time, kLongestWait);
    hub_->wait(wait);
    next_poll_ = 0;
    // Under the deterministic clock sleeping moves no guest time: when nothing came, the next slice skips
    // ahead.
    skip_next_ = wait == time;
}

int Session::run() {
    if (!hub_->ready())
        std::fprintf(stderr, "mynah: waiting for a connection to %s\n", hub_->waiting_for().c_str());
    while (!hub_->ready() && stop_signal() == 0 && !quit_) {
        hub_->poll();
        hub_->wait(kLongestWait);
    }
    while (machine_->run_state() != RunState::finished && !quit_) {
        if (const int signal = stop_signal()) {
            hub_->flush();
            std::fprintf(stderr, "mynah: terminated by signal %d\n", signal);
            return 0;  // as QEMU: what was asked for is no failure
        }
        const Nanoseconds time = machine_->run_slice(may_skip_idle_ || std::exchange(skip_next_, false));
        take_input();
        if (time > 0 && machine_->run_state() != RunState::finished && !quit_) idle(time);
    }
    hub_->flush();
    return machine_->exit_code();
}

}  // namespace mynah
