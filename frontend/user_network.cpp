// The `user` network: libslirp plays router, DHCP and DNS server for the guest and moves its connections over
// sockets of this process.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <slirp/libslirp.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "frontend/host_network.h"
#include "frontend/network_options.h"

namespace mynah {

namespace {

constexpr u64 kMillisecond = 1'000'000;

u64 host_nanoseconds() {
    const auto t = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(t).count());
}

in_addr address_of(u32 address) {
    return {htonl(address)};
}

constexpr std::pair<int, u8> kEvents[] = {{SLIRP_POLL_IN, HostPoll::input},
                                          {SLIRP_POLL_OUT, HostPoll::output},
                                          {SLIRP_POLL_PRI, HostPoll::urgent},
                                          {SLIRP_POLL_ERR, HostPoll::error},
                                          {SLIRP_POLL_HUP, HostPoll::hangup}};

class SlirpNetwork final : public HostNetwork {
  public:
    static Result<std::unique_ptr<HostNetwork>> open(const UserNetwork& config);
    ~SlirpNetwork() override {
        if (slirp_ != nullptr) slirp_cleanup(slirp_);
    }

    void send(std::span<const u8> frame) override {
        slirp_input(slirp_, frame.data(), static_cast<int>(frame.size()));
    }
    void poll() override;
    void add_waits(std::vector<HostPoll>& polls, u64& nanoseconds) override;
    std::string describe() const override;

  private:
    // One of slirp's timers, in its milliseconds; 0: not armed.
    struct SlirpTimer {
        SlirpTimerCb fire;
        void* opaque;
        i64 at;
    };

    explicit SlirpNetwork(UserNetwork config) : config_(std::move(config)) {}
    static SlirpNetwork& self(void* opaque) { return *static_cast<SlirpNetwork*>(opaque); }
    static const SlirpCb& callbacks();
    void fire_timers();
    u32 fill(std::vector<HostPoll>& polls, u32 milliseconds);

    const UserNetwork config_;
    Slirp* slirp_ = nullptr;
    std::vector<std::unique_ptr<SlirpTimer>> timers_;
    std::vector<HostPoll> polls_;
};

const SlirpCb& SlirpNetwork::callbacks() {
    static const SlirpCb table = [] {
        SlirpCb c{};
        c.send_packet = [](const void* data, size_t size, void* opaque) -> ssize_t {
            self(opaque).queue({static_cast<const u8*>(data), size});
            return static_cast<ssize_t>(size);
        };
        c.guest_error = [](const char*, void*) {};
        c.clock_get_ns = [](void*) { return static_cast<int64_t>(host_nanoseconds()); };
        c.timer_new = [](SlirpTimerCb fire, void* fire_opaque, void* opaque) -> void* {
            auto& timers = self(opaque).timers_;
            timers.push_back(std::make_unique<SlirpTimer>(SlirpTimer{fire, fire_opaque, 0}));
            return timers.back().get();
        };
        c.timer_free = [](void* timer, void* opaque) {
            std::erase_if(self(opaque).timers_, [&](const auto& t) { return t.get() == timer; });
        };
        c.timer_mod = [](void* timer, int64_t at, void*) { static_cast<SlirpTimer*>(timer)->at = at; };
        // Descriptors are asked for anew before every wait.
        c.register_poll_fd = [](int, void*) {};
        c.unregister_poll_fd = [](int, void*) {};
        c.notify = [](void*) {};
        return c;
    }();
    return table;
}

Result<std::unique_ptr<HostNetwork>> SlirpNetwork::open(const UserNetwork& config) {
    std::unique_ptr<SlirpNetwork> network(new SlirpNetwork(config));
    const UserNetwork& n = network->config_;
    SlirpConfig c{};
    c.version = 1;
    c.restricted = n.restricted;
    c.in_enabled = true;
    c.vnetwork = address_of(n.network);
    c.vnetmask = address_of(n.mask);
    c.vhost = address_of(n.host);
    c.vdhcp_start = address_of(n.dhcp_start);
    c.vnameserver = address_of(n.dns);
    c.vhostname = n.hostname.empty() ? nullptr : n.hostname.c_str();
    c.tftp_path = n.tftp.empty() ? nullptr : n.tftp.c_str();
    c.bootfile = n.bootfile.empty() ? nullptr : n.bootfile.c_str();
    network->slirp_ = slirp_new(&c, &callbacks(), network.get());
    if (network->slirp_ == nullptr) return Error{"libslirp does not take this network's addresses"};
    for (const HostForward& f : n.forwards) {
        if (slirp_add_hostfwd(network->slirp_, f.udp, address_of(f.host_address), f.host_port,
                              address_of(f.guest_address), f.guest_port) == 0)
            continue;
        return Error{fmt::format(
            "hostfwd: cannot listen on {} port {}{}: {}; give another port", f.udp ? "UDP" : "TCP",
            f.host_port, f.host_address ? " of " + ipv4_text(f.host_address) : "", std::strerror(errno))};
    }
    return std::unique_ptr<HostNetwork>(std::move(network));
}

u32 SlirpNetwork::fill(std::vector<HostPoll>& polls, u32 milliseconds) {
    slirp_pollfds_fill(
        slirp_, &milliseconds,
        [](int fd, int events, void* opaque) {
            auto& out = *static_cast<std::vector<HostPoll>*>(opaque);
            HostPoll p{.fd = fd, .wanted = 0, .came = 0};
            for (const auto& [theirs, ours] : kEvents) {
                if (events & theirs) p.wanted = static_cast<u8>(p.wanted | ours);
            }
            out.push_back(p);
            return static_cast<int>(out.size()) - 1;
        },
        &polls);
    return milliseconds;
}

void SlirpNetwork::poll() {
    polls_.clear();
    (void)fill(polls_, ~u32{0});
    if (!polls_.empty()) (void)host_wait(polls_, 0);
    slirp_pollfds_poll(
        slirp_, 0,
        [](int index, void* opaque) {
            const HostPoll& p = self(opaque).polls_[static_cast<size_t>(index)];
            int events = 0;
            for (const auto& [theirs, ours] : kEvents) {
                if (p.came & ours) events |= theirs;
            }
            return events;
        },
        this);
    fire_timers();
}

void SlirpNetwork::fire_timers() {
    const i64 now = static_cast<i64>(host_nanoseconds() / kMillisecond);
    // A timer's function may arm it again, and make or free others.
    for (size_t i = 0; i < timers_.size(); ++i) {
        SlirpTimer& t = *timers_[i];
        if (t.at == 0 || t.at > now) continue;
        t.at = 0;
        t.fire(t.opaque);
    }
}

void SlirpNetwork::add_waits(std::vector<HostPoll>& polls, u64& nanoseconds) {
    const u64 most = ~u32{0} - 1;
    const u64 wanted = nanoseconds / kMillisecond;
    const u32 limit = fill(polls, static_cast<u32>(wanted < most ? wanted + 1 : most));
    nanoseconds = std::min(nanoseconds, limit * kMillisecond);
    const i64 now = static_cast<i64>(host_nanoseconds() / kMillisecond);
    for (const auto& t : timers_) {
        if (t->at == 0) continue;
        nanoseconds = std::min(nanoseconds, t->at > now ? static_cast<u64>(t->at - now) * kMillisecond : 0);
    }
}

std::string SlirpNetwork::describe() const {
    std::string out =
        fmt::format("user,net={},host={},dhcpstart={},dns={},restrict={}\n", ipv4_text(config_.network),
                    ipv4_text(config_.host), ipv4_text(config_.dhcp_start), ipv4_text(config_.dns),
                    config_.restricted ? "on" : "off");
    if (char* text = slirp_connection_info(slirp_)) {
        out += text;
        std::free(text);
    }
    return out;
}

}  // namespace

bool has_user_networks() {
    return true;
}

Result<std::unique_ptr<HostNetwork>> open_user_network(const UserNetwork& config) {
    return SlirpNetwork::open(config);
}

}  // namespace mynah
