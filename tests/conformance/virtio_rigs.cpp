// Boards for the virtio devices: drivers that set up rings in sense and fill them with nonsense.
#include <cstring>

#include "devices/virtio/block.h"
#include "devices/virtio/console.h"
#include "devices/virtio/net.h"
#include "devices/virtio/rng.h"
#include "ram_disk.h"
#include "rig_line.h"

namespace mynah::test {

namespace {

// Drives any of them through the registers.
struct VirtioRig : Rig {
    static constexpr u16 kSize = 8;
    static constexpr u64 ring(unsigned queue) { return 0x10000 + 0x4000 * queue; }

    void plug(VirtioPci& chosen) {
        pci.connect_messages([this](u32 address, u32 data) { note(u64{address} << 32 | data); });
        pci.connect_pirq([this](unsigned pirq, bool level) { note(0x700 + 2 * pirq + level); });
        pci.add(chosen, 4, 0);
        parts.push_back(&pci);
        use(chosen, {VirtioPci::structures, VirtioPci::messages});
        function = &chosen;
        outside = [this](u64 n) { drive(n); };
    }
    void set(u64 offset, u64 value, unsigned width) {
        device->write(VirtioPci::structures, offset, value, width);
    }
    void start(u64 n) {
        function->config_write(pci::command, n & 1 ? 6 : 4, 2);
        set(20, 0, 1);
        set(20, 3, 1);
        for (const unsigned half : {0u, 1u}) {
            set(0, half, 4);
            const u64 offered = device->read(VirtioPci::structures, 4, 4);
            set(8, half, 4);
            set(12, half == 1 ? offered : offered & (n & 2 ? ~u64{0} : n >> 8), 4);
        }
        set(20, 11, 1);
        note(device->read(VirtioPci::structures, 20, 1));
        for (unsigned q = 0; q < 3; ++q) {
            set(22, q, 2);
            set(24, kSize, 2);
            set(26, q, 2);
            set(32, ring(q), 4);
            set(40, ring(q) + 0x1000, 4);
            set(48, ring(q) + 0x2000, 4);
            set(28, 1, 2);
            memory->write(ring(q) + 0x1000, std::vector<u8>(64));
        }
        set(20, 15, 1);
    }
    void drive(u64 n) {
        const unsigned q = n % 3;
        const u64 pick = n >> 16;
        if ((n >> 4) % 16 == 0) return start(n >> 8);
        if ((n >> 4) % 16 == 1) return host_event(pick);
        // Mostly a chain that makes sense: some to read, some to write.
        const unsigned readable = pick & 3, writable = (pick >> 2) & 3, all = readable + writable;
        for (unsigned i = 0; i < all; ++i) {
            const u64 d = ring(q) + 16 * i;
            const bool write = i >= readable;
            memory->write(d, 0x40000 + 0x1000 * i + (pick >> (8 + i)) % 0x800, 8);
            memory->write(d + 8, write ? 1 + (pick >> (12 + i)) % 2000 : i == 0 ? 16 : (pick >> 9) % 600, 4);
            memory->write(d + 12, (write ? 2u : 0u) | (i + 1 < all ? 1u : 0u), 2);
            memory->write(d + 14, i + 1, 2);
        }
        if ((n >> 8) % 16 == 0) memory->write(ring(q) + (pick >> 20) % 0x80, pick >> 28, 2);
        if ((n >> 8) % 16 == 1) memory->write(ring(q) + 0x1002, pick >> 28, 2);
        fill(0x40000 + (pick >> 8) % 0x800, pick >> 3);
        const u64 index = memory->read(ring(q) + 0x1002, 2);
        memory->write(ring(q) + 0x1004 + 2 * (index % kSize), (n >> 12) % 32 == 0 ? pick : 0, 2);
        memory->write(ring(q) + 0x1002, index + 1, 2);
        set(0x3000 + 4 * q, q, 2);
        if (n & 8) advance(2000);
        note(memory->read(ring(q) + 0x2002, 2));
        note(memory->read(0x40000 + (pick >> 8) % 0x3000, 4));
    }
    // What the device reads first.
    virtual void fill(u64 address, u64 n) { memory->write(address, n & 0xFF, 1); }
    virtual void host_event(u64 n) { advance(n % 10000); }
};

struct VirtioBlockRig : VirtioRig {
    RamDisk medium{64 * KiB};
    VirtioBlock disk{"virtio-blk0", queue, medium, "serial"};
    VirtioBlockRig() {
        media.push_back(&medium.bytes);
        plug(disk);
    }
    void fill(u64 address, u64 n) override {
        static constexpr u32 types[] = {0, 1, 0, 1, 4, 8, 11, 13};
        memory->write(address, types[n & 7], 4);
        memory->write(address + 8, (n >> 3) % 140, 8);
    }
};

struct VirtioRngRig : VirtioRig {
    VirtioRng rng{"virtio-rng0", queue, [this] { return time.now() * 0x9E3779B97F4A7C15; }};
    VirtioRngRig() { plug(rng); }
};

struct VirtioConsoleRig : VirtioRig {
    RigLine backend;
    VirtioConsole console{"virtio-console0", queue, &backend};
    VirtioConsoleRig() {
        backend.rig = this;
        media.push_back(&backend.input);
        plug(console);
    }
    void host_event(u64 n) override {
        if (backend.input.size() < 100)
            backend.input.insert(backend.input.end(), n % 50, static_cast<u8>(n >> 8));
        console.input_ready();
    }
};

struct VirtioNetRig : VirtioRig {
    // Frames of one size, one behind another.
    struct Backend final : NetBackend {
        static constexpr size_t kFrame = 120;
        VirtioNetRig* rig = nullptr;
        std::vector<u8> waiting;
        void send(std::span<const u8> frame) override {
            for (u8 b : frame) rig->note(b);
        }
        bool receive(std::vector<u8>& frame) override {
            if (waiting.size() < kFrame) return false;
            frame.assign(waiting.begin(), waiting.begin() + kFrame);
            waiting.erase(waiting.begin(), waiting.begin() + kFrame);
            return true;
        }
    };
    Backend backend;
    VirtioNet net{"virtio-net0", queue, &backend, {0x52, 0x54, 0, 0x12, 0x34, 0x56}};
    VirtioNetRig() {
        backend.rig = this;
        media.push_back(&backend.waiting);
        plug(net);
    }
    static std::array<u8, 64> packet(u64 n) {
        std::array<u8, 64> p{};
        const u8 start[] = {0x52, 0x54, 0, 0x12, 0x34, 0x56, 2, 0, 0, 0, 0, 1, 8, 0, 0x45};
        std::memcpy(p.data(), start, sizeof start);
        p[17] = 106;  // IP length: the whole frame
        p[23] = n & 1 ? 6 : 17;
        p[46] = n & 2 ? 0x50 : static_cast<u8>(n >> 8);
        p[47] = n & 4 ? 0x10 : static_cast<u8>(n >> 16);
        p[41] = static_cast<u8>(n >> 24 & 1);
        return p;
    }
    void fill(u64 address, u64 n) override {
        const u8 header[12] = {static_cast<u8>(n & 3),   static_cast<u8>(n >> 2 & 5),  0,  0,
                               static_cast<u8>(n >> 5),  static_cast<u8>(n >> 13 & 1), 34, 0,
                               static_cast<u8>(n >> 14), static_cast<u8>(n >> 22 & 1), 0,  0};
        memory->write(address, header);
        memory->write(address + 12, packet(n >> 3));
    }
    void host_event(u64 n) override {
        for (u64 i = 0; i < n % 4 && backend.waiting.size() < 10 * Backend::kFrame; ++i) {
            const auto p = packet(n >> (4 + i));
            backend.waiting.insert(backend.waiting.end(), p.begin(), p.end());
            backend.waiting.resize(backend.waiting.size() + Backend::kFrame - p.size(),
                                   static_cast<u8>(n >> 9));
        }
        net.frames_waiting();
    }
};

template <class R>
RigKind kind(std::string name) {
    return {std::move(name), [] { return std::make_unique<R>(); }};
}

}  // namespace

void add_virtio_rigs(std::vector<RigKind>& kinds) {
    kinds.push_back(kind<VirtioBlockRig>("virtio_blk"));
    kinds.push_back(kind<VirtioRngRig>("virtio_rng"));
    kinds.push_back(kind<VirtioConsoleRig>("virtio_console"));
    kinds.push_back(kind<VirtioNetRig>("virtio_net"));
}

}  // namespace mynah::test
