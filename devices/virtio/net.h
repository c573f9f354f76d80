// virtio network adapter (VIRTIO 1.0, 5.1) with checksum and segmentation offloads: the back end sees plain
// frames, the guest may send and receive TCP segments of up to 64 KiB.
#pragma once

#include <array>

#include "devices/network.h"
#include "devices/virtio/net_frames.h"
#include "devices/virtio/pci.h"

namespace mynah {

class VirtioNet final : public VirtioPci, public Nic {
  public:
    using Mac = std::array<u8, 6>;

    // `backend` may be null: no cable. It must outlive the device.
    VirtioNet(std::string name, EventQueue& events, NetBackend* backend, const Mac& mac);

    // Nic: to be called on the machine's thread.
    void frames_waiting() override;

  protected:
    void work(unsigned queue) override;
    void reset_device() override;
    void visit_device(Archive& ar) override;

  private:
    // What the receive filter lets through, besides the adapter's own address (5.1.6.5).
    struct Filter {
        bool promiscuous = true;  // until a driver says otherwise
        bool all_multicast = false, all_unicast = false;
        bool no_multicast = false, no_unicast = false, no_broadcast = false;
        std::vector<Mac> addresses;
        void visit(Archive& ar);
    };

    void transmit();
    void send(const VirtioChain& chain);
    void receive();
    // Fills frame_ and header_ with what the guest gets next. False: nothing waits.
    bool next_frame();
    bool take_from_backend();
    bool wanted(std::span<const u8> frame) const;
    enum class Delivered : u8 { yes, no_room, lost };
    Delivered deliver();
    void control();
    bool command(u8 group, u8 what, VirtioCursor& in);
    bool read_addresses(VirtioCursor& in);

    static constexpr size_t kHeader = 12;

    NetBackend* backend_;
    Mac own_mac_;
    Filter filter_;
    std::vector<u8> frame_;  // header and frame, waiting for the guest's buffers; empty: none
    std::vector<u8> ahead_;  // a frame that was taken from the back end to be joined, and was not
    std::vector<u8> sending_;
    TcpJoiner joiner_;
};

}  // namespace mynah
