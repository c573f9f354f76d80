// The parts of the `pc` machine and their wiring. machine.cpp, run.cpp, boot.cpp and snapshot.cpp work on it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bios/direct_boot.h"
#include "bios/rom.h"
#include "devices/a20_gate.h"
#include "devices/coprocessor_error.h"
#include "devices/debug_ports.h"
#include "devices/fw_cfg.h"
#include "devices/hpet.h"
#include "devices/i440fx.h"
#include "devices/i8042.h"
#include "devices/io_apic.h"
#include "devices/io_bus.h"
#include "devices/isa_dma.h"
#include "devices/pc_speaker.h"
#include "devices/pc_testdev.h"
#include "devices/pci.h"
#include "devices/pic.h"
#include "devices/piix3.h"
#include "devices/piix4_pm.h"
#include "devices/pit.h"
#include "devices/rtc.h"
#include "devices/sb16.h"
#include "devices/system_control.h"
#include "devices/uart.h"
#include "devices/vga_std.h"
#include "devices/virtio/console.h"
#include "devices/virtio/rng.h"
#include "devices/vmport.h"
#include "machine/clock.h"
#include "machine/drives.h"
#include "machine/irq_router.h"
#include "machine/key_typist.h"
#include "machine/lockstep.h"
#include "machine/log_lines.h"
#include "machine/machine.h"
#include "machine/nics.h"

namespace mynah {

class Pc final : public CpuHost, private ApicBus {
  public:
    Pc(const MachineConfig& config, MachineHost host, Log& log, std::unique_ptr<PhysicalMap> memory);
    ~Pc() override;

    // --- the parts of construction that can fail, in this order ---
    Status make_cpu();
    Status make_devices();
    Status load_firmware();
    // Power-on: resets everything and leaves the CPU at its first instruction.
    void power_on();

    // --- run.cpp ---
    Nanoseconds run(u64 stop_at, bool may_skip_idle);
    void request_reset();
    void finish(int code);
    void power_off();

    // --- snapshot.cpp ---
    void visit(Archive& ar);

    // --- CpuHost ---
    u32 port_read(u16 port, unsigned width) override { return io_.read(port, width); }
    void port_write(u16 port, u32 value, unsigned width) override { io_.write(port, value, width); }
    u8 interrupt_acknowledge() override { return pic_.acknowledge(); }
    Nanoseconds now() override { return time_->now(); }
    u64 wall_clock() override { return static_cast<u64>(config_.rtc_seconds); }
    void arm_apic_timer(Nanoseconds deadline) override { apic_timer_.arm(deadline); }
    void cancel_apic_timer() override { apic_timer_.cancel(); }
    void broadcast_eoi(u8 vector) override { io_apic_.end_of_interrupt(vector); }
    void set_ferr(bool asserted) override { coprocessor_.set_ferr(asserted); }
    bool ignne() override { return coprocessor_.ignne(); }
    u64 random() override;

    const MachineConfig config_;
    MachineHost host_;
    Log& log_;
    RunState state_ = RunState::running;
    int exit_code_ = 0;

  private:
    friend class Machine;
    friend class PcFirmwareTarget;

    void deliver(const Message& message) override;
    void deliver_message(u32 address, u32 data);
    Status make_virtio_devices();
    // Into the first free slot behind the board's own. Error: there is none.
    Status plug(PciFunction& function);
    Status map_ports();
    Status map_optional_devices();
    // The one device that sees the processor's registers.
    VmPort::Processor vmport_processor();
    void map_memory();
    void describe_to_guest();
    RamLayout ram_layout() const;
    AcpiConfig acpi_config() const;
    std::vector<std::string> boot_order() const;
    void reset_devices();
    // --- sound.cpp ---
    void make_sound();
    // Hands over what was played, some hundred times a second.
    void pass_sound_on();
    void finish_sound();
    void restart_sound();
    void apply_entry(const CpuEntry& entry);
    std::vector<Device*> devices();
    AudioMixer* mixer(const std::string& id);

    // Whatever a device does to the processor goes through here, so that -accel verify can repeat it.
    void signal(const std::function<void(Cpu&)>& what);
    Exit run_cpu(u64 budget, u64 slack);

    std::unique_ptr<PhysicalMap> memory_;
    std::unique_ptr<Lockstep> lockstep_;  // -accel verify
    std::unique_ptr<Cpu> cpu_;
    // One of the two is there.
    std::unique_ptr<DeterministicClock> deterministic_;
    std::unique_ptr<RealtimeClock> realtime_;
    TimeSource* time_;
    EventQueue queue_;
    IoBus io_;
    Timer apic_timer_;

    Pic pic_;
    IoApic io_apic_;
    IrqRouter irqs_;
    Pit pit_;
    A20Gate a20_;
    SystemControl system_control_;
    Rtc rtc_;
    IsaDma dma_;
    Hpet hpet_;
    I8042 keyboard_controller_;
    KeyTypist typist_;
    VmPort vmport_;
    FwCfg fw_cfg_;
    PciBus pci_;
    I440fx host_bridge_;
    Piix3 isa_bridge_;
    Piix4Pm power_;
    PostPort post_;
    CoprocessorError coprocessor_;
    DebugConsole debug_console_;
    LogLines firmware_lines_;
    std::optional<DebugConsole> firmware_log_;
    std::vector<std::unique_ptr<Uart>> uarts_;
    std::unique_ptr<Drives> drives_;
    std::unique_ptr<StdVga> vga_;
    std::unique_ptr<Nics> nics_;
    std::vector<std::unique_ptr<VirtioRng>> virtio_rngs_;
    std::vector<std::unique_ptr<VirtioConsole>> virtio_consoles_;
    std::map<std::string, std::unique_ptr<AudioMixer>> mixers_;  // by -audiodev id
    std::unique_ptr<PcSpeaker> speaker_;
    std::unique_ptr<Sb16> sb16_;
    Nanoseconds next_sound_ = 0;
    std::unique_ptr<DebugExit> debug_exit_;
    std::unique_ptr<PcTestdev> testdev_;
    std::vector<std::unique_ptr<DeviceMmio>> windows_;

    // One of the two boots.
    std::optional<SystemRom> rom_;
    std::optional<DirectBootPlan> direct_boot_;

    bool reset_requested_ = false;
    u64 random_state_[2];
};

}  // namespace mynah
