// virtio block device (VIRTIO 1.0, 5.2): a disk over a block backend. Data goes between backend and guest
// memory in place where the driver's pieces are long enough for it.
#pragma once

#include "devices/host.h"
#include "devices/virtio/pci.h"

namespace mynah {

class VirtioBlock final : public VirtioPci {
  public:
    static constexpr u32 kSectorSize = 512;

    // The medium must outlive the device and have at least one sector. `serial`: at most 20 characters, what
    // the guest finds as the disk's id.
    VirtioBlock(std::string name, EventQueue& events, BlockBackend& medium, std::string serial);

  protected:
    void work(unsigned queue) override;
    void reset_device() override;
    void config_structure_written(u32 offset, u64 value, unsigned width) override;

  private:
    u8 execute(const VirtioChain& chain, VirtioCursor& in, VirtioCursor& out);
    u8 read_disk(u64 sector, VirtioCursor& out, u64 bytes);
    u8 write_disk(u64 sector, VirtioCursor& in);
    u8 write_zeroes(VirtioCursor& in);
    u8 flush();
    bool in_range(u64 sector, u64 bytes) const;
    bool writes_through() const;

    BlockBackend& medium_;
    std::string serial_;
    u64 sectors_;
    std::vector<u8> buffer_;
};

}  // namespace mynah
