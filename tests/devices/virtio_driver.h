// A driver of virtio devices for tests: finds the structures through the capabilities, sets up rings in
// memory, and can break every rule.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "devices/bench.h"
#include "devices/virtio/pci.h"

namespace mynah::test {

struct VirtioDriver {
    static constexpr unsigned kSlot = 4;
    static constexpr u32 kMessages = 0xFEB00000, kStructures = 0xFEB10000;
    static constexpr u64 kRings = 0x100000;  // 64 KiB for each queue
    static constexpr u64 kIndirectFeature = u64{1} << 28, kEventIndex = u64{1} << 29,
                         kVersion1 = u64{1} << 32;
    static constexpr u16 next = 1, write = 2, indirect = 4;

    Bench& b;
    std::map<u8, u64> at;  // structures by type
    u8 window = 0, msix = 0;
    std::map<unsigned, u16> available, seen;
    u16 size = 8;

    VirtioDriver(Bench& bench, PciFunction& device) : b(bench) {
        b.pci.add(device, kSlot, 0);
        b.config_write(kSlot, 0, 0x14, kMessages);
        b.config_write(kSlot, 0, 0x20, kStructures);
        b.config_write(kSlot, 0, 0x04, 6, 2);
        for (u32 cap = config(0x34, 1); cap != 0; cap = config(cap + 1, 1)) {
            if (config(cap, 1) == 0x11) msix = static_cast<u8>(cap);
            if (config(cap, 1) != 0x09) continue;
            const u8 type = static_cast<u8>(config(cap + 3, 1));
            if (type == 5) {
                window = static_cast<u8>(cap);
            } else {
                EXPECT_EQ(config(cap + 4, 1), 4u);
                at[type] = kStructures + config(cap + 8, 4);
            }
        }
    }
    u32 config(unsigned reg, unsigned width) { return b.config_read(kSlot, 0, reg, width); }
    u32 get(u32 offset, unsigned width) { return static_cast<u32>(b.memory->read(at[1] + offset, width)); }
    void set(u32 offset, u64 value, unsigned width) { b.memory->write(at[1] + offset, value, width); }
    void set64(u32 offset, u64 value) {
        set(offset, value & 0xFFFFFFFF, 4);
        set(offset + 4, value >> 32, 4);
    }
    u8 status() { return static_cast<u8>(get(20, 1)); }
    bool needs_reset() { return (status() & 64) != 0; }
    u64 offered() {
        set(0, 0, 4);
        const u64 low = get(4, 4);
        set(0, 1, 4);
        return low | u64{get(4, 4)} << 32;
    }
    void accept(u64 features) {
        set(20, 0, 1);
        set(20, 3, 1);
        set(8, 0, 4);
        set(12, features & 0xFFFFFFFF, 4);
        set(8, 1, 4);
        set(12, features >> 32, 4);
        set(20, 11, 1);
    }
    // Features and `queues` rings of `size`, then DRIVER_OK.
    void start(unsigned queues, u64 features = kVersion1) {
        accept(features);
        EXPECT_EQ(status(), 11);
        for (unsigned q = 0; q < queues; ++q) {
            set(22, q, 2);
            set(24, size, 2);
            set64(32, ring(q));
            set64(40, ring(q) + 0x4000);
            set64(48, ring(q) + 0x8000);
            set(28, 1, 2);
            std::vector<u8> zeros(0x10000);
            b.memory->write(ring(q), zeros);
            available[q] = seen[q] = 0;
        }
        set(20, 15, 1);
    }
    static u64 ring(unsigned q) { return kRings + q * 0x10000; }
    void describe(u64 table, unsigned n, u64 address, u32 length, u16 flags, u16 follower = 0) {
        const u64 d = table + 16 * n;
        b.memory->write(d, address, 8);
        b.memory->write(d + 8, length, 4);
        b.memory->write(d + 12, flags, 2);
        b.memory->write(d + 14, follower, 2);
    }
    struct Piece {
        u64 address;
        u32 length;
        bool writable = false;
    };
    // Puts a chain into descriptors `first` and up and makes it available, without a notification.
    void offer(unsigned q, std::vector<Piece> pieces, u16 first = 0) {
        for (size_t i = 0; i < pieces.size(); ++i) {
            const bool last = i + 1 == pieces.size();
            describe(ring(q), static_cast<unsigned>(first + i), pieces[i].address, pieces[i].length,
                     static_cast<u16>((last ? 0 : next) | (pieces[i].writable ? write : 0)),
                     static_cast<u16>(first + i + 1));
        }
        offer_head(q, first);
    }
    void offer_head(unsigned q, u16 head) {
        b.memory->write(ring(q) + 0x4004 + 2 * (available[q] % size), head, 2);
        b.memory->write(ring(q) + 0x4002, ++available[q], 2);
    }
    void notify(unsigned q) {
        b.memory->write(at[2] + 4 * q, q, 2);
        b.run(1000);
    }
    // How many buffers came back since the last call.
    unsigned used(unsigned q) {
        const u16 now = static_cast<u16>(b.memory->read(ring(q) + 0x8002, 2));
        return static_cast<u16>(now - std::exchange(seen[q], now));
    }
    u32 written(unsigned q, u16 index) {
        return static_cast<u32>(b.memory->read(ring(q) + 0x8004 + 8 * (index % size) + 4, 4));
    }
    u8 isr() { return static_cast<u8>(b.memory->read(at[3], 1)); }
    void put(u64 address, std::vector<u8> bytes) { b.memory->write(address, bytes); }
    std::vector<u8> get_bytes(u64 address, size_t n) {
        std::vector<u8> out(n);
        b.memory->read(address, out);
        return out;
    }
};

}  // namespace mynah::test
