// A wired PC: the `pc` machine (i440FX + PIIX3) with its CPU, memory, devices, firmware and clock.
//
// One thread runs it, a slice at a time; whoever owns it polls the host between slices. Nothing here blocks.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "cpu/cpu.h"
#include "devices/audio.h"
#include "devices/host.h"
#include "devices/network.h"
#include "machine/config.h"

namespace mynah {

struct Frame;
class Pc;

// The host's side of a machine. Everything pointed to must outlive it.
struct MachineHost {
    std::function<u64()> monotonic_ns;  // for --clock realtime
    std::vector<CharBackend*> serials;  // up to four; null: nothing attached
    CharBackend* debugcon = nullptr;
    std::vector<NetBackend*> networks{};  // by MachineConfig::nics; null: no cable
    u64 random = 0;                       // under --clock realtime the guest's random numbers start from it
    AcceleratorFactory accelerator{};     // tests: instead of what -accel says
    // Called from any thread when a sleeping machine should run a slice; whoever sleeps between slices needs
    // it.
    std::function<void()> wake{};
    std::vector<CharBackend*> virtio_consoles{};   // as many as the configuration has; null: nothing attached
    std::map<std::string, AudioBackend*> audio{};  // by id; those that are not there play to nobody
};

enum class RunState : u8 {
    running,
    paused,    // stop, -S, or a fatal guest state with -no-shutdown
    finished,  // power-off, reset with -no-reboot, isa-debug-exit, quit
};

class Machine {
  public:
    // Error: one sentence for the user (unreadable image, bad kernel, unknown CPU model, ...).
    static Result<std::unique_ptr<Machine>> create(const MachineConfig& config, MachineHost host, Log& log);
    ~Machine();

    // --- running ---
    // Fires what is due and executes up to a slice (well under a millisecond of work). Returns how long
    // nothing will happen in virtual time, in ns: 0 when there is more to run at once, EventQueue::kNever
    // when only the host can wake the guest. Under the deterministic clock idle time is skipped when
    // `may_skip_idle`.
    Nanoseconds run_slice(bool may_skip_idle);
    // The same, but ends exactly when `instructions` have been retired since power-on.
    Nanoseconds run_until(u64 instructions, bool may_skip_idle);
    RunState run_state() const;
    int exit_code() const;
    void pause();
    void resume();
    // The reset button; takes effect before the next instruction.
    void reset();
    void power_button();
    void quit(int exit_code);
    u64 instructions() const;

    // --- input and output ---
    // A host backend has input for serial port `index`.
    void serial_input_ready(unsigned index);
    // The same for a virtio console.
    void virtio_console_input_ready(unsigned index);
    // A break condition on its line, as Linux takes for SysRq.
    void serial_break(unsigned index);
    // The back end of network adapter `index` has frames that it was not told of yet.
    void network_input_ready(unsigned index);
    // QEMU's key names ("a", "ret", "ctrl"); false: no such key.
    bool key(std::string_view name, bool down);
    // The keyboard buffers some keys until the guest takes them; false: what is pressed now may get lost.
    bool keyboard_ready() const;
    // Presses keys together and releases them after `hold`, when those that were asked for before are
    // through. Error: a key that there is not.
    Status type_keys(std::span<const std::string_view> names, Nanoseconds hold);
    // Counts (dx to the right, dy downwards, wheel towards the user); buttons: 1 left, 2 right, 4 middle.
    void mouse(int dx, int dy, u8 buttons, int wheel);
    // The guest has a driver that takes positions (VMware's port), from 0 to 65,535 in each direction.
    bool takes_positions() const;
    void mouse_at(u16 across, u16 down, u8 buttons, int wheel);
    Frame screen();
    // Brings a frame that an earlier call filled, or an empty one, up to date; false: the picture is what it
    // was, nothing was drawn or copied. Its first_row and end_row say which rows are new. Cheap when nothing
    // happens; meant to be called up to 60 times a second, by any number of viewers with a frame each. Empty
    // (0 x 0) without a display adapter.
    bool update_screen(Frame& frame);
    // The rows of a text screen, or nothing in graphics modes.
    std::vector<std::string> screen_text();

    // --- media ---
    std::vector<DriveInfo> drives() const;
    // Puts another image into a CD-ROM or floppy drive ("cdrom" and "floppy" name the first), or takes it
    // out. Error: no such drive, the image cannot be opened, or the guest has locked the tray; unless
    // `force`, it is asked to open it.
    Status change_medium(std::string_view drive, const std::string& file, bool force);
    Status eject(std::string_view drive, bool force);
    // Accesses to media since the start, for a light.
    u64 disk_accesses() const;
    // Frames that its network adapters have sent and received, for another.
    u64 network_frames() const;

    // --- snapshots ---
    // The whole machine as bytes, and back. A load checks everything first; after an error the machine is as
    // it was.
    std::vector<u8> save();
    Status load(std::span<const u8> snapshot);
    // The same with a file; written aside and renamed, so that a failure leaves an older file whole.
    Status save_file(const std::string& path);
    Status load_file(const std::string& path);
    // 64-bit FNV-1a over guest RAM.
    u64 ram_hash();

    // --- inspection ---
    Cpu& cpu();
    PhysicalMap& memory();
    std::string info_pic() const;
    std::string info_jit() const;
    std::string info_block() const;
    std::string info_pci() const;
    // `network` adds lines about what adapter number so-and-so is connected to.
    std::string info_network(const std::function<std::string(unsigned)>& network = {}) const;
    const MachineConfig& config() const;

  private:
    explicit Machine(std::unique_ptr<Pc> pc);
    std::unique_ptr<Pc> pc_;
};

}  // namespace mynah
