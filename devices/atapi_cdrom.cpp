#include "devices/atapi_cdrom.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/bits.h"

namespace mynah {

namespace {

// Interrupt reason, in the sector count register.
constexpr u8 kCommandPhase = 1;  // C/D
constexpr u8 kToHost = 2;        // I/O
constexpr u8 kPacketBytes = 12;
constexpr u8 kFeatureDma = 1;
constexpr size_t kMaxResponse = 65536;
// Beyond every medium.
constexpr u32 kNowhere = 0xFFFFFFFF;

}  // namespace

AtapiCdrom::AtapiCdrom(EventQueue& time, BlockBackend* medium, std::string_view serial)
    : AtaDevice(time, "MYNAH CD-ROM"), medium_(medium), serial_(serial) {
    AtapiCdrom::reset();
}

void AtapiCdrom::reset() {
    operation_ = Operation::none;
    locked_ = false;
    reset_attention_ = true;
    media_attention_ = false;
    event_ = MediaEvent::none;
    sense_ = {};
    dma_ = false;
    packet_ = {};
    source_ = Source::response;
    response_.clear();
    byte_limit_ = 0;
    total_ = sent_ = 0;
    lba_ = 0;
    sector_bytes_ = kSectorSize;
    raw_fields_ = 0;
    AtaDevice::reset();
}

void AtapiCdrom::visit(Archive& ar) {
    AtaDevice::visit(ar);
    ar.all(tray_open_, locked_, reset_attention_, media_attention_, event_, sense_.key, sense_.asc,
           sense_.ascq, operation_, dma_, packet_, source_, byte_limit_, total_, sent_, lba_, sector_bytes_,
           raw_fields_);
    ar(response_, kMaxResponse);
    const bool sized = source_ == Source::sectors || total_ <= response_.size();
    const bool sector_ok = sector_bytes_ != 0 && sector_bytes_ <= kRawSectorSize;
    if (operation_ > Operation::data_out || !sized || !sector_ok || sent_ > total_ || byte_limit_ > 65536) {
        ar.fail("CD-ROM command out of range");
        reset();
    }
}

void AtapiCdrom::set_medium(BlockBackend* medium) {
    // What is being read was on the old medium.
    if (operation_ == Operation::data_in && source_ == Source::sectors) lba_ = kNowhere;
    medium_ = medium;
    tray_open_ = false;
    media_attention_ = medium != nullptr;
    event_ = medium != nullptr ? MediaEvent::new_media : MediaEvent::removal;
}

bool AtapiCdrom::press_eject() {
    if (locked_) {
        event_ = MediaEvent::eject_request;
        return false;
    }
    tray_open_ = true;
    event_ = MediaEvent::removal;
    return true;
}

u32 AtapiCdrom::sectors() const {
    if (medium_ == nullptr) return 0;
    return static_cast<u32>(std::min<u64>(medium_->size() / kSectorSize, 0x7FFFFFFF));
}

void AtapiCdrom::set_signature() {
    operation_ = Operation::none;
    count_ = {1, 0};
    lba_low_ = {1, 0};
    lba_mid_ = {0x14, 0};
    lba_high_ = {0xEB, 0};
    device_ = 0;
}

void AtapiCdrom::execute(u8 command) {
    switch (command) {
        case 0xA0:  // PACKET
            dma_ = (features_.now & kFeatureDma) != 0;
            byte_limit_ = static_cast<u32>(lba_high_.now << 8 | lba_mid_.now);
            if (byte_limit_ == 0 || byte_limit_ == 0xFFFF) byte_limit_ = 0xFFFE;
            operation_ = Operation::await_packet;
            request_data_out(kPacketBytes, false);
            count_.now = kCommandPhase;
            return;
        case 0xA1:  // IDENTIFY PACKET DEVICE
            operation_ = Operation::identify;
            return become_busy(kCommandLatency);
        case 0x08:  // DEVICE RESET: at once, without an interrupt (8.6 leaves nothing pending)
            timer_.cancel();
            end_data();
            set_signature();
            error_ = 1;
            status_ = idle_status();
            return;
        case 0xEF:  // SET FEATURES
            if (features_.now == 0x03 && !set_transfer_mode(count_.now)) return abort_with(ata::aborted);
            if (features_.now != 0x03 && features_.now != 0x66 && features_.now != 0xCC &&
                features_.now != 0x95) {
                return abort_with(ata::aborted);
            }
            operation_ = Operation::trivial;
            return become_busy(kCommandLatency);
        case 0xE0:  // STANDBY IMMEDIATE, IDLE IMMEDIATE, CHECK POWER MODE, SLEEP
        case 0xE1:
        case 0xE5:
        case 0xE6:
            if (command == 0xE5) count_.now = 0xFF;
            operation_ = Operation::trivial;
            return become_busy(kCommandLatency);
        case 0x20:  // READ SECTORS and IDENTIFY DEVICE tell a host that this is a packet device (9.1)
        case 0xEC: {
            const u8 device = device_;
            set_signature();
            device_ = device;
            return abort_with(ata::aborted);
        }
        default:
            return abort_with(ata::aborted);
    }
}

void AtapiCdrom::block_written() {
    if (operation_ == Operation::await_packet) {
        std::copy_n(buffer_.begin(), packet_.size(), packet_.begin());
        operation_ = Operation::packet;
    }
    become_busy(kCommandLatency);
}

void AtapiCdrom::proceed() {
    switch (operation_) {
        case Operation::identify:
            fill_identify();
            return offer_data_in(buffer_.size(), true);
        case Operation::packet:
            return run_packet();
        case Operation::data_in:
            if (source_ == Source::sectors && loaded() && medium_->busy()) return become_busy(kMediumPoll);
            return dma_ ? wait_for_dma() : next_data_in();
        case Operation::data_out:  // MODE SELECT: nothing in the pages can be changed
            return command_done();
        default:
            operation_ = Operation::none;
            return finish();
    }
}

void AtapiCdrom::run_packet() {
    const u8 opcode = packet_[0];
    constexpr u8 kRequestSense = 0x03;
    constexpr u8 kInquiry = 0x12;
    constexpr u8 kGetConfiguration = 0x46;
    constexpr u8 kGetEventStatus = 0x4A;
    const bool quiet = opcode == kInquiry || opcode == kRequestSense || opcode == kGetConfiguration ||
                       opcode == kGetEventStatus;
    // Unit attention comes before everything but the commands that must not be disturbed (SPC-2 5.x).
    if (!quiet) {
        if (reset_attention_) {
            reset_attention_ = false;
            return check_condition({6, 0x29, 0});
        }
        if (media_attention_) {
            media_attention_ = false;
            return check_condition({6, 0x28, 0});
        }
    }
    if (opcode != kRequestSense) sense_ = {};
    dispatch();
}

void AtapiCdrom::respond(std::vector<u8> data, u32 allocation) {
    if (data.size() > allocation) data.resize(allocation);
    if (data.size() > kMaxResponse) data.resize(kMaxResponse);
    if (data.empty()) return command_done();
    total_ = data.size();
    sent_ = 0;
    source_ = Source::response;
    response_ = std::move(data);
    operation_ = Operation::data_in;
    dma_ ? wait_for_dma() : next_data_in();
}

bool AtapiCdrom::fetch(u64 position, std::span<u8> out) {
    if (source_ == Source::sectors) return fetch_sectors(position, out);
    if (position + out.size() > response_.size()) return false;
    std::copy_n(response_.begin() + static_cast<std::ptrdiff_t>(position), out.size(), out.begin());
    return true;
}

bool AtapiCdrom::fetch_sectors(u64 position, std::span<u8> out) {
    if (!loaded()) return false;
    const u64 size = u64{sectors()} * kSectorSize;
    if (sector_bytes_ == kSectorSize && raw_fields_ == 0x10) {
        const u64 offset = u64{lba_} * kSectorSize + position;
        return offset + out.size() <= size && medium_->read(offset, out).ok();
    }
    std::array<u8, kSectorSize> user;
    std::array<u8, kRawSectorSize> raw;
    while (!out.empty()) {
        const u64 lba = lba_ + position / sector_bytes_;
        const u32 within = static_cast<u32>(position % sector_bytes_);
        if ((lba + 1) * kSectorSize > size || !medium_->read(lba * kSectorSize, user).ok()) return false;
        build_raw_sector(static_cast<u32>(lba), raw, user);
        const size_t n = std::min<size_t>(out.size(), sector_bytes_ - within);
        std::copy_n(raw.begin() + within, n, out.begin());
        out = out.subspan(n);
        position += n;
    }
    return true;
}

// The selected parts of a mode 1 sector, in order: sync, header, user data, EDC and ECC (zeroes).
void AtapiCdrom::build_raw_sector(u32 lba, std::span<u8> raw, std::span<const u8> user) {
    std::fill(raw.begin(), raw.end(), u8{0});
    const auto bcd = [](u32 v) { return static_cast<u8>((v / 10 % 10) << 4 | v % 10); };
    size_t at = 0;
    if (raw_fields_ & 0x80) {
        std::fill_n(raw.begin() + 1, 10, u8{0xFF});
        at += 12;
    }
    if (raw_fields_ & 0x20) {
        const u32 frame = lba + 150;
        raw[at] = bcd(frame / 75 / 60);
        raw[at + 1] = bcd(frame / 75 % 60);
        raw[at + 2] = bcd(frame % 75);
        raw[at + 3] = 1;
        at += 4;
    }
    if (raw_fields_ & 0x10)
        std::copy(user.begin(), user.end(), raw.begin() + static_cast<std::ptrdiff_t>(at));
}

void AtapiCdrom::next_data_in() {
    const u64 left = total_ - sent_;
    if (left == 0) return command_done();
    // An odd limit counts only for the last block (SFF-8020i 5.8).
    u64 n = std::min<u64>(left, byte_limit_);
    if (n < left) n &= ~u64{1};
    if (n == 0) n = std::min<u64>(left, 2);
    std::vector<u8> block(n);
    if (!fetch(sent_, block)) return check_condition(read_error());
    buffer_ = std::move(block);
    sent_ += n;
    count_.now = kToHost;
    lba_mid_.now = static_cast<u8>(n);
    lba_high_.now = static_cast<u8>(n >> 8);
    offer_data_in(buffer_.size(), true);
}

void AtapiCdrom::block_read() {
    if (operation_ == Operation::data_in) return become_busy(kBlockLatency);
    operation_ = Operation::none;
    end_data();
}

void AtapiCdrom::run_dma() {
    if (operation_ != Operation::data_in) return;
    std::vector<u8> data;
    while (sent_ < total_) {
        if (!cable_->dma_ready(true)) return;
        data.resize(std::min<u64>(total_ - sent_, kMaxBuffer));
        if (!fetch(sent_, data)) return check_condition(read_error());
        if (cable_->dma_to_memory(data) < data.size()) return;
        sent_ += data.size();
    }
    command_done();
}

// Unrecovered read error, unless the medium is gone.
AtapiCdrom::Sense AtapiCdrom::read_error() const {
    return loaded() ? Sense{3, 0x11, 0} : not_present();
}

void AtapiCdrom::command_done() {
    operation_ = Operation::none;
    response_.clear();
    total_ = sent_ = 0;
    count_.now = kCommandPhase | kToHost;
    finish();
}

void AtapiCdrom::check_condition(Sense sense) {
    sense_ = sense;
    operation_ = Operation::none;
    response_.clear();
    total_ = sent_ = 0;
    count_.now = kCommandPhase | kToHost;
    abort_with(static_cast<u8>(sense.key << 4 | ata::aborted));
}

void AtapiCdrom::fill_identify() {
    // ATA/ATAPI-6 table 33.
    std::array<u16, 256> w{};
    w[0] = 0x85C0;  // ATAPI, CD-ROM, removable, DRQ within 50 us, 12-byte packets
    put_string(std::span(w).subspan(10, 10), serial_);
    put_string(std::span(w).subspan(23, 4), "0.1");
    put_string(std::span(w).subspan(27, 20), model_);
    w[48] = 1;
    w[49] = 0x0F00;
    w[51] = 0x0200;
    w[53] = 7;
    const auto selected = [this](u8 first) {
        return (dma_mode_ & 0xF8) == first ? static_cast<u16>(0x100u << (dma_mode_ & 7)) : u16{0};
    };
    w[63] = 0x0007 | selected(0x20);
    w[64] = 3;
    w[65] = w[66] = w[67] = w[68] = 120;
    w[71] = w[72] = 30;
    w[80] = 0x001E;
    w[82] = 0x0214;  // DEVICE RESET, PACKET, removable media
    w[85] = 0x0214;
    w[83] = w[84] = w[87] = 0x4000;
    w[88] = 0x003F | selected(0x40);
    w[93] = static_cast<u16>(0x6001 | (unit_ == 0 ? 0x000A : 0x0A00));
    buffer_.resize(512);
    std::memcpy(buffer_.data(), w.data(), 512);
}

std::string AtapiCdrom::describe() const {
    if (medium_ == nullptr) return "CD-ROM, empty";
    return fmt::format("CD-ROM, {} sectors{}{}", sectors(), tray_open_ ? ", tray open" : "",
                       locked_ ? ", locked" : "");
}

}  // namespace mynah
