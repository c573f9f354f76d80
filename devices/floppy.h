// The floppy disk controller: an 82077AA in AT mode with up to two drives (Intel 82077AA data sheet, 290166).
//
// Steps and sectors take fixed virtual times, much shorter than a real drive's.
#pragma once

#include <array>
#include <string>

#include "devices/device.h"
#include "devices/dma_channel.h"
#include "devices/event_queue.h"
#include "devices/host.h"
#include "devices/irq_line.h"

namespace mynah {

class FloppyController final : public Device {
  public:
    enum Bank : BankId { ports };  // 3F0h..3F7h; the machine maps 3F0h (6 ports) and 3F7h (1 port, offset 7)

    // Values as in CMOS byte 10h.
    enum class DriveType : u8 { none, d360k, d1200k, d720k, d1440k, d2880k };
    struct Geometry {
        u8 cylinders;
        u8 heads;
        u8 sectors;
        u8 rates;  // bit n: data rate select n reads it
        u32 bytes() const { return u32{cylinders} * heads * sectors * 512; }
    };
    // The smallest standard format that holds an image of this size.
    static Geometry geometry_of(u64 bytes);
    // The drive that takes such an image, as firmware expects them: 1.44 MB for 720 KB to
    // 1.72 MB but 1.2 MB, and for an empty drive (0).
    static DriveType drive_for(u64 bytes);

    // `dma`: channel 2; `irq`: ISA IRQ 6.
    FloppyController(EventQueue& time, DmaChannel& dma, IrqLine irq);

    // Unit 0 or 1, before the machine starts. Without it the unit is not there.
    void add_drive(unsigned unit, DriveType type);
    DriveType drive_type(unsigned unit) const { return drives_[unit & 1].type; }
    // Changes the disk (null: takes it out), which the guest sees as the disk change line.
    void set_medium(unsigned unit, BlockBackend* medium);
    // One line a drive for `info block`.
    std::string describe() const;

    std::string_view name() const override { return "fdc"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {8, 1}; }
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  private:
    static constexpr u32 kSectorSize = 512;
    static constexpr Nanoseconds kSectorTime = 100'000;
    static constexpr Nanoseconds kStepTime = 20'000;
    static constexpr Nanoseconds kResetTime = 2'000;

    enum class Phase : u8 { command, execution, result };
    enum class Transfer : u8 { none, read, write, verify, format, read_id };

    struct Drive {
        DriveType type = DriveType::none;
        BlockBackend* medium = nullptr;
        Geometry geometry{};
        bool changed = true;  // disk change line
        u8 cylinder = 0;      // where the head is
    };
    // What the controller keeps for each of its four possible units.
    struct Unit {
        u8 cylinder = 0;  // PCN
        bool seeking = false;
        bool interrupt = false;  // for SENSE INTERRUPT STATUS, with st0
        u8 st0 = 0;
        Nanoseconds arrival = 0;
        void visit(Archive& ar) { ar.all(cylinder, seeking, interrupt, st0, arrival); }
    };

    // --- registers (floppy.cpp) ---
    u8 main_status() const;
    u8 read_data();
    void write_data(u8 value);
    void write_output(u8 value);
    void controller_reset();
    void reset_done();
    void set_irq(bool level);
    void update_irq();
    Drive* drive(unsigned unit);
    void arm_seek_timer();
    void seek_fired();

    // --- commands (floppy_commands.cpp) ---
    void execute();
    void give_result(std::initializer_list<u8> bytes);
    void seek(unsigned unit, int cylinder, bool recalibrate);
    void sense_interrupt();
    void sense_drive();
    void dump_registers();
    void start_transfer(Transfer transfer);
    void sector_fired();
    void move();
    void unit_moved();
    void next_sector();
    void finish(u8 st0, u8 st1, u8 st2);
    // Byte offset of the addressed sector, or a negative number with st1_ and st2_ set.
    i64 locate();
    bool load_sector();
    bool store_sector();
    void fill_sector(u8 value);
    bool dma_mode() const { return !(specify_[1] & 1); }

    EventQueue& time_;
    DmaChannel& dma_;
    IrqLine irq_;
    Timer sector_timer_;
    Timer seek_timer_;
    Timer reset_timer_;
    std::array<Drive, 2> drives_;

    u8 output_ = 0;  // DOR
    u8 tape_ = 0;
    u8 rate_ = 2;
    bool interrupt_ = false;
    Phase phase_ = Phase::command;
    std::array<Unit, 4> units_;

    std::array<u8, 9> command_{};
    u8 command_size_ = 0;
    u8 command_needed_ = 0;
    std::array<u8, 10> result_{};
    u8 result_size_ = 0;
    u8 result_at_ = 0;

    // Settings.
    std::array<u8, 2> specify_{};  // SRT/HUT, HLT/ND
    u8 configure_ = 0x20;          // EIS, EFIFO, POLL, FIFOTHR
    u8 precompensation_ = 0;
    u8 perpendicular_ = 0;
    bool locked_ = false;
    u8 last_track_ = 0;  // EOT, or SC of a FORMAT, for DUMPREG

    // The running transfer.
    Transfer transfer_ = Transfer::none;
    u8 unit_ = 0, head_ = 0;                      // as selected by the command
    u8 c_ = 0, h_ = 0, r_ = 0, n_ = 0, eot_ = 0;  // sector address
    bool multi_track_ = false;
    bool whole_track_ = false;
    bool stop_after_sector_ = false;  // a mark of the wrong kind was met
    u8 left_ = 0;                     // sectors, FORMAT
    u8 fill_ = 0;
    u8 st1_ = 0, st2_ = 0;
    bool terminal_count_ = false;
    bool moving_ = false;  // the host, or the DMA controller, is to take or give bytes
    std::array<u8, kSectorSize> buffer_{};
    u32 position_ = 0;
    u32 unit_size_ = 0;  // bytes that buffer_ holds for one step
};

}  // namespace mynah
