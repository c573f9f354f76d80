// What went between a processor and the rest of the machine, in its order: recorded while one runs, played to
// another that must ask the same at the same instructions.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cpu/cpu.h"
#include "mmu/physical_map.h"

namespace mynah {

// A processor's access to the machine.
struct Asked {
    enum class Kind : u8 {
        port_read,
        port_write,
        memory_read,
        memory_write,
        acknowledge,
        now,
        wall_clock,
        arm_timer,
        cancel_timer,
        end_of_interrupt,
        ferr,
        ignne,
        random,
    };
    Kind kind{};
    u8 width = 0;
    u32 window = 0;  // memory: which mapping
    u64 at = 0;      // port, offset
    u64 value = 0;   // what is written
    u64 retired = 0;
    bool operator==(const Asked&) const = default;
    std::string describe() const;
};

// What the machine does to a processor or its memory.
struct Told {
    std::function<void(Cpu&)> processor;
    std::function<void(PhysicalMap&)> memory;
    bool rewires = false;  // the memory map becomes another
};

class Tape {
  public:
    struct Item {
        Asked asked;
        u64 answer = 0;
        std::unique_ptr<Told> told;  // null: `asked` counts
    };
    size_t ask(const Asked& asked) {
        items_.push_back({asked, 0, nullptr});
        return items_.size() - 1;
    }
    void answer(size_t which, u64 value) { items_[which].answer = value; }
    void tell(Told told) {
        rewired_ = rewired_ || told.rewires;
        items_.push_back({{}, 0, std::make_unique<Told>(std::move(told))});
    }
    const std::vector<Item>& items() const { return items_; }
    bool rewired() const { return rewired_; }
    void clear() {
        items_.clear();
        rewired_ = false;
    }

  private:
    std::vector<Item> items_;
    bool rewired_ = false;
};

// Plays a tape to one processor and its memory.
class TapePlayer {
  public:
    explicit TapePlayer(const Tape& tape) : tape_(tape) {}
    // Null while there is none yet: whatever is asked then is answered with 0.
    void connect(Cpu* cpu, PhysicalMap* memory) { cpu_ = cpu, memory_ = memory; }

    void rewind() {
        at_ = 0;
        difference_.clear();
    }
    u64 ask(Asked asked);
    // Does what the machine did up to the processor's next access.
    void drain();
    // The same for all of the tape, but only to the memory: the processor is taken over otherwise.
    void drain_memory();
    bool finished() const { return at_ == tape_.items().size(); }
    size_t position() const { return at_; }
    // The first access that was not the recorded one.
    const std::string& difference() const { return difference_; }
    // What is left, as the difference that it is.
    void expect_finished();
    // Devices access memory: windows are not the processor's business then.
    bool device_access() const { return device_access_; }

  private:
    void do_memory(const Told& told);

    const Tape& tape_;
    Cpu* cpu_ = nullptr;
    PhysicalMap* memory_ = nullptr;
    size_t at_ = 0;
    bool answers_ = true;
    bool device_access_ = false;
    std::string difference_;
};

}  // namespace mynah
