// Realtek RTL8139C+: fast Ethernet with the four buffers and the ring of bytes of its ancestors (C mode), or
// with descriptor rings, checksum offload and large send (C+ mode).
//
// "RTL8139C+ data sheet" rev. 1.6: registers ch. 6, C mode 7, C+ mode 9. Not there: wake-up, loopback, early
// interrupts, the high-priority ring, flash, the statistics dump.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/bits.h"
#include "devices/event_queue.h"
#include "devices/net/packet.h"
#include "devices/net/serial_eeprom.h"
#include "devices/network.h"
#include "devices/page_memory.h"
#include "devices/pci.h"

namespace mynah {

class Rtl8139 final : public PciFunction, public Nic {
  public:
    enum Bank : BankId {
        ports,   // BAR0
        memory,  // BAR1, the same registers; what lies behind them reads as ones
    };

    // As for E1000.
    Rtl8139(std::string name, EventQueue& queue, NetBackend* backend, const net::MacAddress& mac,
            std::span<const u8> rom);

    void frames_waiting() override { receive_timer_.arm_in(0); }

    std::string_view name() const override { return name_; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId bank) const override;
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  private:
    static constexpr size_t kLongestPacket = 128 * KiB;

    // --- rtl8139.cpp ---
    template <class T>
    T get(u8 offset) const {
        return load_le<T>(&registers_[offset]);
    }
    template <class T>
    void put(u8 offset, T value) {
        store_le<T>(&registers_[offset], value);
    }
    u8 read_byte(u8 offset) const;
    // `value` of a whole register, with the parts in place that the guest did not write.
    void write_byte(u8 offset, u8 value);
    void write_word(u8 offset, u16 value);
    void write_dword(u8 offset, u32 value);
    void soft_reset();
    void load_eeprom();
    void write_command(u8 value);
    void write_eeprom_command(u8 value);
    void raise(u16 causes);
    void update_interrupt();
    u32 timer_count() const;
    void arm_count_timer();
    u16 buffer_summary() const;

    // --- rtl8139_transmit.cpp ---
    void transmit();
    void transmit_buffer(unsigned index);
    // False: the ring has no more.
    bool transmit_descriptor();
    void finish_packet(u32 tag);
    void send(std::span<const u8> frame, u32 tag);

    // --- rtl8139_receive.cpp ---
    void receive();
    bool listens() const;
    bool accept(std::span<const u8> frame, u32& kind) const;
    // False: there is no room now.
    bool deliver_to_ring(std::span<const u8> frame, u32 kind);
    bool deliver_to_descriptor(std::span<const u8> frame, u32 kind);
    u32 ring_size() const { return u32{8192} << (get<u32>(0x44) >> 11 & 3); }
    u32 read_offset() const { return (get<u16>(0x38) + 16u) % ring_size(); }

    std::string name_;
    EventQueue& queue_;
    NetBackend* backend_;
    PageMemory rom_;
    Timer transmit_timer_, receive_timer_, count_timer_;
    net::SerialEeprom eeprom_;
    std::array<u8, 256> registers_{};
    // C mode: which buffers wait to be sent, and which is next.
    std::array<bool, 4> pending_{};
    u8 next_buffer_ = 0;
    // C+ mode: the next descriptor of each ring, and the packet that is being gathered.
    bool polled_ = false;
    u32 tx_index_ = 0, rx_index_ = 0;
    u32 first_word_ = 0;
    bool begun_ = false, too_long_ = false;
    std::vector<u8> packet_;
    Nanoseconds count_base_ = 0;  // when TCTR was zero
    std::vector<u8> waiting_;     // a frame for which there was no room
    u8 tries_ = 0;                // to find room for it
};

}  // namespace mynah
