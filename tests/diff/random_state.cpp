#include "diff/random_state.h"

#include <bit>

#include "base/bits.h"

namespace mynah::test {

u64 interesting(Random& random) {
    static constexpr u64 kEdges[] = {0,
                                     1,
                                     2,
                                     ~u64{0},
                                     0x7F,
                                     0x80,
                                     0xFF,
                                     0x7FFF,
                                     0x8000,
                                     0xFFFF,
                                     0x7FFFFFFF,
                                     0x80000000,
                                     0xFFFFFFFF,
                                     0x7FFFFFFFFFFFFFFF,
                                     0x8000000000000000,
                                     0x100,
                                     0x10000,
                                     0x100000000};
    switch (random.below(4)) {
        case 0:
            return kEdges[random.below(static_cast<u32>(std::size(kEdges)))];
        case 1:
            return random.next() >> random.below(64);
        case 2: {
            const unsigned width = 1 + random.below(63);
            return sign_extend(random.next(), width);
        }
        default:
            return random.next();
    }
}

namespace {

float small_float(Random& random) {
    return static_cast<float>(static_cast<i32>(random.below(20000)) - 10000) / 64;
}

}  // namespace

u64 interesting_float(Random& random) {
    static constexpr u32 kSingles[] = {0,          0x80000000, 0x3F800000, 0xBF800000, 0x7F800000,
                                       0xFF800000, 0x7FC00000, 0x7F800001, 0xFFC12345, 1,
                                       0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x4B800000, 0xCF000000};
    static constexpr u64 kDoubles[] = {0,
                                       0x8000000000000000,
                                       0x3FF0000000000000,
                                       0xBFF0000000000000,
                                       0x7FF0000000000000,
                                       0xFFF0000000000000,
                                       0x7FF8000000000000,
                                       0x7FF0000000000001,
                                       1,
                                       0x000FFFFFFFFFFFFF,
                                       0x0010000000000000,
                                       0x7FEFFFFFFFFFFFFF,
                                       0x41E0000000000000,
                                       0xC1E0000000000000};
    auto single = [&]() -> u64 {
        return random.chance(2) ? kSingles[random.below(static_cast<u32>(std::size(kSingles)))]
                                : std::bit_cast<u32>(small_float(random));
    };
    switch (random.below(4)) {
        case 0: {
            const u64 low = single();
            return single() << 32 | low;
        }
        case 1:
            return kDoubles[random.below(static_cast<u32>(std::size(kDoubles)))];
        case 2:
            return std::bit_cast<u64>(static_cast<double>(small_float(random)));
        default:
            return random.next();
    }
}

void randomize_fx(std::array<u8, 512>& fx, Random& random) {
    fx.fill(0);
    // One draw a statement: C++ leaves the order within an expression open, and vectors must replay anywhere.
    u32 control = 0x37F;
    if (!random.chance(2)) {
        control = (random.below(16) << 8 & 0xF00) | 0x40;
        control |= random.below(64);
    }
    store_le<u16>(&fx[0], static_cast<u16>(control));
    const u16 top = static_cast<u16>(random.below(8));
    u32 status = u32{top} << 11;
    status |= (random.below(16) & 7) << 8;
    status |= random.below(2) << 14;
    store_le<u16>(&fx[2], static_cast<u16>(status));
    fx[4] = static_cast<u8>(random.chance(2) ? 0xFF : random.next());
    for (unsigned n = 0; n < 8; ++n) {
        static constexpr u16 kExponents[] = {0,      0x3FFF, 0x7FFF, 0xFFFF, 0xBFFF, 1,
                                             0x7FFE, 0x4000, 0x403E, 0xC03E, 0x3FBE};
        u64 significand = random.chance(3) ? u64{1} << 63 : random.next() | u64{1} << 63;
        u16 exponent;
        if (random.chance(2)) {
            exponent = kExponents[random.below(static_cast<u32>(std::size(kExponents)))];
        } else {
            const u32 sign = random.chance(2) ? 0x8000 : 0;
            exponent = static_cast<u16>(sign | (0x3FF0 + random.below(40)));
        }
        if (random.chance(8)) significand = 0, exponent &= 0x8000;
        if (random.chance(16)) significand &= ~(u64{1} << 63);  // denormal or unsupported
        store_le(&fx[32 + 16 * n], significand);
        store_le(&fx[40 + 16 * n], exponent);
    }
    u32 mxcsr = 0x1F80;
    if (!random.chance(2)) {
        mxcsr = static_cast<u32>(random.next()) & 0xFFFF;
        mxcsr |= random.chance(4) ? 0 : 0x1F80;
    }
    store_le<u32>(&fx[24], mxcsr);
    store_le<u32>(&fx[28], 0xFFFF);
    for (unsigned at = 160; at < 416; at += 8) {
        const u64 v = random.chance(2) ? interesting_float(random) : interesting(random);
        store_le(&fx[at], v);
    }
}

void randomize_upper(UserState& s, Random& random) {
    s.upper.fill(0);
    for (unsigned at = 0; at < (s.code_size == 8 ? 256 : 128); at += 8) {
        const u64 v = random.chance(2) ? interesting_float(random) : interesting(random);
        store_le(&s.upper[at], v);
    }
}

void fill(std::span<u8> memory, Random& random) {
    for (size_t at = 0; at + 8 <= memory.size(); at += 8) {
        u64 v;
        switch (random.below(4)) {
            case 0:
                v = interesting_float(random);
                break;
            case 1:
                v = u64{0x0101010101010101} * random.below(4);
                break;
            default:
                v = interesting(random);
                break;
        }
        store_le(&memory[at], v);
    }
}

UserState random_state(u64 seed, Mode mode) {
    Random random(seed);
    UserState s;
    s.code_size = code_size_of(mode);
    s.segmented = is_segmented(mode);
    for (u64& r : s.gpr) r = interesting(random) & (s.code_size == 8 ? ~u64{0} : 0xFFFFFFFF);
    if (s.code_size != 8)
        for (unsigned n = 8; n < 16; ++n) s.gpr[n] = 0;
    s.eflags = eflags::fixed | (static_cast<u32>(random.next()) & eflags::arithmetic);
    s.eflags |= random.chance(2) ? eflags::df : 0;
    randomize_fx(s.fx, random);
    randomize_upper(s, random);
    return s;
}

}  // namespace mynah::test
