// Boards for the buses, disks and the display.
#include "devices/ata_disk.h"
#include "devices/atapi_cdrom.h"
#include "devices/floppy.h"
#include "devices/i440fx.h"
#include "devices/ide_controller.h"
#include "devices/isa_dma.h"
#include "devices/piix3.h"
#include "devices/vga_std.h"
#include "ram_disk.h"
#include "rig.h"

namespace mynah::test {

namespace {

struct PciBusRig : Rig {
    Piix3 bridge{[this](unsigned irq, bool level) { note(irq * 2 + level); },
                 [this](bool hard) { note(0x90 + hard); }};
    PciBusRig() {
        pci.add(bridge, 1, 0);
        pci.connect_reset_control([this] { return bridge.read_reset_control(); },
                                  [this](u8 value) { bridge.write_reset_control(value); });
        use(pci, {0});
        parts.push_back(&bridge);
    }
};

struct I440fxRig : Rig {
    std::vector<u8> rom = std::vector<u8>(128 * KiB, 0xEA);
    I440fx bridge{*memory};
    I440fxRig() {
        memory->map_rom(0xE0000, rom, "rom");
        pci.add(bridge, 0, 0);
        parts.push_back(&pci);
        use(bridge, {});
        function = &bridge;
        outside = [this](u64 n) {
            const u64 at = 0xC0000 + n % 0x40000;
            n&(u64{1} << 40) ? memory->write(at, n >> 41, 1u) : note(memory->read(at, 1u));
        };
    }
};

struct Piix3Rig : Rig {
    Piix3 bridge{[this](unsigned irq, bool level) { note(irq * 2 + level); },
                 [this](bool hard) { note(0x90 + hard); }};
    Piix3Rig() {
        pci.add(bridge, 1, 0);
        parts.push_back(&pci);
        use(bridge, {});
        function = &bridge;
        outside = [this](u64 n) {
            if (n & 8) return bridge.set_pirq(n & 3, n & 4);
            n & 16 ? bridge.write_reset_control(static_cast<u8>(n >> 8)) : note(bridge.read_reset_control());
        };
    }
};

struct IdeRig : Rig {
    RamDisk disk_medium{256 * KiB}, cd_medium{128 * KiB, true};
    AtaDisk disk{queue, disk_medium, "QM00001"};
    AtapiCdrom cd{queue, &cd_medium, "QM00003"};
    PiixIde ide{log, line(14), line(15)};
    IdeRig() {
        ide.channel(0).attach(0, disk);
        ide.channel(1).attach(0, cd);
        for (size_t i = 0; i < cd_medium.bytes.size(); ++i) cd_medium.bytes[i] = static_cast<u8>(i * 7 >> 3);
        media.push_back(&disk_medium.bytes);
        pci.add(ide, 1, 1);
        parts.push_back(&pci);
        use(ide, {PiixIde::primary_command, PiixIde::primary_control, PiixIde::secondary_command,
                  PiixIde::secondary_control, PiixIde::bus_master});
        function = &ide;
        outside = [this](u64 n) { command(n); };
    }
    // Whole commands, which single random writes would not often make.
    void command(u64 n) {
        const BankId bank = n & 1 ? PiixIde::secondary_command : PiixIde::primary_command;
        static constexpr u8 commands[] = {0x20, 0x24, 0x30, 0x34, 0x40, 0x90, 0x91, 0xA0, 0xA1, 0xC4, 0xC5,
                                          0xC6, 0xC8, 0x25, 0xCA, 0x35, 0xE7, 0xEA, 0xEC, 0xEF, 0xF8, 0x27,
                                          0x29, 0x39, 0x08, 0xE0, 0xE5, 0x00, 0x10, 0x70, 0x06};
        ide.write(bank, 6, 0xE0, 1);
        if ((n & 1) == 0) ide.write(bank, 1, (n >> 9) & 1, 1);  // TRIM
        ide.write(bank, 2, (n >> 8) % 5, 1);
        ide.write(bank, 3, (n >> 12) & 0xFF, 1);
        ide.write(bank, 4, 0, 1);
        ide.write(bank, 5, 0, 1);
        ide.write(bank, 7, commands[(n >> 20) % sizeof commands], 1);
        advance(100'000);
        if (bank == PiixIde::secondary_command && ((n >> 20) % sizeof commands) == 7) {  // a packet
            static constexpr u8 packets[] = {0x00, 0x03, 0x12, 0x1B, 0x1E, 0x25, 0x28, 0x2B, 0x42,
                                             0x43, 0x46, 0x4A, 0x51, 0x5A, 0xA8, 0xBB, 0xBD, 0xBE};
            const u8 packet[12] = {packets[(n >> 30) % sizeof packets],
                                   2,
                                   0,
                                   0,
                                   0,
                                   static_cast<u8>((n >> 36) & 63),
                                   0,
                                   0,
                                   static_cast<u8>((n >> 44) & 15),
                                   static_cast<u8>((n >> 44) & 3),
                                   0,
                                   0};
            for (unsigned i = 0; i < 12; i += 2) ide.write(bank, 0, packet[i] | packet[i + 1] << 8, 2);
            advance(100'000);
        }
        for (unsigned i = 0; i < 300; ++i) note(ide.read(bank, 0, 2));
        note(ide.read(bank, 7, 1));
    }
};

struct FloppyRig : Rig {
    RamDisk medium{1440 * KiB}, other{720 * KiB, true};
    IsaDma dma{*memory};
    FloppyController fdc{queue, dma.channel(2), line(6)};
    FloppyRig() {
        fdc.add_drive(0, FloppyController::DriveType::d1440k);
        fdc.set_medium(0, &medium);
        fdc.add_drive(1, FloppyController::DriveType::d1440k);
        fdc.set_medium(1, &other);
        media.push_back(&medium.bytes);
        parts.push_back(&dma);
        use(fdc, {FloppyController::ports});
        outside = [this](u64 n) { command(n); };
    }
    // Whole commands with a DMA channel that takes part in most of them.
    void command(u64 n) {
        static constexpr u8 mode[] = {0x46, 0x4A, 0x56, 0x42};
        dma.write(IsaDma::low_controller, 0xB, mode[n & 3], 1);
        for (unsigned i = 0; i < 2; ++i) dma.write(IsaDma::low_controller, 5, i ? 0x04 : 0xFF, 1);
        dma.write(IsaDma::low_controller, 0xA, 2, 1);
        fdc.write(0, 2, 0x1C | ((n >> 2) & 1), 1);
        static constexpr u8 commands[] = {0x03, 0x04, 0x06, 0x46, 0xE6, 0x45, 0xC5, 0x4D,
                                          0x07, 0x08, 0x0A, 0x4A, 0x0E, 0x0F, 0x10, 0x12,
                                          0x13, 0x14, 0x94, 0x16, 0x42, 0x51, 0x8F, 0xCF};
        const u8 bytes[9] = {commands[(n >> 3) % sizeof commands],
                             static_cast<u8>((n >> 2) & 5),
                             static_cast<u8>((n >> 10) % 82),
                             static_cast<u8>((n >> 18) & 1),
                             static_cast<u8>(1 + ((n >> 20) % 19)),
                             2,
                             18,
                             0x1B,
                             0xFF};
        for (u8 byte : bytes) {
            const u64 status = fdc.read(0, 4, 1);
            note(status);
            if ((status & 0xC0) != 0x80) break;
            fdc.write(0, 5, byte, 1);
        }
        advance((n >> 30) & 0x3FFFFF);
        for (unsigned i = 0; i < 16; ++i) note(fdc.read(0, 5, 1));
    }
};

struct VgaRig : Rig {
    StdVga vga{queue, std::vector<u8>(4096, 0x55), 1 * MiB};
    Frame shown;
    VgaRig() {
        pci.add(vga, 2, 0);
        parts.push_back(&pci);
        use(vga, {StdVga::ports, StdVga::dispi, StdVga::window, StdVga::mmio});
        function = &vga;
        outside = [this](u64 n) {
            if ((n & 63) == 0) {
                const Frame frame = vga.render();
                note(frame.width);
                note(frame.height);
                for (size_t i = 0; i < frame.rgb.size(); i += 97) note(frame.rgb[i]);
                (void)vga.update(shown);
            } else {
                vga.write(StdVga::dispi, 0, (n >> 6) % 12, 2);
                vga.write(StdVga::dispi, 1, (n >> 10) & 0x7FF, 2);
            }
        };
    }
};

template <class R>
RigKind kind(std::string name) {
    return {std::move(name), [] { return std::make_unique<R>(); }};
}

}  // namespace

void add_storage_rigs(std::vector<RigKind>& kinds) {
    kinds.push_back(kind<PciBusRig>("pci"));
    kinds.push_back(kind<I440fxRig>("i440fx"));
    kinds.push_back(kind<Piix3Rig>("piix3"));
    kinds.push_back(kind<IdeRig>("piix_ide"));
    kinds.push_back(kind<FloppyRig>("fdc"));
    kinds.push_back(kind<VgaRig>("vga"));
}

}  // namespace mynah::test
