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
    for (const NicConfig& nic : config.nics) {
        if (nic.user) return true;
    }
    const auto brings = [](const auto& c) { return gives_input(c.spec); };
    return std::any_of(config.serials.begin(), config.serials.end(), brings) ||
           std::any_of(config.virtio_consoles.begin(), config.virtio_consoles.end(), brings);
}

}  // namespace

Result<std::unique_ptr<Session>> Session::create(const MachineConfig& config, SessionPeer* peer) {
    std::unique_ptr<Session> session(new Session(peer == nullptr && !outside_input(config), peer));
    Session* s = session.get();
    if (peer != nullptr) {
        const Status ok = s->log_.observe("unimp,guest_errors", [peer](auto line) { peer->logged(line); });
        MYNAH_CHECK(ok.ok());
    }
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
    auto networks = NetworkHub::create(config.nics);
    if (!networks) return networks.error();
    s->networks_ = std::move(*networks);
    auto audio = open_audio(config);
    if (!audio) return audio.error();
    s->audio_ = std::move(*audio);
    MachineHost host{.monotonic_ns = monotonic_nanoseconds,
                     .serials = s->hub_->serials(),
                     .debugcon = s->hub_->debugcon(),
                     .networks = s->networks_->networks(),
                     .random = random_number(),
                     .wake = [s] { s->wake_.raise(); },
                     .virtio_consoles = s->hub_->virtio_consoles()};
    for (const auto& [id, backend] : s->audio_) host.audio[id] = backend.get();
    auto machine = Machine::create(config, std::move(host), s->log_);
    if (!machine) return machine.error();
    s->machine_ = std::move(*machine);
    s->monitor_ = std::make_unique<Monitor>(*s->machine_);
    s->monitor_->describe_networks([s](unsigned index) { return s->networks_->describe(index); });
    if (CharBackend* console = s->hub_->monitor()) {
        s->console_ = std::make_unique<MonitorConsole>(*s->monitor_, *console, s->hub_->monitor_echo());
    }
    return session;
}

bool Session::take_input() {
    if (const u64 now = monotonic_nanoseconds(); now >= next_poll_) {
        next_poll_ = now + kPollEvery;
        hub_->poll();
        networks_->poll();
    }
    // Answers to what the guest has just sent may be there without a poll.
    const bool frames = networks_->deliver([this](unsigned i) { machine_->network_input_ready(i); });
    if (console_ && std::exchange(greeted_, hub_->monitor_visits()) != hub_->monitor_visits())
        console_->start(hub_->monitor_is_shared());
    if (!hub_->input_waiting()) return frames;
    if (console_) console_->poll();
    const auto& serials = hub_->serials();
    for (unsigned i = 0; i < serials.size(); ++i) {
        if (serials[i] != nullptr && serials[i]->input_waiting()) machine_->serial_input_ready(i);
    }
    const auto& consoles = hub_->virtio_consoles();
    for (unsigned i = 0; i < consoles.size(); ++i) {
        if (consoles[i] != nullptr && consoles[i]->input_waiting()) machine_->virtio_console_input_ready(i);
    }
    return frames;
}

void Session::idle(Nanoseconds time) {
    u64 wait = std::min(time, kLongestWait);
    std::vector<HostPoll> polls;
    hub_->add_inputs(polls);
    networks_->add_waits(polls, wait);
    polls.push_back({.fd = wake_.fd()});
    if (peer_ != nullptr) {
        wait = std::min(wait, peer_->patience());
        polls.push_back({.fd = peer_->wake_fd()});
    }
    const u64 begin = monotonic_nanoseconds();
    (void)host_wait(polls, wait);
    wake_.clear();
    next_poll_ = 0;
    // Under the deterministic clock sleeping moves no guest time: when all of it has been slept through and
    // nothing came, the next slice skips ahead.
    idled_ += monotonic_nanoseconds() - begin;
    skip_next_ = idled_ >= time;
}

int Session::run() {
    if (!hub_->ready())
        std::fprintf(stderr, "mynah: waiting for a connection to %s\n", hub_->waiting_for().c_str());
    while (!hub_->ready() && stop_signal() == 0 && !quit_ && machine_->run_state() != RunState::finished) {
        hub_->poll();
        if (peer_ != nullptr) peer_->attend(*machine_);
        hub_->wait(kLongestWait);
    }
    while (machine_->run_state() != RunState::finished && !quit_) {
        if (const int signal = stop_signal()) {
            hub_->flush();
            std::fprintf(stderr, "mynah: terminated by signal %d\n", signal);
            return 0;  // as QEMU: what was asked for is no failure
        }
        const Nanoseconds time = machine_->run_slice(may_skip_idle_ || std::exchange(skip_next_, false));
        // What has just been delivered makes the guest's idle time shorter than it knew.
        const bool delivered = take_input();
        if (peer_ != nullptr) peer_->attend(*machine_);
        if (time == 0 || delivered) idled_ = 0;
        if (!delivered && time > 0 && machine_->run_state() != RunState::finished && !quit_) idle(time);
    }
    hub_->flush();
    return machine_->exit_code();
}

}  // namespace mynah
