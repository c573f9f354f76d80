#include "devices/virtio/rng.h"

#include <algorithm>

namespace mynah {

namespace {

constexpr u16 kType = 4;
constexpr u32 kClass = 0x00FF00;
constexpr u16 kQueueSize = 8;
// A buffer may be filled in part; a driver comes back for more.
constexpr u64 kMostBytes = 4 * KiB;

}  // namespace

VirtioRng::VirtioRng(std::string name, EventQueue& events, std::function<u64()> random)
    : VirtioPci(std::move(name), {kType, kClass}, events, {kQueueSize}, 0), random_(std::move(random)) {
    VirtioRng::reset();
}

void VirtioRng::work(unsigned queue) {
    VirtioChain chain;
    while (pop(queue, chain)) {
        std::vector<u8> bytes(align_up(std::min(chain.writable_bytes, kMostBytes), 8));
        for (size_t i = 0; i < bytes.size(); i += 8) store_le(&bytes[i], random_());
        VirtioMemory ram = memory();
        VirtioCursor out(ram, chain.writable);
        const u64 n = out.write(bytes);
        push(queue, chain, static_cast<u32>(n));
    }
}

}  // namespace mynah
