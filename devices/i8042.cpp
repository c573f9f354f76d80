#include "devices/i8042.h"

#include "base/bits.h"

namespace mynah {

namespace {

// Command byte.
constexpr u8 kKeyboardIrq = 0x01, kMouseIrq = 0x02, kSystem = 0x04, kKeyboardOff = 0x10, kMouseOff = 0x20;
constexpr u8 kTranslate = 0x40;
// Status.
constexpr u8 kOutputFull = 0x01, kSystemFlag = 0x04, kCommandWritten = 0x08, kUnlocked = 0x10,
             kMouseFull = 0x20;

// An answer to a command comes sooner than real devices send (about 1 ms a byte), for programs that count
// their polls; scan codes leave an interrupt handler the time to read the port again.
constexpr Nanoseconds kAnswerTime = 20'000;
constexpr Nanoseconds kByteTime = 250'000;

}  // namespace

I8042::I8042(EventQueue& queue, A20Gate& a20, IrqLine irq1, IrqLine irq12, std::function<void()> reset)
    : queue_(queue),
      a20_(a20),
      irq1_(std::move(irq1)),
      irq12_(std::move(irq12)),
      reset_(std::move(reset)),
      arrival_(queue, [this] { deliver(); }) {
    keyboard_.on_pending([this] { pump(); });
    mouse_.on_pending([this] { pump(); });
    ram_[0] = kKeyboardIrq | kMouseIrq;
}

void I8042::reset() {
    ram_.fill(0);
    ram_[0] = kKeyboardIrq | kMouseIrq;
    full_ = Source::none;
    output_ = 0;
    system_flag_ = last_write_command_ = break_prefix_ = false;
    expecting_ = 0;
    answers_.clear();
    answer_sources_.clear();
    arrival_.cancel();
    keyboard_.reset();
    mouse_.reset();
    update_irqs();
}

void I8042::visit(Archive& ar) {
    ar.section(name());
    ar.all(ram_, full_, output_, system_flag_, last_write_command_, expecting_, break_prefix_, answers_,
           answer_sources_, irq1_level_, irq12_level_, arrival_, keyboard_, mouse_);
    if (full_ > Source::mouse) {
        ar.fail("output buffer source out of range");
        full_ = Source::none;
    }
}

// --- the output buffer ---

bool I8042::keyboard_waiting() const {
    return keyboard_.pending() && !(ram_[0] & kKeyboardOff);
}
bool I8042::mouse_waiting() const {
    return mouse_.pending() && !(ram_[0] & kMouseOff);
}

void I8042::respond(u8 byte, Source source) {
    answers_.push(byte);
    answer_sources_.push(static_cast<u8>(source));
    pump();
}

void I8042::pump() {
    if (full_ != Source::none) return;
    if (!answers_.empty()) {
        const u8 byte = answers_.pop();
        return put(byte, static_cast<Source>(answer_sources_.pop() & 3));
    }
    if (!keyboard_waiting() && !mouse_waiting()) return;
    const bool answering =
        (keyboard_waiting() && keyboard_.answering()) || (mouse_waiting() && mouse_.answering());
    const Nanoseconds at = queue_.now() + (answering ? kAnswerTime : kByteTime);
    if (!arrival_.armed() || at < arrival_.deadline()) arrival_.arm(at);
}

void I8042::deliver() {
    if (full_ != Source::none) return;
    // The mouse goes first only with an answer, so that neither device starves the other's commands.
    const bool mouse_first = mouse_waiting() && mouse_.answering() && !keyboard_.answering();
    if (!mouse_first && keyboard_waiting() && deliver_from_keyboard()) return;
    if (mouse_waiting()) put(mouse_.take(), Source::mouse);
}

bool I8042::deliver_from_keyboard() {
    while (keyboard_waiting()) {
        const u8 byte = keyboard_.take();
        if (!(ram_[0] & kTranslate)) {
            break_prefix_ = false;
            put(byte, Source::keyboard);
            return true;
        }
        if (byte == 0xF0) {  // swallowed; the next byte gets bit 7
            break_prefix_ = true;
            continue;
        }
        const u8 released = break_prefix_ ? 0x80 : 0;
        break_prefix_ = false;
        put(set1_of_set2(byte) | released, Source::keyboard);
        return true;
    }
    return false;
}

void I8042::put(u8 byte, Source source) {
    full_ = source;
    output_ = byte;
    update_irqs();
}

void I8042::update_irqs() {
    const bool mouse = full_ == Source::mouse;
    const bool level1 =
        full_ != Source::none && !mouse && (ram_[0] & kKeyboardIrq) && !(ram_[0] & kKeyboardOff);
    const bool level12 = mouse && (ram_[0] & kMouseIrq);
    if (level1 != irq1_level_) irq1_.set(irq1_level_ = level1);
    if (level12 != irq12_level_) irq12_.set(irq12_level_ = level12);
}

// --- ports ---

u8 I8042::status() const {
    return static_cast<u8>(kUnlocked | (full_ != Source::none ? kOutputFull : 0) |
                           (system_flag_ ? kSystemFlag : 0) | (last_write_command_ ? kCommandWritten : 0) |
                           (full_ == Source::mouse ? kMouseFull : 0));
}

u64 I8042::read(BankId bank, u64, unsigned) {
    if (bank == command) return status();
    const u8 value = output_;
    if (full_ != Source::none) {
        full_ = Source::none;
        update_irqs();
        pump();
    }
    return value;
}

void I8042::write(BankId bank, u64, u64 value, unsigned) {
    last_write_command_ = bank == command;
    if (bank == command) {
        expecting_ = 0;
        write_command(static_cast<u8>(value));
    } else {
        write_data(static_cast<u8>(value));
    }
}

u8 I8042::output_port() const {
    // Reset inactive, A20, the two interrupt requests, and the keyboard's clock and data lines idle.
    return static_cast<u8>(0xC1 | int{a20_.enabled()} << 1 | int{irq1_level_} << 4 | int{irq12_level_} << 5);
}

void I8042::write_output_port(u8 value) {
    a20_.set(value & 2);
    if (!(value & 1) && reset_) reset_();
}

void I8042::write_command(u8 value) {
    if (value >= 0xF0) {  // pulses the output port bits that are 0; only the reset line does anything
        if (!(value & 1) && reset_) reset_();
        return;
    }
    if (value >= 0x20 && value < 0x40) return respond(ram_[value & 0x1F]);
    if (value >= 0x60 && value < 0x80) {
        expecting_ = value;
        return;
    }
    switch (value) {
        case 0xA4:  // is a password installed? no
            return respond(0xF1);
        case 0xA7:
            ram_[0] |= kMouseOff;
            break;
        case 0xA8:
            ram_[0] &= static_cast<u8>(~kMouseOff);
            break;
        case 0xA9:  // mouse interface test: no error
            return respond(0x00);
        case 0xAA:
            system_flag_ = true;
            ram_[0] |= kSystem;
            return respond(0x55);
        case 0xAB:
            return respond(0x00);
        case 0xAD:
            ram_[0] |= kKeyboardOff;
            break;
        case 0xAE:
            ram_[0] &= static_cast<u8>(~kKeyboardOff);
            break;
        case 0xC0:  // input port: keyboard not locked
            return respond(0x80);
        case 0xD0:
            return respond(output_port());
        case 0xD1:
        case 0xD2:
        case 0xD3:
        case 0xD4:
            expecting_ = value;
            return;
        case 0xDD:
        case 0xDF:
            a20_.set(value == 0xDF);
            return;
        case 0xE0:  // test inputs: both clocks are high
            return respond(0x03);
        default:
            return;
    }
    update_irqs();
    pump();
}

void I8042::write_data(u8 value) {
    const u8 to = expecting_;
    expecting_ = 0;
    switch (to) {
        case 0xD1:
            return write_output_port(value);
        case 0xD2:
            return respond(value, Source::keyboard);
        case 0xD3:
            return respond(value, Source::mouse);
        case 0xD4:
            ram_[0] &= static_cast<u8>(~kMouseOff);
            return mouse_.receive(value);
        case 0:
            ram_[0] &= static_cast<u8>(~kKeyboardOff);
            return keyboard_.receive(value);
        default:
            ram_[to & 0x1F] = value;
            if ((to & 0x1F) == 0) {
                system_flag_ = value & kSystem;
                update_irqs();
                pump();
            }
    }
}

}  // namespace mynah
