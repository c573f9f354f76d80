// The machine's disks, CD-ROMs and floppies: images opened, controllers built, media in place.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
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
#include "devices/virtio/block.h"
#include "machine/config.h"

namespace mynah {

class Drives {
  public:
    struct Wiring {
        EventQueue& queue;
        Log& log;
        IsaDma& dma;
        IrqLine irq6, irq14, irq15;
        bool realtime;               // a slow host may show in when a drive is done
        std::function<void()> wake;  // from any thread: look_at_media() may have something to do
    };
    // Error: an image that cannot be opened, two drives in one place, a place that does not exist.
    static Result<std::unique_ptr<Drives>> create(const std::vector<DriveConfig>& configs, Wiring wiring);

    PiixIde& ide() { return ide_; }
    // Every device here, for reset and snapshots.
    std::vector<Device*> devices();
    // In the order of the configuration; the machine gives them their slots.
    struct VirtioDisk {
        VirtioBlock* device;
        std::optional<unsigned> boot_index;
    };
    std::vector<VirtioDisk> virtio_disks();
    Status map_floppy(IoBus& io);
    bool has_floppy() const;
    // Takes what drives that work on their own are done with; under the host's clock.
    void look_at_media();
    // For CMOS.
    std::array<u8, 2> floppy_types() const;
    std::array<DiskGeometry, 2> primary_geometries() const;

    // Lines for `info block`.
    std::string describe() const;
    // What kind of drive is where, with its size: a snapshot fits only the same.
    std::string describe_layout() const;
    // Overlays held in memory.
    void visit_media(Archive& ar);

    // --- the person at the drives ---
    std::vector<DriveInfo> list() const;
    // As Machine::change_medium() and Machine::eject().
    Status change(std::string_view name, const std::string& file, bool force);
    Status eject(std::string_view name, bool force);
    // Reads and writes of media since the start.
    u64 accesses() const { return accesses_; }

  private:
    struct Drive {
        DriveConfig config;
        std::unique_ptr<BlockBackend> medium;
        std::string format;
        OverlayDisk* overlay = nullptr;  // of -snapshot; under the medium
        AsyncDisk* async = nullptr;      // likewise, if it works on its own
        std::unique_ptr<AtaDevice> device;
        std::unique_ptr<VirtioBlock> virtio;
    };

    explicit Drives(Wiring wiring);
    Status add(const DriveConfig& config, Wiring& wiring);
    // Error: another drive than `self` has the image, and one of them writes.
    Status check_sharing(const DriveConfig& config, const Drive* self) const;
    Result<Drive*> removable(std::string_view name);
    // Error: the guest has locked the tray; it is told of the wish.
    Status unlock(Drive& drive, bool force);
    // The image as the drive's device gets it.
    std::unique_ptr<BlockBackend> wrap(Drive& drive, std::unique_ptr<BlockBackend> medium);
    void insert(Drive& drive, std::unique_ptr<BlockBackend> medium);
    void take_out(Drive& drive);

    const bool realtime_;  // as Wiring has it
    const std::function<void()> wake_;
    u64 accesses_ = 0;
    PiixIde ide_;
    FloppyController floppy_;
    std::vector<std::unique_ptr<Drive>> drives_;
};

}  // namespace mynah
