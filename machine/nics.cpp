#include "machine/nics.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "bios/rom.h"
#include "devices/net/e1000.h"
#include "devices/net/ne2000.h"
#include "devices/net/rtl8139.h"
#include "devices/virtio/net.h"

namespace mynah {

namespace {

constexpr u8 kFirstSlot = 3, kSlots = 32;

constexpr NicModelInfo kModels[] = {
    {NicModel::e1000, "e1000", "Intel 82540EM, gigabit", "pxe-e1000.rom", 0x8086, 0x100E},
    {NicModel::rtl8139, "rtl8139", "Realtek RTL8139C+, fast Ethernet", "pxe-rtl8139.rom", 0x10EC, 0x8139},
    {NicModel::ne2k_pci, "ne2k_pci", "NE2000 on PCI (RTL8029)", "pxe-ne2k_pci.rom", 0x10EC, 0x8029},
    {NicModel::virtio, "virtio-net-pci", "virtio 1.0", "", 0x1AF4, 0x1041},
    {NicModel::ne2k_isa, "ne2k_isa", "NE2000 on ISA; iobase=300h, irq=9", "", 0, 0},
};

std::string mac_text(const std::array<u8, 6>& mac) {
    return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", mac[0], mac[1], mac[2], mac[3], mac[4],
                       mac[5]);
}

}  // namespace

std::span<const NicModelInfo> nic_models() {
    return kModels;
}

const NicModelInfo& nic_model(NicModel model) {
    const auto found = std::find_if(std::begin(kModels), std::end(kModels),
                                    [&](const NicModelInfo& m) { return m.model == model; });
    MYNAH_CHECK(found != std::end(kModels));
    return *found;
}

template <class T>
void Nics::own(Adapter& adapter, std::unique_ptr<T> made) {
    adapter.device = made.get();
    adapter.nic = made.get();
    if constexpr (std::is_base_of_v<PciFunction, T>) adapter.function = made.get();
    adapter.owner = std::move(made);
}

void Nics::make(Adapter& adapter, std::string name, const Wiring& wiring, NetBackend* network,
                std::span<const u8> rom) {
    const NicConfig& c = adapter.config;
    EventQueue& queue = wiring.queue;
    switch (c.model) {
        case NicModel::e1000:
            return own(adapter, std::make_unique<E1000>(std::move(name), queue, network, c.mac, rom));
        case NicModel::rtl8139:
            return own(adapter, std::make_unique<Rtl8139>(std::move(name), queue, network, c.mac, rom));
        case NicModel::ne2k_pci:
            return own(adapter, std::make_unique<Ne2000Pci>(std::move(name), queue, network, c.mac, rom));
        case NicModel::virtio:
            return own(adapter, std::make_unique<VirtioNet>(std::move(name), queue, network, c.mac));
        case NicModel::ne2k_isa:
            return own(adapter, std::make_unique<Ne2000Isa>(std::move(name), queue, network, c.mac,
                                                            wiring.irq(c.irq)));
    }
}

Result<std::unique_ptr<Nics>> Nics::create(const std::vector<NicConfig>& configs, const Wiring& wiring) {
    auto nics = std::make_unique<Nics>();
    for (const NicConfig& config : configs) {
        const size_t index = nics->adapters_.size();
        const NicModelInfo& model = nic_model(config.model);
        std::vector<u8> rom;
        if (wiring.with_roms && !config.rom.value_or(std::string(model.rom)).empty()) {
            auto found = load_option_rom(config.rom.value_or(std::string(model.rom)), wiring.firmware_path);
            // Its own ROM is an extra; one that was asked for is not.
            if (!found && config.rom) return found.error();
            if (found) {
                rom = std::move(*found);
                match_option_rom(rom, model.vendor, model.device);
            }
        }
        NetBackend* network = index < wiring.networks.size() ? wiring.networks[index] : nullptr;
        Adapter adapter;
        adapter.config = config;
        if (network != nullptr) adapter.network = std::make_unique<MeteredNetwork>(*network, nics->frames_);
        nics->make(adapter, fmt::format("nic{}", index), wiring, adapter.network.get(), rom);
        nics->adapters_.push_back(std::move(adapter));
    }
    return nics;
}

Status Nics::plug_in(PciBus& pci, IoBus& io) {
    for (Adapter& a : adapters_) {
        if (a.function == nullptr) {
            if (Status s = io.map(a.config.iobase, *a.device, 0); !s) return s;
            continue;
        }
        u8 slot = kFirstSlot;
        while (slot < kSlots && pci.find(slot, 0) != nullptr) ++slot;
        if (slot == kSlots) return Error{"there are more network adapters than PCI slots; leave some out"};
        pci.add(*a.function, slot, 0);
    }
    return Ok{};
}

std::vector<Device*> Nics::devices() const {
    std::vector<Device*> all;
    for (const Adapter& a : adapters_) all.push_back(a.device);
    return all;
}

void Nics::frames_waiting(unsigned index) {
    if (index < adapters_.size()) adapters_[index].nic->frames_waiting();
}

std::string Nics::describe(const std::function<std::string(unsigned)>& network) const {
    std::string out;
    for (unsigned i = 0; i < adapters_.size(); ++i) {
        const Adapter& a = adapters_[i];
        out += fmt::format("{}: model={},macaddr={}\n", a.device->name(), nic_model(a.config.model).name,
                           mac_text(a.config.mac));
        if (network) out += fmt::format(" {}: {}", a.config.id, network(i));
    }
    return out.empty() ? "there is no network adapter\n" : out;
}

std::string Nics::describe_layout() const {
    std::string out;
    for (const Adapter& a : adapters_) {
        out += fmt::format("{}{}", out.empty() ? "" : ", ", nic_model(a.config.model).name);
        if (a.function == nullptr) out += fmt::format(" at {:x}h", a.config.iobase);
    }
    return out;
}

}  // namespace mynah
