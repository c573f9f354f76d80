// One device on a board of its own, driven from outside by numbers: what conformance tests and fuzzers share.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "board.h"
#include "devices/event_queue.h"
#include "devices/io_bus.h"
#include "devices/pci.h"
#include "mmu/physical_map.h"

namespace mynah::test {

// Where the next number comes from: a random generator or a fuzzer's input.
using Numbers = std::function<u64()>;

class Rig {
  public:
    Rig();
    virtual ~Rig() = default;

    // One access, configuration access, outside event or passing of time, as the numbers say; what the device
    // answered goes into trace().
    void step(const Numbers& next);
    void access(BankId bank, u64 offset, unsigned width, bool write, u64 value);
    void advance(Nanoseconds by) { time.advance(queue, by, 500); }
    void reset();

    // A hash over all that the device showed: read values, line changes, bytes sent, and when.
    u64 trace() const { return trace_; }
    void restart_trace() { trace_ = 0; }
    void note(u64 what);
    IrqLine line(unsigned id);

    // The whole board: queue and parts. Time and RAM are carried over by copy_world().
    std::vector<u8> save();
    bool load(std::span<const u8> snapshot);
    void copy_world(Rig& from);

    FakeTime time;
    EventQueue queue{time};
    Log log;
    std::unique_ptr<PhysicalMap> memory;
    IoBus io{log};
    PciBus pci{io, *memory, log};

    Device* device = nullptr;
    PciFunction* function = nullptr;
    std::vector<Device*> parts;  // what is saved and reset, in order; the device among them
    std::vector<BankId> banks;
    std::function<void(u64)> outside;     // one event from outside, chosen by the number
    std::vector<std::vector<u8>*> media;  // disk contents, which are not part of a snapshot
    bool keeps_state_over_reset = false;  // battery-backed, or memory that no reset pin reaches

  protected:
    void use(Device& d, std::vector<BankId> all_banks);

  private:
    u64 trace_ = 0;
};

struct RigKind {
    std::string name;
    std::function<std::unique_ptr<Rig>()> make;
    friend void PrintTo(const RigKind& kind, std::ostream* os) { *os << kind.name; }
};
// Every device of the machine.
const std::vector<RigKind>& rig_kinds();
// The parts of it.
void add_chipset_rigs(std::vector<RigKind>& kinds);
void add_storage_rigs(std::vector<RigKind>& kinds);
void add_network_rigs(std::vector<RigKind>& kinds);
void add_virtio_rigs(std::vector<RigKind>& kinds);

}  // namespace mynah::test
