// AES rounds (FIPS 197; SDM vol. 1 12.13) and carry-less multiplication.
#include "cpu/sse/operation.h"

namespace mynah::sse {
namespace {

constexpr u8 times2(u8 v) {
    return static_cast<u8>(v << 1 ^ (v & 0x80 ? 0x1B : 0));
}

constexpr u8 multiply(u8 a, u8 b) {
    u8 r = 0;
    for (; b; b >>= 1, a = times2(a)) {
        if (b & 1) r ^= a;
    }
    return r;
}

struct Boxes {
    std::array<u8, 256> sub{}, inverse{};
    // Products with the coefficients of MixColumns and its inverse.
    std::array<u8, 256> by2{}, by3{}, by9{}, by11{}, by13{}, by14{};
};

constexpr Boxes make_boxes() {
    Boxes b;
    // p runs through all non-zero elements (generator 3), q through their inverses (by 3^-1 = F6h).
    u8 p = 1, q = 1;
    do {
        p = static_cast<u8>(p ^ times2(p));
        q = multiply(q, 0xF6);
        const auto rotated = [q](unsigned n) { return static_cast<u8>(q << n | q >> (8 - n)); };
        b.sub[p] = static_cast<u8>(q ^ rotated(1) ^ rotated(2) ^ rotated(3) ^ rotated(4) ^ 0x63);
    } while (p != 1);
    b.sub[0] = 0x63;
    for (unsigned i = 0; i < 256; ++i) {
        const u8 v = static_cast<u8>(i);
        b.inverse[b.sub[i]] = v;
        b.by2[i] = times2(v);
        b.by3[i] = multiply(v, 3);
        b.by9[i] = multiply(v, 9);
        b.by11[i] = multiply(v, 11);
        b.by13[i] = multiply(v, 13);
        b.by14[i] = multiply(v, 14);
    }
    return b;
}

constexpr Boxes kBoxes = make_boxes();

using Block = std::array<u8, 16>;

// ShiftRows with SubBytes: column c, row r comes from column c + r (decryption: c - r).
Block substitute(const Block& s) {
    Block r;
    for (unsigned i = 0; i < 16; ++i) r[i] = kBoxes.sub[s[(i + 4 * (i & 3)) & 15]];
    return r;
}
Block inverse_substitute(const Block& s) {
    Block r;
    for (unsigned i = 0; i < 16; ++i) r[i] = kBoxes.inverse[s[(i - 4 * (i & 3)) & 15]];
    return r;
}
Block mix_columns(const Block& s) {
    Block r;
    for (unsigned i = 0; i < 16; ++i) {
        const unsigned column = i & 12;
        r[i] = static_cast<u8>(kBoxes.by2[s[i]] ^ kBoxes.by3[s[column | ((i + 1) & 3)]] ^
                               s[column | ((i + 2) & 3)] ^ s[column | ((i + 3) & 3)]);
    }
    return r;
}
Block inverse_mix_columns(const Block& s) {
    Block r;
    for (unsigned i = 0; i < 16; ++i) {
        const unsigned column = i & 12;
        r[i] =
            static_cast<u8>(kBoxes.by14[s[i]] ^ kBoxes.by11[s[column | ((i + 1) & 3)]] ^
                            kBoxes.by13[s[column | ((i + 2) & 3)]] ^ kBoxes.by9[s[column | ((i + 3) & 3)]]);
    }
    return r;
}

template <unsigned N>
Vec<N> with_key(const Block& s, const Vec<N>& key) {
    const Vec<N> v = vec(s);
    return Vec<N>{{v.q[0] ^ key.q[0], v.q[1] ^ key.q[1]}};
}

namespace op {

struct AESENC {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& key, u8) {
        return with_key(mix_columns(substitute(lanes<u8>(a))), key);
    }
};
struct AESENCLAST {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& key, u8) {
        return with_key(substitute(lanes<u8>(a)), key);
    }
};
struct AESDEC {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& key, u8) {
        return with_key(inverse_mix_columns(inverse_substitute(lanes<u8>(a))), key);
    }
};
struct AESDECLAST {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& key, u8) {
        return with_key(inverse_substitute(lanes<u8>(a)), key);
    }
};
struct AESIMC {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>&, const Vec<N>& b, u8) {
        return vec(inverse_mix_columns(lanes<u8>(b)));
    }
};
struct AESKEYGENASSIST {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>&, const Vec<N>& b, u8 round_constant) {
        const auto word = [](u32 v) {
            return u32{kBoxes.sub[v & 255]} | u32{kBoxes.sub[v >> 8 & 255]} << 8 |
                   u32{kBoxes.sub[v >> 16 & 255]} << 16 | u32{kBoxes.sub[v >> 24]} << 24;
        };
        const auto x = lanes<u32>(b);
        const u32 one = word(x[1]), three = word(x[3]);
        return vec(Lanes<u32, N>{one, std::rotr(one, 8) ^ round_constant, three,
                                 std::rotr(three, 8) ^ round_constant});
    }
};

struct PCLMULQDQ {
    template <unsigned N>
    static Vec<N> apply(const Vec<N>& a, const Vec<N>& b, u8 imm) {
        const u64 x = a.q[imm & 1], y = b.q[imm >> 4 & 1];
        u64 low = 0, high = 0;
        for (unsigned i = 0; i < 64; ++i) {
            const u64 mask = 0 - (y >> i & 1);
            low ^= x << i & mask;
            high ^= x >> 1 >> (63 - i) & mask;
        }
        return Vec<N>{{low, high}};
    }
};

}  // namespace op
}  // namespace

Handler crypto_handler(const Insn& i) {
    switch (i.op) {
        case Op::AESENC:
            return pick_xmm128<op::AESENC>(i);
        case Op::AESENCLAST:
            return pick_xmm128<op::AESENCLAST>(i);
        case Op::AESDEC:
            return pick_xmm128<op::AESDEC>(i);
        case Op::AESDECLAST:
            return pick_xmm128<op::AESDECLAST>(i);
        case Op::AESIMC:
            return pick_xmm128<op::AESIMC>(i);
        case Op::AESKEYGENASSIST:
            return pick_xmm128<op::AESKEYGENASSIST>(i);
        case Op::PCLMULQDQ:
            return pick_xmm128<op::PCLMULQDQ>(i);
        default:
            return nullptr;
    }
}

}  // namespace mynah::sse
