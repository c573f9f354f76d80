// A network back end of the host's, as the session drives it: polled between slices, waited for when idle.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/host_stream.h"
#include "base/result.h"
#include "devices/network.h"
#include "machine/config.h"

namespace mynah {

class HostNetwork : public NetBackend {
  public:
    // What the guest does not take for long is lost from here on.
    static constexpr size_t kMostFrames = 2048;

    bool receive(std::vector<u8>& frame) final;
    // Moves data between host and queue; never waits.
    virtual void poll() = 0;
    // What poll() would react to, appended to `polls`, and when it has to come again: `nanoseconds` becomes
    // no more than that.
    virtual void add_waits(std::vector<HostPoll>& polls, u64& nanoseconds) = 0;
    // Whether frames have come since this was last asked.
    bool take_news() { return std::exchange(news_, false); }
    // Lines for `info network`.
    virtual std::string describe() const = 0;

  protected:
    void queue(std::span<const u8> frame);

  private:
    std::deque<std::vector<u8>> frames_;
    bool news_ = false;
};

// Whether this build has user networks (it was made with libslirp).
bool has_user_networks();
// Error: no libslirp, a port that is taken.
Result<std::unique_ptr<HostNetwork>> open_user_network(const UserNetwork& config);

}  // namespace mynah
