// PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM vol. 2B 4.1).
#include "cpu/sse/access.h"

namespace mynah::sse {
namespace {

// How the two strings compare: elements, aggregation and polarity as in the immediate's bits 0-1, 2-3, 4-5.
struct Outcome {
    u32 bits = 0;        // IntRes2
    unsigned count = 0;  // elements in a register
};

template <class T>
Outcome compare_strings(const Xmm& a, const Xmm& b, unsigned length_a, unsigned length_b, unsigned imm) {
    constexpr unsigned n = 16 / sizeof(T);
    const auto x = lanes<T>(a), y = lanes<T>(b);
    u32 result = 0;
    switch (imm >> 2 & 3) {
        case 0:  // equal any: a is a set
            for (unsigned j = 0; j < length_b; ++j) {
                for (unsigned k = 0; k < length_a; ++k) result |= u32{x[k] == y[j]} << j;
            }
            break;
        case 1:  // ranges: a is pairs of bounds; an unpaired lower bound counts for nothing
            for (unsigned j = 0; j < length_b; ++j) {
                for (unsigned k = 0; k + 1 < length_a; k += 2)
                    result |= u32{x[k] <= y[j] && y[j] <= x[k + 1]} << j;
            }
            break;
        case 2:  // equal each: both ended is equal
            for (unsigned j = 0; j < n; ++j) {
                const bool in_a = j < length_a, in_b = j < length_b;
                result |= u32{in_a == in_b && (!in_a || x[j] == y[j])} << j;
            }
            break;
        default:  // equal ordered: where a begins in b
            for (unsigned j = 0; j < n; ++j) {
                bool match = true;
                for (unsigned k = 0; k < length_a && j + k < n; ++k) {
                    if (j + k >= length_b || x[k] != y[j + k]) match = false;
                }
                result |= u32{match} << j;
            }
            break;
    }
    const u32 all = (1u << n) - 1;
    switch (imm >> 4 & 3) {
        case 1:
            result ^= all;
            break;
        case 3:
            result ^= (1u << length_b) - 1;
            break;  // only the valid elements
        default:
            break;
    }
    return {result & all, n};
}

// Up to the first zero element.
template <class T>
unsigned implicit_length(const Xmm& v) {
    const auto x = lanes<T>(v);
    unsigned n = 0;
    while (n < x.size() && x[n] != 0) ++n;
    return n;
}

// |EAX| or |RAX|, at most the element count.
unsigned explicit_length(u64 value, bool wide, unsigned count) {
    const i64 v = wide ? static_cast<i64>(value) : static_cast<i32>(value);
    const u64 magnitude = v < 0 ? 0 - static_cast<u64>(v) : static_cast<u64>(v);
    return magnitude < count ? static_cast<unsigned>(magnitude) : count;
}

template <class T>
Outcome with_lengths(Core& c, const Insn& i, const Xmm& a, const Xmm& b, bool explicit_lengths) {
    constexpr unsigned n = 16 / sizeof(T);
    const bool wide = i.has(insn_flag::rex_w);
    const unsigned length_a =
        explicit_lengths ? explicit_length(c.state.gpr[rax], wide, n) : implicit_length<T>(a);
    const unsigned length_b =
        explicit_lengths ? explicit_length(c.state.gpr[rdx], wide, n) : implicit_length<T>(b);
    const Outcome r = compare_strings<T>(a, b, length_a, length_b, static_cast<unsigned>(i.imm));
    c.state.flags.set((r.bits ? eflags::cf : 0) | (length_b < n ? eflags::zf : 0) |
                      (length_a < n ? eflags::sf : 0) | (r.bits & 1 ? eflags::of : 0));
    return r;
}

template <bool Explicit, bool Mask, class R, bool Memory>
bool compare(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    Xmm b;
    if constexpr (Memory) {
        if (!c.load_operand(i, b)) return false;  // needs no alignment
    } else {
        b = xmm(c, i.rm);
    }
    const Xmm a = xmm(c, i.reg);
    Outcome r;
    switch (i.imm & 3) {
        case 0:
            r = with_lengths<u8>(c, i, a, b, Explicit);
            break;
        case 1:
            r = with_lengths<u16>(c, i, a, b, Explicit);
            break;
        case 2:
            r = with_lengths<i8>(c, i, a, b, Explicit);
            break;
        default:
            r = with_lengths<i16>(c, i, a, b, Explicit);
            break;
    }
    if constexpr (!Mask) {
        const bool last = i.imm & 0x40;
        c.state.gpr[rcx] = r.bits == 0 ? r.count
                           : last      ? 31u - static_cast<unsigned>(std::countl_zero(r.bits))
                                       : static_cast<unsigned>(std::countr_zero(r.bits));
    } else if (!(i.imm & 0x40)) {
        R::set(c, 0, Xmm{{r.bits, 0}});
    } else {
        std::array<u8, 16> m;
        for (unsigned k = 0; k < 16; ++k) m[k] = r.bits >> (r.count == 16 ? k : k / 2) & 1 ? u8{0xFF} : u8{0};
        R::set(c, 0, vec(m));
    }
    return true;
}

template <bool Explicit, bool Mask>
Handler pick_compare(const Insn& i) {
    return by_form128(i,
                      []<class R, bool Memory>() -> Handler { return &compare<Explicit, Mask, R, Memory>; });
}

}  // namespace

Handler string_compare_handler(const Insn& i) {
    switch (i.op) {
        case Op::PCMPESTRI:
            return pick_compare<true, false>(i);
        case Op::PCMPESTRM:
            return pick_compare<true, true>(i);
        case Op::PCMPISTRI:
            return pick_compare<false, false>(i);
        case Op::PCMPISTRM:
            return pick_compare<false, true>(i);
        default:
            return nullptr;
    }
}

}  // namespace mynah::sse
