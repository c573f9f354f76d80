// One processor for the machine to wire: core, local APIC and interpreter behind pins and a run() call.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/archive.h"
#include "base/result.h"
#include "cpu/accelerator.h"
#include "cpu/cpu_host.h"
#include "cpu/cpu_state.h"
#include "mmu/mmu.h"

namespace mynah {

class Core;
class LocalApic;
struct CpuModel;
class Log;

// Why run() came back.
enum class Exit : u8 {
    budget,    // the instructions asked for have been executed
    halted,    // HLT or MWAIT with nothing pending: until a pin or the local APIC wakes it
    shutdown,  // triple fault: the machine resets, or stops with -no-reboot
    request,   // request_exit() was called
};

class Cpu {
  public:
    // A block is interpreted so often before the accelerator sees it: translating pays when code repeats.
    static constexpr u32 kHeat = 24;
    // `name` is one of -cpu. Error: unknown model, with the list. Everything passed must outlive the Cpu.
    static Result<std::unique_ptr<Cpu>> create(std::string_view name, PhysicalMap& memory, CpuHost& host,
                                               Log& log, const AcceleratorFactory& accelerator = {},
                                               u32 heat = kHeat);
    static std::vector<std::string_view> model_names();
    ~Cpu();

    // Power-on state (SDM vol. 3A table 10-1), or what INIT leaves.
    void reset();
    void init();

    // Executes at most `budget` instructions (each REP iteration is one) and delivers what is pending. May
    // end up to `slack` instructions earlier (less than `budget`), where the engine stops by itself: going on
    // from there costs less.
    Exit run(u64 budget, u64 slack = 0);
    // Instructions retired since power-on, exact also inside a device access.
    u64 instructions() const;
    // Shortens the running slice so that it ends no later than `instructions` in all; for CpuHost callbacks.
    void stop_at(u64 instructions);
    // Ends the slice at the next instruction boundary.
    void request_exit();
    bool exit_requested() const;

    // Pins.
    void set_intr(bool level);
    void pulse_nmi();
    // Would an interrupt wake a halted processor now?
    bool wakeable() const;

    const CpuModel& model() const;
    // The local APIC, or null on a model without one.
    LocalApic* apic();
    void apic_timer_expired();

    // After the state was written from outside (direct boot, gdb): recomputes everything derived from it.
    CpuState& state();
    void state_changed();
    // As WRMSR at CPL 0; without effect where that would fault. For direct boot.
    void write_msr(u32 index, u64 value);
    Mmu& mmu();

    // For `info jit`; empty when the interpreter runs everything.
    std::string describe_accelerator() const;
    // What the accelerator made of the code at `rip`; empty: nothing.
    std::string explain_accelerator(u64 rip) const;
    // For `info registers`, QEMU's layout.
    std::string describe_registers() const;
    void visit(Archive& ar);
    // The same, but a load keeps what was derived from code: for who knows that memory is as it was when it
    // was saved, or has written back what is not.
    void visit_state(Archive& ar);

  private:
    struct Impl;
    explicit Cpu(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace mynah
