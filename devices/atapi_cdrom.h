// An ATAPI CD-ROM drive: the PACKET protocol, and MMC commands over an image of 2,048-byte sectors.
//
// ATA/ATAPI-6 (T13 1410D) 9.8-9.9 for packets; SFF-8020i and MMC-3 for commands, sense codes and mode pages.
#pragma once

#include "devices/ata_device.h"
#include "devices/host.h"

namespace mynah {

class AtapiCdrom final : public AtaDevice {
  public:
    static constexpr u32 kSectorSize = 2048;
    static constexpr u32 kRawSectorSize = 2352;

    // `medium` may be null: an empty drive. It stays the caller's and must outlive its stay in the drive.
    AtapiCdrom(EventQueue& time, BlockBackend* medium, std::string_view serial);

    // --- the person at the drive ---
    // Changes the medium (null: takes it out); the guest is told by unit attention and media events.
    void set_medium(BlockBackend* medium);
    // Presses the eject button. False: the guest has locked the tray; it is told of the wish.
    bool press_eject();
    BlockBackend* medium() const { return medium_; }
    bool locked() const { return locked_; }
    bool tray_open() const { return tray_open_; }

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
    u8 idle_status() const override { return 0; }

  private:
    enum class Operation : u8 { none, trivial, identify, await_packet, packet, data_in, data_out };
    // Where the data phase's bytes come from.
    enum class Source : u8 { response, sectors };
    enum class MediaEvent : u8 { none = 0, eject_request = 1, new_media = 2, removal = 3 };

    struct Sense {
        u8 key = 0;
        u8 asc = 0;
        u8 ascq = 0;
    };

    // --- the protocol (atapi_cdrom.cpp) ---
    void run_packet();
    void next_data_in();
    void command_done();
    void check_condition(Sense sense);
    void respond(std::vector<u8> data, u32 allocation);
    // Bytes [position, position + out) of the data phase. False: medium error.
    bool fetch(u64 position, std::span<u8> out);
    bool fetch_sectors(u64 position, std::span<u8> out);
    void build_raw_sector(u32 lba, std::span<u8> raw, std::span<const u8> user);
    void fill_identify();

    // --- commands (atapi_commands.cpp) ---
    void dispatch();
    void read_sectors(u32 lba, u32 count);
    void read_cd(bool msf);
    void request_sense();
    void inquiry();
    void start_stop();
    void read_capacity();
    void read_toc();
    void read_sub_channel();
    void get_configuration();
    void get_event_status();
    void read_disc_information();
    void read_track_information();
    void read_dvd_structure();
    void mechanism_status();
    void mode_sense(bool ten);
    void mode_select(bool ten);

    bool loaded() const { return medium_ != nullptr && !tray_open_; }
    u32 sectors() const;
    bool is_dvd() const;
    Sense not_present() const;
    Sense read_error() const;
    bool medium_needed(u8 opcode) const;

    BlockBackend* medium_;
    std::string serial_;
    bool tray_open_ = false;
    bool locked_ = false;
    bool reset_attention_ = true;
    bool media_attention_ = false;
    MediaEvent event_ = MediaEvent::none;
    Sense sense_;

    Operation operation_ = Operation::none;
    bool dma_ = false;
    std::array<u8, 12> packet_{};
    Source source_ = Source::response;
    std::vector<u8> response_;
    u32 byte_limit_ = 0;
    u64 total_ = 0;  // bytes of the data phase
    u64 sent_ = 0;
    u32 lba_ = 0;
    u32 sector_bytes_ = kSectorSize;
    u8 raw_fields_ = 0;  // READ CD's selection of sector parts
};

}  // namespace mynah
