// Guest memory twice: what devices do to it reaches both copies, and registers that a processor accesses go
// over the tape.
#pragma once

#include <map>
#include <memory>

#include "machine/lockstep_tape.h"
#include "mmu/physical_map.h"

namespace mynah {

// What the machine's parts see. The first copy is the real one; a processor is given first() or second().
class LockstepMemory final : public PhysicalMap {
  public:
    LockstepMemory(std::unique_ptr<PhysicalMap> first, std::unique_ptr<PhysicalMap> second);
    ~LockstepMemory() override;

    static Result<std::unique_ptr<LockstepMemory>> create(u64 ram_size);

    PhysicalMap& first() { return *first_; }
    PhysicalMap& second() { return *second_; }
    Tape& tape() { return tape_; }
    TapePlayer& first_player() { return first_player_; }
    TapePlayer& second_player() { return second_player_; }
    // From now on the first processor is played to as well: nothing of it reaches the machine.
    void play_first() { playing_first_ = true; }
    bool playing_first() const { return playing_first_; }
    // A device uses memory: windows are passed through.
    bool device_access() const { return device_access_ != 0; }
    void connect(Cpu& first) { cpu_ = &first; }
    // Of the first processor.
    u64 instructions() const { return cpu_ == nullptr ? 0 : cpu_->instructions(); }

    Target read_target(PhysicalAddress page) const override { return first_->read_target(page); }
    Target write_target(PhysicalAddress page) const override { return first_->write_target(page); }
    MappingId map_mmio(PhysicalAddress base, u64 length, MmioHandler& handler,
                       std::string_view name) override;
    MappingId map_rom(PhysicalAddress base, std::span<u8> rom, std::string_view name) override;
    MappingId map_memory(PhysicalAddress base, std::span<u8> memory, std::string_view name) override;
    void unmap(MappingId id) override;
    void set_shadow(PhysicalAddress base, u64 length, bool read_ram, bool write_ram) override;
    void set_a20(bool enabled) override;
    bool a20() const override { return first_->a20(); }
    void read(PhysicalAddress address, std::span<u8> out) override;
    void write(PhysicalAddress address, std::span<const u8> data) override;
    u64 read(PhysicalAddress address, unsigned width) override;
    void write(PhysicalAddress address, u64 value, unsigned width) override;
    u64 ram_size() const override { return first_->ram_size(); }
    u64 ram_below_4g() const override { return first_->ram_below_4g(); }
    u64 ram_above_4g() const override { return first_->ram_above_4g(); }
    std::span<u8> ram() override { return first_->ram(); }
    u8 flags(PhysicalAddress frame) const override { return first_->flags(frame); }
    void set_flag(PhysicalAddress frame, u8 flag) override { first_->set_flag(frame, flag); }
    void clear_flag(PhysicalAddress frame, u8 flag) override { first_->clear_flag(frame, flag); }
    // A device wrote in place, to the first copy: the second gets it from there.
    void notify_written(PhysicalAddress address, u64 length) override;
    void observe_frames(u8 flag, FrameObserver& observer) override { first_->observe_frames(flag, observer); }
    void observe_map(MapObserver& observer) override { first_->observe_map(observer); }
    void visit(Archive& ar) override;
    std::string describe() const override { return first_->describe(); }

  private:
    class Window;
    class Replay;
    class Bytes;
    struct Pair;
    void rewire(std::function<void(PhysicalMap&)> change);
    Pair& pair_of(MmioHandler& handler);
    MappingId map_pair(PhysicalAddress base, u64 length, Pair& pair, std::string_view name);

    std::unique_ptr<PhysicalMap> first_;
    std::unique_ptr<PhysicalMap> second_;
    Tape tape_;
    TapePlayer first_player_{tape_};
    TapePlayer second_player_{tape_};
    Cpu* cpu_ = nullptr;
    bool playing_first_ = false;
    unsigned device_access_ = 0;
    // Kept for good: one may be unmapped while it is in use.
    std::map<const void*, std::unique_ptr<Pair>> pairs_;
    std::map<MappingId, MappingId> second_ids_;  // by the first's
};

}  // namespace mynah
