#include "frontend/network_hub.h"

#include <fmt/format.h>

#include <chrono>

#include "frontend/pcap_file.h"

namespace mynah {

// Between an adapter and its network: writes down what passes.
class NetworkHub::Dumping final : public NetBackend {
  public:
    Dumping(NetBackend& behind, PcapFile file) : behind_(behind), file_(std::move(file)) {}
    void send(std::span<const u8> frame) override {
        note(frame);
        behind_.send(frame);
    }
    bool receive(std::vector<u8>& frame) override {
        if (!behind_.receive(frame)) return false;
        note(frame);
        return true;
    }
    void flush() {
        if (std::exchange(dirty_, false)) file_.flush();
    }

  private:
    void note(std::span<const u8> frame) {
        const auto t = std::chrono::system_clock::now().time_since_epoch();
        file_.add(frame, static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(t).count()));
        dirty_ = true;
    }

    NetBackend& behind_;
    PcapFile file_;
    bool dirty_ = true;
};

Result<std::unique_ptr<NetworkHub>> NetworkHub::create(const std::vector<NicConfig>& nics) {
    std::unique_ptr<NetworkHub> hub(new NetworkHub);
    for (unsigned i = 0; i < nics.size(); ++i) {
        NetBackend* end = nullptr;
        if (nics[i].user) {
            auto network = open_user_network(*nics[i].user);
            if (!network) return Error{fmt::format("network {}: {}", nics[i].id, network.error().message)};
            end = network->get();
            hub->networks_.push_back({i, std::move(*network)});
        }
        for (const std::string& path : nics[i].dumps) {
            if (end == nullptr) break;
            auto file = PcapFile::create(path);
            if (!file) return Error{fmt::format("network {}: {}", nics[i].id, file.error().message)};
            hub->dumps_.push_back(std::make_unique<Dumping>(*end, std::move(*file)));
            end = hub->dumps_.back().get();
        }
        hub->ends_.push_back(end);
    }
    return hub;
}

NetworkHub::~NetworkHub() = default;

void NetworkHub::poll() {
    for (const Network& n : networks_) n.host->poll();
    for (const auto& d : dumps_) d->flush();
}

bool NetworkHub::deliver(const std::function<void(unsigned)>& tell) {
    bool any = false;
    for (const Network& n : networks_) {
        if (!n.host->take_news()) continue;
        tell(n.index);
        any = true;
    }
    return any;
}

void NetworkHub::add_waits(std::vector<HostPoll>& polls, u64& nanoseconds) {
    for (const Network& n : networks_) n.host->add_waits(polls, nanoseconds);
}

std::string NetworkHub::describe(unsigned index) const {
    for (const Network& n : networks_) {
        if (n.index == index) return n.host->describe();
    }
    return "no cable\n";
}

}  // namespace mynah
