// virtio block device (VIRTIO 1.0, 5.2): a disk over a block backend, which may work beside the machine's
// thread (BlockBackend::start()).
#pragma once

#include <deque>
#include <memory>

#include "devices/host.h"
#include "devices/virtio/pci.h"

namespace mynah {

class VirtioBlock final : public VirtioPci {
  public:
    static constexpr u32 kSectorSize = 512;

    // The medium must outlive the device and have at least one sector. `serial`: at most 20 characters, what
    // the guest finds as the disk's id.
    VirtioBlock(std::string name, EventQueue& events, BlockBackend& medium, std::string serial);

    // For media that do not wait: to be called now and then, soon after a request has ended.
    void look_at_medium();

  protected:
    void work(unsigned queue) override;
    void reset_device() override;
    void config_structure_written(u32 offset, u64 value, unsigned width) override;
    void visit_device(Archive& ar) override;

  private:
    // A request that the medium works on. Those at one time all change the disk or all read: then a snapshot
    // need not hold what was read, it can be read again.
    struct Started {
        VirtioChain chain{};
        u64 sector = 0;
        bool changes = false;
        std::shared_ptr<DiskRequest> request{};  // null: comes from a snapshot
        u8 status = 0;                           // then: of a change
    };
    enum class Taken : u8 { answered, started, not_yet };

    Taken take(const VirtioChain& chain, u8& status);
    Taken take_read(const VirtioChain& chain, u64 sector, u8& status);
    Taken take_write(const VirtioChain& chain, VirtioCursor& in, u64 sector, u8& status);
    Taken take_zeroes(const VirtioChain& chain, VirtioCursor& in, u8& status);
    bool read_at_once(const VirtioChain& chain, u64 at, u64 bytes);
    // Whether a request of this kind would have to wait for those that were started.
    bool must_wait(bool changes) const;
    std::shared_ptr<DiskRequest> request(DiskRequest::Kind kind, u64 offset, u64 bytes);
    void start(const VirtioChain& chain, u64 sector, std::shared_ptr<DiskRequest> request);
    void answer(const VirtioChain& chain, u8 status);
    u8 finish_read(Started& s);
    // Those that have ended, as far as time is ripe for it.
    void finish();
    bool in_range(u64 sector, u64 bytes) const;
    bool writes_through() const;

    BlockBackend& medium_;
    std::string serial_;
    u64 sectors_;
    std::vector<u8> buffer_;
    std::deque<Started> started_;
    u64 started_bytes_ = 0;
    std::vector<std::shared_ptr<DiskRequest>> spare_;
    Timer finish_;
    bool due_ = false;  // finish_ has fired
    u64 moved_ = 0;     // bytes, in the event that runs
};

}  // namespace mynah
