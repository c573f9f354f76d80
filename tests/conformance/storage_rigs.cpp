// Boards for the buses, disks and the display.
#include <cstring>

#include "devices/ata_disk.h"
#include "devices/atapi_cdrom.h"
#include "devices/floppy.h"
#include "devices/i440fx.h"
#include "devices/ide_controller.h"
#include "devices/isa_dma.h"
#include "devices/piix3.h"
#include "devices/vga_std.h"
#include "rig.h"

namespace mynah::test {

namespace {

// A disk kept in memory.
class RamDisk final : public BlockBackend {
  public:
    explicit RamDisk(u64 size, bool read_only = false) : bytes(size), read_only_(read_only) {}
    u64 size() const override { return bytes.size(); }
    bool read_only() const override { return read_only_; }
    Status read(u64 offset, std::span<u8> data) override {
        if (offset + data.size() > bytes.size()) return Error{"behind the end"};
        std::memcpy(data.data(), &bytes[offset], data.size());
        return Ok{};
    }
    Status write(u64 offset, std::span<const u8> data) override {
        if (read_only_ || offset + data.size() > bytes.size()) return Error{"behind the end"};
        std::memcpy(&bytes[offset], data.data(), data.size());
        return Ok{};
    }
    Status flush() override { return Ok{}; }

    std::vector<u8> bytes;

  private:
    bool read_only_;
};

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
        static constexpr u8 commands[] = {0x20, 0x24, 0x30, 0x34, 0x40, 0x90, 0x91, 0xA0, 0xA1, 0xC4,
                                          0xC5, 0xC6, 0xC8, 0x25, 0xCA, 0x35, 0xE7, 0xEA, 0xEC, 0xEF,
                                          0xF8, 0x27, 0x29, 0x39, 0x08, 0xE0, 0xE5, 0x00, 0x10, 0x70};
        ide.write(bank, 6, 0xE0, 1);
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
    RamDisk medium{1440 * KiB};
    IsaDma dma{*memory};
    FloppyController fdc{queue, dma.channel(2), line(6)};
    FloppyRig() {
        fdc.add_drive(0, FloppyController::DriveType::d1440k);
        fdc.add_drive(1, FloppyController::DriveType::d1200k);
        fdc.set_medium(0, &medium);
        for (size_t i = 0; i < medium.bytes.size(); ++i) medium.bytes[i] = static_cast<u8>(i * 5 >> 4);
        media.push_back(&medium.bytes);
        parts.push_back(&dma);
        use(fdc, {FloppyController::ports});
        outside = [this](u64 n) { command(n); };
    }
    void put(u64 offset, u8 value) { fdc.write(FloppyController::ports, offset, value, 1); }
    // Whole commands, with the DMA channel programmed for them.
    void command(u64 n) {
        const bool writes = n & 1;
        for (const auto& [reg, value] : {std::pair{12, 0},
                                         {11, writes ? 0x4A : 0x46},
                                         {4, 0},
                                         {4, 0x10},
                                         {5, 0xFF},
                                         {5, static_cast<int>(n >> 1 & 7)},
                                         {10, 2}}) {
            dma.write(IsaDma::low_controller, static_cast<u64>(reg), static_cast<u64>(value), 1);
        }
        if ((n >> 4 & 3) == 0) put(2, 0);
        put(2, 0x1C);
        put(7, 0);
        advance(100'000);
        for (unsigned i = 0; i < 12; ++i) note(fdc.read(FloppyController::ports, 5, 1));
        const u8 head = n >> 6 & 1;
        const u8 cylinder = n >> 7 & 3;
        put(5, 0x0F);
        put(5, 0);
        put(5, cylinder);
        advance(1'000'000);
        put(5, 0x08);
        for (unsigned i = 0; i < 2; ++i) note(fdc.read(FloppyController::ports, 5, 1));
        static constexpr u8 commands[] = {0xE6, 0xC5, 0x4D, 0x4A, 0x0E, 0x10, 0x13, 0x03, 0x42, 0x56};
        const u8 bytes[] = {commands[(n >> 10) % sizeof commands],
                            static_cast<u8>(head << 2),
                            cylinder,
                            head,
                            static_cast<u8>(n >> 16 & 31),
                            2,
                            18,
                            0x1B,
                            0xFF};
        for (const u8 b : bytes) put(5, b);
        advance(n >> 24 & 1 ? 50'000 : 3'000'000);
        for (unsigned i = 0; i < 8; ++i) note(fdc.read(FloppyController::ports, 4 + (i & 1), 1));
    }
};

struct VgaRig : Rig {
    StdVga vga{queue, std::vector<u8>(4096, 0x55), 1 * MiB};
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
