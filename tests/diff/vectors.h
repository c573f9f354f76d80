// What the host's processor made of single instructions, in a file, so that any host can be held to it.
//
// The file is one zstd frame of records, all numbers little-endian. The state an instruction starts from is
// random_state() of a seed, with the few registers that had to be chosen; the data window is filled from
// kFillSeed before each record. Of the result, only what differs from the start is written.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diff/random_state.h"

namespace mynah::test {

inline constexpr u64 kFillSeed = 0x6D796E6168;

struct MemoryChange {
    u16 at = 0;  // in the data window
    std::vector<u8> bytes;
};

struct Recorded {
    std::vector<u8> code;
    Mode mode{};
    u16 seed = 0;
    u16 chosen = 0;  // registers that are not those of the seed
    UserState start;
    bool floating = false;  // the x87 and SSE state counts
    bool keeps_c1 = false;  // FCOMI: AMD leaves C1
    bool wide = false;      // the upper halves of the YMM registers count
    u32 flags = 0;          // EFLAGS bits that are defined
    Outcome end;            // with end.state.fx as counted() gives it
    std::vector<MemoryChange> memory;
};

// The parts of an FXSAVE image that are compared, the rest 0.
std::array<u8, 512> counted(const UserState& s, bool keeps_c1);
std::vector<MemoryChange> changes(std::span<const u8> before, std::span<const u8> after);

void put_record(std::vector<u8>& out, const Recorded& r);
// Nothing: the file is cut short.
std::optional<Recorded> take_record(std::span<const u8>& in);

bool write_compressed(const std::string& path, std::span<const u8> bytes);
// Empty if it cannot be read.
std::vector<u8> read_compressed(const std::string& path);

}  // namespace mynah::test
