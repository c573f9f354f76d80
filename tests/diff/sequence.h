// Random programs of some ten instructions with branches, loops, calls, faults and stores to themselves, and
// the small machine that they run on. All of one follows from its seed.
#pragma once

#include <string>
#include <vector>

#include "cpu/cpu_state.h"
#include "cpu/insn.h"
#include "support/random.h"

namespace mynah::test {

// The machine's memory, and the linear addresses of its parts (see sequence_world.cpp).
inline constexpr u64 kWorldRam = 0x20000;
namespace world {
inline constexpr u64 handlers = 0x600;
inline constexpr u64 stack = 0x9000, stack_end = 0xB000;
inline constexpr u64 code = 0xB000, code_end = 0xE000;
inline constexpr u64 data = 0xE000, data_end = 0x16000;
// Where paging is on.
inline constexpr u64 read_only = 0x16000, absent = 0x17000, supervisor = 0x18000, no_execute = 0x19000;
inline constexpr u64 code_alias = 0x1A000;
}  // namespace world

enum class Setting : u8 {
    real16,
    protected16,
    flat32,
    segmented32,
    paged32,
    pae32,
    user32,
    long64,
    user64,
    compatible32,
    count
};
const char* name_of(Setting s);

struct Layout {
    Setting setting{};
    u8 code_size = 4;
    bool user = false;
    bool paged = false;
    u64 code_base = 0;  // of CS; other bases likewise
    u64 data_base = 0, stack_base = 0, extra_base = 0;
};
Layout layout_of(Setting s);

struct Sequence {
    u64 seed = 0;
    Layout layout;
    CpuState start;
    struct Slot {
        u64 address = 0;  // linear
        std::vector<u8> bytes;
    };
    std::vector<Slot> slots;
    size_t body = 0;  // slots before the routines that it calls
    u64 end = 0;      // linear, of the final HLT
    u64 noise = 0;    // of the data's content
    std::string describe() const;
};

Sequence make_sequence(u64 seed);
// The same with accesses that go on through a pointer which was used before.
Sequence make_one_base(u64 seed);
// The same with bytes at random for code.
Sequence make_noise(u64 seed);

// All of memory as it is in that setting before a sequence is put into it.
std::vector<u8> make_world(Setting s);
// The processor's state in it, from one that was just reset.
void enter(CpuState& state, const Layout& layout);

}  // namespace mynah::test
