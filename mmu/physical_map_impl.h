// The implementation of PhysicalMap: RAM by arithmetic, everything else in leaves of 2 MiB.
#pragma once

#include <array>
#include <map>

#include "base/host_memory.h"
#include "mmu/physical_map.h"

namespace mynah {

class PhysicalMapImpl final : public PhysicalMap {
  public:
    PhysicalMapImpl(HostMemory memory, u64 size, u64 below_4g);

    Target read_target(PhysicalAddress page) const override;
    Target write_target(PhysicalAddress page) const override;

    MappingId map_mmio(PhysicalAddress base, u64 length, MmioHandler& handler,
                       std::string_view name) override;
    MappingId map_rom(PhysicalAddress base, std::span<u8> rom, std::string_view name) override;
    MappingId map_memory(PhysicalAddress base, std::span<u8> memory, std::string_view name) override;
    void unmap(MappingId id) override;
    void set_shadow(PhysicalAddress base, u64 length, bool read_ram, bool write_ram) override;
    void set_a20(bool enabled) override;
    bool a20() const override { return a20_; }

    void read(PhysicalAddress address, std::span<u8> out) override;
    void write(PhysicalAddress address, std::span<const u8> data) override;
    u64 read(PhysicalAddress address, unsigned width) override;
    void write(PhysicalAddress address, u64 value, unsigned width) override;

    u64 ram_size() const override { return size_; }
    u64 ram_below_4g() const override { return below_; }
    u64 ram_above_4g() const override { return size_ - below_; }
    std::span<u8> ram() override { return {memory_.data(), size_}; }
    u8 flags(PhysicalAddress frame) const override;
    void set_flag(PhysicalAddress frame, u8 flag) override;
    void clear_flag(PhysicalAddress frame, u8 flag) override;
    void notify_written(PhysicalAddress address, u64 length) override;
    void observe_frames(u8 flag, FrameObserver& observer) override;
    void observe_map(MapObserver& observer) override;

    void visit(Archive& ar) override;
    std::string describe() const override;

  private:
    static constexpr unsigned kLeafShift = 21;
    static constexpr u64 kLeavesPerGib = u64{1} << (30 - kLeafShift);
    static constexpr u64 kLeafPages = u64{1} << (kLeafShift - kPageShift);

    enum class Kind : u8 { mmio, rom, memory };
    struct Mapping {
        MappingId id;
        Kind kind;
        PhysicalAddress base;
        u64 length;
        u8* host;
        MmioHandler* handler;
        std::string name;
        std::vector<u8> tail;  // the last page of a ROM that does not fill it
        u64 end() const { return base + length; }
        u8* page_host(PhysicalAddress page);
    };
    // A page that several mappings share, or one covers in part.
    class SplitPage;
    struct Leaf {
        std::array<Target, kLeafPages> read;
        std::array<Target, kLeafPages> write;
        std::array<u8, kLeafPages> flags{};  // of pages that are not RAM
    };

    static constexpr u64 kNoRam = ~u64{0};
    u64 ram_offset(PhysicalAddress address) const {
        if (address < below_) return address;
        const u64 above = address - 4 * GiB;
        return address >= 4 * GiB && above < size_ - below_ ? below_ + above : kNoRam;
    }
    u8* ram_page(PhysicalAddress page) const {
        const u64 offset = ram_offset(page);
        return offset == kNoRam ? nullptr : memory_.data() + offset;
    }
    Leaf* leaf(PhysicalAddress page) const {
        if (page >> kPhysicalBits) return nullptr;
        const auto& gib = leaves_[page >> 30];
        return gib ? (*gib)[(page >> kLeafShift) % kLeavesPerGib].get() : nullptr;
    }
    Leaf& make_leaf(PhysicalAddress page);
    u8* flags_of(PhysicalAddress frame);

    MappingId add(Mapping mapping);
    void recompute(PhysicalAddress base, u64 length);
    void recompute_page(PhysicalAddress page);
    Target topmost(PhysicalAddress page, bool for_write);
    void changed();
    void visit_ram(Archive& ar);

    HostMemory memory_;
    u64 size_;
    u64 below_;
    bool a20_ = true;
    std::vector<u8> ram_flags_;
    std::vector<std::unique_ptr<std::array<std::unique_ptr<Leaf>, kLeavesPerGib>>> leaves_;  // by GiB
    std::vector<Mapping> mappings_;  // in the order in which they were made
    MappingId next_id_ = 1;
    struct Shadow {
        bool read_ram = false;
        bool write_ram = false;
        bool operator==(const Shadow&) const = default;
    };
    std::map<PhysicalAddress, Shadow> shadow_;  // by page, those that are not all false
    std::map<PhysicalAddress, std::unique_ptr<SplitPage>> split_;
    std::vector<std::pair<u8, FrameObserver*>> frame_observers_;
    std::vector<MapObserver*> map_observers_;
};

}  // namespace mynah
