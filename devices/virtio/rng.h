// virtio entropy device (VIRTIO 1.0, 5.4).
#pragma once

#include <functional>

#include "devices/virtio/pci.h"

namespace mynah {

class VirtioRng final : public VirtioPci {
  public:
    // `random`: the machine's source, 64 bits a call.
    VirtioRng(std::string name, EventQueue& events, std::function<u64()> random);

  protected:
    void work(unsigned queue) override;

  private:
    std::function<u64()> random_;
};

}  // namespace mynah
