// Boards for the interrupt, timer, ISA and firmware devices.
#include "devices/coprocessor_error.h"
#include "devices/debug_ports.h"
#include "devices/fw_cfg.h"
#include "devices/hpet.h"
#include "devices/i8042.h"
#include "devices/io_apic.h"
#include "devices/isa_dma.h"
#include "devices/key_names.h"
#include "devices/pc_testdev.h"
#include "devices/pic.h"
#include "devices/piix4_pm.h"
#include "devices/pit.h"
#include "devices/rtc.h"
#include "devices/sb16.h"
#include "devices/system_control.h"
#include "devices/uart.h"
#include "devices/vmport.h"
#include "rig_line.h"

namespace mynah::test {

namespace {

struct PicRig : Rig {
    Pic pic{line(0)};
    PicRig() {
        use(pic, {Pic::master, Pic::slave, Pic::elcr});
        outside = [this](u64 n) {
            if (n & 1) return note(pic.acknowledge());
            pic.set_irq((n >> 1) % 17, (n >> 6) & 1);
        };
    }
};

struct IoApicRig : Rig, ApicBus {
    IoApic io_apic{*this};
    IoApicRig() {
        use(io_apic, {0});
        outside = [this](u64 n) {
            if ((n & 7) == 0) return io_apic.end_of_interrupt(static_cast<u8>(n >> 3));
            io_apic.set_pin((n >> 3) % 25, (n >> 8) & 1);
        };
    }
    void deliver(const Message& m) override {
        note(u64{m.destination} << 24 | u64{m.logical} << 20 | u64{static_cast<u8>(m.delivery)} << 16 |
             u64{m.vector} << 4 | m.level);
    }
};

struct PitRig : Rig {
    Pit pit{queue, line(0)};
    PitRig() {
        use(pit, {0});
        outside = [this](u64 n) { pit.set_gate(2, n & 1); };
    }
};

struct SystemControlRig : Rig {
    A20Gate a20{line(1)};
    Pit pit{queue, line(0)};
    SystemControl control{pit, a20, [this] { note(7); }};
    SystemControlRig() {
        parts.push_back(&pit);
        use(control, {SystemControl::port_a, SystemControl::port_b});
        outside = [this](u64 n) { pit.write(0, n & 3, n >> 2, 1); };
    }
};

struct RtcRig : Rig {
    Rtc rtc{queue, 1'700'000'000, line(0), line(1)};
    RtcRig() {
        use(rtc, {Rtc::standard, Rtc::extended});
        keeps_state_over_reset = true;
        outside = [this](u64 n) {
            // A register by its number: the index port would rarely hit.
            rtc.write(Rtc::standard, 0, n % 14, 1);
            n & 0x100 ? rtc.write(Rtc::standard, 1, n >> 9, 1) : note(rtc.read(Rtc::standard, 1, 1));
            if (n & 0x20000) advance(1'000'000'000);
        };
    }
};

struct HpetRig : Rig {
    Hpet hpet{queue,
              {.io_apic = [this](unsigned pin, bool level) { note(0x100 + pin * 2 + level); },
               .legacy = [this](unsigned irq, bool level) { note(0x200 + irq * 2 + level); },
               .legacy_changed = [this](bool on) { note(0x300 + on); }}};
    HpetRig() {
        use(hpet, {0});
        outside = [this](u64 n) {
            // The registers lie far apart.
            static constexpr u16 registers[] = {0x00,  0x10,  0x20,  0xF0,  0x100, 0x108,
                                                0x120, 0x128, 0x140, 0x148, 0x104, 0x10C};
            const u64 offset = registers[n % 12];
            const unsigned width = n & 0x1000 ? 4 : offset & 7 ? 4 : 8;
            n & 0x100 ? hpet.write(0, offset, n >> 13, width) : note(hpet.read(0, offset, width));
        };
    }
};

struct Sb16Rig : Rig, AudioBackend {
    IsaDma dma{*memory};
    AudioMixer mixer{*this};
    Sb16 card{queue, dma, {}, [this](unsigned irq, bool level) { note(0x100 + irq * 2 + level); }, &mixer};
    Sb16Rig() {
        parts.push_back(&dma);
        use(card, {0});
        outside = [this](u64 n) {
            // A command in one go, a register of the mixer, or a register of the DMA controllers.
            switch (n & 3) {
                case 0:
                    return dma.write((n >> 2) % 3, (n >> 4) & 15, n >> 8, 1);
                case 1:
                    card.write(0, 4, n >> 2, 1);
                    return card.write(0, 5, n >> 10, 1);
                default: {
                    static constexpr u8 commands[] = {0x10, 0x14, 0x1C, 0x24, 0x2C, 0x40, 0x41, 0x48,
                                                      0x80, 0x90, 0x91, 0xB0, 0xB6, 0xBE, 0xC0, 0xC6,
                                                      0xD0, 0xD4, 0xD5, 0xD6, 0xD9, 0xDA, 0xE2, 0xE3};
                    card.write(0, 0xC, commands[(n >> 2) % 24], 1);
                    for (unsigned i = 0; i < 3; ++i) card.write(0, 0xC, (n >> (8 + 8 * i)) & 0x7F, 1);
                    mixer.advance(time.now());
                }
            }
        };
    }
    void play(std::span<const StereoFrame>) override {}
    void silence(u64) override {}
};

struct IsaDmaRig : Rig {
    IsaDma dma{*memory};
    IsaDmaRig() {
        use(dma, {IsaDma::low_controller, IsaDma::high_controller, IsaDma::pages});
        for (unsigned i = 0; i < 8; ++i) dma.channel(i).on_ready([this, i] { note(0x80 + i); });
        outside = [this](u64 n) {
            DmaChannel& c = dma.channel(n & 7);
            std::vector<u8> buffer((n >> 8) % 2000, static_cast<u8>(n >> 20));
            switch ((n >> 3) & 3) {
                case 0:
                    return c.set_request((n >> 5) & 1);
                case 1:
                    return note(c.write(buffer).bytes);
                case 2:
                    note(c.read(buffer).bytes);
                    for (u8 b : buffer) note(b);
                    return;
                default:
                    note(c.ready());
            }
        };
    }
};

struct UartRig : Rig {
    RigLine backend;
    Uart uart{"uart0", queue, &backend, line(0)};
    UartRig() {
        backend.rig = this;
        use(uart, {0});
        media.push_back(&backend.input);
        outside = [this](u64 n) {
            if (backend.input.size() < 100) {
                for (u64 i = 0; i < n % 20; ++i) backend.input.push_back(static_cast<u8>(n >> i));
            }
            uart.input_ready();
        };
    }
};

// Its registers come from the numbers too: most of the time a command of the mouse's.
struct VmPortRig : Rig {
    Ps2Mouse mouse;
    VmPortRegisters r;
    VmPort vmport{
        mouse,
        64 * MiB,
        {.get = [this] { return r; }, .set = [this](const VmPortRegisters& v) { note(v.ebx ^ v.edi); }}};
    VmPortRig() {
        use(vmport, {VmPort::port});
        outside = [this](u64 n) {
            static constexpr u32 kTold[] = {0x45414552, 0x53424152, 0x4C455252, 0xF5, 1, 4, 6, 7};
            r = {0x564D5868, kTold[n & 7], static_cast<u32>(36 + (n >> 3 & 7)), 0, 0, 0};
            note(vmport.read(VmPort::port, 0, 4));
            r = {};
            vmport.position(static_cast<u16>(n), static_cast<u16>(n >> 16), static_cast<u8>(n >> 32), 1);
            vmport.move(static_cast<i8>(n), static_cast<i8>(n >> 8), static_cast<u8>(n >> 16), -1);
        };
    }
};

struct I8042Rig : Rig {
    A20Gate a20{line(2)};
    Pit pit{queue, line(3)};
    SystemControl control{pit, a20, {}};  // saves the gate
    I8042 kbc{queue, a20, line(0), line(1), [this] { note(9); }};
    I8042Rig() {
        parts.push_back(&pit);
        parts.push_back(&control);
        use(kbc, {I8042::data, I8042::command});
        outside = [this](u64 n) {
            if (n & 1)
                return kbc.mouse().move(static_cast<i8>(n >> 8), static_cast<i8>(n >> 16), n >> 24 & 31, 1);
            if (n & 2) {
                kbc.keyboard().key(static_cast<u16>(n >> 8), n & 4);
            } else {
                kbc.keyboard().key(keys()[(n >> 8) % keys().size()].set1, n & 4);
            }
        };
    }
};

struct FwCfgRig : Rig {
    FwCfg fw_cfg{queue, *memory};
    FwCfgRig() {
        use(fw_cfg, {FwCfg::control, FwCfg::dma});
        fw_cfg.add_file("etc/test", std::vector<u8>(5000, 0x5A));
        fw_cfg.add_file("bootorder", {1, 2, 3});
        fw_cfg.add_u16(FwCfg::nb_cpus, 1);
        outside = [this](u64 n) {
            // A DMA command in memory, mostly with small lengths.
            const u8 command[16] = {0,
                                    static_cast<u8>(0x18 + (n >> 8) % 12),
                                    0,
                                    static_cast<u8>(n),
                                    0,
                                    0,
                                    static_cast<u8>(n >> 16),
                                    static_cast<u8>(n >> 24),
                                    0,
                                    0,
                                    0,
                                    static_cast<u8>(n >> 32),
                                    static_cast<u8>(n >> 40),
                                    0,
                                    0,
                                    0};
            memory->write(0x8000, command);
            fw_cfg.write(FwCfg::dma, 4, 0x00800000, 4);
            for (u64 i = 0; i < 16; ++i) note(memory->read(0x8000 + i, 1u));
        };
    }
};

struct CoprocessorErrorRig : Rig {
    CoprocessorError error{line(13)};
    CoprocessorErrorRig() {
        use(error, {0});
        outside = [this](u64 n) {
            error.set_ferr(n & 1);
            note(error.ignne());
        };
    }
};

struct DebugConsoleRig : Rig {
    MemoryChar backend;
    DebugConsole console{"debugcon", &backend};
    DebugConsoleRig() { use(console, {0}); }
};

struct PostRig : Rig {
    PostPort post;
    PostRig() { use(post, {0}); }
};

struct DebugExitRig : Rig {
    DebugExit debug_exit{4, [this](int code) { note(static_cast<u64>(code)); }};
    DebugExitRig() { use(debug_exit, {0}); }
};

struct TestdevRig : Rig {
    PcTestdev testdev{{.irq = [this](unsigned n, bool level) { note(n * 2 + level); },
                       .flush_page = [this](u64 page) { note(page); }}};
    TestdevRig() {
        use(testdev, {PcTestdev::io, PcTestdev::flush, PcTestdev::io_by_bytes, PcTestdev::irq_lines,
                      PcTestdev::memory});
    }
};

struct PmRig : Rig {
    Piix4Pm pm{queue, line(0), [this] { note(0x50FF); }};
    PmRig() {
        pci.add(pm, 1, 3);
        parts.push_back(&pci);
        use(pm, {Piix4Pm::pm, Piix4Pm::smbus, Piix4Pm::apm, Piix4Pm::gpe});
        function = &pm;
        outside = [this](u64 n) {
            switch (n & 3) {
                case 0:
                    return pm.press_power_button();
                case 1:
                    return pm.raise_gpe((n >> 2) % 20);
                default:
                    return advance((n >> 2) % 3'000'000'000);
            }
        };
    }
};

template <class R>
RigKind kind(std::string name) {
    return {std::move(name), [] { return std::make_unique<R>(); }};
}

}  // namespace

void add_chipset_rigs(std::vector<RigKind>& kinds) {
    kinds.push_back(kind<PicRig>("pic"));
    kinds.push_back(kind<IoApicRig>("io_apic"));
    kinds.push_back(kind<PitRig>("pit"));
    kinds.push_back(kind<SystemControlRig>("system_control"));
    kinds.push_back(kind<RtcRig>("rtc"));
    kinds.push_back(kind<HpetRig>("hpet"));
    kinds.push_back(kind<IsaDmaRig>("isa_dma"));
    kinds.push_back(kind<Sb16Rig>("sb16"));
    kinds.push_back(kind<UartRig>("uart"));
    kinds.push_back(kind<I8042Rig>("i8042"));
    kinds.push_back(kind<VmPortRig>("vmport"));
    kinds.push_back(kind<FwCfgRig>("fw_cfg"));
    kinds.push_back(kind<CoprocessorErrorRig>("coprocessor_error"));
    kinds.push_back(kind<DebugConsoleRig>("debug_console"));
    kinds.push_back(kind<PostRig>("post"));
    kinds.push_back(kind<DebugExitRig>("debug_exit"));
    kinds.push_back(kind<TestdevRig>("pc_testdev"));
    kinds.push_back(kind<PmRig>("piix4_pm"));
}

}  // namespace mynah::test
