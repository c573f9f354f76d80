// Values that instructions care about: edges, NaNs, denormals. The recorded vectors hold seeds of these
// functions: after a change here they must be recorded anew (see record_test.cpp).
#pragma once

#include <span>

#include "cpu/flags.h"
#include "diff/state.h"
#include "support/random.h"

namespace mynah::test {

// 64-bit code, 32-bit code, 32-bit code with 16-bit addresses, 16-bit code in protected mode.
enum class Mode : u8 { bits64, bits32, addresses16, bits16 };
inline u8 code_size_of(Mode m) {
    return m == Mode::bits64 ? 8 : m == Mode::bits16 ? 2 : 4;
}
inline bool is_segmented(Mode m) {
    return m == Mode::addresses16 || m == Mode::bits16;
}

u64 interesting(Random& random);
u64 interesting_float(Random& random);
void randomize_fx(std::array<u8, 512>& fx, Random& random);
// The upper halves of the YMM registers that the mode has.
void randomize_upper(UserState& s, Random& random);
void fill(std::span<u8> memory, Random& random);
UserState random_state(u64 seed, Mode mode);

}  // namespace mynah::test
