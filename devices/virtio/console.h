// virtio console device with one port (VIRTIO 1.0, 5.3): the host's end is a character backend.
#pragma once

#include "devices/host.h"
#include "devices/virtio/pci.h"

namespace mynah {

class VirtioConsole final : public VirtioPci {
  public:
    // `backend` may be null: nothing is connected. It must outlive the device.
    VirtioConsole(std::string name, EventQueue& events, CharBackend* backend);

    // The backend got input. What the driver has no room for stays there.
    void input_ready();

  protected:
    void work(unsigned queue) override;
    void config_structure_written(u32 offset, u64 value, unsigned width) override;

  private:
    void receive();
    void transmit();

    CharBackend* backend_;
};

}  // namespace mynah
