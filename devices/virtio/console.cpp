#include "devices/virtio/console.h"

#include <algorithm>
#include <array>

namespace mynah {

namespace {

constexpr u16 kType = 3;
constexpr u32 kClass = 0x078000;
constexpr u16 kQueueSize = 128;
constexpr unsigned kReceive = 0, kTransmit = 1;
constexpr unsigned kEmergencyWrite = 2;
constexpr u32 kEmergencyWriteAt = 8, kConfigBytes = 12;
constexpr size_t kBlock = 4 * KiB;
// Of one event.
constexpr u64 kMostTransmitted = 256 * KiB;

}  // namespace

VirtioConsole::VirtioConsole(std::string name, EventQueue& events, CharBackend* backend)
    : VirtioPci(std::move(name), {kType, kClass}, events, {kQueueSize, kQueueSize}, kConfigBytes),
      backend_(backend) {
    offer(kEmergencyWrite);
    VirtioConsole::reset();
}

void VirtioConsole::input_ready() {
    if (live()) schedule(kReceive);
}

void VirtioConsole::work(unsigned queue) {
    queue == kReceive ? receive() : transmit();
}

void VirtioConsole::receive() {
    VirtioChain chain;
    std::array<u8, kBlock> bytes;
    while (backend_ != nullptr && backend_->input_waiting() && pop(kReceive, chain)) {
        const u64 room = std::min<u64>(chain.writable_bytes, kBlock);
        size_t n = 0;
        while (n < room && backend_->read(bytes[n])) ++n;
        VirtioMemory ram = memory();
        VirtioCursor out(ram, chain.writable);
        out.write(std::span(bytes).first(n));
        push(kReceive, chain, static_cast<u32>(n));
    }
}

void VirtioConsole::transmit() {
    VirtioChain chain;
    std::array<u8, kBlock> bytes;
    u64 sent = 0;
    while (sent < kMostTransmitted && pop(kTransmit, chain)) {
        VirtioMemory ram = memory();
        VirtioCursor in(ram, chain.readable);
        // No driver's buffer is as long as an event's share; of one that is longer the rest is lost.
        for (u64 taken = 0; in.left() != 0 && taken < kMostTransmitted;) {
            const std::span<const u8> data = std::span(bytes).first(in.read(bytes));
            if (backend_ != nullptr) backend_->write(data);
            taken += data.size();
        }
        sent += std::max<u64>(chain.readable_bytes, 1);
        push(kTransmit, chain, 0);
    }
    if (sent >= kMostTransmitted) schedule(kTransmit);
}

void VirtioConsole::config_structure_written(u32 offset, u64 value, unsigned) {
    if (offset != kEmergencyWriteAt) return;
    const u8 byte = static_cast<u8>(value);
    if (backend_ != nullptr) backend_->write(std::span(&byte, 1));
}

}  // namespace mynah
