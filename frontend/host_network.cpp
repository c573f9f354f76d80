#include "frontend/host_network.h"

namespace mynah {

bool HostNetwork::receive(std::vector<u8>& frame) {
    if (frames_.empty()) return false;
    frame = std::move(frames_.front());
    frames_.pop_front();
    return true;
}

void HostNetwork::queue(std::span<const u8> frame) {
    if (frames_.size() >= kMostFrames) return;
    frames_.emplace_back(frame.begin(), frame.end());
    news_ = true;
}

}  // namespace mynah
