// What device tests plug devices into: hand-driven time, ports, memory, a disk in memory.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "devices/dma_channel.h"
#include "devices/event_queue.h"
#include "devices/host.h"
#include "devices/pci.h"

namespace mynah::test {

class ManualTime final : public TimeSource {
  public:
    Nanoseconds now() override { return now_; }
    Nanoseconds now_ = 0;
};

class MemoryDisk final : public BlockBackend {
  public:
    explicit MemoryDisk(u64 bytes, bool read_only = false) : data(bytes), read_only_(read_only) {
        for (u64 i = 0; i < bytes; ++i) data[i] = pattern(i);
    }
    static u8 pattern(u64 at) { return static_cast<u8>(at / 512 * 7 + at); }
    u64 size() const override { return data.size(); }
    bool read_only() const override { return read_only_; }
    Status read(u64 offset, std::span<u8> out) override {
        if (failing || offset + out.size() > data.size()) return Error{"bad sector"};
        std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
        return Ok{};
    }
    Status write(u64 offset, std::span<const u8> in) override {
        if (failing || offset + in.size() > data.size()) return Error{"no space"};
        std::copy(in.begin(), in.end(), data.begin() + static_cast<std::ptrdiff_t>(offset));
        return Ok{};
    }
    Status flush() override {
        ++flushes;
        return Ok{};
    }

    void will_flush() override { ++flushes_begun; }
    bool busy() const override { return is_busy; }
    Status settle() override {
        if (!settles) return Error{"it was not written after all"};
        return Ok{};
    }
    bool can_discard() const override { return discards; }
    Status discard(u64 offset, u64 bytes) override {
        if (failing || offset + bytes > data.size()) return Error{"behind the end"};
        std::fill_n(data.begin() + static_cast<std::ptrdiff_t>(offset), bytes, u8{0});
        return Ok{};
    }

    std::vector<u8> data;
    bool failing = false, discards = false, is_busy = false, settles = true;
    int flushes = 0, flushes_begun = 0;

  private:
    bool read_only_;
};

struct Bench {
    Log log;
    ManualTime time;
    EventQueue queue{time};
    IoBus io{log};
    std::unique_ptr<PhysicalMap> memory = std::move(PhysicalMap::create(16 * MiB).value());
    PciBus pci{io, *memory, log};

    Bench() { (void)io.map(0xCF8, pci, 0).ok(); }

    // Lets virtual time pass, firing what is due on the way.
    void run(Nanoseconds duration) {
        const Nanoseconds end = time.now_ + duration;
        while (queue.next_deadline() <= end) {
            time.now_ = std::max(time.now_, queue.next_deadline());
            queue.run_due();
        }
        time.now_ = end;
    }

    u8 in8(u16 port) { return static_cast<u8>(io.read(port, 1)); }
    u16 in16(u16 port) { return static_cast<u16>(io.read(port, 2)); }
    u32 in32(u16 port) { return io.read(port, 4); }
    void out8(u16 port, u32 v) { io.write(port, v & 0xFF, 1); }
    void out16(u16 port, u32 v) { io.write(port, v & 0xFFFF, 2); }
    void out32(u16 port, u32 v) { io.write(port, v, 4); }

    void config_address(unsigned slot, unsigned function, unsigned reg) {
        out32(0xCF8, 0x80000000u | slot << 11 | function << 8 | (reg & 0xFC));
    }
    u32 config_read(unsigned slot, unsigned function, unsigned reg, unsigned width = 4) {
        config_address(slot, function, reg);
        return io.read(static_cast<u16>(0xCFC + (reg & 3)), width);
    }
    void config_write(unsigned slot, unsigned function, unsigned reg, u32 value, unsigned width = 4) {
        config_address(slot, function, reg);
        io.write(static_cast<u16>(0xCFC + (reg & 3)), value, width);
    }
};

// Saves a device's state, or loads it.
template <class T>
std::vector<u8> save(T& device) {
    Archive ar;
    device.visit(ar);
    return ar.data();
}
template <class T>
std::string load(T& device, std::span<const u8> data) {
    Archive ar(Archive::Mode::load, data);
    device.visit(ar);
    return ar.error();
}

}  // namespace mynah::test
