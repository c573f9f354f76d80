#include "devices/ata_device.h"

#include <algorithm>

#include "base/check.h"

namespace mynah {

AtaDevice::AtaDevice(EventQueue& time, std::string_view model)
    : model_(model), timer_(time, [this] { timer_fired(); }) {}

void AtaDevice::reset() {
    timer_.cancel();
    phase_ = Phase::idle;
    resetting_ = false;
    features_ = count_ = lba_low_ = lba_mid_ = lba_high_ = {};
    device_ = 0;
    pio_mode_ = 4;
    dma_mode_ = 0x22;
    buffer_.clear();
    position_ = 0;
    set_signature();
    error_ = 1;  // diagnostic code: passed
    status_ = idle_status();
    set_interrupt(false);
}

void AtaDevice::begin_soft_reset() {
    timer_.cancel();
    phase_ = Phase::busy;
    resetting_ = true;
    status_ = ata::busy;
    buffer_.clear();
    position_ = 0;
    set_interrupt(false);
}

void AtaDevice::end_soft_reset() {
    if (!resetting_) return;
    set_signature();
    error_ = 1;
    timer_.arm_in(kBlockLatency);
}

void AtaDevice::visit(Archive& ar) {
    for (Fifo* f : {&features_, &count_, &lba_low_, &lba_mid_, &lba_high_}) ar.all(f->now, f->previous);
    ar.all(phase_, status_, error_, device_, pio_mode_, dma_mode_, position_, interrupt_, resetting_);
    ar(buffer_, kMaxBuffer);
    ar(timer_);
    if (phase_ > Phase::dma || position_ > buffer_.size()) {
        ar.fail("ATA transfer out of range");
        phase_ = Phase::idle;
        position_ = 0;
    }
}

void AtaDevice::timer_fired() {
    if (resetting_) {
        resetting_ = false;
        phase_ = Phase::idle;
        status_ = idle_status();
        return;
    }
    if (phase_ == Phase::busy) proceed();
}

u8 AtaDevice::read_status() {
    set_interrupt(false);
    return status_;
}

u8 AtaDevice::read_register(ata::Register reg, bool high) const {
    const auto pick = [high](const Fifo& f) { return high ? f.previous : f.now; };
    switch (reg) {
        case ata::features:
            return error_;
        case ata::count:
            return pick(count_);
        case ata::lba_low:
            return pick(lba_low_);
        case ata::lba_mid:
            return pick(lba_mid_);
        case ata::lba_high:
            return pick(lba_high_);
        case ata::device:
            return device_;
        default:
            return status_;
    }
}

void AtaDevice::write_register(ata::Register reg, u8 value) {
    // While busy the device does not listen; nor may a transfer's byte counts change under it.
    if (status_ & (ata::busy | ata::data_request)) {
        if (reg == ata::device && !(status_ & ata::busy)) device_ = value;
        return;
    }
    switch (reg) {
        case ata::features:
            return features_.push(value);
        case ata::count:
            return count_.push(value);
        case ata::lba_low:
            return lba_low_.push(value);
        case ata::lba_mid:
            return lba_mid_.push(value);
        case ata::lba_high:
            return lba_high_.push(value);
        case ata::device:
            device_ = value;
            return;
        default:
            return;
    }
}

void AtaDevice::write_command(u8 value) {
    constexpr u8 kDeviceReset = 0x08;
    if (resetting_) return;
    if ((status_ & (ata::busy | ata::data_request)) && value != kDeviceReset) return;
    set_interrupt(false);
    error_ = 0;
    execute(value);
}

void AtaDevice::diagnose() {
    if (resetting_) return;
    timer_.cancel();
    phase_ = Phase::idle;
    set_signature();
    error_ = 1;
    status_ = idle_status();
}

u32 AtaDevice::read_data(unsigned width) {
    u32 value = 0;
    for (unsigned i = 0; i < width; ++i) {
        u8 byte = 0xFF;
        if (phase_ == Phase::data_in && position_ < buffer_.size()) byte = buffer_[position_++];
        value |= u32{byte} << (8 * i);
    }
    if (phase_ == Phase::data_in && position_ >= buffer_.size()) block_read();
    return value;
}

void AtaDevice::write_data(u32 value, unsigned width) {
    if (phase_ != Phase::data_out) return;
    for (unsigned i = 0; i < width && position_ < buffer_.size(); ++i) {
        buffer_[position_++] = static_cast<u8>(value >> (8 * i));
    }
    if (position_ >= buffer_.size()) block_written();
}

void AtaDevice::dma_started() {
    if (phase_ == Phase::dma) run_dma();
}

void AtaDevice::become_busy(Nanoseconds latency) {
    phase_ = Phase::busy;
    status_ = ata::busy;
    timer_.arm_in(latency);
}

void AtaDevice::offer_data_in(size_t size, bool interrupt) {
    MYNAH_CHECK(size <= kMaxBuffer);
    buffer_.resize(size);
    position_ = 0;
    phase_ = Phase::data_in;
    status_ = ata::ready | ata::seek_complete | ata::data_request;
    if (interrupt) set_interrupt(true);
}

void AtaDevice::request_data_out(size_t size, bool interrupt) {
    MYNAH_CHECK(size <= kMaxBuffer);
    buffer_.assign(size, 0);
    position_ = 0;
    phase_ = Phase::data_out;
    status_ = ata::ready | ata::seek_complete | ata::data_request;
    if (interrupt) set_interrupt(true);
}

void AtaDevice::wait_for_dma() {
    phase_ = Phase::dma;
    status_ = ata::ready | ata::seek_complete | ata::data_request;
    run_dma();
}

void AtaDevice::end_data() {
    phase_ = Phase::idle;
    buffer_.clear();
    position_ = 0;
    status_ = ata::ready | ata::seek_complete;
}

void AtaDevice::finish() {
    end_data();
    set_interrupt(true);
}

void AtaDevice::abort_with(u8 error) {
    end_data();
    timer_.cancel();
    error_ = error;
    status_ = ata::ready | ata::seek_complete | ata::error;
    set_interrupt(true);
}

void AtaDevice::set_interrupt(bool pending) {
    interrupt_ = pending;
    if (cable_ != nullptr) cable_->interrupt_changed(*this);
}

bool AtaDevice::set_transfer_mode(u8 mode) {
    // Sector count: type of transfer in bits 7..3, mode in 2..0 (ATA/ATAPI-6 table 46).
    const u8 number = mode & 7;
    switch (mode >> 3) {
        case 0:
            if (number > 1) return false;
            pio_mode_ = 0;
            return true;
        case 1:
            if (number > 4) return false;
            pio_mode_ = number;
            return true;
        case 4:
            if (number > 2) return false;
            dma_mode_ = mode;
            return true;
        case 8:
            if (number > 5) return false;
            dma_mode_ = mode;
            return true;
        default:
            return false;
    }
}

void AtaDevice::put_string(std::span<u16> words, std::string_view text) {
    for (size_t i = 0; i < words.size() * 2; ++i) {
        const u8 c = i < text.size() ? static_cast<u8>(text[i]) : u8{' '};
        u16& word = words[i / 2];
        word = static_cast<u16>(i % 2 == 0 ? c << 8 : (word & 0xFF00) | c);
    }
}

}  // namespace mynah
