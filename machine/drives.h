// The machine's disks, CD-ROMs and floppies: images opened, controllers built, media in place.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/archive.h"
#include "base/result.h"
#include "bios/cmos_layout.h"
#include "block/async_disk.h"
#include "block/overlay_disk.h"
#include "devices/ata_device.h"
#include "devices/floppy.h"
#include "devices/ide_controller.h"
#include "devices/io_bus.h"
#include "devices/isa_dma.h"
#include "machine/config.h"

namespace mynah {

class Drives {
  public:
    struct Wiring {
        EventQueue& queue;
        Log& log;
        IsaDma& dma;
        IrqLine irq6, irq14, irq15;
        bool realtime;  // a slow host may show in when a drive is done
    };
    // Error: an image that cannot be opened, two drives in one place, a place that does not exist.
    static Result<std::unique_ptr<Drives>> create(const std::vector<DriveConfig>& configs, Wiring wiring);

    PiixIde& ide() { return ide_; }
    // Every device here, for reset and snapshots.
    std::vector<Device*> devices() { return {&ide_, &floppy_}; }
    Status map_floppy(IoBus& io);
    bool has_floppy() const;
    // For CMOS.
    std::array<u8, 2> floppy_types() const;
    std::array<DiskGeometry, 2> primary_geometries() const;

    // Lines for `info block`.
    std::string describe() const;
    // What kind of drive is where, with its size: a snapshot fits only the same.
    std::string describe_layout() const;
    // Overlays held in memory.
    void visit_media(Archive& ar);

  private:
    struct Drive {
        DriveConfig config;
        std::unique_ptr<BlockBackend> medium;
        std::string format;
        OverlayDisk* overlay = nullptr;  // of -snapshot; under the medium
        AsyncDisk* async = nullptr;      // the medium itself, if it works on its own
        std::unique_ptr<AtaDevice> device;
    };

    explicit Drives(Wiring wiring);
    Status add(const DriveConfig& config, Wiring& wiring);

    PiixIde ide_;
    FloppyController floppy_;
    std::vector<std::unique_ptr<Drive>> drives_;
};

}  // namespace mynah
