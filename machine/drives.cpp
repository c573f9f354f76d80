#include "machine/drives.h"

#include <fmt/format.h>

#include <filesystem>

#include "block/image.h"
#include "devices/ata_disk.h"
#include "devices/atapi_cdrom.h"
#include "machine/metered_disk.h"

namespace mynah {

namespace {

constexpr u64 kSector = 512;
constexpr u64 kCdSector = 2048;
constexpr u64 kMaxSectors = u64{1} << 48;
constexpr unsigned kIdeDrives = 4;
constexpr unsigned kFloppyDrives = 2;
constexpr unsigned kVirtioDrives = 24;
constexpr u16 kFloppyPorts = 0x3F0;

std::string_view kind(const DriveConfig& c) {
    if (c.interface == DriveInterface::floppy) return "floppy";
    if (c.interface == DriveInterface::virtio) return "virtio";
    return c.media == DriveMedia::cdrom ? "cdrom" : "disk";
}

// QEMU's names.
std::string drive_name(const DriveConfig& c) {
    if (c.interface == DriveInterface::floppy) return fmt::format("floppy{}", c.index);
    if (c.interface == DriveInterface::virtio) return fmt::format("virtio{}", c.index);
    return fmt::format("ide{}-{}{}", c.index / 2, c.media == DriveMedia::cdrom ? "cd" : "hd", c.index % 2);
}

bool is_removable(const DriveConfig& c) {
    return c.interface == DriveInterface::floppy || c.media == DriveMedia::cdrom;
}

bool writes(const DriveConfig& c) {
    return c.media != DriveMedia::cdrom && !c.read_only && !c.snapshot;
}

Result<std::unique_ptr<BlockBackend>> open_medium(const DriveConfig& c, OverlayDisk*& overlay,
                                                  std::string& format) {
    const bool cd = c.media == DriveMedia::cdrom;
    ImageUse use;
    use.access = writes(c) ? HostFile::Access::read_write : HostFile::Access::read_only;
    use.minimum = cd ? kCdSector : kSector;
    use.format = c.format;
    // Nobody keeps these in another format without saying so.
    if (use.format == ImageFormat::probe && (cd || c.interface == DriveInterface::floppy))
        use.format = ImageFormat::raw;
    auto image = open_image(c.file, use);
    if (!image) return image.error();
    if ((*image)->size() / kSector >= kMaxSectors)
        return Error{fmt::format("\"{}\" is larger than a disk can be", c.file)};
    format = (*image)->format();
    (*image)->offer_discard(c.discard);
    std::unique_ptr<BlockBackend> medium = std::move(*image);
    if (c.snapshot && !cd && !c.read_only) {
        auto over = std::make_unique<OverlayDisk>(std::move(medium));
        overlay = over.get();
        medium = std::move(over);
    }
    return medium;
}

}  // namespace

Drives::Drives(Wiring wiring)
    : realtime_(wiring.realtime),
      wake_(wiring.wake),
      ide_(wiring.log, wiring.irq14, wiring.irq15),
      floppy_(wiring.queue, wiring.dma.channel(2), wiring.irq6) {}

Result<std::unique_ptr<Drives>> Drives::create(const std::vector<DriveConfig>& configs, Wiring wiring) {
    std::unique_ptr<Drives> drives(new Drives(wiring));
    for (const DriveConfig& config : configs) {
        if (Status s = drives->add(config, wiring); !s) return s.error();
    }
    return drives;
}

Status Drives::add(const DriveConfig& config, Wiring& wiring) {
    const bool floppy = config.interface == DriveInterface::floppy;
    const bool virtio = config.interface == DriveInterface::virtio;
    if (config.index >= (floppy ? kFloppyDrives : virtio ? kVirtioDrives : kIdeDrives)) {
        return Error{
            fmt::format("drive \"{}\": there is no {} drive {}", config.file, kind(config), config.index)};
    }
    for (const auto& d : drives_) {
        if (d->config.interface == config.interface && d->config.index == config.index) {
            return Error{fmt::format("drives \"{}\" and \"{}\" both want {} index {}; give one another index",
                                     d->config.file, config.file,
                                     floppy   ? "floppy"
                                     : virtio ? "virtio"
                                              : "IDE",
                                     config.index)};
        }
    }
    if (Status s = check_sharing(config, nullptr); !s) return s;
    auto drive = std::make_unique<Drive>();
    drive->config = config;
    if (!config.file.empty()) {
        auto medium = open_medium(config, drive->overlay, drive->format);
        if (!medium) return medium.error();
        drive->medium = wrap(*drive, std::move(*medium));
    } else if (!floppy && config.media == DriveMedia::disk) {
        return Error{"a hard disk needs an image; give one with file="};
    }
    const u64 size = drive->medium ? drive->medium->size() : 0;
    if (floppy) {
        floppy_.add_drive(config.index, FloppyController::drive_for(size));
        floppy_.set_medium(config.index, drive->medium.get());
    } else if (virtio) {
        const std::string serial =
            config.serial.empty() ? fmt::format("mynah-{}", config.index) : config.serial;
        drive->virtio = std::make_unique<VirtioBlock>(fmt::format("virtio-blk{}", config.index), wiring.queue,
                                                      *drive->medium, serial.substr(0, 20));
    } else {
        const std::string serial = fmt::format("QM{:05}", config.index + 1);
        if (config.media == DriveMedia::cdrom) {
            drive->device = std::make_unique<AtapiCdrom>(wiring.queue, drive->medium.get(), serial);
        } else {
            drive->device = std::make_unique<AtaDisk>(wiring.queue, *drive->medium, serial);
        }
        ide_.channel(config.index / 2).attach(config.index % 2, *drive->device);
    }
    drives_.push_back(std::move(drive));
    return Ok{};
}

Status Drives::check_sharing(const DriveConfig& config, const Drive* self) const {
    for (const auto& d : drives_) {
        std::error_code error;
        if (d.get() == self || d->config.file.empty() ||
            !std::filesystem::equivalent(d->config.file, config.file, error))
            continue;
        if (writes(d->config) || writes(config)) {
            return Error{
                fmt::format("\"{}\" is given to two drives; only drives that do not write (-snapshot) "
                            "can share an image",
                            config.file)};
        }
    }
    return Ok{};
}

Status Drives::map_floppy(IoBus& io) {
    // 3F6h belongs to the IDE channel.
    if (Status s = io.map(kFloppyPorts, floppy_, FloppyController::ports, 6); !s) return s;
    return io.map(kFloppyPorts + 7, floppy_, FloppyController::ports, 1, 7);
}

std::vector<Device*> Drives::devices() {
    std::vector<Device*> all{&ide_, &floppy_};
    for (const auto& d : drives_) {
        if (d->virtio) all.push_back(d->virtio.get());
    }
    return all;
}

std::vector<Drives::VirtioDisk> Drives::virtio_disks() {
    std::vector<VirtioDisk> disks;
    for (const auto& d : drives_) {
        if (d->virtio) disks.push_back({d->virtio.get(), d->config.boot_index});
    }
    return disks;
}

void Drives::look_at_media() {
    for (const auto& d : drives_) {
        if (d->virtio) d->virtio->look_at_medium();
    }
}

bool Drives::has_floppy() const {
    return floppy_types() != std::array<u8, 2>{};
}

std::array<u8, 2> Drives::floppy_types() const {
    return {static_cast<u8>(floppy_.drive_type(0)), static_cast<u8>(floppy_.drive_type(1))};
}

std::array<DiskGeometry, 2> Drives::primary_geometries() const {
    std::array<DiskGeometry, 2> found{};
    for (const auto& d : drives_) {
        const DriveConfig& c = d->config;
        if (c.interface != DriveInterface::ide || c.media != DriveMedia::disk || c.index > 1) continue;
        found[c.index] = guess_geometry(d->medium->size() / kSector);
    }
    return found;
}

std::string Drives::describe() const {
    std::string out;
    for (const auto& d : drives_) {
        const DriveConfig& c = d->config;
        out += fmt::format("{}: {}{}\n", drive_name(c),
                           c.file.empty() ? "[not inserted]" : fmt::format("{} ({})", c.file, d->format),
                           d->overlay != nullptr                            ? " (snapshot)"
                           : d->medium != nullptr && d->medium->read_only() ? " (read-only)"
                                                                            : "");
    }
    return out;
}

std::string Drives::describe_layout() const {
    std::string out;
    for (const auto& d : drives_) {
        out += fmt::format("{}{}:{} ", kind(d->config), d->config.index, d->medium ? d->medium->size() : 0);
    }
    return out;
}

void Drives::visit_media(Archive& ar) {
    for (auto& d : drives_) {
        if (d->overlay == nullptr) continue;
        if (d->async != nullptr) d->async->wait_idle();
        d->overlay->visit(ar);
    }
}

std::vector<DriveInfo> Drives::list() const {
    std::vector<DriveInfo> out;
    for (const auto& d : drives_) {
        const DriveConfig& c = d->config;
        out.push_back({drive_name(c), c.interface, c.media, c.file, is_removable(c)});
    }
    return out;
}

Result<Drives::Drive*> Drives::removable(std::string_view name) {
    std::string known;
    for (const auto& d : drives_) {
        const DriveConfig& c = d->config;
        if (!is_removable(c)) continue;
        const bool first = name == "cdrom" ? c.media == DriveMedia::cdrom
                                           : name == "floppy" && c.interface == DriveInterface::floppy;
        if (first || name == drive_name(c)) return d.get();
        known += fmt::format("{}{}", known.empty() ? "" : ", ", drive_name(c));
    }
    if (known.empty())
        return Error{
            "the machine has no drive whose medium can be changed; give it -cdrom or -fda at its start"};
    return Error{fmt::format("no medium of \"{}\" can be changed; there are {}", name, known)};
}

Status Drives::unlock(Drive& drive, bool force) {
    auto* cd = dynamic_cast<AtapiCdrom*>(drive.device.get());
    if (cd == nullptr || !cd->locked() || force) return Ok{};
    cd->press_eject();
    return Error{fmt::format(
        "the guest has locked the tray of {} and was asked to open it; try again when it has, or force it",
        drive_name(drive.config))};
}

std::unique_ptr<BlockBackend> Drives::wrap(Drive& drive, std::unique_ptr<BlockBackend> medium) {
    drive.async = nullptr;
    // The floppy controller asks for what it wants when it wants it.
    if (drive.config.interface != DriveInterface::floppy) {
        auto async = std::make_unique<AsyncDisk>(
            std::move(medium), !realtime_,
            drive.config.interface == DriveInterface::virtio ? wake_ : std::function<void()>{});
        drive.async = async.get();
        medium = std::move(async);
    }
    return std::make_unique<MeteredDisk>(std::move(medium), accesses_);
}

void Drives::insert(Drive& drive, std::unique_ptr<BlockBackend> medium) {
    // The device lets go of the old medium before that ends.
    if (drive.config.interface == DriveInterface::floppy)
        floppy_.set_medium(drive.config.index, medium.get());
    else
        static_cast<AtapiCdrom&>(*drive.device).set_medium(medium.get());
    drive.medium = std::move(medium);
}

void Drives::take_out(Drive& drive) {
    insert(drive, nullptr);
    drive.overlay = nullptr;
    drive.async = nullptr;
    drive.config.file.clear();
}

Status Drives::change(std::string_view name, const std::string& file, bool force) {
    auto found = removable(name);
    if (!found) return found.error();
    Drive& drive = **found;
    DriveConfig config = drive.config;
    config.file = file;
    if (Status s = check_sharing(config, &drive); !s) return s;
    if (Status s = unlock(drive, force); !s) return s;
    // An image that is written can be opened once only.
    std::error_code error;
    if (std::filesystem::equivalent(drive.config.file, file, error)) take_out(drive);
    OverlayDisk* overlay = nullptr;
    std::string format;
    auto medium = open_medium(config, overlay, format);
    if (!medium) return medium.error();
    drive.overlay = overlay;
    drive.format = std::move(format);
    drive.config = config;
    insert(drive, wrap(drive, std::move(*medium)));
    return Ok{};
}

Status Drives::eject(std::string_view name, bool force) {
    auto found = removable(name);
    if (!found) return found.error();
    Drive& drive = **found;
    if (Status s = unlock(drive, force); !s) return s;
    take_out(drive);
    return Ok{};
}

}  // namespace mynah
