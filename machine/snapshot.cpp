// The whole machine in one visit, and the hash that tests compare.
#include "machine/pc.h"
#include "machine/snapshot_file.h"

namespace mynah {

void Pc::visit(Archive& ar) {
    // What must be alike for a snapshot to fit.
    ar.section("machine");
    std::string cpu = config_.cpu;
    u64 ram = memory_->ram_size();
    u8 clock = static_cast<u8>(config_.clock);
    u32 shift = deterministic_ ? config_.icount_shift : 0;
    std::string drives = drives_->describe_layout();
    std::string nics = nics_->describe_layout();
    u32 rngs = config_.virtio_rngs, consoles = static_cast<u32>(virtio_consoles_.size());
    ar.all(cpu, ram, clock, shift, drives, nics, rngs, consoles);
    if (ar.loading() && ar.ok()) {
        if (cpu != config_.cpu) return ar.fail("made with -cpu " + cpu);
        if (ram != memory_->ram_size()) return ar.fail("made with -m " + std::to_string(ram / MiB));
        if (clock != static_cast<u8>(config_.clock)) return ar.fail("made with the other --clock");
        // Time is the instruction count in these units: it would jump, forwards or back.
        if (deterministic_ && shift != config_.icount_shift)
            return ar.fail("made with -icount shift=" + std::to_string(shift));
        if (drives != drives_->describe_layout()) return ar.fail("made with other drives: " + drives);
        if (nics != nics_->describe_layout())
            return ar.fail("made with other network adapters: " + (nics.empty() ? "none" : nics));
        if (rngs != config_.virtio_rngs || consoles != virtio_consoles_.size())
            return ar.fail("made with other virtio devices");
        // From power-on: what is mapped where now must not stand in the way of where it belongs.
        reset_devices();
    }
    memory_->visit(ar);
    cpu_->visit(ar);
    ar.section("time");
    if (deterministic_) ar(*deterministic_);
    if (realtime_) ar(*realtime_);
    ar.all(queue_, apic_timer_, irqs_, random_state_, reset_requested_);
    for (Device* d : devices()) d->visit(ar);
    typist_.visit(ar);
    drives_->visit_media(ar);
    ar.section("end");
    if (ar.loading()) restart_sound();
    if (ar.loading() && ar.ok()) {
        cpu_->state_changed();
        cpu_->set_intr(pic_.intr());
        if (lockstep_) lockstep_->taken_over();
    }
}

}  // namespace mynah
