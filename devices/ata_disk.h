// An ATA hard disk (ATA/ATAPI-6, T13 1410D ch. 8) over a block backend.
#pragma once

#include "devices/ata_device.h"
#include "devices/host.h"

namespace mynah {

class AtaDisk final : public AtaDevice {
  public:
    static constexpr u32 kSectorSize = 512;
    static constexpr u32 kMaxMultiple = 16;

    // The medium must outlive the disk and have at least one sector. `serial`: at most 20 characters.
    AtaDisk(EventQueue& time, BlockBackend& medium, std::string_view serial);

    u64 sectors() const { return sectors_; }
    // Power-on geometry, for CMOS and firmware tables.
    u32 cylinders() const { return cylinders_; }
    u32 heads() const { return kHeads; }
    u32 sectors_per_track() const { return kSectorsPerTrack; }

    void reset() override;
    void visit(Archive& ar) override;
    std::string describe() const override;

  protected:
    void execute(u8 command) override;
    void proceed() override;
    void block_read() override;
    void block_written() override;
    void run_dma() override;
    void set_signature() override;
    u8 idle_status() const override { return ata::ready | ata::seek_complete; }

  private:
    static constexpr u32 kHeads = 16;
    static constexpr u32 kSectorsPerTrack = 63;
    static constexpr u32 kMaxTrimBlocks = 8;  // of 64 ranges each

    enum class Operation : u8 {
        none,
        read,
        write,
        dma_read,
        dma_write,
        verify,
        flush,
        trivial,  // nothing but the latency
        identify,
        buffer_read,
        buffer_write,
        dma_trim,
        settle,  // all is handed to the medium, which has not done it yet
    };
    enum class Width : u8 { lba28, lba48 };

    void begin(Operation operation, Nanoseconds latency = kCommandLatency);
    void begin_transfer(Operation operation, Width width, bool multiple);
    void begin_flush();
    // The end of a command that changed the medium, which may take its time.
    void finish_when_settled();
    void begin_trim();
    void run_trim();
    void set_features();
    void smart();
    void set_max_address(Width width);
    // Address and count of the command into lba_ and left_. False: aborted already.
    bool take_address(Width width);
    // Shows `lba` in the task file.
    void put_address(u64 lba);
    bool read_sectors(u64 lba, std::span<u8> out);
    bool write_sectors(u64 lba, std::span<const u8> data);
    void fail_at(u64 lba, u8 error);
    void fill_identify();

    BlockBackend& medium_;
    std::string serial_;
    u64 sectors_;
    u32 cylinders_;
    // The translation INITIALIZE DEVICE PARAMETERS asked for.
    u32 current_heads_ = kHeads;
    u32 current_sectors_ = kSectorsPerTrack;
    u8 multiple_ = kMaxMultiple;
    bool write_cache_ = true;
    bool look_ahead_ = true;
    u8 power_mode_ = 0xFF;  // CHECK POWER MODE's answer

    Operation operation_ = Operation::none;
    bool lba48_ = false;
    u64 lba_ = 0;
    u32 left_ = 0;   // sectors
    u32 block_ = 1;  // sectors per DRQ
};

}  // namespace mynah
