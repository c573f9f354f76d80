// One device on an ATA cable: the task file and the phases that disks and CD-ROMs share.
//
// ATA/ATAPI-6 (T13 1410D): registers ch. 7, protocols ch. 9. Media are accessed when a command's fixed
// latency has passed, in virtual time, so that a run does not depend on the host's disk.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "base/archive.h"
#include "devices/event_queue.h"

namespace mynah {

class AtaDevice;

// What the cable's other end does for a device.
class AtaCable {
  public:
    virtual ~AtaCable() = default;
    // The device's interrupt_pending() changed.
    virtual void interrupt_changed(AtaDevice& device) = 0;
    // The bus master is started in this direction and may move data.
    virtual bool dma_ready(bool to_memory) = 0;
    // Bytes moved; fewer than asked: the descriptor table ended.
    virtual size_t dma_to_memory(std::span<const u8> data) = 0;
    virtual size_t dma_from_memory(std::span<u8> out) = 0;
};

namespace ata {
// Status register.
inline constexpr u8 busy = 0x80;
inline constexpr u8 ready = 0x40;
inline constexpr u8 fault = 0x20;
inline constexpr u8 seek_complete = 0x10;
inline constexpr u8 data_request = 0x08;
inline constexpr u8 error = 0x01;
// Error register.
inline constexpr u8 uncorrectable = 0x40;
inline constexpr u8 id_not_found = 0x10;
inline constexpr u8 aborted = 0x04;
// Register numbers, as offsets from the command block's base.
enum Register : u8 { data, features, count, lba_low, lba_mid, lba_high, device, command };
}  // namespace ata

class AtaDevice {
  public:
    AtaDevice(EventQueue& time, std::string_view model);
    virtual ~AtaDevice() = default;
    AtaDevice(const AtaDevice&) = delete;
    AtaDevice& operator=(const AtaDevice&) = delete;

    // Called once by the channel.
    void connect(AtaCable& cable, unsigned unit) {
        cable_ = &cable;
        unit_ = unit;
    }

    virtual void reset();  // power-on
    void begin_soft_reset();
    void end_soft_reset();
    virtual void visit(Archive& ar);

    // Status without side effects.
    u8 status() const { return status_; }
    u8 read_status();  // and acknowledges the interrupt
    // `high`: the previous content (device control's HOB bit).
    u8 read_register(ata::Register reg, bool high) const;
    // Task file writes reach both devices of a cable; commands only the selected one.
    void write_register(ata::Register reg, u8 value);
    void write_command(u8 value);
    u32 read_data(unsigned width);
    void write_data(u32 value, unsigned width);
    // EXECUTE DEVICE DIAGNOSTIC; device 0 then signals for both.
    void diagnose();
    void signal_diagnosed() { set_interrupt(true); }

    bool interrupt_pending() const { return interrupt_; }
    // The bus master was started.
    void dma_started();

    // One line for `info block`.
    virtual std::string describe() const = 0;

  protected:
    enum class Phase : u8 {
        idle,
        busy,      // until the timer fires: proceed()
        data_in,   // the host reads buffer_
        data_out,  // the host fills buffer_
        dma,       // waiting for, or stuck in, the bus master: run_dma()
    };
    static constexpr Nanoseconds kCommandLatency = 20'000;
    static constexpr Nanoseconds kBlockLatency = 2'000;
    // How often a busy medium is asked.
    static constexpr Nanoseconds kMediumPoll = 50'000;
    static constexpr size_t kMaxBuffer = 65536;

    virtual void execute(u8 command) = 0;
    virtual void proceed() = 0;
    virtual void block_read() = 0;
    virtual void block_written() = 0;
    virtual void run_dma() = 0;
    virtual void set_signature() = 0;
    // The status when nothing goes on.
    virtual u8 idle_status() const = 0;

    void become_busy(Nanoseconds latency);
    // DRQ with `size` bytes of buffer_ to be read or filled.
    void offer_data_in(size_t size, bool interrupt);
    void request_data_out(size_t size, bool interrupt);
    void wait_for_dma();
    void finish();    // success, with an interrupt
    void end_data();  // success, without one
    void abort_with(u8 error);
    void set_interrupt(bool pending);
    // SET FEATURES subcommands that both kinds know; false: unknown.
    bool set_transfer_mode(u8 mode);
    // Puts an ASCII string in IDENTIFY order (bytes swapped, padded with blanks).
    static void put_string(std::span<u16> words, std::string_view text);

    struct Fifo {
        u8 now = 0;
        u8 previous = 0;
        void push(u8 v) {
            previous = now;
            now = v;
        }
    };

    std::string model_;
    AtaCable* cable_ = nullptr;
    unsigned unit_ = 0;
    Timer timer_;
    Phase phase_ = Phase::idle;
    u8 status_ = 0;
    u8 error_ = 0;
    u8 device_ = 0;
    Fifo features_, count_, lba_low_, lba_mid_, lba_high_;
    u8 pio_mode_ = 4;
    u8 dma_mode_ = 0x22;  // as SET FEATURES names it; multiword mode 2 at power-on
    std::vector<u8> buffer_;
    u32 position_ = 0;

  private:
    void timer_fired();

    bool interrupt_ = false;
    bool resetting_ = false;
};

}  // namespace mynah
