#include "machine/lockstep_memory.h"

#include <cstring>

#include "base/check.h"

namespace mynah {

// Registers as the first processor sees them.
class LockstepMemory::Window final : public MmioHandler {
  public:
    Window(LockstepMemory& memory, MmioHandler& target, u32 id) : memory_(memory), target_(target), id_(id) {}

    u64 read(u64 offset, unsigned width) override {
        if (memory_.device_access()) return target_.read(offset, width);
        const Asked asked = ask(Asked::Kind::memory_read, offset, 0, width);
        if (memory_.playing_first()) return play(asked);
        const size_t item = memory_.tape().ask(asked);
        const u64 value = target_.read(offset, width);
        memory_.tape().answer(item, value);
        return value;
    }
    void write(u64 offset, u64 value, unsigned width) override {
        if (memory_.device_access()) return target_.write(offset, value, width);
        const Asked asked = ask(Asked::Kind::memory_write, offset, value, width);
        if (memory_.playing_first()) return (void)play(asked);
        memory_.tape().ask(asked);
        target_.write(offset, value, width);
    }

  private:
    u64 play(const Asked& asked) {
        TapePlayer& player = memory_.first_player();
        return player.device_access() ? 0 : player.ask(asked);
    }
    Asked ask(Asked::Kind kind, u64 offset, u64 value, unsigned width) const {
        return {kind, static_cast<u8>(width), id_, offset, value, memory_.instructions()};
    }

    LockstepMemory& memory_;
    MmioHandler& target_;
    u32 id_;
};

// The same for the second processor.
class LockstepMemory::Replay final : public MmioHandler {
  public:
    Replay(TapePlayer& player, u32 id) : player_(player), id_(id) {}

    u64 read(u64 offset, unsigned width) override {
        if (player_.device_access()) return 0;
        return player_.ask({Asked::Kind::memory_read, static_cast<u8>(width), id_, offset, 0, 0});
    }
    void write(u64 offset, u64 value, unsigned width) override {
        if (player_.device_access()) return;
        player_.ask({Asked::Kind::memory_write, static_cast<u8>(width), id_, offset, value, 0});
    }

  private:
    TapePlayer& player_;
    u32 id_;
};

// A frame buffer as registers: it is not RAM, so it is compared access by access.
class LockstepMemory::Bytes final : public MmioHandler {
  public:
    Bytes(PhysicalMap& map, std::span<u8> bytes) : map_(map), bytes_(bytes) {}
    void place(PhysicalAddress base) { base_ = base; }

    u64 read(u64 offset, unsigned width) override {
        u64 value = 0;
        if (offset + width <= bytes_.size()) std::memcpy(&value, bytes_.data() + offset, width);
        return value;
    }
    void write(u64 offset, u64 value, unsigned width) override {
        if (offset + width > bytes_.size()) return;
        std::memcpy(bytes_.data() + offset, &value, width);
        if (map_.flags(base_ + offset) != 0) map_.notify_written(base_ + offset, width);
    }

  private:
    PhysicalMap& map_;
    std::span<u8> bytes_;
    PhysicalAddress base_ = 0;
};

struct LockstepMemory::Pair {
    Pair(LockstepMemory& memory, MmioHandler& target, u32 id)
        : window(memory, target, id), replay(memory.second_player(), id) {}
    Window window;
    Replay replay;
    std::unique_ptr<Bytes> bytes;
};

LockstepMemory::LockstepMemory(std::unique_ptr<PhysicalMap> first, std::unique_ptr<PhysicalMap> second)
    : first_(std::move(first)), second_(std::move(second)) {}

LockstepMemory::~LockstepMemory() = default;

Result<std::unique_ptr<LockstepMemory>> LockstepMemory::create(u64 ram_size) {
    auto first = PhysicalMap::create(ram_size);
    if (!first) return first.error();
    auto second = PhysicalMap::create(ram_size);
    if (!second) return second.error();
    return std::make_unique<LockstepMemory>(std::move(*first), std::move(*second));
}

void LockstepMemory::rewire(std::function<void(PhysicalMap&)> change) {
    tape_.tell({.processor = {}, .memory = std::move(change), .rewires = true});
}

LockstepMemory::Pair& LockstepMemory::pair_of(MmioHandler& handler) {
    std::unique_ptr<Pair>& pair = pairs_[&handler];
    if (!pair) pair = std::make_unique<Pair>(*this, handler, static_cast<u32>(pairs_.size()));
    return *pair;
}

PhysicalMap::MappingId LockstepMemory::map_pair(PhysicalAddress base, u64 length, Pair& pair,
                                                std::string_view name) {
    const MappingId id = first_->map_mmio(base, length, pair.window, name);
    rewire([this, id, base, length, &pair, text = std::string(name)](PhysicalMap& map) {
        second_ids_[id] = map.map_mmio(base, length, pair.replay, text);
    });
    return id;
}

PhysicalMap::MappingId LockstepMemory::map_mmio(PhysicalAddress base, u64 length, MmioHandler& handler,
                                                std::string_view name) {
    return map_pair(base, length, pair_of(handler), name);
}

PhysicalMap::MappingId LockstepMemory::map_rom(PhysicalAddress base, std::span<u8> rom,
                                               std::string_view name) {
    const MappingId id = first_->map_rom(base, rom, name);
    rewire([this, id, base, rom, text = std::string(name)](PhysicalMap& map) {
        second_ids_[id] = map.map_rom(base, rom, text);
    });
    return id;
}

PhysicalMap::MappingId LockstepMemory::map_memory(PhysicalAddress base, std::span<u8> memory,
                                                  std::string_view name) {
    std::unique_ptr<Pair>& pair = pairs_[memory.data()];
    if (!pair) {
        auto bytes = std::make_unique<Bytes>(*first_, memory);
        pair = std::make_unique<Pair>(*this, *bytes, static_cast<u32>(pairs_.size()));
        pair->bytes = std::move(bytes);
    }
    pair->bytes->place(base);
    return map_pair(base, memory.size(), *pair, name);
}

void LockstepMemory::unmap(MappingId id) {
    first_->unmap(id);
    rewire([this, id](PhysicalMap& map) {
        if (const auto found = second_ids_.find(id); found != second_ids_.end()) {
            map.unmap(found->second);
            second_ids_.erase(found);
        }
    });
}

void LockstepMemory::set_shadow(PhysicalAddress base, u64 length, bool read_ram, bool write_ram) {
    first_->set_shadow(base, length, read_ram, write_ram);
    rewire([=](PhysicalMap& map) { map.set_shadow(base, length, read_ram, write_ram); });
}

void LockstepMemory::set_a20(bool enabled) {
    if (a20() == enabled) return;
    first_->set_a20(enabled);
    rewire([=](PhysicalMap& map) { map.set_a20(enabled); });
}

void LockstepMemory::read(PhysicalAddress address, std::span<u8> out) {
    ++device_access_;
    first_->read(address, out);
    --device_access_;
}

u64 LockstepMemory::read(PhysicalAddress address, unsigned width) {
    ++device_access_;
    const u64 value = first_->read(address, width);
    --device_access_;
    return value;
}

void LockstepMemory::write(PhysicalAddress address, std::span<const u8> data) {
    // First on the tape, then done: what it leads to comes behind it.
    tape_.tell({.processor = {},
                .memory = [address, copy = std::vector<u8>(data.begin(), data.end())](
                              PhysicalMap& map) { map.write(address, copy); },
                .rewires = false});
    ++device_access_;
    first_->write(address, data);
    --device_access_;
}

void LockstepMemory::write(PhysicalAddress address, u64 value, unsigned width) {
    tape_.tell({.processor = {},
                .memory = [=](PhysicalMap& map) { map.write(address, value, width); },
                .rewires = false});
    ++device_access_;
    first_->write(address, value, width);
    --device_access_;
}

void LockstepMemory::notify_written(PhysicalAddress address, u64 length) {
    std::vector<u8> copy(length);
    ++device_access_;
    first_->read(address, copy);
    --device_access_;
    tape_.tell({.processor = {},
                .memory = [address, bytes = std::move(copy)](PhysicalMap& map) { map.write(address, bytes); },
                .rewires = false});
    first_->notify_written(address, length);
}

void LockstepMemory::visit(Archive& ar) {
    first_->visit(ar);
    if (!ar.loading()) return;
    Archive save;
    first_->visit(save);
    rewire([bytes = save.data()](PhysicalMap& map) {
        Archive load(Archive::Mode::load, bytes);
        map.visit(load);
        MYNAH_CHECK(load.ok());
    });
}

}  // namespace mynah
