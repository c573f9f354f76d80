#include "machine/machine.h"

#include <fmt/format.h>

#include "machine/pc.h"
#include "machine/snapshot_file.h"

namespace mynah {

namespace {

// Room for a kernel, its tables and the areas below 1 MiB.
constexpr u64 kLeastMemory = 1 * MiB;
constexpr u64 kMostMemory = u64{1} << PhysicalMap::kPhysicalBits;

}  // namespace

Machine::Machine(std::unique_ptr<Pc> pc) : pc_(std::move(pc)) {}
Machine::~Machine() = default;

Result<std::unique_ptr<Machine>> Machine::create(const MachineConfig& config, MachineHost host, Log& log) {
    if (config.memory < kLeastMemory || config.memory >= kMostMemory) {
        return Error{fmt::format("-m: {} MiB is out of range; give at least 1 MiB and less than 1 TiB",
                                 config.memory / MiB)};
    }
    if (config.cpus != 1)
        return Error{fmt::format("-smp {}: there is one processor for now; use -smp 1", config.cpus)};
    std::unique_ptr<PhysicalMap> memory;
    if (config.accel == AccelKind::verify) {
        auto twice = LockstepMemory::create(config.memory);
        if (!twice) return twice.error();
        memory = std::move(*twice);
    } else {
        auto once = PhysicalMap::create(config.memory);
        if (!once) return once.error();
        memory = std::move(*once);
    }
    auto pc = std::make_unique<Pc>(config, std::move(host), log, std::move(memory));
    if (Status s = pc->make_cpu(); !s) return s.error();
    if (Status s = pc->make_devices(); !s) return s.error();
    if (Status s = pc->load_firmware(); !s) return s.error();
    pc->power_on();
    std::unique_ptr<Machine> machine(new Machine(std::move(pc)));
    if (!config.load_snapshot.empty()) {
        if (Status s = machine->load_file(config.load_snapshot); !s) return s.error();
    }
    if (config.start_paused) machine->pause();
    return machine;
}

Nanoseconds Machine::run_slice(bool may_skip_idle) {
    return pc_->run(~u64{0}, may_skip_idle);
}
Nanoseconds Machine::run_until(u64 instructions, bool may_skip_idle) {
    Nanoseconds wait = 0;
    while (wait == 0 && pc_->state_ == RunState::running && pc_->cpu_->instructions() < instructions) {
        wait = pc_->run(instructions, may_skip_idle);
    }
    return wait;
}

RunState Machine::run_state() const {
    return pc_->state_;
}
int Machine::exit_code() const {
    return pc_->exit_code_;
}

void Machine::pause() {
    if (pc_->state_ != RunState::running) return;
    pc_->state_ = RunState::paused;
    if (pc_->realtime_) pc_->realtime_->stop();
}

void Machine::resume() {
    if (pc_->state_ != RunState::paused) return;
    pc_->state_ = RunState::running;
    if (pc_->realtime_) pc_->realtime_->start();
}

void Machine::reset() {
    pc_->request_reset();
}
void Machine::power_button() {
    pc_->power_.press_power_button();
}
void Machine::quit(int exit_code) {
    pc_->finish(exit_code);
}
u64 Machine::instructions() const {
    return pc_->cpu_->instructions();
}

void Machine::serial_input_ready(unsigned index) {
    if (index < pc_->uarts_.size()) pc_->uarts_[index]->input_ready();
}

void Machine::virtio_console_input_ready(unsigned index) {
    if (index < pc_->virtio_consoles_.size()) pc_->virtio_consoles_[index]->input_ready();
}

void Machine::serial_break(unsigned index) {
    if (index < pc_->uarts_.size()) pc_->uarts_[index]->receive_break();
}

void Machine::network_input_ready(unsigned index) {
    pc_->nics_->frames_waiting(index);
}

bool Machine::key(std::string_view name, bool down) {
    return pc_->keyboard_controller_.keyboard().key(name, down);
}

bool Machine::keyboard_ready() const {
    // The longest sequence is Pause's.
    constexpr unsigned kLongestKey = 8;
    return pc_->keyboard_controller_.keyboard().room() >= kLongestKey;
}

Status Machine::type_keys(std::span<const std::string_view> names, Nanoseconds hold) {
    return pc_->typist_.type(names, hold);
}

void Machine::mouse(int dx, int dy, u8 buttons, int wheel) {
    if (pc_->vmport_.enabled())
        pc_->vmport_.move(dx, dy, buttons, wheel);
    else
        pc_->keyboard_controller_.mouse().move(dx, dy, buttons, wheel);
}

bool Machine::takes_positions() const {
    return pc_->vmport_.absolute();
}

void Machine::mouse_at(u16 across, u16 down, u8 buttons, int wheel) {
    pc_->vmport_.position(across, down, buttons, wheel);
}

Frame Machine::screen() {
    return pc_->vga_ ? pc_->vga_->render() : Frame{};
}

bool Machine::update_screen(Frame& frame) {
    return pc_->vga_ && pc_->vga_->update(frame);
}

std::vector<std::string> Machine::screen_text() {
    return pc_->vga_ ? pc_->vga_->text_cells().lines() : std::vector<std::string>{};
}

std::vector<DriveInfo> Machine::drives() const {
    return pc_->drives_->list();
}
Status Machine::change_medium(std::string_view drive, const std::string& file, bool force) {
    return pc_->drives_->change(drive, file, force);
}
Status Machine::eject(std::string_view drive, bool force) {
    return pc_->drives_->eject(drive, force);
}
u64 Machine::disk_accesses() const {
    return pc_->drives_->accesses();
}
u64 Machine::network_frames() const {
    return pc_->nics_->frames();
}

std::vector<u8> Machine::save() {
    Archive ar;
    pc_->visit(ar);
    return ar.data();
}

Status Machine::load(std::span<const u8> snapshot) {
    // Whatever goes wrong half-way is undone with the state of before.
    const std::vector<u8> before = save();
    Archive ar(Archive::Mode::load, snapshot);
    pc_->visit(ar);
    if (ar.ok() && ar.position() == snapshot.size()) return Ok{};
    const std::string why = ar.ok() ? "it is too long" : ar.error();
    Archive back(Archive::Mode::load, before);
    pc_->visit(back);
    MYNAH_CHECK(back.ok());
    return Error{fmt::format("the snapshot does not fit this machine: {}", why)};
}

Status Machine::save_file(const std::string& path) {
    return write_snapshot_file(path, save());
}

Status Machine::load_file(const std::string& path) {
    const auto archive = read_snapshot_file(path);
    if (!archive) return archive.error();
    return load(*archive);
}

u64 Machine::ram_hash() {
    return hash_bytes(pc_->memory_->ram());
}

Cpu& Machine::cpu() {
    return *pc_->cpu_;
}
PhysicalMap& Machine::memory() {
    return *pc_->memory_;
}
std::string Machine::info_pic() const {
    return pc_->pic_.describe() + pc_->io_apic_.describe();
}
std::string Machine::info_jit() const {
    const std::string text = pc_->cpu_->describe_accelerator();
    return text.empty() ? "the interpreter runs everything\n" : text;
}
std::string Machine::info_block() const {
    return pc_->drives_->describe();
}
std::string Machine::info_pci() const {
    return pc_->pci_.describe();
}
std::string Machine::info_network(const std::function<std::string(unsigned)>& network) const {
    return pc_->nics_->describe(network);
}
const MachineConfig& Machine::config() const {
    return pc_->config_;
}

}  // namespace mynah
