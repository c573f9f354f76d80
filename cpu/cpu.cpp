#include "cpu/cpu.h"

#include <algorithm>

#include "cpu/apic/local_apic.h"
#include "cpu/core.h"
#include "cpu/describe.h"
#include "cpu/interp/interpreter.h"
#include "cpu/reset.h"
#include "cpu/system/cpu_model.h"
#include "cpu/system/msr.h"

namespace mynah {

struct Cpu::Impl {
    Impl(const CpuModel& model_, PhysicalMap& memory, CpuHost& host, Log& log)
        : model(model_), mmu(memory), core(model, mmu, memory, host, log), interpreter(core, memory) {
        if (!model.has(Feature::apic)) return;
        apic = std::make_unique<LocalApic>(model, u8{0}, core.state.msr.apic_base, host, memory);
        core.apic = apic.get();
        apic->connect({.changed = [this] { core.attention = true; },
                       .nmi =
                           [this] {
                               core.state.nmi_pending = true;
                               core.attention = true;
                           },
                       .init = {},
                       .sipi = {}});
    }

    const CpuModel model;
    Mmu mmu;
    Core core;
    Interpreter interpreter;
    std::unique_ptr<LocalApic> apic;
    std::unique_ptr<Accelerator> accelerator;
};

Cpu::Cpu(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
    reset();
}

Cpu::~Cpu() = default;

Result<std::unique_ptr<Cpu>> Cpu::create(std::string_view name, PhysicalMap& memory, CpuHost& host, Log& log,
                                         const AcceleratorFactory& accelerator, u32 heat) {
    auto model = choose_cpu(name);
    if (!model) return model.error();
    std::unique_ptr<Cpu> cpu(new Cpu(std::make_unique<Impl>(*model, memory, host, log)));
    Impl& impl = *cpu->impl_;
    if (accelerator) impl.accelerator = accelerator(impl.core, memory);
    impl.interpreter.accelerate(impl.accelerator.get(), heat);
    return cpu;
}

std::vector<std::string_view> Cpu::model_names() {
    std::vector<std::string_view> names;
    for (const CpuModel& m : cpu_models()) names.push_back(m.name);
    return names;
}

const CpuModel& Cpu::model() const {
    return impl_->model;
}

void Cpu::reset() {
    power_on(impl_->core.state, impl_->model.signature);
    impl_->core.faulted = false;
    impl_->core.intr_pin = false;
    if (impl_->apic != nullptr) {
        impl_->apic->reset();
        impl_->apic->base_changed();
    } else {
        impl_->core.state.msr.apic_base = 0;
    }
    state_changed();
}

void Cpu::init() {
    mynah::init(impl_->core.state, impl_->model.signature);
    impl_->core.faulted = false;
    if (impl_->apic != nullptr) impl_->apic->init();
    state_changed();
}

Exit Cpu::run(u64 budget, u64 slack) {
    return impl_->interpreter.run(budget, slack);
}

u64 Cpu::instructions() const {
    // Exact in the middle of a block as well: every way out of it to a device goes through sync().
    return impl_->core.retired;
}

void Cpu::stop_at(u64 instructions) {
    Core& c = impl_->core;
    c.stop_at = std::min(c.stop_at, std::max(instructions, c.retired));
    c.block_limit = std::min(c.block_limit, c.stop_at);
    c.attention = true;
}

void Cpu::request_exit() {
    impl_->interpreter.request_exit();
}

bool Cpu::exit_requested() const {
    return impl_->interpreter.exit_requested();
}

void Cpu::set_intr(bool level) {
    impl_->core.intr_pin = level;
    if (level) impl_->core.attention = true;
}

void Cpu::pulse_nmi() {
    // Through LINT1 where there is a local APIC.
    if (impl_->apic != nullptr && impl_->apic->enabled()) return impl_->apic->pulse_lint1();
    impl_->core.state.nmi_pending = true;
    impl_->core.attention = true;
}

bool Cpu::wakeable() const {
    return impl_->interpreter.wakeable();
}

LocalApic* Cpu::apic() {
    return impl_->core.apic;
}

void Cpu::apic_timer_expired() {
    if (impl_->apic != nullptr) impl_->apic->timer_expired();
}

CpuState& Cpu::state() {
    return impl_->core.state;
}

void Cpu::state_changed() {
    impl_->core.current = nullptr;
    impl_->core.update_mode();
}

Mmu& Cpu::mmu() {
    return impl_->mmu;
}

void Cpu::write_msr(u32 index, u64 value) {
    Core& c = impl_->core;
    c.current = nullptr;
    (void)mynah::write_msr(c, index, value);
    c.faulted = false;
    state_changed();
}

std::string Cpu::describe_accelerator() const {
    return impl_->accelerator == nullptr ? std::string() : impl_->accelerator->describe();
}

std::string Cpu::explain_accelerator(u64 rip) const {
    return impl_->accelerator == nullptr ? std::string() : impl_->accelerator->explain(rip);
}

std::string Cpu::describe_registers() const {
    const Core& c = impl_->core;
    return mynah::describe_registers(c.state, c.mode.cpl, c.mode.code64(), c.memory.a20());
}

void Cpu::visit(Archive& ar) {
    visit_state(ar);
    if (!ar.loading()) return;
    impl_->interpreter.blocks().drop_all();
    if (impl_->accelerator != nullptr) impl_->accelerator->drop_all();
}

void Cpu::visit_state(Archive& ar) {
    Core& c = impl_->core;
    if (!ar.loading()) c.state.pdpte = c.mmu.pdptes();
    ar(c.state);
    // An older pause says nothing any more: what engines leave there must not tell them apart.
    if (!ar.loading() && !c.in_repeat()) c.repeat_pause = ~u64{0};
    ar.all(c.retired, c.intr_pin, c.repeat_pause, impl_->interpreter);
    if (impl_->apic != nullptr) impl_->apic->visit(ar);
    if (ar.loading()) {
        c.faulted = false;
        c.mmu.pdptes() = c.state.pdpte;
        state_changed();
    }
}

}  // namespace mynah
