// The two 8237A DMA controllers of the AT bus with their page registers (8237A data sheet; PIIX3 data
// sheet 2.5.1).
//
// A peripheral drives its channel itself through DmaChannel, when an event of its own says so; what the guest
// programmed (mode, mask, direction) decides whether anything moves. Bus arbitration takes no virtual time.
// Channels 5-7 move words: sizes are rounded down to pairs of bytes.
#pragma once

#include <array>
#include <functional>
#include <span>

#include "devices/device.h"
#include "devices/dma_channel.h"
#include "mmu/physical_map.h"

namespace mynah {

class IsaDma final : public Device {
  public:
    // Ports 00h-0Fh; C0h-DFh (one register every two ports); 80h-8Fh, of which 80h itself is usually given to
    // the POST display, the unused ones are plain bytes.
    enum Bank : BankId { low_controller, high_controller, pages };

    explicit IsaDma(PhysicalMap& memory);

    // 0-7; 4 is the cascade and never ready. Belongs to this device.
    DmaChannel& channel(unsigned number) { return pins_[number & 7]; }

    std::string_view name() const override { return "isa-dma"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId bank) const override;
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  private:
    // A channel's DREQ/DACK pair.
    class Pins final : public DmaChannel {
      public:
        void set_request(bool level) override;
        bool ready() const override { return dma_->ready(number_); }
        Direction direction() const override;
        Moved write(std::span<const u8> data) override;
        Moved read(std::span<u8> out) override;
        void on_ready(std::function<void()> ready) override { on_ready_ = std::move(ready); }

        IsaDma* dma_ = nullptr;
        unsigned number_ = 0;
        std::function<void()> on_ready_;
    };

    struct Channel {
        u16 base_address, base_count;
        u16 address, count;  // current
        u8 mode;

        bool auto_initialise() const { return mode & 0x10; }
        bool decrement() const { return mode & 0x20; }
        bool cascade() const { return (mode >> 6) == 3; }
        void visit(Archive& ar) { ar.all(base_address, base_count, address, count, mode); }
    };
    struct Controller {
        std::array<Channel, 4> channels;
        u8 command, mask, requests, hardware_requests, terminal_counts;
        bool high_byte;  // the byte pointer flip-flop

        void visit(Archive& ar) {
            ar.all(channels, command, mask, requests, hardware_requests, terminal_counts, high_byte);
        }
    };

    u8 read_register(Controller& c, unsigned reg);
    void write_register(Controller& c, unsigned reg, u8 value);
    static void master_clear(Controller& c);
    bool ready(unsigned channel) const;
    // Tells the peripherals whose channel became ready by the register write that `before` preceded.
    u8 ready_channels() const;
    void notify(u8 before);
    // Moves `size` bytes to (`in` set) or from memory (`out` set).
    DmaChannel::Moved transfer(unsigned channel, const u8* in, u8* out, size_t size);

    PhysicalMap& memory_;
    std::array<Controller, 2> controllers_{};
    std::array<u8, 16> pages_{};
    std::array<Pins, 8> pins_;
};

}  // namespace mynah
