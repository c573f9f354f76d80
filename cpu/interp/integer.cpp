// Integer instructions that need no code per operand form (SDM vol. 2).
#include <bit>

#include "cpu/interp/families.h"
#include "cpu/interp/operand_access.h"
#include "cpu/semantics/shift_value.h"

namespace mynah {

namespace {

using semantics::carries;

// --- multiplication and division. MUL and IMUL: CF = OF = upper half counts; SF, ZF and PF, undefined in the
// SDM, are those of the lower half, AF is 0. DIV and IDIV leave all flags as they were. ---

template <class T>
struct Twice;
template <>
struct Twice<u8> {
    using type = u16;
    using signed_type = i16;
};
template <>
struct Twice<u16> {
    using type = u32;
    using signed_type = i32;
};
template <>
struct Twice<u32> {
    using type = u64;
    using signed_type = i64;
};
template <>
struct Twice<u64> {
    using type = u128;
    using signed_type = i128;
};

template <class T>
void set_pair(Core& c, typename Twice<T>::type v) {
    if constexpr (sizeof(T) == 1) {
        c.set_reg<u16>(rax, v);
    } else {
        c.set_reg<T>(rax, static_cast<T>(v));
        c.set_reg<T>(rdx, static_cast<T>(v >> (8 * sizeof(T))));
    }
}

template <class T>
typename Twice<T>::type get_pair(const Core& c) {
    using W = typename Twice<T>::type;
    if constexpr (sizeof(T) == 1) {
        return c.reg<u16>(rax);
    } else {
        return static_cast<W>(static_cast<W>(c.reg<T>(rdx)) << (8 * sizeof(T)) | c.reg<T>(rax));
    }
}

template <class T>
bool mul(Core& c, const Insn& i) {
    T b;
    if (!read_rm<T>(c, i, b)) return false;
    using W = typename Twice<T>::type;
    const W r = static_cast<W>(static_cast<W>(c.reg<T>(rax)) * b);
    set_pair<T>(c, r);
    const bool upper = (r >> (8 * sizeof(T))) != 0;
    c.state.flags.set_arithmetic<T>(static_cast<T>(r), carries<T>(upper, upper));
    return true;
}

template <class T>
bool imul(Core& c, const Insn& i) {
    T b;
    if (!read_rm<T>(c, i, b)) return false;
    using S = std::make_signed_t<T>;
    using W = typename Twice<T>::signed_type;
    const W r = static_cast<W>(static_cast<W>(static_cast<S>(c.reg<T>(rax))) * static_cast<S>(b));
    set_pair<T>(c, static_cast<typename Twice<T>::type>(r));
    const bool lost = r != static_cast<S>(r);
    c.state.flags.set_arithmetic<T>(static_cast<T>(r), carries<T>(lost, lost));
    return true;
}

template <class T>
void set_quotient(Core& c, T quotient, T remainder) {
    c.set_reg<T>(rax, quotient);
    c.set_reg<T>(sizeof(T) == 1 ? unsigned{kHighByte} : unsigned{rdx}, remainder);
}

template <class T>
bool div(Core& c, const Insn& i) {
    T b;
    if (!read_rm<T>(c, i, b)) return false;
    const auto a = get_pair<T>(c);
    if (b == 0 || static_cast<T>(a >> (8 * sizeof(T))) >= b) return c.raise(Vector::de);
    set_quotient<T>(c, static_cast<T>(a / b), static_cast<T>(a % b));
    return true;
}

template <class T>
bool idiv(Core& c, const Insn& i) {
    T b;
    if (!read_rm<T>(c, i, b)) return false;
    using S = std::make_signed_t<T>;
    using W = typename Twice<T>::signed_type;
    using U = typename Twice<T>::type;
    const U a = get_pair<T>(c);
    const S d = static_cast<S>(b);
    if (d == 0) return c.raise(Vector::de);
    // On magnitudes: the lowest dividend has no positive counterpart, and by -1 it overflows.
    const bool a_negative = static_cast<W>(a) < 0, negative = a_negative != (d < 0);
    const U magnitude = a_negative ? static_cast<U>(0 - a) : a;
    const U divisor = d < 0 ? static_cast<U>(static_cast<T>(0 - b)) : static_cast<U>(b);
    const U q = static_cast<U>(magnitude / divisor);
    const U r = static_cast<U>(magnitude % divisor);
    const U most = static_cast<U>((U{1} << (8 * sizeof(T) - 1)) - !negative);
    if (q > most) return c.raise(Vector::de);
    const T low = static_cast<T>(q);
    const T rest = static_cast<T>(r);
    set_quotient<T>(c, negative ? static_cast<T>(0 - low) : low,
                    a_negative ? static_cast<T>(0 - rest) : rest);
    return true;
}

// --- bits ---

// BT, BTS, BTR, BTC of memory with a register: the bit string reaches in both directions.
template <class T>
bool bit_string(Core& c, const Insn& i) {
    const auto number = static_cast<std::make_signed_t<T>>(c.reg<T>(i.reg));
    constexpr unsigned kBits = sizeof(T) * 8;
    const i64 element = static_cast<i64>(number) >> std::countr_zero(kBits);
    const u64 offset = cut_to(c.effective_address(i) + static_cast<u64>(element) * sizeof(T), i.asize);
    const T mask = static_cast<T>(T{1} << (static_cast<unsigned>(number) & (kBits - 1)));
    T v;
    if (i.op == Op::BT) {
        if (!c.load<T>(i.seg, offset, v)) return false;
    } else {
        Update<T> u(c, i);
        if (!u.begin_at(i.seg, offset, v)) return false;
        u.end(static_cast<T>(i.op == Op::BTS ? v | mask : i.op == Op::BTR ? v & ~mask : v ^ mask));
    }
    c.state.flags.set_cf((v & mask) != 0);
    return true;
}

// BSF and BSR of 0 leave the destination alone. CF, OF and AF are 0; SF and PF those of the source.
template <class T>
bool bit_scan(Core& c, const Insn& i) {
    T v;
    if (!read_rm<T>(c, i, v)) return false;
    if (v != 0) {
        const int n =
            i.op == Op::BSF ? std::countr_zero(v) : static_cast<int>(sizeof(T) * 8 - 1) - std::countl_zero(v);
        c.set_reg<T>(i.reg, static_cast<T>(n));
    }
    c.state.flags.set_logical<T>(v);
    return true;
}

// LZCNT and TZCNT: CF source is 0, ZF result is 0; OF, SF, AF and PF, undefined, are 0.
template <class T>
bool zero_count(Core& c, const Insn& i) {
    T v;
    if (!read_rm<T>(c, i, v)) return false;
    const int n = i.op == Op::TZCNT ? std::countr_zero(v) : std::countl_zero(v);
    c.set_reg<T>(i.reg, static_cast<T>(n));
    c.state.flags.set((v == 0 ? eflags::cf : 0) | (n == 0 ? eflags::zf : 0));
    return true;
}

template <class T>
bool popcnt(Core& c, const Insn& i) {
    T v;
    if (!read_rm<T>(c, i, v)) return false;
    c.set_reg<T>(i.reg, static_cast<T>(std::popcount(v)));
    c.state.flags.set(v == 0 ? eflags::zf : 0);
    return true;
}

template <class T>
T reverse(T v) {
    if constexpr (sizeof(T) == 2) return __builtin_bswap16(v);
    if constexpr (sizeof(T) == 4) return __builtin_bswap32(v);
    if constexpr (sizeof(T) == 8) return __builtin_bswap64(v);
}

// BSWAP of 16 bits is undefined: zero, as processors have it.
bool bswap(Core& c, const Insn& i) {
    if (i.osize == 8) {
        c.state.gpr[i.reg] = reverse(c.state.gpr[i.reg]);
    } else if (i.osize == 4) {
        c.set_reg<u32>(i.reg, reverse(c.reg<u32>(i.reg)));
    } else {
        c.set_reg<u16>(i.reg, 0);
    }
    return true;
}

template <class T>
bool movbe(Core& c, const Insn& i) {
    if (i.opcode == 0xF1) return c.store_operand<T>(i, reverse(c.reg<T>(i.reg)));
    T v;
    if (!c.load_operand<T>(i, v)) return false;
    c.set_reg<T>(i.reg, reverse(v));
    return true;
}

// CRC-32C, reflected: polynomial 11EDC6F41h.
template <class T>
bool crc32(Core& c, const Insn& i) {
    T v;
    if (!read_rm<T>(c, i, v)) return false;
    u32 crc = c.reg<u32>(i.reg);
    for (unsigned n = 0; n < sizeof(T); ++n) {
        crc ^= static_cast<u8>(static_cast<u64>(v) >> (8 * n));
        for (unsigned k = 0; k < 8; ++k) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
    }
    c.set_reg<u32>(i.reg, crc);
    return true;
}

template <class T>
bool random_number(Core& c, const Insn& i) {
    c.set_reg<T>(i.rm, static_cast<T>(c.host.random()));
    c.state.flags.set(eflags::cf);
    return true;
}

// --- compare and exchange ---

template <class T>
void compare_flags(Core& c, T a, T b) {
    const T r = static_cast<T>(a - b);
    c.state.flags.set_arithmetic<T>(r, static_cast<T>((~a & b) | ((~a | b) & r)));
}

template <class T>
bool cmpxchg(Core& c, const Insn& i) {
    Update<T> u(c, i);
    T v;
    if (!u.begin(v)) return false;
    const T a = c.reg<T>(rax);
    if (a == v) {
        u.end(c.reg<T>(i.reg));
    } else {
        // Memory is written back in any case.
        if (i.memory()) u.end(v);
        c.set_reg<T>(rax, v);
    }
    compare_flags<T>(c, a, v);
    return true;
}

template <class T>
bool xadd(Core& c, const Insn& i) {
    Update<T> u(c, i);
    T a;
    if (!u.begin(a)) return false;
    const T b = c.reg<T>(i.reg);
    const T r = static_cast<T>(a + b);
    c.set_reg<T>(i.reg, a);
    u.end(r);
    c.state.flags.set_arithmetic<T>(r, static_cast<T>((a & b) | ((a | b) & ~r)));
    return true;
}

void set_zf_only(Core& c, bool on) {
    c.state.flags.set((c.state.flags.get() & ~eflags::zf) | (on ? eflags::zf : 0));
}

bool cmpxchg8b(Core& c, const Insn& i) {
    Update<u64> u(c, i);
    u64 v;
    if (!u.begin(v)) return false;
    const bool equal = v == (u64{c.reg<u32>(rdx)} << 32 | c.reg<u32>(rax));
    if (equal) {
        u.end(u64{c.reg<u32>(rcx)} << 32 | c.reg<u32>(rbx));
    } else {
        u.end(v);
        c.set_reg<u32>(rax, static_cast<u32>(v));
        c.set_reg<u32>(rdx, static_cast<u32>(v >> 32));
    }
    set_zf_only(c, equal);
    return true;
}

bool cmpxchg16b(Core& c, const Insn& i) {
    u64 a;
    if (!c.linear(i.seg, c.effective_address(i), 16, Access::write, a)) return false;
    if (a & 15) return c.raise(Vector::gp, 0);
    Update<u128> u(c, i);
    u128 v;
    if (!u.begin_at(i.seg, c.effective_address(i), v)) return false;
    const auto& r = c.state.gpr;
    const bool equal = v == (u128{r[rdx]} << 64 | r[rax]);
    if (equal) {
        u.end(u128{r[rcx]} << 64 | r[rbx]);
    } else {
        u.end(v);
        c.state.gpr[rax] = static_cast<u64>(v);
        c.state.gpr[rdx] = static_cast<u64>(v >> 64);
    }
    set_zf_only(c, equal);
    return true;
}

// --- decimal arithmetic ---

bool daa(Core& c, const Insn& i) {
    const u8 old = c.reg<u8>(rax);
    const bool old_cf = c.state.flags.cf();
    const bool subtract = i.op == Op::DAS;
    bool af = false, cf = false;
    u8 al = old;
    if ((al & 15) > 9 || c.state.flags.af()) {
        cf = old_cf || (subtract ? al < 6 : al > 0xF9);
        al = static_cast<u8>(subtract ? al - 6 : al + 6);
        af = true;
    }
    if (old > 0x99 || old_cf) {
        al = static_cast<u8>(subtract ? al - 0x60 : al + 0x60);
        cf = true;
    } else if (!subtract) {
        cf = false;
    }
    c.set_reg<u8>(rax, al);
    c.state.flags.set_logical<u8>(al);  // OF, undefined: 0
    c.state.flags.set_cf(cf);
    c.state.flags.set_of(false);
    c.state.flags.set_af(af);
    return true;
}

// OF, SF, ZF and PF are undefined: those of AL, OF 0.
bool aaa(Core& c, const Insn& i) {
    const bool adjust = (c.reg<u8>(rax) & 15) > 9 || c.state.flags.af();
    u16 ax = c.reg<u16>(rax);
    if (adjust) ax = static_cast<u16>(i.op == Op::AAS ? ax - 0x106 : ax + 0x106);
    ax &= 0xFF0F;
    c.set_reg<u16>(rax, ax);
    c.state.flags.set_logical<u8>(static_cast<u8>(ax));
    c.state.flags.set_cf(adjust);
    c.state.flags.set_of(false);
    c.state.flags.set_af(adjust);
    return true;
}

bool aam(Core& c, const Insn& i) {
    const u8 base = static_cast<u8>(i.imm);
    if (base == 0) return c.raise(Vector::de);
    const u8 al = c.reg<u8>(rax);
    c.set_reg<u16>(rax, static_cast<u16>(al / base << 8 | al % base));
    c.state.flags.set_logical<u8>(static_cast<u8>(al % base));
    return true;
}

bool aad(Core& c, const Insn& i) {
    const u16 ax = c.reg<u16>(rax);
    const u8 al = static_cast<u8>(ax + (ax >> 8) * static_cast<u8>(i.imm));
    c.set_reg<u16>(rax, al);
    c.state.flags.set_logical<u8>(al);
    return true;
}

bool salc(Core& c, const Insn&) {
    c.set_reg<u8>(rax, c.state.flags.cf() ? 0xFF : 0);
    return true;
}

// --- flags ---

bool lahf(Core& c, const Insn&) {
    c.set_reg<u8>(kHighByte, static_cast<u8>(c.state.flags.get() | eflags::fixed));
    return true;
}

bool sahf(Core& c, const Insn&) {
    c.state.flags.set((c.state.flags.get() & eflags::of) | c.reg<u8>(kHighByte));
    return true;
}

bool clc(Core& c, const Insn& i) {
    c.state.flags.set_cf(i.op == Op::STC || (i.op == Op::CMC && !c.state.flags.cf()));
    return true;
}

bool cld(Core& c, const Insn& i) {
    c.state.eflags = i.op == Op::STD ? c.state.eflags | eflags::df : c.state.eflags & ~eflags::df;
    return true;
}

// --- the rest ---

bool xlat(Core& c, const Insn& i) {
    u8 v;
    if (!c.load<u8>(i.seg, cut_to(c.state.gpr[rbx] + c.reg<u8>(rax), i.asize), v)) return false;
    c.set_reg<u8>(rax, v);
    return true;
}

template <class T>
bool bound(Core& c, const Insn& i) {
    using S = std::make_signed_t<T>;
    const u64 a = c.effective_address(i);
    T low, high;
    if (!c.load<T>(i.seg, a, low)) return false;
    if (!c.load<T>(i.seg, cut_to(a + sizeof(T), i.asize), high)) return false;
    const S v = static_cast<S>(c.reg<T>(i.reg));
    if (v < static_cast<S>(low) || v > static_cast<S>(high)) return c.raise(Vector::br);
    return true;
}

template <class T>
bool movnti(Core& c, const Insn& i) {
    return c.store_operand<T>(i, c.reg<T>(i.reg));
}

bool undefined(Core& c, const Insn&) {
    return c.raise(Vector::ud);
}
bool nothing(Core&, const Insn&) {
    return true;
}

// Caches are not modelled, but the address is checked as a load's (SDM vol. 2A CLFLUSH).
bool clflush(Core& c, const Insn& i) {
    u64 a;
    return c.linear(i.seg, c.effective_address(i), 1, Access::read, a) && c.probe_read(a, 1);
}

}  // namespace

Handler stack_handler(const Insn& i);

Handler integer_handler(const Insn& i) {
    switch (i.op) {
        case Op::MUL:
            return by_size(i.osize, []<class T>() -> Handler { return mul<T>; });
        case Op::IMUL:
            return by_size(i.osize, []<class T>() -> Handler { return imul<T>; });
        case Op::DIV:
            return by_size(i.osize, []<class T>() -> Handler { return div<T>; });
        case Op::IDIV:
            return by_size(i.osize, []<class T>() -> Handler { return idiv<T>; });
        case Op::BT:
        case Op::BTS:
        case Op::BTR:
        case Op::BTC:
            return by_word_size(i.osize, []<class T>() -> Handler { return bit_string<T>; });
        case Op::BSF:
        case Op::BSR:
            return by_word_size(i.osize, []<class T>() -> Handler { return bit_scan<T>; });
        case Op::LZCNT:
        case Op::TZCNT:
            return by_word_size(i.osize, []<class T>() -> Handler { return zero_count<T>; });
        case Op::POPCNT:
            return by_word_size(i.osize, []<class T>() -> Handler { return popcnt<T>; });
        case Op::BSWAP:
            return bswap;
        case Op::MOVBE:
            return by_word_size(i.osize, []<class T>() -> Handler { return movbe<T>; });
        case Op::CRC32:
            return by_size(i.opcode & 1 ? i.osize : 1, []<class T>() -> Handler { return crc32<T>; });
        case Op::RDRAND:
        case Op::RDSEED:
            return by_word_size(i.osize, []<class T>() -> Handler { return random_number<T>; });
        case Op::CMPXCHG:
            return by_size(i.osize, []<class T>() -> Handler { return cmpxchg<T>; });
        case Op::CMPXCHG8B:
            return cmpxchg8b;
        case Op::CMPXCHG16B:
            return cmpxchg16b;
        case Op::XADD:
            return by_size(i.osize, []<class T>() -> Handler { return xadd<T>; });
        case Op::DAA:
        case Op::DAS:
            return daa;
        case Op::AAA:
        case Op::AAS:
            return aaa;
        case Op::AAM:
            return aam;
        case Op::AAD:
            return aad;
        case Op::SALC:
            return salc;
        case Op::LAHF:
            return lahf;
        case Op::SAHF:
            return sahf;
        case Op::CLC:
        case Op::STC:
        case Op::CMC:
            return clc;
        case Op::CLD:
        case Op::STD:
            return cld;
        case Op::XLAT:
            return xlat;
        case Op::BOUND:
            return by_word_size(i.osize, []<class T>() -> Handler { return bound<T>; });
        case Op::MOVNTI:
            return by_word_size(i.osize, []<class T>() -> Handler { return movnti<T>; });
        case Op::UD0:
        case Op::UD1:
        case Op::UD2:
            return undefined;
        case Op::LFENCE:
        case Op::MFENCE:
        case Op::SFENCE:
            return nothing;
        case Op::CLFLUSH:
        case Op::CLFLUSHOPT:
            return clflush;
        default:
            return stack_handler(i);
    }
}

}  // namespace mynah
