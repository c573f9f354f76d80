// Intel 82540EM, the "e1000": a gigabit Ethernet adapter with descriptor rings in memory.
//
// "PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual" (317453): descriptors ch. 3,
// EEPROM 5.6, registers ch. 13. Not there: wake-up, flow control frames, loopback, flash, the delay timers
// (interrupts come at once, or at the rate that ITR allows).
#pragma once

#include <array>
#include <string>
#include <vector>

#include "devices/event_queue.h"
#include "devices/net/packet.h"
#include "devices/net/serial_eeprom.h"
#include "devices/network.h"
#include "devices/page_memory.h"
#include "devices/pci.h"

namespace mynah {

class E1000 final : public PciFunction, public Nic {
  public:
    enum Bank : BankId {
        registers,  // BAR0, memory
        window,     // BAR1, ports: IOADDR and IODATA, through which all registers can be reached
    };

    // `name` is unique in the machine; `backend` may be null (no cable) and must outlive the adapter; `rom`
    // is the expansion ROM, which may be empty.
    E1000(std::string name, EventQueue& queue, NetBackend* backend, const net::MacAddress& mac,
          std::span<const u8> rom);

    void frames_waiting() override { receive_timer_.arm_in(0); }

    std::string_view name() const override { return name_; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId bank) const override;
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  private:
    // The context descriptors' content: what is to be done with the packets that refer to it (3.3.6).
    struct Offload {
        u8 ip_start = 0, ip_offset = 0;
        u16 ip_end = 0;
        u8 tu_start = 0, tu_offset = 0;
        u16 tu_end = 0;
        u32 payload = 0;
        u8 header = 0;
        u16 mss = 0;
        bool tcp = false, v4 = false;
        void visit(Archive& ar) {
            ar.all(ip_start, ip_offset, ip_end, tu_start, tu_offset, tu_end, payload, header, mss, tcp, v4);
        }
    };
    // A packet that is being gathered from its descriptors.
    struct Packet {
        std::vector<u8> bytes;
        bool begun = false, too_long = false;
        bool ip_checksum = false, tu_checksum = false, segment = false;
        void visit(Archive& ar) {
            ar(bytes, kLongestPacket);
            ar.all(begun, too_long, ip_checksum, tu_checksum, segment);
        }
    };
    struct TxDescriptor;
    static constexpr size_t kLongestPacket = 128 * KiB;
    static constexpr size_t kRegisterCount = 0x5A00 / 4;

    // --- e1000.cpp: registers ---
    u32& reg(u32 offset) { return registers_[offset / 4]; }
    u32 read_register(u32 offset);
    void write_register(u32 offset, u32 value);
    void write_control(u32 value);
    void write_eecd(u32 value);
    void write_eerd(u32 value);
    void write_mdic(u32 value);
    u16 read_phy(unsigned index) const;
    void write_phy(unsigned index, u16 value);
    void soft_reset();
    void reset_phy();
    void take_link_down();
    void link_is_up();
    void raise(u32 causes);
    void update_interrupt();
    void count(u32 packets, u32 octets_low, size_t bytes);

    // --- e1000_transmit.cpp ---
    void transmit();
    void take_context(const TxDescriptor& d);
    void take_data(const TxDescriptor& d);
    void finish_packet(const TxDescriptor& last);
    void send(std::span<u8> frame, bool with_vlan, u16 tag);
    void put_checksums(std::span<u8> frame, bool large);

    // --- e1000_receive.cpp ---
    void receive();
    bool room_for(size_t bytes) const;
    size_t buffer_size() const;
    bool accept(std::span<const u8> frame, u8& status) const;
    void deliver(std::vector<u8>& frame);
    void check_sums(std::span<const u8> frame, u8& status, u8& errors, u16& checksum);

    std::string name_;
    NetBackend* backend_;
    PageMemory rom_;
    Timer transmit_timer_, receive_timer_, throttle_timer_, link_timer_;
    net::SerialEeprom eeprom_;
    std::array<u32, kRegisterCount> registers_{};
    std::array<u16, 32> phy_{};
    u32 io_address_ = 0;
    bool link_up_ = false;
    bool interrupt_ = false;
    Offload checksum_context_, segment_context_;
    Packet packet_;
    std::vector<u8> waiting_;  // a frame that is longer than the room in the ring
};

}  // namespace mynah
