// The CD-ROM's commands: MMC-3 (T10 1363-D) and SPC-2.
#include <algorithm>
#include <string_view>

#include "base/bits.h"
#include "devices/atapi_cdrom.h"

namespace mynah {

namespace {

constexpr u32 kLeadIn = 150;        // frames before LBA 0
constexpr u32 kLeadOut = 0xAA;      // track number
constexpr u32 kCdSectors = 450000;  // 100 minutes: more is a DVD
constexpr u16 kProfileCd = 0x0008;
constexpr u16 kProfileDvd = 0x0010;

u16 be16(std::span<const u8> p, size_t at) {
    return static_cast<u16>(p[at] << 8 | p[at + 1]);
}
u32 be24(std::span<const u8> p, size_t at) {
    return u32{p[at]} << 16 | be16(p, at + 1);
}
u32 be32(std::span<const u8> p, size_t at) {
    return u32{be16(p, at)} << 16 | be16(p, at + 2);
}

void put16(std::vector<u8>& out, u32 v) {
    out.push_back(static_cast<u8>(v >> 8));
    out.push_back(static_cast<u8>(v));
}
void put32(std::vector<u8>& out, u32 v) {
    put16(out, v >> 16);
    put16(out, v & 0xFFFF);
}
// An address as block number or, when asked, as minute, second, frame.
void put_address(std::vector<u8>& out, u32 lba, bool msf) {
    if (!msf) return put32(out, lba);
    const u32 frame = lba + kLeadIn;
    out.push_back(0);
    out.push_back(static_cast<u8>(frame / 75 / 60));
    out.push_back(static_cast<u8>(frame / 75 % 60));
    out.push_back(static_cast<u8>(frame % 75));
}
void put_text(std::vector<u8>& out, std::string_view text, size_t width) {
    for (size_t i = 0; i < width; ++i) out.push_back(i < text.size() ? static_cast<u8>(text[i]) : u8{' '});
}

}  // namespace

bool AtapiCdrom::is_dvd() const {
    return sectors() > kCdSectors;
}

AtapiCdrom::Sense AtapiCdrom::not_present() const {
    // Medium not present: tray closed, or open.
    return {2, 0x3A, static_cast<u8>(tray_open_ ? 2 : 1)};
}

bool AtapiCdrom::medium_needed(u8 opcode) const {
    switch (opcode) {
        case 0x00:
        case 0x25:
        case 0x28:
        case 0x2B:
        case 0x42:
        case 0x43:
        case 0x51:
        case 0x52:
        case 0xA8:
        case 0xAD:
        case 0xB9:
        case 0xBE:
            return true;
        default:
            return false;
    }
}

void AtapiCdrom::dispatch() {
    const u8 opcode = packet_[0];
    if (medium_needed(opcode) && !loaded()) return check_condition(not_present());
    switch (opcode) {
        case 0x00:  // TEST UNIT READY
            return command_done();
        case 0x03:
            return request_sense();
        case 0x12:
            return inquiry();
        case 0x15:
            return mode_select(false);
        case 0x1A:
            return mode_sense(false);
        case 0x1B:
            return start_stop();
        case 0x1E:  // PREVENT ALLOW MEDIUM REMOVAL
            locked_ = bit(packet_[4], 0);
            return command_done();
        case 0x25:
            return read_capacity();
        case 0x28:
            return read_sectors(be32(packet_, 2), be16(packet_, 7));
        case 0xA8:
            return read_sectors(be32(packet_, 2), be32(packet_, 6));
        case 0x2B:  // SEEK
            if (be32(packet_, 2) >= sectors()) return check_condition({5, 0x21, 0});
            return command_done();
        case 0x35:  // SYNCHRONIZE CACHE
        case 0xBB:  // SET CD SPEED
            return command_done();
        case 0x42:
            return read_sub_channel();
        case 0x43:
            return read_toc();
        case 0x46:
            return get_configuration();
        case 0x4A:
            return get_event_status();
        case 0x51:
            return read_disc_information();
        case 0x52:
            return read_track_information();
        case 0x55:
            return mode_select(true);
        case 0x5A:
            return mode_sense(true);
        case 0xAD:
            return read_dvd_structure();
        case 0xB9:
            return read_cd(true);
        case 0xBD:
            return mechanism_status();
        case 0xBE:
            return read_cd(false);
        default:
            return check_condition({5, 0x20, 0});  // invalid operation code
    }
}

void AtapiCdrom::read_sectors(u32 lba, u32 count) {
    if (lba > sectors() || count > sectors() - lba) return check_condition({5, 0x21, 0});
    if (count == 0) return command_done();
    lba_ = lba;
    sector_bytes_ = kSectorSize;
    raw_fields_ = 0x10;
    source_ = Source::sectors;
    total_ = u64{count} * kSectorSize;
    sent_ = 0;
    operation_ = Operation::data_in;
    medium_->will_read(u64{lba} * kSectorSize, total_);
    if (medium_->busy()) return become_busy(kMediumPoll);
    dma_ ? wait_for_dma() : next_data_in();
}

void AtapiCdrom::read_cd(bool msf) {
    u32 lba = be32(packet_, 2);
    u32 count = be24(packet_, 6);
    if (msf) {
        const auto frame = [this](size_t at) {
            return (packet_[at] * 60u + packet_[at + 1]) * 75u + packet_[at + 2];
        };
        const u32 first = frame(3);
        const u32 end = frame(6);
        if (first < kLeadIn || end < first) return check_condition({5, 0x21, 0});
        lba = first - kLeadIn;
        count = end - first;
    }
    const u8 type = bits(packet_[1], 4, 2);
    if (type != 0 && type != 2) return check_condition({5, 0x64, 0});  // only mode 1 data is there
    const u8 fields = packet_[9] & 0xF8;
    if ((packet_[10] & 7) != 0) return check_condition({5, 0x24, 0});  // no sub-channel
    u32 bytes = 0;
    if (fields & 0x80) bytes += 12;
    if (fields & 0x20) bytes += 4;
    if (fields & 0x10) bytes += kSectorSize;
    if (fields & 0x08) bytes += 288;
    if (lba > sectors() || count > sectors() - lba) return check_condition({5, 0x21, 0});
    if (count == 0 || bytes == 0) return command_done();
    lba_ = lba;
    sector_bytes_ = bytes;
    raw_fields_ = fields;
    source_ = Source::sectors;
    total_ = u64{count} * bytes;
    sent_ = 0;
    operation_ = Operation::data_in;
    dma_ ? wait_for_dma() : next_data_in();
}

void AtapiCdrom::request_sense() {
    Sense sense = sense_;
    // An attention condition not yet told is told here.
    if (sense.key == 0 && reset_attention_) {
        sense = {6, 0x29, 0};
        reset_attention_ = false;
    } else if (sense.key == 0 && media_attention_) {
        sense = {6, 0x28, 0};
        media_attention_ = false;
    }
    sense_ = {};
    std::vector<u8> out(18);
    out[0] = 0x70;  // current error, fixed format
    out[2] = sense.key;
    out[7] = 10;
    out[12] = sense.asc;
    out[13] = sense.ascq;
    respond(std::move(out), packet_[4]);
}

void AtapiCdrom::inquiry() {
    if ((packet_[1] & 1) || packet_[2] != 0) return check_condition({5, 0x24, 0});  // no vital product data
    std::vector<u8> out{0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0};
    put_text(out, "MYNAH", 8);
    put_text(out, "CD-ROM", 16);
    put_text(out, "0.1", 4);
    respond(std::move(out), be16(packet_, 3));
}

void AtapiCdrom::start_stop() {
    const bool start = bit(packet_[4], 0);
    const bool load_eject = bit(packet_[4], 1);
    if (load_eject && !start) {
        if (locked_) return check_condition({5, 0x53, 2});  // medium removal prevented
        if (!tray_open_) event_ = MediaEvent::removal;
        tray_open_ = true;
    } else if (load_eject && tray_open_) {
        tray_open_ = false;
        media_attention_ = medium_ != nullptr;
        if (medium_ != nullptr) event_ = MediaEvent::new_media;
    }
    command_done();
}

void AtapiCdrom::read_capacity() {
    std::vector<u8> out;
    put32(out, sectors() == 0 ? 0 : sectors() - 1);
    put32(out, kSectorSize);
    respond(std::move(out), 8);
}

void AtapiCdrom::read_toc() {
    const bool msf = bit(packet_[1], 1);
    // Old drives take the format from the control byte.
    u8 format = packet_[2] & 0xF;
    if (format == 0) format = packet_[9] >> 6;
    const u8 first = packet_[6];
    std::vector<u8> out{0, 0, 1, 1};
    const auto track = [&](u8 number, u32 lba) {
        out.insert(out.end(), {0, 0x14, number, 0});
        put_address(out, lba, msf);
    };
    switch (format) {
        case 0:
            if (first > 1 && first != kLeadOut) return check_condition({5, 0x24, 0});
            if (first <= 1) track(1, 0);
            track(kLeadOut, sectors());
            break;
        case 1:
            track(1, 0);
            break;
        case 2: {
            const auto point = [&](u8 number, u8 minute, u8 second, u8 frame) {
                out.insert(out.end(), {1, 0x14, 0, number, 0, 0, 0, 0, minute, second, frame});
            };
            const auto frames = [&](u8 number, u32 lba) {
                const u32 f = lba + kLeadIn;
                point(number, static_cast<u8>(f / 75 / 60), static_cast<u8>(f / 75 % 60),
                      static_cast<u8>(f % 75));
            };
            point(0xA0, 1, 0, 0);
            point(0xA1, 1, 0, 0);
            frames(0xA2, sectors());
            frames(1, 0);
            break;
        }
        default:
            return check_condition({5, 0x24, 0});
    }
    out[0] = static_cast<u8>((out.size() - 2) >> 8);
    out[1] = static_cast<u8>(out.size() - 2);
    respond(std::move(out), be16(packet_, 7));
}

void AtapiCdrom::read_sub_channel() {
    std::vector<u8> out{0, 0x15, 0, 0};  // no audio status
    if (bit(packet_[2], 6)) {
        if (packet_[3] != 1) return check_condition({5, 0x24, 0});
        const bool msf = bit(packet_[1], 1);
        out[3] = 12;
        out.insert(out.end(), {1, 0x14, 1, 1});
        put_address(out, lba_, msf);
        put_address(out, lba_, msf);
    }
    respond(std::move(out), be16(packet_, 7));
}

void AtapiCdrom::get_configuration() {
    const u8 requested = packet_[1] & 3;
    const u16 start = be16(packet_, 2);
    const u16 profile = !loaded() ? u16{0} : is_dvd() ? kProfileDvd : kProfileCd;
    struct Feature {
        u16 code;
        bool current;
        std::vector<u8> bytes;
    };
    const u8 cd = profile == kProfileCd;
    const u8 dvd = profile == kProfileDvd;
    const std::vector<Feature> features{
        {0x0000, true, {0x02, 8, 0, 0x10, dvd, 0, 0, 0x08, cd, 0}},  // profile list
        {0x0001, true, {0x06, 8, 0, 0, 0, 2, 0x01, 0, 0, 0}},        // core: ATAPI
        {0x0003, true, {0x02, 4, 0x29, 0, 0, 0}},                    // removable: tray, eject, lock
        {0x0010, profile != 0, {0x00, 8, 0, 0, 8, 0, 0, 1, 0, 0}},   // random readable, 2,048 bytes
        {0x001E, cd != 0, {0x00, 4, 0, 0, 0, 0}},                    // CD read
        {0x001F, dvd != 0, {0x00, 4, 0, 0, 0, 0}},                   // DVD read
    };
    std::vector<u8> out(8);
    out[6] = static_cast<u8>(profile >> 8);
    out[7] = static_cast<u8>(profile);
    for (const Feature& f : features) {
        if (requested == 2 ? f.code != start : f.code < start) continue;
        if (requested == 1 && !f.current) continue;
        put16(out, f.code);
        out.push_back(static_cast<u8>(f.bytes[0] | u8{f.current}));
        out.insert(out.end(), f.bytes.begin() + 1, f.bytes.end());
    }
    const u32 length = static_cast<u32>(out.size() - 4);
    out[2] = static_cast<u8>(length >> 8);
    out[3] = static_cast<u8>(length);
    respond(std::move(out), be16(packet_, 7));
}

void AtapiCdrom::get_event_status() {
    if (!bit(packet_[1], 0)) return check_condition({5, 0x24, 0});  // asynchronous: unsupported
    constexpr u8 kMediaClass = 4;
    constexpr u8 kSupported = 1 << kMediaClass;
    if (!(packet_[4] & kSupported)) {
        return respond({0, 2, 0x80, kSupported}, be16(packet_, 7));  // no event available
    }
    const u8 state = static_cast<u8>((tray_open_ ? 1 : 0) | (loaded() ? 2 : 0));
    const u8 code = static_cast<u8>(event_);
    event_ = MediaEvent::none;
    respond({0, 6, kMediaClass, kSupported, code, state, 0, 0}, be16(packet_, 7));
}

void AtapiCdrom::read_disc_information() {
    if ((packet_[1] & 7) != 0) return check_condition({5, 0x24, 0});
    std::vector<u8> out(34);
    out[1] = 32;
    out[2] = 0x0E;  // last session complete, disc finalised
    out[3] = 1;     // first track
    out[4] = 1;     // sessions
    out[5] = 1;     // first and last track in the last session
    out[6] = 1;
    out[7] = 0x20;  // unrestricted use
    std::fill_n(out.begin() + 17, 3, u8{0xFF});
    std::fill_n(out.begin() + 21, 3, u8{0xFF});
    respond(std::move(out), be16(packet_, 7));
}

void AtapiCdrom::read_track_information() {
    const u32 address = be32(packet_, 2);
    const bool by_track = bits(packet_[1], 1, 0) != 0;
    if (by_track ? address != 1 : address >= sectors()) return check_condition({5, 0x24, 0});
    std::vector<u8> out(36);
    out[1] = 34;
    out[2] = 1;
    out[3] = 1;
    out[5] = 4;     // data track
    out[6] = 0x01;  // mode 1
    std::vector<u8> size;
    put32(size, sectors());
    std::copy(size.begin(), size.end(), out.begin() + 24);
    respond(std::move(out), be16(packet_, 7));
}

void AtapiCdrom::read_dvd_structure() {
    // Physical format information of one single-layer data disc; nothing else is known of an image.
    if (!is_dvd() || packet_[6] != 0) return check_condition({5, is_dvd() ? u8{0x24} : u8{0x30}, 0});
    if (packet_[7] != 0) return check_condition({5, 0x24, 0});
    constexpr u32 kFirstSector = 0x30000;
    std::vector<u8> out(4 + 2048);
    out[0] = static_cast<u8>((out.size() - 2) >> 8);
    out[1] = static_cast<u8>(out.size() - 2);
    out[4] = 0x01;  // DVD-ROM, version 1
    out[5] = 0x0F;  // 120 mm, rate not specified
    out[6] = 0x01;  // one layer, embossed
    out[9] = static_cast<u8>(kFirstSector >> 16);
    const u32 last = kFirstSector + sectors() - 1;
    out[13] = static_cast<u8>(last >> 16);
    out[14] = static_cast<u8>(last >> 8);
    out[15] = static_cast<u8>(last);
    respond(std::move(out), be16(packet_, 8));
}

void AtapiCdrom::mechanism_status() {
    respond({0, 0, 0, 0, 0, 0, 0, 0}, be16(packet_, 8));
}

void AtapiCdrom::mode_sense(bool ten) {
    const u8 page = packet_[2] & 0x3F;
    const u8 control = packet_[2] >> 6;
    if (control == 3) return check_condition({5, 0x39, 0});  // saving is not supported
    const u32 allocation = ten ? be16(packet_, 7) : packet_[4];
    std::vector<u8> pages;
    const auto add = [&](u8 code, std::vector<u8> body) {
        if (page != code && page != 0x3F) return;
        // Nothing can be changed: the mask of changeable bits is all zeroes.
        if (control == 1) std::fill(body.begin(), body.end(), u8{0});
        pages.push_back(code);
        pages.push_back(static_cast<u8>(body.size()));
        pages.insert(pages.end(), body.begin(), body.end());
    };
    add(0x01, {0x00, 0x05, 0, 0, 0, 0});                           // error recovery: five retries
    add(0x0D, {0, 0, 0, 60, 0, 75});                               // CD: seconds and frames
    add(0x0E, {4, 0, 0, 0, 0, 75, 1, 0xFF, 2, 0xFF, 0, 0, 0, 0});  // audio control
    add(0x1A, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0});                     // power conditions
    // Capabilities: reads CD-R, CD-RW, DVD-ROM; lock, eject, tray; lock state; 706 KB/s, 512 KiB.
    add(0x2A, {0x0B, 0x00, 0x70, 0x00, static_cast<u8>(0x29 | (locked_ ? 2 : 0)), 0x00, 0x02, 0xC2, 0x01,
               0x00, 0x02, 0x00, 0x02, 0xC2, 0x00, 0x00, 0x00, 0x00});
    if (pages.empty()) return check_condition({5, 0x24, 0});
    const u8 medium = !loaded() ? static_cast<u8>(tray_open_ ? 0x71 : 0x70) : u8{0x01};
    std::vector<u8> out;
    if (ten) {
        put16(out, static_cast<u32>(pages.size() + 6));
        out.insert(out.end(), {medium, 0, 0, 0, 0, 0});
    } else {
        out = {static_cast<u8>(pages.size() + 3), medium, 0, 0};
    }
    out.insert(out.end(), pages.begin(), pages.end());
    respond(std::move(out), allocation);
}

void AtapiCdrom::mode_select(bool ten) {
    const u32 length = ten ? be16(packet_, 7) : packet_[4];
    if (length == 0) return command_done();
    operation_ = Operation::data_out;
    if (dma_) return check_condition({5, 0x24, 0});
    const u32 block = std::min<u32>(length, byte_limit_);
    lba_mid_.now = static_cast<u8>(block);
    lba_high_.now = static_cast<u8>(block >> 8);
    count_.now = 0;
    request_data_out(block, true);
}

}  // namespace mynah
