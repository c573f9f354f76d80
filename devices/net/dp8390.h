// National DP8390, the Ethernet controller of the NE2000, with the card's 16 KiB of memory and its address
// PROM: everything but the bus.
//
// "DP8390D/NS32490D NIC Network Interface Controller" data sheet (TL/F/8582), 10.0 (registers), 7.0 (ring).
// Not there: loopback, collisions, errors on the cable, broken packets (save errors).
#pragma once

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "base/archive.h"
#include "devices/event_queue.h"
#include "devices/irq_line.h"
#include "devices/net/packet.h"
#include "devices/network.h"

namespace mynah {

class Dp8390 {
  public:
    // Its 32 ports: registers, data port (10h..17h), reset (18h..1Fh).
    static constexpr u32 kPorts = 32;

    // `pci`: the RTL8029, which tells what it is in registers that the DP8390 has not.
    Dp8390(EventQueue& queue, NetBackend* backend, const net::MacAddress& mac, bool pci, IrqLine irq);

    void frames_waiting() { receive_timer_.arm_in(0); }

    void reset();
    void visit(Archive& ar);
    u64 read(u64 offset, unsigned width);
    void write(u64 offset, u64 value, unsigned width);

  private:
    static constexpr u32 kMemoryBegin = 0x4000, kMemorySize = 0x4000;

    // --- dp8390.cpp ---
    void stop_and_reset();
    u8 read_register(u8 offset);
    void write_register(u8 offset, u8 value);
    void write_command(u8 value);
    u64 read_data(unsigned width);
    void write_data(u64 value, unsigned width);
    void advance_dma(unsigned bytes);
    u8 read_memory(u32 address) const;
    void write_memory(u32 address, u8 value);
    void raise(u8 causes);
    void update_interrupt();

    // --- dp8390_transfer.cpp ---
    void transmit();
    void receive();
    bool running() const;
    bool accept(std::span<const u8> frame) const;
    bool deliver(std::span<const u8> frame);

    NetBackend* backend_;
    bool pci_;
    IrqLine irq_;
    Timer transmit_timer_, receive_timer_;
    std::array<u8, 32> prom_{};
    std::array<u8, kMemorySize> memory_{};

    u8 command_ = 0;
    u8 page_start_ = 0, page_stop_ = 0, boundary_ = 0, current_ = 0;
    u8 transmit_page_ = 0, transmit_status_ = 0, receive_status_ = 0;
    u8 interrupt_status_ = 0, interrupt_mask_ = 0;
    u8 receive_config_ = 0, transmit_config_ = 0, data_config_ = 0;
    u16 transmit_count_ = 0, dma_address_ = 0, dma_count_ = 0;
    std::array<u8, 6> physical_{};
    std::array<u8, 8> multicast_{};
    std::array<u8, 3> counters_{};
    u8 config_3_ = 0;          // of the RTL8029's page 3
    std::vector<u8> waiting_;  // a frame for which there was no room
    u8 tries_ = 0;             // to find room for it
};

}  // namespace mynah
