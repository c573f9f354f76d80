// String instructions (SDM vol. 2: MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS, REP). Every iteration of a
// repeated one is an instruction of its own for time, faults and interrupts; spans within a page of RAM go at
// once.
#include <algorithm>
#include <array>

#include "cpu/interp/families.h"
#include "cpu/interp/operand_access.h"
#include "cpu/system/events.h"

namespace mynah {

namespace {

// Registers and step of one string instruction.
struct String {
    String(Core& core, const Insn& insn)
        : c(core),
          i(insn),
          forward(!(core.state.eflags & eflags::df)),
          step(forward ? insn.osize : u64{0} - insn.osize) {}
    Core& c;
    const Insn& i;
    bool forward;
    u64 step;

    u64 source() const { return cut_to(c.state.gpr[rsi], i.asize); }
    u64 destination() const { return cut_to(c.state.gpr[rdi], i.asize); }
    void advance_source(u64 n = 1) { set_sized(c, rsi, c.state.gpr[rsi] + n * step, i.asize); }
    void advance_destination(u64 n = 1) { set_sized(c, rdi, c.state.gpr[rdi] + n * step, i.asize); }
    u64 count() const { return cut_to(c.state.gpr[rcx], i.asize); }
    void set_count(u64 v) { set_sized(c, rcx, v, i.asize); }
};

// The most elements from `offset` on that lie in its page and do not wrap around the address size.
u64 span_in_page(const String& s, u64 offset, u64 linear_low) {
    const u64 size = s.i.osize;
    if (s.forward) {
        const u64 wrap = s.i.asize == 8 ? ~u64{0} : (s.i.asize == 4 ? u64{1} << 32 : u64{1} << 16) - offset;
        return std::min(kPageSize - (linear_low & kPageMask), wrap) / size;
    }
    // Downwards: elements that begin at or above the page's start.
    if ((linear_low & kPageMask) + size > kPageSize) return 0;
    return std::min(linear_low & kPageMask, offset) / size + 1;
}

// Runs `one` until the count is used up, `done` says so, or events or the budget ask to stop. `many(n)` may
// do up to n iterations at once and says how many it did, 0 if it can't.
template <class One, class Many, class Done>
bool repeat(String& s, One one, Many many, Done done) {
    Core& c = s.c;
    if (!s.i.has(insn_flag::rep | insn_flag::repne)) return one();
    u64 left = s.count();
    if (left == 0) {
        if (s.i.asize == 4) s.set_count(0);
        return true;
    }
    u64 budget = c.block_limit > c.retired ? c.block_limit - c.retired : 1;
    for (;;) {
        u64 n = many(std::min(left, budget));
        if (n == 0) {
            if (!one()) return false;
            n = 1;
        }
        left -= n;
        budget -= n;
        s.set_count(left);
        const bool finished = left == 0 || done();
        // The last iteration is counted by who called.
        const bool stop = finished || budget == 0 || c.attention;
        c.retire_iterations(stop ? n - 1 : n);
        if (stop) {
            if (!finished) {
                c.next_rip = c.rip;
                c.repeat_pause = c.retired + 1;
            }
            return true;
        }
    }
}

// Where a span of `bytes` from `offset` on goes; downwards, its uppermost element. If somebody watches the
// frame, `watched` has to be told.
u8* target(const String& s, u64 offset, u64 bytes, Core::WatchedSpan& watched) {
    if (u8* p = s.c.fast_store(Seg::es, offset, s.i.osize)) return p;
    if (s.forward) watched = s.c.watched_span(Seg::es, offset, bytes);
    return watched.host;
}

constexpr auto kNever = [] { return false; };
constexpr auto kNoSpan = [](u64) -> u64 { return 0; };

template <class T>
bool movs(Core& c, const Insn& i) {
    String s(c, i);
    return repeat(
        s,
        [&] {
            T v;
            if (!c.load<T>(i.seg, s.source(), v)) return false;
            if (!c.store<T>(Seg::es, s.destination(), v)) return false;
            s.advance_source();
            s.advance_destination();
            return true;
        },
        [&](u64 most) -> u64 {
            const u64 from = s.source(), to = s.destination();
            const u8* p = c.fast_load(i.seg, from, sizeof(T));
            if (p == nullptr || most < 2) return 0;
            u64 n = std::min({most, span_in_page(s, from, c.linear_of(i.seg, from)),
                              span_in_page(s, to, c.linear_of(Seg::es, to))});
            if (n < 2) return 0;
            const u64 bytes = n * sizeof(T);
            Core::WatchedSpan watched;
            u8* const q = target(s, to, bytes, watched);
            if (q == nullptr) return 0;
            if (s.forward) {
                if (!c.spans_read(i.seg, from, bytes) || !c.spans_write(Seg::es, to, bytes)) return 0;
                if (q >= p + bytes || p >= q + bytes) {
                    std::memcpy(q, p, bytes);
                } else {
                    for (u64 k = 0; k < n; ++k) store_le<T>(q + k * sizeof(T), load_le<T>(p + k * sizeof(T)));
                }
            } else {
                for (u64 k = 0; k < n; ++k) store_le<T>(q - k * sizeof(T), load_le<T>(p - k * sizeof(T)));
            }
            if (watched.host != nullptr) c.span_stored(watched, bytes);
            s.advance_source(n);
            s.advance_destination(n);
            return n;
        },
        kNever);
}

template <class T>
void fill(u8* p, T v, u64 n) {
    if (v == static_cast<T>(u64{0x0101010101010101} * static_cast<u8>(v))) {
        std::memset(p, static_cast<u8>(v), n * sizeof(T));
        return;
    }
    // Many at once: the compiler makes vectors of copies of a fixed length.
    std::array<u8, 64> pattern;
    for (u64 k = 0; k < pattern.size(); k += sizeof(T)) store_le<T>(&pattern[k], v);
    u64 left = n * sizeof(T);
    for (; left >= pattern.size(); left -= pattern.size(), p += pattern.size())
        std::memcpy(p, pattern.data(), pattern.size());
    std::memcpy(p, pattern.data(), left);
}

template <class T>
bool stos(Core& c, const Insn& i) {
    String s(c, i);
    const T v = c.reg<T>(rax);
    return repeat(
        s,
        [&] {
            if (!c.store<T>(Seg::es, s.destination(), v)) return false;
            s.advance_destination();
            return true;
        },
        [&](u64 most) -> u64 {
            const u64 to = s.destination();
            if (most < 2) return 0;
            const u64 n = std::min(most, span_in_page(s, to, c.linear_of(Seg::es, to)));
            if (n < 2) return 0;
            Core::WatchedSpan watched;
            u8* q = target(s, to, n * sizeof(T), watched);
            if (q == nullptr) return 0;
            if (s.forward) {
                if (!c.spans_write(Seg::es, to, n * sizeof(T))) return 0;
            } else {
                q -= (n - 1) * sizeof(T);
            }
            fill<T>(q, v, n);
            if (watched.host != nullptr) c.span_stored(watched, n * sizeof(T));
            s.advance_destination(n);
            return n;
        },
        kNever);
}

template <class T>
bool lods(Core& c, const Insn& i) {
    String s(c, i);
    return repeat(
        s,
        [&] {
            T v;
            if (!c.load<T>(i.seg, s.source(), v)) return false;
            c.set_reg<T>(rax, v);
            s.advance_source();
            return true;
        },
        kNoSpan, kNever);
}

template <class T>
void compare(Core& c, T a, T b) {
    const T r = static_cast<T>(a - b);
    c.state.flags.set_arithmetic<T>(r, static_cast<T>((~a & b) | ((~a | b) & r)));
}

// REPE goes on while ZF, REPNE while not.
bool comparison_done(const String& s) {
    return s.c.state.flags.zf() != s.i.has(insn_flag::rep);
}

template <class T>
bool cmps(Core& c, const Insn& i) {
    String s(c, i);
    return repeat(
        s,
        [&] {
            T a, b;
            if (!c.load<T>(i.seg, s.source(), a)) return false;
            if (!c.load<T>(Seg::es, s.destination(), b)) return false;
            compare<T>(c, a, b);
            s.advance_source();
            s.advance_destination();
            return true;
        },
        [&](u64 most) -> u64 {
            const u64 from = s.source(), to = s.destination();
            const u8* p = c.fast_load(i.seg, from, sizeof(T));
            const u8* q = c.fast_load(Seg::es, to, sizeof(T));
            if (p == nullptr || q == nullptr || most < 2 || !s.forward) return 0;
            const u64 limit = std::min({most, span_in_page(s, from, c.linear_of(i.seg, from)),
                                        span_in_page(s, to, c.linear_of(Seg::es, to))});
            if (limit < 2 || !c.spans_read(i.seg, from, limit * sizeof(T)) ||
                !c.spans_read(Seg::es, to, limit * sizeof(T)))
                return 0;
            const bool while_equal = i.has(insn_flag::rep);
            u64 n = 0;
            T a = 0, b = 0;
            do {
                a = load_le<T>(p + n * sizeof(T));
                b = load_le<T>(q + n * sizeof(T));
                ++n;
            } while (n < limit && (a == b) == while_equal);
            compare<T>(c, a, b);
            s.advance_source(n);
            s.advance_destination(n);
            return n;
        },
        [&] { return comparison_done(s); });
}

template <class T>
bool scas(Core& c, const Insn& i) {
    String s(c, i);
    const T a = c.reg<T>(rax);
    return repeat(
        s,
        [&] {
            T b;
            if (!c.load<T>(Seg::es, s.destination(), b)) return false;
            compare<T>(c, a, b);
            s.advance_destination();
            return true;
        },
        [&](u64 most) -> u64 {
            const u64 to = s.destination();
            const u8* q = c.fast_load(Seg::es, to, sizeof(T));
            if (q == nullptr || most < 2 || !s.forward) return 0;
            const u64 limit = std::min(most, span_in_page(s, to, c.linear_of(Seg::es, to)));
            if (limit < 2 || !c.spans_read(Seg::es, to, limit * sizeof(T))) return 0;
            const bool while_equal = i.has(insn_flag::rep);
            u64 n = 0;
            T b = 0;
            do {
                b = load_le<T>(q + n * sizeof(T));
                ++n;
            } while (n < limit && (a == b) == while_equal);
            compare<T>(c, a, b);
            s.advance_destination(n);
            return n;
        },
        [&] { return comparison_done(s); });
}

template <class T>
bool ins(Core& c, const Insn& i) {
    String s(c, i);
    const u16 port = c.reg<u16>(rdx);
    // Before the count: a repeat of zero times faults as well.
    if (!check_io_permission(c, port, sizeof(T))) return false;
    return repeat(
        s,
        [&] {
            // The port must not be read if the store would fault.
            u64 a;
            if (!c.linear(Seg::es, s.destination(), sizeof(T), Access::write, a)) return false;
            if (!c.probe_write(a, sizeof(T))) return false;
            const T v = static_cast<T>(c.host.port_read(port, sizeof(T)));
            if (!c.store<T>(Seg::es, s.destination(), v)) return false;
            s.advance_destination();
            return true;
        },
        kNoSpan, kNever);
}

template <class T>
bool outs(Core& c, const Insn& i) {
    String s(c, i);
    const u16 port = c.reg<u16>(rdx);
    // Before the count: a repeat of zero times faults as well.
    if (!check_io_permission(c, port, sizeof(T))) return false;
    return repeat(
        s,
        [&] {
            T v;
            if (!c.load<T>(i.seg, s.source(), v)) return false;
            c.host.port_write(port, v, sizeof(T));
            s.advance_source();
            return true;
        },
        kNoSpan, kNever);
}

// IN and OUT: E4-E7 with an immediate port, EC-EF with DX.
u16 port_of(const Core& c, const Insn& i) {
    return i.opcode & 8 ? c.reg<u16>(rdx) : static_cast<u8>(i.imm);
}

template <class T>
bool in(Core& c, const Insn& i) {
    const u16 port = port_of(c, i);
    if (!check_io_permission(c, port, sizeof(T))) return false;
    c.set_reg<T>(rax, static_cast<T>(c.host.port_read(port, sizeof(T))));
    return true;
}

template <class T>
bool out(Core& c, const Insn& i) {
    const u16 port = port_of(c, i);
    if (!check_io_permission(c, port, sizeof(T))) return false;
    c.host.port_write(port, c.reg<T>(rax), sizeof(T));
    return true;
}

}  // namespace

Handler string_handler(const Insn& i) {
    return by_size(i.osize, [&]<class T>() -> Handler {
        switch (i.op) {
            case Op::MOVS:
                return movs<T>;
            case Op::STOS:
                return stos<T>;
            case Op::LODS:
                return lods<T>;
            case Op::CMPS:
                return cmps<T>;
            case Op::SCAS:
                return scas<T>;
            default:
                return nullptr;
        }
    });
}

Handler io_handler(const Insn& i) {
    // There are no 64-bit ports; even opcodes move a byte.
    return by_size(i.opcode & 1 ? std::min<unsigned>(i.osize, 4) : 1, [&]<class T>() -> Handler {
        switch (i.op) {
            case Op::INS:
                return ins<T>;
            case Op::OUTS:
                return outs<T>;
            case Op::IN:
                return in<T>;
            case Op::OUT:
                return out<T>;
            default:
                return nullptr;
        }
    });
}

}  // namespace mynah
