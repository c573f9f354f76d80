#include "cpu/system/kvm_clock.h"

#include <algorithm>
#include <span>

#include "base/bits.h"
#include "cpu/system/cpu_model.h"
#include "cpu/system/msr.h"

namespace mynah {

namespace {

constexpr u64 kEnable = 1;
constexpr unsigned kClockBytes = 32, kWallBytes = 12;
constexpr u8 kStable = 1;  // the counter needs no correction between processors
// Nanoseconds are (ticks << shift) * multiplier >> 32.
constexpr u32 kMultiplier = 0x80000000;
constexpr u8 kShift = 1;
static_assert((kTscHz << kShift) * u64{kMultiplier} >> 32 == 1'000'000'000);

// Plain memory all of it: registers of devices are not written to.
bool is_memory(Core& core, u64 address, u64 bytes) {
    if (address >> PhysicalMap::kPhysicalBits) return false;
    for (u64 page = address & ~kPageMask; page < address + bytes; page += kPageSize) {
        if (core.memory.write_target(page).host == nullptr || core.memory.read_target(page).host == nullptr)
            return false;
    }
    return true;
}

// Writes a structure that begins with a version, even while it is whole. `body` is what follows that.
void write(Core& core, u64 address, std::span<const u8> body) {
    u8 version[4];
    core.memory.read(address, std::span(version));
    store_le(version, (load_le<u32>(version) | 1) + 1);
    core.memory.write(address + sizeof version, body);
    core.memory.write(address, std::span<const u8>(version));
}

}  // namespace

void update_kvm_clock(Core& core) {
    const u64 place = core.state.msr.kvm_clock;
    const u64 address = place & ~kEnable;
    if (!(place & kEnable) || !is_memory(core, address, kClockBytes)) return;
    const Nanoseconds now = core.host.now();
    u8 body[kClockBytes - 4]{};
    store_le(body + 4, now + core.state.msr.tsc_offset);
    store_le(body + 12, now);
    store_le(body + 20, kMultiplier);
    body[24] = kShift;
    body[25] = kStable;
    write(core, address, body);
}

void write_kvm_wall_clock(Core& core, u64 address) {
    if (!is_memory(core, address, kWallBytes)) return;
    u8 body[kWallBytes - 4]{};
    store_le(body, static_cast<u32>(core.host.wall_clock()));
    write(core, address, body);
}

}  // namespace mynah
