#include "devices/uart.h"

#include <utility>

#include "base/bits.h"

namespace mynah {

namespace {

constexpr u64 kBaudBase = 115200;  // 1.8432 MHz / 16

// Interrupt enable bits, which are also the order of priority, but for line status before data.
constexpr u8 kDataAvailable = 1, kTransmitterEmpty = 2, kLineStatus = 4, kModemStatus = 8;
// Line status.
constexpr u8 kDataReady = 0x01, kOverrun = 0x02, kParity = 0x04, kFraming = 0x08, kBreak = 0x10;
constexpr u8 kThre = 0x20, kTemt = 0x40, kFifoError = 0x80;
constexpr u8 kByteErrors = kParity | kFraming | kBreak;

}  // namespace

Uart::Uart(std::string name, EventQueue& queue, CharBackend* backend, IrqLine irq)
    : name_(std::move(name)),
      backend_(backend),
      irq_(std::move(irq)),
      receive_(queue, [this] { receive(); }),
      timeout_(queue, [this] {
          timeout_irq_ = true;
          update_irq();
      }) {
    reset();
}

void Uart::reset() {
    ier_ = fcr_ = lcr_ = mcr_ = lsr_errors_ = msr_ = scratch_ = 0;
    divisor_ = 0;
    fifo_ = {};
    fifo_head_ = fifo_count_ = last_received_ = 0;
    transmitter_empty_irq_ = timeout_irq_ = false;
    receive_.cancel();
    timeout_.cancel();
    set_modem_status();
    msr_ &= 0xF0;
    update_irq();
}

void Uart::visit(Archive& ar) {
    ar.section(name_);
    ar.all(ier_, fcr_, lcr_, mcr_, lsr_errors_, msr_, scratch_, divisor_, fifo_, fifo_head_, fifo_count_,
           last_received_, transmitter_empty_irq_, timeout_irq_, irq_level_, receive_, timeout_);
    if (fifo_count_ > 16) {
        ar.fail("receive FIFO out of range");
        fifo_count_ = 0;
    }
    fifo_head_ &= 15;
}

unsigned Uart::trigger() const {
    constexpr u8 levels[] = {1, 4, 8, 14};
    return fifo_enabled() ? levels[fcr_ >> 6] : 1;
}

Nanoseconds Uart::byte_time() const {
    // Start bit, 5-8 data bits, parity, 1 or 2 (1.5 with 5 data bits) stop bits, in half bits.
    const unsigned data = 5 + (lcr_ & 3);
    const unsigned stop = lcr_ & 4 ? (data == 5 ? 3 : 4) : 2;
    const unsigned half_bits = 2 + 2 * data + (lcr_ & 8 ? 2 : 0) + stop;
    const u64 divisor = divisor_ ? divisor_ : 1;
    return half_bits * divisor * 500'000'000 / kBaudBase;
}

// --- the receiver ---

void Uart::input_ready() {
    expect_input();
}

void Uart::expect_input() {
    if (!backend_ || loopback() || receive_.armed() || fifo_count_ >= capacity()) return;
    if (backend_->input_waiting()) receive_.arm_in(byte_time());
}

void Uart::receive() {
    u8 byte;
    // A snapshot may bring the event to a port that has nothing connected here.
    if (!backend_ || loopback() || fifo_count_ >= capacity() || !backend_->read(byte)) return;
    push(byte);
    expect_input();
}

// One zero character stands for the whole break (PC16550D data sheet, bit 4 of the line status register).
void Uart::receive_break() {
    if (loopback()) return;
    push(0, kBreak);
}

// Bits 1 to 4 of the line status belong to a character and show when it is the next to be read.
void Uart::reveal_errors() {
    if (fifo_count_ > 0) lsr_errors_ |= std::exchange(fifo_[fifo_head_].errors, u8{0});
}

void Uart::push(u8 byte, u8 errors) {
    const unsigned mask = 0xFFu >> (3 - (lcr_ & 3));
    if (fifo_count_ >= capacity()) {
        lsr_errors_ |= kOverrun;
        // Without FIFOs the new character overwrites the old one; with them it is lost in the shift register.
        if (!fifo_enabled()) fifo_[fifo_head_] = {static_cast<u8>(byte & mask), errors};
    } else {
        fifo_[(fifo_head_ + fifo_count_++) & 15] = {static_cast<u8>(byte & mask), errors};
    }
    reveal_errors();
    restart_timeout();
    update_irq();
}

u8 Uart::pop() {
    timeout_irq_ = false;
    if (fifo_count_) {
        last_received_ = fifo_[fifo_head_].byte;
        fifo_head_ = (fifo_head_ + 1) & 15;
        --fifo_count_;
        reveal_errors();
    }
    restart_timeout();
    update_irq();
    expect_input();
    return last_received_;
}

// Characters below the trigger level are announced when none came or went for four character times.
void Uart::restart_timeout() {
    if (fifo_enabled() && fifo_count_ > 0) {
        timeout_.arm_in(4 * byte_time());
    } else {
        timeout_.cancel();
    }
}

// --- the transmitter ---

void Uart::send(u8 byte) {
    if (loopback()) {
        push(byte);
    } else if (backend_) {
        backend_->write(std::span(&byte, 1));
    }
    transmitter_empty_irq_ = true;
    update_irq();
}

// --- modem control ---

void Uart::set_modem_status() {
    u8 inputs;
    if (loopback()) {
        inputs =
            static_cast<u8>(bit(mcr_, 1) << 4 | bit(mcr_, 0) << 5 | bit(mcr_, 2) << 6 | bit(mcr_, 3) << 7);
    } else {
        inputs = backend_ ? 0xB0 : 0;  // CTS, DSR, DCD
    }
    const u8 changed = (inputs ^ msr_) & 0xF0;
    u8 deltas = changed >> 4;
    if (inputs & 0x40) deltas &= static_cast<u8>(~4);  // RI counts when it ends
    msr_ = static_cast<u8>(inputs | (msr_ & 0x0F) | deltas);
}

void Uart::write_mcr(u8 value) {
    mcr_ = value & 0x1F;
    set_modem_status();
    update_irq();
    expect_input();
}

void Uart::write_fcr(u8 value) {
    const bool toggled = (value ^ fcr_) & 1;
    // Bit 0 must be set for the others to be taken.
    fcr_ = value & 1 ? value & 0xC9 : 0;
    if (toggled || (value & 3) == 3) {
        fifo_head_ = fifo_count_ = 0;
        timeout_irq_ = false;
        timeout_.cancel();
    }
    if (toggled || (value & 5) == 5) transmitter_empty_irq_ = true;
    update_irq();
    expect_input();
}

// --- interrupts and registers ---

u8 Uart::line_status() const {
    u8 byte_errors = lsr_errors_ & kByteErrors;
    for (unsigned i = 0; i < fifo_count_; ++i) byte_errors |= fifo_[(fifo_head_ + i) & 15].errors;
    return static_cast<u8>(lsr_errors_ | kThre | kTemt | (fifo_count_ ? kDataReady : 0) |
                           (fifo_enabled() && byte_errors ? kFifoError : 0));
}

u8 Uart::identification() const {
    if ((ier_ & kLineStatus) && (lsr_errors_ & (kOverrun | kByteErrors))) return 6;
    if ((ier_ & kDataAvailable) && fifo_count_ >= trigger()) return 4;
    if ((ier_ & kDataAvailable) && timeout_irq_) return 0xC;
    if ((ier_ & kTransmitterEmpty) && transmitter_empty_irq_) return 2;
    if ((ier_ & kModemStatus) && (msr_ & 0x0F)) return 0;
    return 1;
}

void Uart::update_irq() {
    // In loopback mode the OUT2 pin is inactive and takes the board's interrupt gate with it.
    const bool level = identification() != 1 && (mcr_ & 8) && !loopback();
    if (level == irq_level_) return;
    irq_level_ = level;
    irq_.set(level);
}

u64 Uart::read(BankId, u64 offset, unsigned) {
    const bool dlab = lcr_ & 0x80;
    switch (offset) {
        case 0:
            return dlab ? divisor_ & 0xFF : pop();
        case 1:
            return dlab ? divisor_ >> 8 : ier_;
        case 2: {
            const u8 id = identification();
            if (id == 2) {
                transmitter_empty_irq_ = false;
                update_irq();
            }
            return id | (fifo_enabled() ? 0xC0 : 0);
        }
        case 3:
            return lcr_;
        case 4:
            return mcr_;
        case 5: {
            const u8 value = line_status();
            lsr_errors_ = 0;
            update_irq();
            return value;
        }
        case 6: {
            const u8 value = msr_;
            msr_ &= 0xF0;
            update_irq();
            return value;
        }
        default:
            return scratch_;
    }
}

void Uart::write(BankId, u64 offset, u64 value, unsigned) {
    const u8 byte = static_cast<u8>(value);
    const bool dlab = lcr_ & 0x80;
    switch (offset) {
        case 0:
            if (dlab) {
                divisor_ = static_cast<u16>((divisor_ & 0xFF00) | byte);
                break;
            }
            transmitter_empty_irq_ = false;
            update_irq();
            send(byte);
            break;
        case 1:
            if (dlab) {
                divisor_ = static_cast<u16>((divisor_ & 0x00FF) | byte << 8);
                break;
            }
            // Enabling the transmitter interrupt while the transmitter is empty requests it.
            if (!(ier_ & kTransmitterEmpty) && (byte & kTransmitterEmpty)) transmitter_empty_irq_ = true;
            ier_ = byte & 0x0F;
            update_irq();
            break;
        case 2:
            write_fcr(byte);
            break;
        case 3:
            lcr_ = byte;
            break;
        case 4:
            write_mcr(byte);
            break;
        case 7:
            scratch_ = byte;
            break;
        default:
            break;  // line and modem status: writing is for factory tests
    }
}

}  // namespace mynah
