// What a PC is made of, as plain data. The command line, saved machines and tests all end up here.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "block/image_format.h"

namespace mynah {

enum class ClockMode : u8 {
    realtime,       // virtual time follows the host's clock; an idle guest sleeps
    deterministic,  // virtual time is a function of the executed instruction count
};

// What executes guest code.
enum class AccelKind : u8 {
    interp,  // the interpreter alone
    jit,     // the translator where the host has one, beside the interpreter
    verify,  // the translator, checked against the interpreter step by step
};

enum class DriveInterface : u8 { ide, floppy, virtio };
enum class DriveMedia : u8 { disk, cdrom };

struct DriveConfig {
    DriveInterface interface = DriveInterface::ide;
    DriveMedia media = DriveMedia::disk;
    unsigned index = 0;  // IDE: channel * 2 + unit; floppy: drive number; virtio: any, but of one drive
    std::string file;    // empty: a drive without a medium (CD-ROM, floppy)
    bool read_only = false;
    bool snapshot = false;  // writes go to memory
    ImageFormat format =
        ImageFormat::probe;   // of disks; CD-ROMs and floppies are raw unless it says otherwise
    bool discard = false;     // the guest may give space back
    std::string serial = {};  // virtio: what the guest sees as the disk's id; empty: one is made up
    std::optional<unsigned> boot_index = {};  // virtio: firmware tries lower ones first
};

// A virtio console's host end; its `spec` is as in CharConfig.
struct VirtioConsoleConfig {
    std::string spec = "none";
};

// A drive of a running machine.
struct DriveInfo {
    std::string name;  // QEMU's: ide1-cd0, floppy0
    DriveInterface interface;
    DriveMedia media;
    std::string file;  // empty: no medium
    bool removable;    // its medium can be changed
};

// `stdio`, `file:PATH`, `unix:PATH[,server[,nowait]]`, `null`, `none` or `mon:stdio`; parsed by the front
// end.
struct CharConfig {
    std::string spec = "none";
};

// A connection of the host forwarded to the guest (hostfwd=).
struct HostForward {
    bool udp = false;
    u32 host_address = 0;  // IPv4, 0: every one of the host
    u16 host_port = 0;
    u32 guest_address = 0;  // 0: the first that DHCP gives out
    u16 guest_port = 0;
};

// A network of the guest's own behind a router with DHCP and DNS, made of the host's sockets (`user`). IPv4
// addresses as numbers.
struct UserNetwork {
    u32 network = 0x0A000200, mask = 0xFFFFFF00;
    u32 host = 0x0A000202;  // the router; connections to it go to the host's loopback
    u32 dhcp_start = 0x0A00020F, dns = 0x0A000203;
    std::string hostname, tftp, bootfile;  // for DHCP and TFTP; empty: none
    bool restricted = false;               // nothing but hostfwd connections gets through
    std::vector<HostForward> forwards;
};

enum class NicModel : u8 { e1000, rtl8139, ne2k_pci, ne2k_isa, virtio };

struct NicConfig {
    NicModel model = NicModel::e1000;
    std::string id;  // of the back end, for the monitor
    std::array<u8, 6> mac{0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
    std::optional<UserNetwork> user;  // nothing: no cable
    std::vector<std::string> dumps;   // pcap files that get all frames
    // The expansion ROM: nothing: the model's own, if a firmware folder has it; empty: none.
    std::optional<std::string> rom;
    u16 iobase = 0x300;  // ne2k_isa
    u8 irq = 9;          // ne2k_isa
};

struct IsaDebugExitConfig {
    u16 iobase = 0x501;
    u16 iosize = 2;
};

enum class AudioDriver : u8 {
    none,
    wav,  // a file
    sdl,  // the host's sound system
};

// A place to play on (-audiodev), which devices name by its id.
struct AudioConfig {
    AudioDriver driver = AudioDriver::none;
    std::string id;
    std::string path;  // wav
};

struct Sb16Config {
    std::string audiodev;  // empty: it plays to nobody
    u16 iobase = 0x220;
    u8 irq = 5;
    u8 dma = 1;
    u8 dma16 = 5;
};

struct MachineConfig {
    u64 memory = 256 * MiB;
    std::string cpu = "max";
    unsigned cpus = 1;
    AccelKind accel = AccelKind::jit;
    bool perf_map = false;             // -perfmap
    u64 translation_bytes = 64 * MiB;  // tb-size: bound of the translated code
    ClockMode clock = ClockMode::realtime;
    unsigned icount_shift = 0;  // deterministic: 2^shift ns an instruction

    std::string bios;  // empty: SeaBIOS from the firmware folders, unless a kernel boots directly
    std::vector<std::string> firmware_path{"/usr/share/seabios", "/usr/share/qemu", "/usr/share/vgabios",
                                           "/usr/lib/ipxe/qemu"};
    std::string kernel, initrd, append;
    std::vector<DriveConfig> drives;
    std::string boot_order = "cad";  // letters as in QEMU: a floppy, c disk, d CD-ROM, n network
    bool boot_menu = false;

    std::vector<CharConfig> serials;
    std::vector<NicConfig> nics;
    CharConfig debugcon;  // port E9h
    u16 debugcon_port = 0xE9;
    CharConfig monitor;
    bool default_devices = true;  // -nodefaults: no CD drive, floppy drive, or serial port unless asked for
    bool vga = true;
    std::optional<IsaDebugExitConfig> isa_debug_exit;
    bool pc_testdev = false;
    unsigned virtio_rngs = 0;
    std::vector<VirtioConsoleConfig> virtio_consoles;
    std::vector<AudioConfig> audio;
    std::string speaker_audiodev;  // pcspk-audiodev; empty: the speaker is not heard
    std::optional<Sb16Config> sb16;
    bool vmport = true;  // VMware's port with its mouse

    bool reboot = true;         // -no-reboot: a guest's reset ends mynah
    bool shut_down = true;      // -no-shutdown: power-off stops the guest and keeps the monitor
    bool start_paused = false;  // -S
    std::string load_snapshot;  // -loadvm FILE
    i64 rtc_seconds = 0;        // RTC start, seconds since 1970, local or UTC as -rtc says
    u64 seed = 0;               // RDRAND under the deterministic clock

    std::string log_items, log_file;
    bool display = false;  // -display sdl: a window
};

}  // namespace mynah
