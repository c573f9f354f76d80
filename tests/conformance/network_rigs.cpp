// Boards for the network adapters.
#include <deque>

#include "devices/net/e1000.h"
#include "devices/net/ne2000.h"
#include "devices/net/rtl8139.h"
#include "rig.h"

namespace mynah::test {

namespace {

constexpr net::MacAddress kMac{0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

// What waits on the cable is outside a snapshot: it is kept as one row of bytes, that copy_world() carries
// over.
class Cable final : public NetBackend {
  public:
    explicit Cable(Rig& rig) : rig_(rig) {}
    void send(std::span<const u8> frame) override {
        rig_.note(0x5E4D0000 + frame.size());
        for (const u8 byte : frame.first(std::min<size_t>(frame.size(), 64))) rig_.note(byte);
    }
    bool receive(std::vector<u8>& frame) override {
        if (waiting.size() < 2) return false;
        const size_t size = waiting[0] | size_t{waiting[1]} << 8;
        frame.assign(waiting.begin() + 2, waiting.begin() + 2 + static_cast<std::ptrdiff_t>(size));
        waiting.erase(waiting.begin(), waiting.begin() + 2 + static_cast<std::ptrdiff_t>(size));
        return true;
    }
    // A frame chosen by the number: some are for the adapter, for all, for a group or for others, and some
    // have IP in them.
    void put(u64 n) {
        if (waiting.size() > 20000) return;
        std::vector<u8> frame(14 + (n >> 8) % 1700, static_cast<u8>(n >> 24));
        const u8 kinds[] = {0x52, 0xFF, 0x01, 0x54};
        std::fill_n(frame.begin(), 6, kinds[n & 3]);
        if ((n & 3) == 0) std::copy(kMac.begin(), kMac.end(), frame.begin());
        if (n & 4) {
            const u8 header[] = {0x08, 0x00, 0x45, 0x00, 0x00, static_cast<u8>(20 + (n >> 40) % 60),
                                 0,    0,    0,    0,    64,   static_cast<u8>(n & 8 ? 6 : 17)};
            for (size_t i = 0; i < sizeof header && 12 + i < frame.size(); ++i) frame[12 + i] = header[i];
        }
        waiting.push_back(static_cast<u8>(frame.size()));
        waiting.push_back(static_cast<u8>(frame.size() >> 8));
        waiting.insert(waiting.end(), frame.begin(), frame.end());
    }

    std::vector<u8> waiting;

  private:
    Rig& rig_;
};

struct E1000Rig : Rig {
    Cable cable{*this};
    E1000 nic{"nic0", queue, &cable, kMac, std::vector<u8>(4096, 0x55)};
    E1000Rig() {
        pci.add(nic, 3, 0);
        parts.push_back(&pci);
        use(nic, {E1000::registers, E1000::window});
        function = &nic;
        media.push_back(&cable.waiting);
        outside = [this](u64 n) {
            const auto set = [this](u64 offset, u64 value) {
                nic.write(E1000::registers, offset, value & 0xFFFFFFFF, 4);
            };
            const u64 v = n >> 12;
            switch (n & 15) {
                case 0: {  // rings in memory, and a bus that lets it reach them
                    nic.config_write(4, 7, 2);
                    for (const u64 base : {0x2800, 0x3800}) {
                        set(base, base * 4);
                        set(base + 4, 0);
                        set(base + 8, 128u << (v & 3));
                    }
                    set(0x100, 0x8002 | (v & 0x06061318));
                    return set(0x400, 2);
                }
                case 1:
                    return set(0x2818, v & 63);
                case 2:
                    return set(0x3818, v & 63);
                case 3: {  // a descriptor for sending
                    const u32 words[] = {
                        static_cast<u32>(v & 0x3FFFF), 0,
                        static_cast<u32>((v >> 18 & 0x8FF) | (v >> 8 & 0x7F100000) | 0x09000000),
                        static_cast<u32>(v >> 20)};
                    const u64 at = 0x3800 * 4 + 16 * (v >> 40 & 31);
                    return memory->write(at, {reinterpret_cast<const u8*>(words), sizeof words});
                }
                case 4: {  // a buffer for receiving
                    return memory->write(0x2800 * 4 + 16 * (v & 31), v >> 5 & 0xFFFFF, 8);
                }
                case 5:
                    note(nic.read(E1000::registers, 0xC0, 4));
                    return set(0xD0, v & 0x1FFFF);
                case 6:
                    set(0xC4, v & 0xFFF);
                    return set(0x20, (v & 0x0C1F'FFFF) | 1u << 21);
                case 7:
                    return set(0x10, v & 0x47);
                case 8:
                    set(0x5000, v & 0x3FF);
                    return set(0, v & (1u << 30));
                default:
                    cable.put(n >> 4);
                    return nic.frames_waiting();
            }
        };
    }
};

struct Rtl8139Rig : Rig {
    Cable cable{*this};
    Rtl8139 nic{"nic0", queue, &cable, kMac, {}};
    Rtl8139Rig() {
        pci.add(nic, 3, 0);
        parts.push_back(&pci);
        use(nic, {Rtl8139::ports, Rtl8139::memory});
        function = &nic;
        media.push_back(&cable.waiting);
        outside = [this](u64 n) {
            const auto set = [this](u64 offset, u64 value, unsigned width) {
                nic.write(Rtl8139::ports, offset, value & ((u64{1} << 8 * width) - 1), width);
            };
            const u64 v = n >> 12;
            switch (n & 15) {
                case 0:
                    nic.config_write(4, 7, 2);
                    set(0xE0, v & 0x63, 2);
                    set(0x20, 0x8000, 4);
                    set(0x24, 0, 4);
                    set(0xE4, 0xC000, 4);
                    set(0xE8, 0, 4);
                    set(0x30, 0x20000, 4);
                    set(0x44, 0x0F | (v >> 8 & 0x1880), 4);
                    return set(0x37, 0x0C, 1);
                case 1:
                    set(0x20 + 4 * (v & 3), v >> 4 & 0xFFFFF, 4);
                    return set(0x10 + 4 * (v & 3), v >> 24 & 0x7FF, 4);
                case 2:
                    return set(0xD9, 0x40, 1);
                case 3:
                case 4: {  // a descriptor for sending or receiving
                    const u32 words[] = {static_cast<u32>(0x80000000u | (v & 0x7FFF07FF)),
                                         static_cast<u32>(v >> 16), static_cast<u32>(v >> 8 & 0xFFFFF), 0};
                    const u64 at = (n & 1 ? 0x8000 : 0xC000) + 16 * (v >> 40 & 15);
                    return memory->write(at, {reinterpret_cast<const u8*>(words), sizeof words});
                }
                case 5:
                    note(nic.read(Rtl8139::ports, 0x3E, 2));
                    set(0x3E, v, 2);
                    return set(0x3C, v >> 16, 2);
                case 6:
                    return set(0x38, nic.read(Rtl8139::ports, 0x3A, 2) - 16, 2);
                case 7:
                    return set(0x54, v & 0xFFFF, 4);
                default:
                    cable.put(n >> 4);
                    return nic.frames_waiting();
            }
        };
    }
};

// The chip's ports, whatever bus they are on.
void poke_dp8390(Device& nic, Cable& cable, Nic& end, Rig& rig, u64 n) {
    const auto set = [&](u64 offset, u64 value) { nic.write(0, offset, value & 0xFF, 1); };
    const u64 v = n >> 12;
    switch (n & 7) {
        case 0: {
            set(0, 0x21);
            const u8 setup[][2] = {{1, 0x46},  {2, 0x80}, {3, 0x46}, {4, 0x40},
                                   {12, 0x1C}, {13, 0},   {14, 0x49}};
            for (const auto& [offset, value] : setup) set(offset, value);
            set(15, v);
            set(0, 0x61);
            set(7, 0x47);
            return set(0, 0x22);
        }
        case 1:
            set(0, 0x22);
            set(5, v);
            set(6, v >> 8 & 7);
            return set(0, 0x26);
        case 2:
            set(0, 0x22);
            set(8, v);
            set(9, 0x40 | (v >> 8 & 0x3F));
            set(10, v >> 16);
            set(11, v >> 24 & 3);
            set(0, v & (1u << 30) ? 0x0A : 0x12);
            for (unsigned i = 0; i < 40; ++i)
                v&(1u << 30) ? rig.note(nic.read(0, 0x10, 2)) : set(0x10, v + i);
            return;
        case 3:
            set(0, 0x22);
            rig.note(nic.read(0, 7, 1));
            set(7, v);
            return set(3, 0x46 + (v >> 8) % 0x3A);
        default:
            cable.put(n >> 4);
            return end.frames_waiting();
    }
}

struct Ne2000PciRig : Rig {
    Cable cable{*this};
    Ne2000Pci nic{"nic0", queue, &cable, kMac, {}};
    Ne2000PciRig() {
        pci.add(nic, 3, 0);
        parts.push_back(&pci);
        use(nic, {Ne2000Pci::ports});
        function = &nic;
        media.push_back(&cable.waiting);
        outside = [this](u64 n) { poke_dp8390(nic, cable, nic, *this, n); };
    }
};

struct Ne2000IsaRig : Rig {
    Cable cable{*this};
    Ne2000Isa nic{"nic0", queue, &cable, kMac, line(9)};
    Ne2000IsaRig() {
        use(nic, {0});
        media.push_back(&cable.waiting);
        outside = [this](u64 n) { poke_dp8390(nic, cable, nic, *this, n); };
    }
};

template <class R>
RigKind kind(std::string name) {
    return {std::move(name), [] { return std::make_unique<R>(); }};
}

}  // namespace

void add_network_rigs(std::vector<RigKind>& kinds) {
    kinds.push_back(kind<E1000Rig>("e1000"));
    kinds.push_back(kind<Rtl8139Rig>("rtl8139"));
    kinds.push_back(kind<Ne2000PciRig>("ne2000_pci"));
    kinds.push_back(kind<Ne2000IsaRig>("ne2000_isa"));
}

}  // namespace mynah::test
