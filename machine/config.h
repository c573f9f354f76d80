// What a PC is made of, as plain data. The command line, saved machines and tests all end up here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/types.h"

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

enum class DriveInterface : u8 { ide, floppy };
enum class DriveMedia : u8 { disk, cdrom };

struct DriveConfig {
    DriveInterface interface = DriveInterface::ide;
    DriveMedia media = DriveMedia::disk;
    unsigned index = 0;  // IDE: channel * 2 + unit; floppy: drive number
    std::string file;    // empty: a drive without a medium (CD-ROM, floppy)
    bool read_only = false;
    bool snapshot = false;  // writes go to memory
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

struct IsaDebugExitConfig {
    u16 iobase = 0x501;
    u16 iosize = 2;
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
    std::vector<std::string> firmware_path{"/usr/share/seabios", "/usr/share/qemu", "/usr/share/vgabios"};
    std::string kernel, initrd, append;
    std::vector<DriveConfig> drives;
    std::string boot_order = "cad";  // letters as in QEMU: a floppy, c disk, d CD-ROM
    bool boot_menu = false;

    std::vector<CharConfig> serials;
    CharConfig debugcon;  // port E9h
    u16 debugcon_port = 0xE9;
    CharConfig monitor;
    bool default_devices = true;  // -nodefaults: no CD drive, floppy drive, or serial port unless asked for
    bool vga = true;
    std::optional<IsaDebugExitConfig> isa_debug_exit;
    bool pc_testdev = false;
    bool vmport = true;  // VMware's port with its mouse; not under -accel verify

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
