// Power management function of the PIIX4: ACPI registers, PM timer, SMBus host, APM ports (82371AB data
// sheet, order no. 290562, ch. 7 and 11). There is no SMM: what would raise SMI# does not, except that the
// usual ACPI enable/disable commands at port B2h take effect here, as the firmware's SMI handler would make
// them.
#pragma once

#include <functional>
#include <optional>

#include "devices/event_queue.h"
#include "devices/irq_line.h"
#include "devices/pci.h"

namespace mynah {

class Piix4Pm final : public PciFunction {
  public:
    static constexpr u64 kTimerHz = 3'579'545;

    enum Bank : BankId {
        pm,     // 64 ports at PMBA (config 40h), mapped by the function itself
        smbus,  // 16 ports at SMBBA (config 90h), likewise
        apm,    // 2 ports, B2h-B3h
        gpe,    // 4 ports, AFE0h-AFE3h: status and enable of general-purpose events, where QEMU's tables have
                // them
    };

    // `sci`: level-triggered, ISA IRQ 9. `power_off`: the guest entered S5 (soft off).
    Piix4Pm(EventQueue& queue, IrqLine sci, std::function<void()> power_off);

    // A short press: sets PWRBTN_STS, and the guest shuts down if it likes.
    void press_power_button();
    // Sets a general-purpose event's status bit (0-15).
    void raise_gpe(unsigned event);

    std::string_view name() const override { return "piix4-pm"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId bank) const override;
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  protected:
    void config_written(u8 offset, unsigned width) override;

  private:
    u64 timer_ticks() const { return static_cast<u64>(u128{queue_.now()} * kTimerHz / 1'000'000'000); }
    void latch_timer();  // finds out whether the timer's top bit changed
    void update();       // drives SCI, arms the overflow event
    void map_ports();
    u8 read_pm(u64 offset, u64 ticks);
    void write_pm(u64 offset, u8 value);
    void write_control(u16 value);
    void write_smbus(u64 offset, u8 value);

    EventQueue& queue_;
    IrqLine sci_;
    std::function<void()> power_off_;

    u16 status_ = 0, enable_ = 0, control_ = 0;  // PMSTS, PMEN, PMCNTRL
    std::array<u8, 64> scratch_{};               // registers that are only stored
    u16 gpe_status_ = 0, gpe_enable_ = 0;
    u8 apm_control_ = 0, apm_status_ = 0;
    std::array<u8, 16> smbus_{};
    u64 overflows_seen_ = 0;
    bool sci_level_ = false;
    Timer overflow_;
    // Where the register blocks are mapped now; rebuilt from the configuration after a load.
    std::optional<u16> pm_base_, smbus_base_;
};

}  // namespace mynah
