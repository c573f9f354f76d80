// Guest physical memory: one RAM block, ROMs and memory-mapped registers, by page of 4 KiB.
//
// RAM is one host mapping of one memfd, so that later engines can map it again. A physical page has a target
// for reads (and fetches) and one for writes: PAM shadowing reads ROM and writes RAM, for example. Per-frame
// flags make writes to pages with code, page tables or watched content take the slow path.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/archive.h"
#include "base/result.h"
#include "base/types.h"

namespace mynah {

inline constexpr unsigned kPageShift = 12;
inline constexpr u64 kPageSize = u64{1} << kPageShift;
inline constexpr u64 kPageMask = kPageSize - 1;

// Physical addresses are at most 52 bits wide (SDM vol. 3A 4.1.4); the models here report 40.
using PhysicalAddress = u64;

// Memory-mapped registers. `offset` counts from the start of the mapping; width is 1, 2, 4 or 8.
class MmioHandler {
  public:
    virtual ~MmioHandler() = default;
    virtual u64 read(u64 offset, unsigned width) = 0;
    virtual void write(u64 offset, u64 value, unsigned width) = 0;
};

// Why a write to a RAM frame may not take the fast path. Bits.
namespace frame_flag {
inline constexpr u8 code = 1;        // decoded or translated code: see CodeObserver
inline constexpr u8 page_table = 2;  // a cached translation was read from it
inline constexpr u8 clean = 4;       // dirty tracking is on (a display) and the frame not yet written
inline constexpr u8 watched = 8;
inline constexpr u8 translated = 16;  // host code was made from it
}  // namespace frame_flag

// Told of every write (CPU's slow path, DMA, ROM remapping) to frames with the flag.
class FrameObserver {
  public:
    virtual ~FrameObserver() = default;
    // `address` .. + `length` lies within one frame. Called after the bytes have changed.
    virtual void frame_written(PhysicalAddress address, u64 length) = 0;
};

// Told when the map itself changes: every cached translation and block may be stale.
class MapObserver {
  public:
    virtual ~MapObserver() = default;
    virtual void map_changed() = 0;
    // Only gate A20 was switched: the map is the same, what CPU addresses mean is not.
    virtual void a20_changed() { map_changed(); }
    // A frame got its first flag: drop fast write paths to it.
    virtual void frame_protected(PhysicalAddress frame) = 0;
};

class PhysicalMap {
  public:
    static constexpr unsigned kPhysicalBits = 40;

    // Makes `ram_size` bytes of zeroed RAM: up to `below_4g` at 0, the rest from 4 GiB on. Error: host
    // memory.
    static Result<std::unique_ptr<PhysicalMap>> create(u64 ram_size, u64 below_4g = 3 * GiB + 512 * MiB);
    virtual ~PhysicalMap() = default;

    // The target of a page. Exactly one of host/mmio is set, or neither: reads as ones, ignores writes.
    struct Target {
        u8* host = nullptr;
        MmioHandler* mmio = nullptr;
        u64 offset = 0;  // of the page within the MMIO mapping
    };
    virtual Target read_target(PhysicalAddress page) const = 0;
    virtual Target write_target(PhysicalAddress page) const = 0;

    // --- composition. Later mappings lie over earlier ones; unmap() uncovers what was below. ---
    using MappingId = u32;
    virtual MappingId map_mmio(PhysicalAddress base, u64 length, MmioHandler& handler,
                               std::string_view name) = 0;
    // Read-only memory; `rom` must outlive the mapping. Writes are ignored.
    virtual MappingId map_rom(PhysicalAddress base, std::span<u8> rom, std::string_view name) = 0;
    // Host memory that is not guest RAM (a frame buffer); page-aligned, readable and writable.
    virtual MappingId map_memory(PhysicalAddress base, std::span<u8> memory, std::string_view name) = 0;
    virtual void unmap(MappingId id) = 0;
    // PAM (i440FX data sheet 3.2.18): where reads and writes of a RAM-backed range go; `false` uncovers what
    // is mapped by map_rom()/map_mmio() there, `true` is RAM.
    virtual void set_shadow(PhysicalAddress base, u64 length, bool read_ram, bool write_ram) = 0;
    // Gate A20: off masks bit 20 of every CPU access.
    virtual void set_a20(bool enabled) = 0;
    virtual bool a20() const = 0;

    // --- access by devices (DMA) and by everything that is not on a fast path. Never affected by A20. ---
    virtual void read(PhysicalAddress address, std::span<u8> out) = 0;
    virtual void write(PhysicalAddress address, std::span<const u8> data) = 0;
    // One access of 1, 2, 4 or 8 bytes, within a page; MMIO sees its width.
    virtual u64 read(PhysicalAddress address, unsigned width) = 0;
    virtual void write(PhysicalAddress address, u64 value, unsigned width) = 0;

    // --- RAM and its flags ---
    virtual u64 ram_size() const = 0;
    virtual u64 ram_below_4g() const = 0;
    virtual u64 ram_above_4g() const = 0;
    virtual std::span<u8> ram() = 0;  // in memfd order: below 4 GiB first
    virtual u8 flags(PhysicalAddress frame) const = 0;
    virtual void set_flag(PhysicalAddress frame, u8 flag) = 0;
    virtual void clear_flag(PhysicalAddress frame, u8 flag) = 0;
    // After a write to a frame whose flags() are not 0, or by a device in place: tells the observers.
    virtual void notify_written(PhysicalAddress address, u64 length) = 0;
    virtual void observe_frames(u8 flag, FrameObserver& observer) = 0;
    virtual void observe_map(MapObserver& observer) = 0;

    // RAM content, shadow settings, A20.
    virtual void visit(Archive& ar) = 0;
    // Lines "base-end name" for `info mtree`.
    virtual std::string describe() const = 0;
};

}  // namespace mynah
