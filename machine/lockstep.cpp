#include "machine/lockstep.h"

#include <cstring>

#include "base/check.h"
#include "machine/lockstep_sides.h"

namespace mynah {

Lockstep::Lockstep(LockstepMemory& memory, const Log& log)
    : memory_(memory),
      log_(log),
      written_{std::make_unique<Written>(memory.first()), std::make_unique<Written>(memory.second())} {}

Lockstep::~Lockstep() = default;

Result<std::unique_ptr<Lockstep>> Lockstep::create(std::string_view model, LockstepMemory& memory,
                                                   CpuHost& host, Log& log,
                                                   const AcceleratorFactory& accelerator, u32 heat) {
    std::unique_ptr<Lockstep> l(new Lockstep(memory, log));
    l->first_host_ = std::make_unique<First>(memory, host);
    l->second_host_ = std::make_unique<Second>(memory.second_player());
    auto one = Cpu::create(model, memory.first(), *l->first_host_, log, accelerator, heat);
    if (!one) return one.error();
    auto two = Cpu::create(model, memory.second(), *l->second_host_, l->silent_);
    if (!two) return two.error();
    l->owned_first_ = std::move(*one);
    l->first_ = l->owned_first_.get();
    l->second_ = std::move(*two);
    memory.connect(*l->first_);
    memory.first_player().connect(l->first_, &memory.first());
    memory.second_player().connect(l->second_.get(), &memory.second());
    return l;
}

void Lockstep::tell(const std::function<void(Cpu&)>& what) {
    memory_.tape().tell({.processor = what, .memory = {}, .rewires = false});
    what(*first_);
}

// Brings the second to where the first is, and remembers that.
void Lockstep::begin() {
    TapePlayer& p = player(second);
    p.rewind();
    if (take_over_)
        p.drain_memory();
    else
        p.drain();
    Archive save;
    first_->visit_state(save);
    start_ = save.data();
    if (take_over_) {
        Archive load(Archive::Mode::load, start_);
        p.connect(nullptr, &memory_.second());
        second_->visit(load);
        p.connect(second_.get(), &memory_.second());
        MYNAH_CHECK(load.ok());
        if (first_->exit_requested()) second_->request_exit();
        take_over_ = false;
    }
    p.expect_finished();
    if (!p.difference().empty()) report_ = "verify: between two slices: " + p.difference();
    watch_again();
    memory_.tape().clear();
    p.rewind();
    start_instructions_ = first_->instructions();
}

bool Lockstep::alike(Exit a, Exit b) {
    if (a != b || !player(first).difference().empty() || !player(second).difference().empty()) return false;
    Archive save;
    first_->visit_state(save);
    Archive verify(Archive::Mode::verify, save.data());
    second_->visit_state(verify);
    if (!verify.ok()) return false;
    for (const Side side : {first, second}) {
        for (const PhysicalAddress frame : written_[side]->frames()) {
            if (std::memcmp(written_[first]->bytes(frame), written_[second]->bytes(frame), kPageSize) != 0)
                return false;
        }
    }
    return true;
}

void Lockstep::watch_again() {
    written_[first]->watch_again();
    written_[second]->watch_again();
}

Exit Lockstep::run(u64 budget) {
    begin();
    const Exit exit = exits_[first] = first_->run(budget);
    // The second's pages are still as they were.
    const auto& frames = written_[first]->frames();
    before_.resize(frames.size() * kPageSize);
    for (size_t n = 0; n < frames.size(); ++n)
        std::memcpy(&before_[n * kPageSize], written_[second]->bytes(frames[n]), kPageSize);
    const Exit other = exits_[second] = second_->run(budget);
    player(second).expect_finished();
    if (!alike(exit, other)) find_difference(budget);
    memory_.tape().clear();
    player(second).rewind();
    return exit;
}

}  // namespace mynah
