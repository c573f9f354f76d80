// The machine's network adapters: built, put on their bus, and told when frames wait.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "devices/event_queue.h"
#include "devices/io_bus.h"
#include "devices/irq_line.h"
#include "devices/network.h"
#include "devices/pci.h"
#include "machine/config.h"
#include "machine/metered_network.h"

namespace mynah {

// What there is, for the command line and the monitor.
struct NicModelInfo {
    NicModel model;
    std::string_view name;  // as -device and -nic model= have it
    std::string_view what;
    std::string_view rom;  // file name of iPXE's expansion ROM for it; empty: none
    u16 vendor, device;    // PCI ids
};
std::span<const NicModelInfo> nic_models();
const NicModelInfo& nic_model(NicModel model);

class Nics {
  public:
    struct Wiring {
        EventQueue& queue;
        const std::vector<NetBackend*>& networks;  // by index; null or not there: no cable
        std::function<IrqLine(unsigned irq)> irq;  // of the ISA bus
        std::span<const std::string> firmware_path;
        bool with_roms;
    };
    // Error: an expansion ROM that was asked for by name and cannot be had.
    static Result<std::unique_ptr<Nics>> create(const std::vector<NicConfig>& configs, const Wiring& wiring);

    // PCI adapters go to the first free slots from 3 on, as in QEMU; ISA ones to their ports. Error: no slot
    // is free, or ports that are taken.
    Status plug_in(PciBus& pci, IoBus& io);
    // Every adapter, for reset and snapshots.
    std::vector<Device*> devices() const;
    void frames_waiting(unsigned index);
    // Sent and received by all of them.
    u64 frames() const { return frames_; }

    // Lines for `info network`; `network` gives those about what an adapter is connected to.
    std::string describe(const std::function<std::string(unsigned)>& network) const;
    // Models in order: a snapshot fits only the same.
    std::string describe_layout() const;

  private:
    struct Adapter {
        NicConfig config;
        Device* device = nullptr;
        PciFunction* function = nullptr;  // null: on the ISA bus
        Nic* nic = nullptr;
        std::unique_ptr<MeteredNetwork> network;  // null: no cable
        std::unique_ptr<Device> owner;
    };
    template <class T>
    void own(Adapter& adapter, std::unique_ptr<T> made);
    void make(Adapter& adapter, std::string name, const Wiring& wiring, NetBackend* network,
              std::span<const u8> rom);

    u64 frames_ = 0;
    std::vector<Adapter> adapters_;
};

}  // namespace mynah
