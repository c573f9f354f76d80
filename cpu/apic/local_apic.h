// The local APIC (SDM vol. 3A ch. 11): interrupt acceptance and priorities, local vector table, timer, xAPIC
// page and x2APIC registers.
#pragma once

#include <array>
#include <functional>

#include "base/archive.h"
#include "cpu/cpu_host.h"
#include "cpu/system/cpu_model.h"
#include "mmu/physical_map.h"

namespace mynah {

// Delivery modes of messages, LVT entries and the ICR.
enum class DeliveryMode : u8 { fixed = 0, lowest = 1, smi = 2, nmi = 4, init = 5, sipi = 6, ext_int = 7 };

class LocalApic final : public MmioHandler {
  public:
    // What leaves the APIC towards its core. Set once by whoever makes both.
    struct Pins {
        std::function<void()> changed;  // pending() or accepts_ext_int() may have changed
        std::function<void()> nmi;
        std::function<void()> init;
        std::function<void(u8 vector)> sipi;
    };

    // `base` is IA32_APIC_BASE, which lives in the CPU's state.
    LocalApic(const CpuModel& model, u8 id, u64& base, CpuHost& host, PhysicalMap& memory);
    void connect(Pins pins) { pins_ = std::move(pins); }

    // Power-on or INIT: all registers (INIT keeps the ID and, in x2APIC mode, the mode). IA32_APIC_BASE is
    // the caller's at reset; call base_changed() after it was set.
    void reset();
    void init();
    // The page follows IA32_APIC_BASE.
    void base_changed();
    // WRMSR to IA32_APIC_BASE (SDM 11.4.3, 11.12.1). False: #GP.
    [[nodiscard]] bool write_base(u64 value);

    bool enabled() const { return base_ >> 11 & 1; }
    bool x2apic() const { return (base_ >> 10 & 3) == 3; }
    u32 id() const { return id_; }

    // --- towards the core ---
    // An interrupt that the task priority lets through.
    bool pending() const { return pending_; }
    // Takes it: from IRR to ISR; the spurious vector if there is none.
    u8 acknowledge();
    // Does the 8259A's INTR reach the core: APIC disabled, or LVT LINT0 in ExtINT mode and not masked?
    bool accepts_ext_int() const;
    u8 tpr() const { return tpr_; }
    void set_tpr(u8 value);

    // --- from the machine ---
    // A message on the system bus: I/O APICs, MSIs.
    void receive(DeliveryMode mode, u8 vector, bool level);
    bool matches(u32 destination, bool logical) const;
    // LINT1, which machines wire to NMI: what arrives depends on its LVT.
    void pulse_lint1();
    void timer_expired();

    // --- MSRs. False: #GP. `msr` is 800h..8FFh. ---
    [[nodiscard]] bool read_x2apic(u32 msr, u64& value);
    [[nodiscard]] bool write_x2apic(u32 msr, u64 value);
    // IA32_TSC_DEADLINE; `tsc` is the counter's value now.
    u64 tsc_deadline() const { return tsc_deadline_; }
    void write_tsc_deadline(u64 value, u64 tsc);
    // The counter jumped (WRMSR): deadlines in its units move in time.
    void tsc_changed(u64 tsc);

    u64 read(u64 offset, unsigned width) override;
    void write(u64 offset, u64 value, unsigned width) override;

    void visit(Archive& ar);

  private:
    enum Lvt : unsigned { cmci, timer, thermal, perf, lint0, lint1, error, kLvts };
    using Bits = std::array<u32, 8>;

    static bool test(const Bits& b, unsigned v) { return b[v >> 5] >> (v & 31) & 1; }
    static void set(Bits& b, unsigned v, bool on) {
        b[v >> 5] = (b[v >> 5] & ~(1u << (v & 31))) | u32{on} << (v & 31);
    }
    static unsigned highest(const Bits& b);

    bool software_enabled() const { return svr_ >> 8 & 1; }
    unsigned pending_vector() const;
    u8 processor_priority() const;
    void changed() {
        pending_ = pending_vector() != 0;
        if (pins_.changed) pins_.changed();
    }
    void accept(u8 vector, bool level);
    void fire(unsigned which);
    void end_of_interrupt();
    void send(u64 icr);
    void report_error(u32 bit);
    u32 read_register(u32 index);
    void write_register(u32 index, u32 value);
    void write_lvt(unsigned which, u32 value);

    unsigned timer_mode() const { return lvt_[timer] >> 17 & 3; }
    u64 tick() const;  // nanoseconds
    u32 current_count() const;
    void start_timer(u32 count);

    const CpuModel& model_;
    u64& base_;
    CpuHost& host_;
    PhysicalMap& memory_;
    Pins pins_;
    PhysicalMap::MappingId mapping_ = 0;
    PhysicalAddress mapped_ = 0;  // where `mapping_` is

    u8 boot_id_;
    u32 id_;
    u8 tpr_ = 0;
    u32 ldr_ = 0;
    u32 dfr_ = ~0u;
    u32 svr_ = 0xFF;
    Bits isr_{}, tmr_{}, irr_{};
    bool pending_ = false;
    u32 esr_ = 0, esr_latched_ = 0;
    u64 icr_ = 0;
    std::array<u32, kLvts> lvt_{};
    u32 initial_count_ = 0;
    u32 divide_ = 0;
    Nanoseconds started_ = 0;  // when the current count was the initial one
    bool running_ = false;
    u64 tsc_deadline_ = 0;
};

}  // namespace mynah
