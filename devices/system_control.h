// System control ports A (92h: fast A20 and INIT) and B (61h: timer 2 gate, speaker, refresh toggle), as in
// the PIIX3 data sheet 2.5.5 (NMI status and control) and in PS/2-compatible chip sets.
#pragma once

#include <functional>

#include "devices/a20_gate.h"
#include "devices/device.h"
#include "devices/pit.h"

namespace mynah {

class SystemControl final : public Device {
  public:
    enum Bank : BankId { port_b, port_a };  // 61h, 92h; one byte each

    // `fast_init`: port 92h bit 0 went from 0 to 1, which pulses the CPU's INIT. All referred to must outlive
    // this.
    SystemControl(Pit& pit, A20Gate& a20, std::function<void()> fast_init);

    // What the speaker is driven with: both the data gate and counter 2.
    bool speaker_enabled() const { return port_b_ & 2; }
    // Called when that may have changed.
    void on_speaker_change(std::function<void()> f) { speaker_changed_ = std::move(f); }

    std::string_view name() const override { return "system-control"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {1, 1}; }
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  private:
    Pit& pit_;
    A20Gate& a20_;
    std::function<void()> fast_init_;
    std::function<void()> speaker_changed_;
    u8 port_b_ = 0;  // the writable bits 0-3
    u8 port_a_ = 0;  // as written, without bit 1
};

}  // namespace mynah
