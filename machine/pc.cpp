#include "machine/pc.h"

#include <fmt/format.h>

#include "base/bits.h"
#include "cpu/apic/local_apic.h"
#include "jit/jit.h"

namespace mynah {

namespace {

constexpr u64 kIoApicBase = 0xFEC00000;
constexpr u64 kHpetBase = 0xFED00000;
constexpr u64 kTestdevBase = 0xFF000000;
constexpr u64 kVgaWindow = 0xA0000;
constexpr unsigned kCoprocessorIrq = 13;
constexpr unsigned kSci = 9;
constexpr u8 kFirstFreeSlot = 3;

}  // namespace

Pc::Pc(const MachineConfig& config, MachineHost host, Log& log, std::unique_ptr<PhysicalMap> memory)
    : config_(config),
      host_(std::move(host)),
      log_(log),
      memory_(std::move(memory)),
      deterministic_(config.clock == ClockMode::deterministic
                         ? std::make_unique<DeterministicClock>(
                               config.icount_shift, [this] { return cpu_ ? cpu_->instructions() : 0; })
                         : nullptr),
      realtime_(deterministic_ ? nullptr : std::make_unique<RealtimeClock>(host_.monotonic_ns)),
      time_(deterministic_ ? static_cast<TimeSource*>(deterministic_.get()) : realtime_.get()),
      queue_(*time_),
      io_(log),
      apic_timer_(queue_, [this] { signal(&Cpu::apic_timer_expired); }),
      pic_(IrqLine([this](bool level) { signal([level](Cpu& c) { c.set_intr(level); }); })),
      io_apic_(*this),
      irqs_(pic_, io_apic_),
      pit_(queue_, irqs_.line(0)),
      a20_(IrqLine([this](bool enabled) { memory_->set_a20(enabled); })),
      system_control_(pit_, a20_, [this] { signal(&Cpu::init); }),
      rtc_(queue_, config.rtc_seconds, irqs_.line(8), IrqLine()),
      dma_(*memory_),
      hpet_(queue_, {.io_apic = [this](unsigned pin, bool level) { io_apic_.set_pin(pin, level); },
                     .legacy = [this](unsigned irq, bool level) { irqs_.set(irq, IrqRouter::hpet, level); },
                     .legacy_changed =
                         [this](bool replaced) {
                             for (const unsigned irq : {0u, 8u})
                                 irqs_.hold_back(irq, IrqRouter::isa, replaced);
                         }}),
      keyboard_controller_(queue_, a20_, irqs_.line(1), irqs_.line(12), [this] { request_reset(); }),
      typist_(queue_, keyboard_controller_.keyboard()),
      vmport_(keyboard_controller_.mouse(), config.memory, vmport_processor()),
      fw_cfg_(queue_, *memory_),
      pci_(io_, *memory_, log),
      host_bridge_(*memory_),
      isa_bridge_([this](unsigned irq, bool level) { irqs_.set(irq, IrqRouter::pci, level); },
                  [this](bool hard) { hard ? request_reset() : signal(&Cpu::init); }),
      power_(queue_, irqs_.line(kSci), [this] { power_off(); }),
      coprocessor_(irqs_.line(kCoprocessorIrq)),
      debug_console_("debugcon", host_.debugcon),
      firmware_lines_(log, LogItem::firmware) {
    const u64 seed = deterministic_ ? config.seed : host_.random;
    random_state_[0] = seed ^ 0x9E3779B97F4A7C15;
    random_state_[1] = seed + 0xD1B54A32D192ED03;
    queue_.on_took_long([this] {
        if (cpu_) signal(&Cpu::request_exit);
    });
    if (deterministic_) {
        queue_.on_earlier([this] {
            if (!cpu_) return;
            const u64 at = deterministic_->instructions_at(queue_.next_deadline());
            signal([at](Cpu& c) { c.stop_at(at); });
        });
    }
}

Pc::~Pc() {
    finish_sound();
}

Status Pc::make_cpu() {
    AcceleratorFactory accelerator;
    if (config_.accel != AccelKind::interp) {
        if (!Jit::supported())
            log_(LogItem::unimplemented, "jit: this host has no translator; the interpreter runs alone");
        accelerator = [this](Core& core, PhysicalMap& memory) {
            return Jit::create(
                core, memory,
                JitOptions{.perf_map = config_.perf_map, .code_bytes = config_.translation_bytes});
        };
    }
    if (host_.accelerator) accelerator = host_.accelerator;
    if (config_.accel == AccelKind::verify) {
        // Machine::create made it one.
        auto& memory = static_cast<LockstepMemory&>(*memory_);
        auto lockstep = Lockstep::create(config_.cpu, memory, *this, log_, accelerator);
        if (!lockstep) return lockstep.error();
        lockstep_ = std::move(*lockstep);
        cpu_ = lockstep_->take_first();
        return Ok{};
    }
    auto cpu = Cpu::create(config_.cpu, *memory_, *this, log_, accelerator);
    if (!cpu) return cpu.error();
    cpu_ = std::move(*cpu);
    return Ok{};
}

void Pc::signal(const std::function<void(Cpu&)>& what) {
    if (lockstep_)
        lockstep_->tell(what);
    else
        what(*cpu_);
}

Exit Pc::run_cpu(u64 budget, u64 slack) {
    if (!lockstep_) return cpu_->run(budget, slack);
    const Exit exit = lockstep_->run(budget);
    if (lockstep_->diverged()) {
        log_.write(lockstep_->report());
        state_ = RunState::finished;
        exit_code_ = 1;
    }
    return exit;
}

Status Pc::make_devices() {
    for (unsigned i = 0; i < 4; ++i) {
        static constexpr unsigned kIrqs[] = {4, 3, 4, 3};
        CharBackend* backend = i < host_.serials.size() ? host_.serials[i] : nullptr;
        const IrqLine irq = irqs_.line(kIrqs[i], i < 2 ? IrqRouter::isa : IrqRouter::isa_second);
        uarts_.push_back(std::make_unique<Uart>(fmt::format("uart{}", i), queue_, backend, irq));
    }
    auto drives = Drives::create(config_.drives, {queue_, log_, dma_, irqs_.line(6), irqs_.line(14),
                                                  irqs_.line(15), realtime_ != nullptr, host_.wake});
    if (!drives) return drives.error();
    drives_ = std::move(*drives);
    if (config_.vga) {
        std::vector<u8> rom;
        if (config_.kernel.empty() || !config_.bios.empty()) {
            auto found = load_option_rom("vgabios-stdvga.bin", config_.firmware_path);
            if (!found) return found.error();
            rom = std::move(*found);
        }
        vga_ = std::make_unique<StdVga>(queue_, std::move(rom));
    }
    // Direct boots run no option ROMs.
    auto nics = Nics::create(config_.nics, {.queue = queue_,
                                            .networks = host_.networks,
                                            .irq = [this](unsigned irq) { return irqs_.line(irq); },
                                            .firmware_path = config_.firmware_path,
                                            .with_roms = config_.kernel.empty() || !config_.bios.empty()});
    if (!nics) return nics.error();
    nics_ = std::move(*nics);
    make_sound();
    if (config_.isa_debug_exit) {
        debug_exit_ =
            std::make_unique<DebugExit>(config_.isa_debug_exit->iosize, [this](int code) { finish(code); });
    }
    if (config_.pc_testdev) {
        testdev_ = std::make_unique<PcTestdev>(
            PcTestdev::Outputs{.irq =
                                   [this](unsigned line, bool level) {
                                       if (line < 16)
                                           irqs_.set(line, IrqRouter::isa, level);
                                       else
                                           io_apic_.set_pin(line, level);
                                   },
                               .flush_page = [this](u64) { cpu_->mmu().flush(); }});
    }

    pci_.connect_pirq([this](unsigned pirq, bool level) { isa_bridge_.set_pirq(pirq, level); });
    pci_.connect_messages([this](u32 address, u32 data) { deliver_message(address, data); });
    pci_.connect_reset_control([this] { return isa_bridge_.read_reset_control(); },
                               [this](u8 value) { isa_bridge_.write_reset_control(value); });
    pci_.add(host_bridge_, 0, 0);
    pci_.add(isa_bridge_, 1, 0);
    pci_.add(drives_->ide(), 1, 1);
    pci_.add(power_, 1, 3);
    if (vga_) pci_.add(*vga_, 2, 0);
    if (Status s = nics_->plug_in(pci_, io_); !s) return s;
    if (Status s = make_virtio_devices(); !s) return s;
    map_memory();
    if (Status s = map_ports(); !s) return s;
    return map_optional_devices();
}

Status Pc::plug(PciFunction& function) {
    for (u8 slot = kFirstFreeSlot; slot < 32; ++slot) {
        if (pci_.find(slot, 0) != nullptr) continue;
        pci_.add(function, slot, 0);
        return Ok{};
    }
    return Error{"there is no PCI slot left; drop some devices"};
}

Status Pc::make_virtio_devices() {
    for (const Drives::VirtioDisk& disk : drives_->virtio_disks()) {
        if (Status s = plug(*disk.device); !s) return s;
    }
    for (unsigned i = 0; i < config_.virtio_rngs; ++i) {
        virtio_rngs_.push_back(
            std::make_unique<VirtioRng>(fmt::format("virtio-rng{}", i), queue_, [this] { return random(); }));
        if (Status s = plug(*virtio_rngs_.back()); !s) return s;
    }
    for (unsigned i = 0; i < config_.virtio_consoles.size(); ++i) {
        CharBackend* backend = i < host_.virtio_consoles.size() ? host_.virtio_consoles[i] : nullptr;
        virtio_consoles_.push_back(
            std::make_unique<VirtioConsole>(fmt::format("virtio-console{}", i), queue_, backend));
        if (Status s = plug(*virtio_consoles_.back()); !s) return s;
    }
    return Ok{};
}

void Pc::map_memory() {
    const auto window = [this](PhysicalAddress base, Device& device, BankId bank, std::string_view name) {
        windows_.push_back(std::make_unique<DeviceMmio>(device, bank));
        memory_->map_mmio(base, device.bank(bank).length, *windows_.back(), name);
    };
    window(kIoApicBase, io_apic_, 0, "ioapic");
    window(kHpetBase, hpet_, 0, "hpet");
    if (vga_) window(kVgaWindow, *vga_, StdVga::window, "vga");
    if (testdev_) window(kTestdevBase, *testdev_, PcTestdev::memory, "pc-testdev");
}

Status Pc::map_ports() {
    struct Mapping {
        u16 base;
        Device& device;
        BankId bank;
        u32 length = 0, offset = 0;
    };
    const Mapping mappings[] = {
        {0x20, pic_, Pic::master},
        {0xA0, pic_, Pic::slave},
        {0x4D0, pic_, Pic::elcr},
        {0x40, pit_, 0},
        {0x60, keyboard_controller_, I8042::data},
        {0x64, keyboard_controller_, I8042::command},
        {0x61, system_control_, SystemControl::port_b},
        {0x92, system_control_, SystemControl::port_a},
        {0x70, rtc_, Rtc::standard},
        {0x72, rtc_, Rtc::extended},
        {0x00, dma_, IsaDma::low_controller},
        {0xC0, dma_, IsaDma::high_controller},
        {0x81, dma_, IsaDma::pages, 15, 1},
        {0x80, post_, 0},
        {0xF0, coprocessor_, 0},
        {0xCF8, pci_, 0},
        {0x510, fw_cfg_, FwCfg::control},
        {0x514, fw_cfg_, FwCfg::dma},
        {0xB2, power_, Piix4Pm::apm},
        {0xAFE0, power_, Piix4Pm::gpe},
        {0x3F8, *uarts_[0], 0},
        {0x2F8, *uarts_[1], 0},
        {0x3E8, *uarts_[2], 0},
        {0x2E8, *uarts_[3], 0},
        {config_.debugcon_port, debug_console_, 0},
    };
    for (const Mapping& m : mappings) {
        if (Status s = io_.map(m.base, m.device, m.bank, m.length, m.offset); !s) return s;
    }
    return drives_->map_floppy(io_);
}

Status Pc::map_optional_devices() {
    // SeaBIOS's log, for -d firmware; -debugcon may have the port instead.
    if (config_.debugcon_port != 0x402) {
        firmware_log_.emplace("firmware-log", &firmware_lines_);
        if (Status s = io_.map(0x402, *firmware_log_, 0); !s) return s;
    }
    if (vga_) {
        if (Status s = io_.map(0x3B0, *vga_, StdVga::ports, 12, 0); !s) return s;
        if (Status s = io_.map(0x3C0, *vga_, StdVga::ports, 32, 16); !s) return s;
        if (Status s = io_.map(0x1CE, *vga_, StdVga::dispi); !s) return s;
    }
    if (sb16_) {
        if (Status s = io_.map(config_.sb16->iobase, *sb16_, 0); !s) return s;
    }
    if (config_.vmport) {
        if (Status s = io_.map(0x5658, vmport_, VmPort::port); !s) return s;
    }
    if (debug_exit_) {
        if (Status s = io_.map(config_.isa_debug_exit->iobase, *debug_exit_, 0); !s) return s;
    }
    if (testdev_) {
        if (Status s = io_.map(0xE0, *testdev_, PcTestdev::io); !s) return s;
        if (Status s = io_.map(0xE4, *testdev_, PcTestdev::flush); !s) return s;
        // The debug console's port E9h lies inside; whoever is there first keeps it.
        if (config_.debugcon_port != 0xE9) {
            if (Status s = io_.map(0xE8, *testdev_, PcTestdev::io_by_bytes); !s) return s;
        }
        if (Status s = io_.map(0x2000, *testdev_, PcTestdev::irq_lines); !s) return s;
    }
    return Ok{};
}

VmPort::Processor Pc::vmport_processor() {
    return {.get =
                [this] {
                    const auto& r = cpu_->state().gpr;
                    const auto low = [&r](unsigned n) { return static_cast<u32>(r[n]); };
                    return VmPortRegisters{low(rax), low(rbx), low(rcx), low(rdx), low(rsi), low(rdi)};
                },
            .set =
                [this](const VmPortRegisters& v) {
                    // Under -accel verify this is on the tape behind the read itself, whose answer is EAX.
                    signal([v](Cpu& c) {
                        auto& r = c.state().gpr;
                        r[rbx] = v.ebx;
                        r[rcx] = v.ecx;
                        r[rdx] = v.edx;
                        r[rsi] = v.esi;
                        r[rdi] = v.edi;
                    });
                }};
}

std::vector<Device*> Pc::devices() {
    std::vector<Device*> all{&pic_,    &io_apic_, &pit_,         &system_control_,
                             &rtc_,    &dma_,     &hpet_,        &keyboard_controller_,
                             &fw_cfg_, &pci_,     &host_bridge_, &isa_bridge_,
                             &power_,  &post_,    &coprocessor_, &debug_console_,
                             &vmport_};
    for (const auto& uart : uarts_) all.push_back(uart.get());
    for (Device* d : drives_->devices()) all.push_back(d);
    if (vga_) all.push_back(vga_.get());
    for (Device* d : nics_->devices()) all.push_back(d);
    for (const auto& rng : virtio_rngs_) all.push_back(rng.get());
    for (const auto& console : virtio_consoles_) all.push_back(console.get());
    if (sb16_) all.push_back(sb16_.get());
    if (debug_exit_) all.push_back(debug_exit_.get());
    if (testdev_) all.push_back(testdev_.get());
    return all;
}

void Pc::deliver(const Message& message) {
    LocalApic* apic = cpu_->apic();
    if (apic == nullptr || !apic->matches(message.destination, message.logical)) return;
    // Both enums have the encoding of the redirection table.
    signal([message](Cpu& c) {
        c.apic()->receive(static_cast<DeliveryMode>(message.delivery), message.vector, message.level);
    });
}

// A message-signalled interrupt (SDM vol. 3A 11.11.1, 11.11.2).
void Pc::deliver_message(u32 address, u32 data) {
    const bool level = bit(data, 15), asserted = bit(data, 14);
    if (level && !asserted) return;
    deliver({static_cast<u8>(address >> 12), bit(address, 2), static_cast<Delivery>(bits(data, 10, 8)),
             static_cast<u8>(data), level});
}

// xorshift128+: fixed by the seed, saved with the machine.
u64 Pc::random() {
    u64 a = random_state_[0];
    const u64 b = random_state_[1];
    random_state_[0] = b;
    a ^= a << 23;
    random_state_[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return random_state_[1] + b;
}

}  // namespace mynah
