// The two processors' hosts, and what each wrote.
#pragma once

#include <vector>

#include "machine/lockstep.h"

namespace mynah {

// The machine, with everything on the tape.
class Lockstep::First final : public CpuHost {
  public:
    First(LockstepMemory& memory, CpuHost& machine) : memory_(memory), machine_(machine) {}

    u32 port_read(u16 port, unsigned width) override {
        return static_cast<u32>(ask({Asked::Kind::port_read, static_cast<u8>(width), 0, port, 0, 0},
                                    [&] { return machine_.port_read(port, width); }));
    }
    void port_write(u16 port, u32 value, unsigned width) override {
        tell({Asked::Kind::port_write, static_cast<u8>(width), 0, port, value, 0},
             [&] { machine_.port_write(port, value, width); });
    }
    u8 interrupt_acknowledge() override {
        return static_cast<u8>(
            ask({.kind = Asked::Kind::acknowledge}, [&] { return machine_.interrupt_acknowledge(); }));
    }
    Nanoseconds now() override {
        return ask({.kind = Asked::Kind::now}, [&] { return machine_.now(); });
    }
    u64 wall_clock() override {
        return ask({.kind = Asked::Kind::wall_clock}, [&] { return machine_.wall_clock(); });
    }
    void arm_apic_timer(Nanoseconds deadline) override {
        tell({.kind = Asked::Kind::arm_timer, .value = deadline}, [&] { machine_.arm_apic_timer(deadline); });
    }
    void cancel_apic_timer() override {
        tell({.kind = Asked::Kind::cancel_timer}, [&] { machine_.cancel_apic_timer(); });
    }
    void broadcast_eoi(u8 vector) override {
        tell({.kind = Asked::Kind::end_of_interrupt, .value = vector},
             [&] { machine_.broadcast_eoi(vector); });
    }
    void set_ferr(bool asserted) override {
        tell({.kind = Asked::Kind::ferr, .value = asserted}, [&] { machine_.set_ferr(asserted); });
    }
    bool ignne() override {
        return ask({.kind = Asked::Kind::ignne}, [&] { return u64{machine_.ignne()}; }) != 0;
    }
    u64 random() override {
        return ask({.kind = Asked::Kind::random}, [&] { return machine_.random(); });
    }

  private:
    template <class F>
    u64 ask(Asked asked, F real) {
        if (memory_.playing_first()) return memory_.first_player().ask(asked);
        asked.retired = memory_.instructions();
        const size_t item = memory_.tape().ask(asked);
        const u64 value = real();
        memory_.tape().answer(item, value);
        return value;
    }
    template <class F>
    void tell(Asked asked, F real) {
        if (memory_.playing_first()) return (void)memory_.first_player().ask(asked);
        asked.retired = memory_.instructions();
        memory_.tape().ask(asked);
        real();
    }

    LockstepMemory& memory_;
    CpuHost& machine_;
};

// The tape alone.
class Lockstep::Second final : public CpuHost {
  public:
    explicit Second(TapePlayer& player) : player_(player) {}

    u32 port_read(u16 port, unsigned width) override {
        return static_cast<u32>(player_.ask({Asked::Kind::port_read, static_cast<u8>(width), 0, port, 0, 0}));
    }
    void port_write(u16 port, u32 value, unsigned width) override {
        player_.ask({Asked::Kind::port_write, static_cast<u8>(width), 0, port, value, 0});
    }
    u8 interrupt_acknowledge() override {
        return static_cast<u8>(player_.ask({.kind = Asked::Kind::acknowledge}));
    }
    Nanoseconds now() override { return player_.ask({.kind = Asked::Kind::now}); }
    u64 wall_clock() override { return player_.ask({.kind = Asked::Kind::wall_clock}); }
    void arm_apic_timer(Nanoseconds deadline) override {
        player_.ask({.kind = Asked::Kind::arm_timer, .value = deadline});
    }
    void cancel_apic_timer() override { player_.ask({.kind = Asked::Kind::cancel_timer}); }
    void broadcast_eoi(u8 vector) override {
        player_.ask({.kind = Asked::Kind::end_of_interrupt, .value = vector});
    }
    void set_ferr(bool asserted) override { player_.ask({.kind = Asked::Kind::ferr, .value = asserted}); }
    bool ignne() override { return player_.ask({.kind = Asked::Kind::ignne}) != 0; }
    u64 random() override { return player_.ask({.kind = Asked::Kind::random}); }

  private:
    TapePlayer& player_;
};

// Lists the RAM pages that are written: each is flagged until then.
class Lockstep::Written final : public FrameObserver {
  public:
    explicit Written(PhysicalMap& map) : map_(map) {
        map_.observe_frames(frame_flag::clean, *this);
        const auto watch = [&](PhysicalAddress base, u64 length) {
            for (u64 at = 0; at < length; at += kPageSize) map_.set_flag(base + at, frame_flag::clean);
        };
        watch(0, map_.ram_below_4g());
        watch(4 * GiB, map_.ram_above_4g());
    }
    void frame_written(PhysicalAddress address, u64) override {
        const PhysicalAddress frame = address & ~kPageMask;
        map_.clear_flag(frame, frame_flag::clean);
        if (offset(frame) < map_.ram_size()) frames_.push_back(frame);
    }
    const std::vector<PhysicalAddress>& frames() const { return frames_; }
    u8* bytes(PhysicalAddress frame) { return map_.ram().data() + offset(frame); }
    void watch_again() {
        for (const PhysicalAddress frame : frames_) map_.set_flag(frame, frame_flag::clean);
        frames_.clear();
    }

  private:
    u64 offset(PhysicalAddress frame) const {
        return frame < map_.ram_below_4g() ? frame
               : frame >= 4 * GiB          ? frame - 4 * GiB + map_.ram_below_4g()
                                           : ~u64{0};
    }
    PhysicalMap& map_;
    std::vector<PhysicalAddress> frames_;
};

}  // namespace mynah
