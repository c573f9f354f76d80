#include "devices/system_control.h"

namespace mynah {

namespace {

// Refresh requests came from counter 1 at about 15 us: 18 of its CLK pulses.
constexpr u64 kRefreshTicks = 18;

}  // namespace

SystemControl::SystemControl(Pit& pit, A20Gate& a20, std::function<void()> fast_init)
    : pit_(pit), a20_(a20), fast_init_(std::move(fast_init)) {}

void SystemControl::reset() {
    port_b_ = port_a_ = 0;
    pit_.set_gate(2, false);
    a20_.set(true);
    if (speaker_changed_) speaker_changed_();
}

void SystemControl::visit(Archive& ar) {
    ar.section(name());
    ar.all(port_b_, port_a_, a20_);
}

u64 SystemControl::read(BankId bank, u64, unsigned) {
    if (bank == port_a) return static_cast<u64>((port_a_ & ~2) | int{a20_.enabled()} << 1);
    const u64 refresh = (pit_.ticks() / kRefreshTicks) & 1;
    return port_b_ | refresh << 4 | u64{pit_.out(2)} << 5;
}

void SystemControl::write(BankId bank, u64, u64 value, unsigned) {
    const u8 byte = static_cast<u8>(value);
    if (bank == port_b) {
        port_b_ = byte & 0x0F;
        pit_.set_gate(2, byte & 1);
        if (speaker_changed_) speaker_changed_();
        return;
    }
    const bool init = (byte & 1) && !(port_a_ & 1);
    port_a_ = byte & ~2;
    a20_.set(byte & 2);
    if (init && fast_init_) fast_init_();
}

}  // namespace mynah
