// All networks of one machine, opened from its configuration: what its adapters are connected to, the files
// that frames are dumped to, and one place to poll and wait.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "frontend/host_network.h"
#include "machine/config.h"

namespace mynah {

class NetworkHub {
  public:
    // Error: a network that cannot be had, a file that cannot be written.
    static Result<std::unique_ptr<NetworkHub>> create(const std::vector<NicConfig>& nics);
    ~NetworkHub();

    // For MachineHost: by adapter; null: no cable.
    const std::vector<NetBackend*>& networks() const { return ends_; }
    // Moves data between host and queues; never waits.
    void poll();
    // Calls `tell` with each adapter for which frames have come since the last call. True: there was one.
    bool deliver(const std::function<void(unsigned)>& tell);
    // See HostNetwork::add_waits.
    void add_waits(std::vector<HostPoll>& polls, u64& nanoseconds);
    // Lines for `info network` about adapter `index`'s network.
    std::string describe(unsigned index) const;

  private:
    class Dumping;
    struct Network {
        unsigned index;
        std::unique_ptr<HostNetwork> host;
    };
    NetworkHub() = default;

    std::vector<Network> networks_;
    std::vector<std::unique_ptr<Dumping>> dumps_;
    std::vector<NetBackend*> ends_;
};

}  // namespace mynah
