// Counts the frames between an adapter and its network, for a light.
#pragma once

#include "devices/network.h"

namespace mynah {

class MeteredNetwork final : public NetBackend {
  public:
    // Both outlive the object.
    MeteredNetwork(NetBackend& network, u64& frames) : network_(network), frames_(frames) {}

    void send(std::span<const u8> frame) override {
        ++frames_;
        network_.send(frame);
    }
    bool receive(std::vector<u8>& frame) override {
        if (!network_.receive(frame)) return false;
        ++frames_;
        return true;
    }

  private:
    NetBackend& network_;
    u64& frames_;
};

}  // namespace mynah
