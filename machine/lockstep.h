// -accel verify: a processor with the translator, and one that interprets, on the same machine. After each
// slice of the first the second does the same on its own copy of memory, with the answers that the first got;
// then both must be alike in everything that the guest can see. The first difference is narrowed down to the
// fewest instructions that lead to it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "cpu/cpu.h"
#include "machine/lockstep_memory.h"

namespace mynah {

class Lockstep {
  public:
    // Everything passed must outlive it.
    static Result<std::unique_ptr<Lockstep>> create(std::string_view model, LockstepMemory& memory,
                                                    CpuHost& host, Log& log,
                                                    const AcceleratorFactory& accelerator,
                                                    u32 heat = Cpu::kHeat);
    ~Lockstep();

    // The processor that the machine has, to be owned by it.
    std::unique_ptr<Cpu> take_first() { return std::move(owned_first_); }

    Exit run(u64 budget);
    // Something that the machine does to its processor.
    void tell(const std::function<void(Cpu&)>& what);
    // The first's state was changed in another way: the second takes it over.
    void taken_over() { take_over_ = true; }
    // What differs, once something does.
    bool diverged() const { return !report_.empty(); }
    const std::string& report() const { return report_; }

  private:
    class First;
    class Second;
    class Written;
    enum Side : unsigned { first, second };

    explicit Lockstep(LockstepMemory& memory, const Log& log);
    PhysicalMap& map(Side side) { return side == first ? memory_.first() : memory_.second(); }
    TapePlayer& player(Side side) { return side == first ? memory_.first_player() : memory_.second_player(); }
    Cpu& cpu(Side side) { return side == first ? *first_ : *second_; }

    void begin();  // of a slice
    bool alike(Exit a, Exit b);
    void watch_again();
    // --- lockstep_report.cpp ---
    void keep_old_pages();
    void restore(Side side);
    Exit replay(Side side, u64 instructions);
    bool alike_after(u64 instructions);
    void find_difference(u64 budget);
    std::string instruction(Side side);
    std::string differences();
    std::string both_registers();
    std::string last_instructions(u64 upto);

    LockstepMemory& memory_;
    const Log& log_;
    Log silent_;
    std::unique_ptr<First> first_host_;
    std::unique_ptr<Second> second_host_;
    std::unique_ptr<Written> written_[2];
    std::unique_ptr<Cpu> owned_first_;
    Cpu* first_ = nullptr;
    std::unique_ptr<Cpu> second_;
    bool take_over_ = true;

    // The slice: the state that it began from, and what is needed to get back there.
    std::vector<u8> start_;
    u64 start_instructions_ = 0;
    Exit exits_[2]{};
    std::vector<u8> before_;  // pages that the first wrote, in the order of written_[first]
    std::map<PhysicalAddress, std::vector<u8>> old_pages_;
    std::string report_;
};

}  // namespace mynah
