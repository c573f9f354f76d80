// Writes x86-64 machine code (SDM vol. 2 ch. 2): one ModRM, REX and VEX encoder, for what the translator
// makes up and for guest instructions that are re-emitted with other registers.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#include "base/bits.h"
#include "base/check.h"
#include "base/reused_list.h"
#include "base/types.h"

namespace mynah::x64 {

// kNoReg has the bit clear that would go to REX, and is no index in a SIB byte.
enum Reg : u8 { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, kNoReg = 0x24 };

// A memory operand. With `state` it is at gs:[disp]. Travels in one register, as Opcode does.
struct Mem {
    Reg base = kNoReg;
    Reg index = kNoReg;
    u8 scale = 0;  // shift count
    bool state = false;
    i32 disp = 0;
};
static_assert(sizeof(Mem) == 8);
// The two commonest forms, where they are known when the translator is compiled.
struct At {
    Reg base = RAX;
    i32 disp = 0;
    operator Mem() const { return {.base = base, .disp = disp}; }
};
inline At at(Reg base, i32 disp = 0) {
    return {base, disp};
}
struct State {
    i32 disp = 0;
    operator Mem() const { return {.state = true, .disp = disp}; }
};
inline State in_state(i32 disp) {
    return {disp};
}

// What precedes the ModRM byte.
struct Opcode {
    u8 byte = 0;
    bool wide = false;      // REX.W or VEX.W
    u8 map = 0;             // 0: none, 1: 0F, 2: 0F 38, 3: 0F 3A
    u8 prefix = 0;          // mandatory: 0, 66h, F3h, F2h
    bool word = false;      // 66h for 16-bit operands
    bool byte_reg = false;  // ModRM.reg names a byte register (4-7: SPL..DIL, never AH..BH)
    bool byte_rm = false;   // likewise ModRM.rm
    bool lock = false;

    bool prefixed() const { return lock | word | (prefix != 0); }
    // One byte, perhaps behind REX: most of what is written.
    bool simple() const { return std::bit_cast<u64>(*this) >> 16 == 0; }
};
static_assert(sizeof(Opcode) == 8 && offsetof(Opcode, byte) == 0 && offsetof(Opcode, wide) == 1);

// What an operand size adds to the opcode of the byte form, with 0 in its place.
inline constexpr std::array<u64, 9> kBySize = [] {
    std::array<u64, 9> added{};
    added[1] = std::bit_cast<u64>(Opcode{.byte_reg = true, .byte_rm = true});
    added[2] = std::bit_cast<u64>(Opcode{.byte = 1, .word = true});
    added[4] = std::bit_cast<u64>(Opcode{.byte = 1});
    added[8] = std::bit_cast<u64>(Opcode{.byte = 1, .wide = true});
    return added;
}();
// One-byte opcodes with operands of 1, 2, 4 or 8 bytes: `even` is the byte form, `even + 1` the other. Put
// together as a number: field by field it would be many steps.
inline Opcode sized(u8 even, unsigned size, u8 map = 0) {
    return std::bit_cast<Opcode>(kBySize[size] | even | u64{map} << 8 * offsetof(Opcode, map));
}
inline Opcode plain(u8 byte, bool wide = false, u8 map = 0) {
    return {.byte = byte, .wide = wide, .map = map};
}

inline bool fits8(i32 v) {
    return v == static_cast<i8>(v);
}

enum Condition : u8 { kO, kNO, kB, kAE, kE, kNE, kBE, kA, kS, kNS, kP, kNP, kL, kGE, kLE, kG };

// A place in the code; may be jumped to before it is bound. Index into the encoder's list.
struct Label {
    u32 id = ~u32{0};
    bool valid() const { return id != ~u32{0}; }
};

class Encoder {
  public:
    // Writes at `begin`, up to `end`; behind that nothing is written and full() becomes true.
    void start(u8* begin, u8* end) {
        begin_ = p_ = begin;
        end_ = end - 32;
        full_ = false;
        labels_.clear();
        fixups_.clear();
    }
    u8* here() const { return p_; }
    u32 offset() const { return static_cast<u32>(p_ - begin_); }
    bool full() const { return full_; }

    Label label() {
        const u32 id = labels_.size();
        labels_.next() = ~u32{0};
        return {id};
    }
    // The first of `n` in a row.
    Label labels(u32 n) {
        const u32 first = labels_.size();
        std::fill_n(labels_.next(n), n, ~u32{0});
        return {first};
    }
    void bind(Label l) { labels_[l.id] = offset(); }
    bool bound(Label l) const { return labels_[l.id] != ~u32{0}; }
    u32 offset_of(Label l) const { return labels_[l.id]; }
    // Fills in the jumps; every label must be bound.
    void resolve();

    // --- raw ---
    void byte(u8 v) { *p_++ = v; }
    void imm8(u64 v) { byte(static_cast<u8>(v)); }
    void imm16(u64 v) { put(static_cast<u16>(v)); }
    void imm32(u64 v) { put(static_cast<u32>(v)); }
    void imm64(u64 v) { put(v); }

    // Code that is complete but for what the caller fills in; where it is, or null when full.
    template <size_t N>
    u8* raw(const std::array<u8, N>& code) {
        if (end_ - p_ < static_cast<std::ptrdiff_t>(N)) [[unlikely]]
            return full_ = true, nullptr;
        u8* const at = p_;
        std::memcpy(at, code.data(), N);
        p_ += N;
        return at;
    }

    // Fills in a jump's rel32 that raw() left out.
    void displacement_at(u8* p, Label l) { fixups_.push_back({static_cast<u32>(p - begin_), l.id}); }

    // --- an opcode with ModRM ---
    void rr(Opcode o, unsigned reg, unsigned rm);
    void rm(Opcode o, unsigned reg, Mem m);
    void rm(Opcode o, unsigned reg, At m) {
        o.simple() ? plain_rm(o.byte, o.wide, reg, m) : rm_of_any(o, reg, m);
    }
    // VEX-encoded; `vvvv` a register number, 0 where unused (encoded as 1111b).
    void vex_rr(Opcode o, unsigned reg, unsigned vvvv, unsigned rm, bool l256 = false);
    void vex_rm(Opcode o, unsigned reg, unsigned vvvv, Mem m, bool l256 = false);

    // --- what the translator itself needs ---
    void mov(Reg to, Reg from, bool wide = true) { plain_rr(0x8B, wide, to, from); }
    // M: Mem, At or State.
    template <class M = Mem>
    void load(Reg to, M m, bool wide = true) {
        plain_rm(0x8B, wide, to, m);
    }
    template <class M>
    void store(M m, Reg from, bool wide = true) {
        plain_rm(0x89, wide, from, m);
    }
    template <class M = Mem>
    void lea(Reg to, M m, bool wide = true) {
        plain_rm(0x8D, wide, to, m);
    }
    void move_imm(Reg to, u64 v);  // any 64-bit value, flags kept
    template <class M>
    void store_imm32(M m, i32 v, bool wide) {
        plain_rm(0xC7, wide, 0, m);
        imm32(static_cast<u32>(v));
    }
    // op: 0 ADD, 1 OR, 2 ADC, 3 SBB, 4 AND, 5 SUB, 6 XOR, 7 CMP
    void alu(unsigned op, Reg to, Reg from, bool wide = true) {
        plain_rr(static_cast<u8>(op << 3 | 3), wide, to, from);
    }
    template <class M>
    void alu(unsigned op, Reg to, M m, bool wide = true) {
        plain_rm(static_cast<u8>(op << 3 | 3), wide, to, m);
    }
    void alu_imm(unsigned op, Reg to, i32 v, bool wide = true) {
        plain_rr(fits8(v) ? 0x83 : 0x81, wide, op, to);
        fits8(v) ? imm8(static_cast<u64>(v)) : imm32(static_cast<u32>(v));
    }
    void alu_imm(unsigned op, Mem m, i32 v, bool wide);
    void rorx(Reg to, Reg from, u8 count, bool wide);

    void jmp(Label l);
    void jmp(u32 to);  // an offset: to what is written already
    void jcc(unsigned cond, Label l);
    void call(Label l);
    void lea_label(Reg to, Label l);
    void jmp_to(const u8* from_executable, const u8* target);  // rel32; `from_executable`: where it will run
    void call_to(const u8* from_executable, const u8* target);
    void jcc_to(unsigned cond, const u8* from_executable, const u8* target);
    void jmp_reg(Reg r) { plain_rr(0xFF, false, 4, r); }
    void call_reg(Reg r) { plain_rr(0xFF, false, 2, r); }
    template <class M>
    void jmp_mem(M m) {
        plain_rm(0xFF, false, 4, m);
    }
    template <class M>
    void call_mem(M m) {
        plain_rm(0xFF, false, 2, m);
    }
    template <class M>
    void push_mem(M m) {
        plain_rm(0xFF, false, 6, m);
    }
    void push(Reg r);
    void pop(Reg r);
    void ret() { byte(0xC3); }

    // Keeps room for what the next few calls write.
    bool reserve() {
        if (p_ < end_) [[likely]]
            return true;
        full_ = true;
        p_ = end_;
        return false;
    }

  private:
    void plain_rm(u8 opcode, bool wide, unsigned reg, Mem m) { rm(plain(opcode, wide), reg, m); }
    // Little is left of these where most is constant.
    void plain_rr(u8 opcode, bool wide, unsigned reg, unsigned rm) {
        if (!reserve()) return;
        const unsigned rex = static_cast<unsigned>(wide) << 3 | (reg >> 3 & 1) << 2 | (rm >> 3 & 1);
        u8* p = p_;
        *p = static_cast<u8>(0x40 | rex);
        p += rex != 0;
        p[0] = opcode;
        p[1] = static_cast<u8>(0xC0 | (reg & 7) << 3 | (rm & 7));
        p_ = p + 2;
    }
    void plain_rm(u8 opcode, bool wide, unsigned reg, At m) {
        if (!reserve()) return;
        const unsigned rex = static_cast<unsigned>(wide) << 3 | (reg >> 3 & 1) << 2 | (m.base >> 3 & 1);
        u8* p = p_;
        *p = static_cast<u8>(0x40 | rex);
        p += rex != 0;
        *p++ = opcode;
        const unsigned base = m.base & 7, modrm = (reg & 7) << 3 | base;
        const bool none = m.disp == 0 && base != 5, short_form = fits8(m.disp);
        *p++ = static_cast<u8>(modrm | (none ? 0 : short_form ? 0x40 : 0x80));
        if (base == 4) *p++ = 0x24;
        store_le(p, m.disp);
        p_ = p + (none ? 0 : short_form ? 1 : 4);
    }
    void plain_rm(u8 opcode, bool wide, unsigned reg, State m) {
        if (!reserve()) return;
        const unsigned rex = 0x40 | static_cast<unsigned>(wide) << 3 | (reg >> 3 & 1) << 2;
        const unsigned modrm = (reg & 7) << 3 | 4, sib = 0x25;
        u8* p = p_;
        if (rex == 0x40) {
            store_le<u32>(p, 0x65 | opcode << 8 | modrm << 16 | sib << 24);
        } else {
            store_le<u32>(p, 0x65 | rex << 8 | opcode << 16 | modrm << 24);
            p[4] = sib;
            ++p;
        }
        store_le(p + 4, m.disp);
        p_ = p + 8;
    }
    void rr_of_any(Opcode o, unsigned reg, unsigned rm);
    void rm_of_any(Opcode o, unsigned reg, Mem m);
    template <class T>
    void put(T v) {
        store_le(p_, v);
        p_ += sizeof(T);
    }
    u8* begin_ = nullptr;
    u8* p_ = nullptr;
    u8* end_ = nullptr;
    bool full_ = false;
    struct Fixup {
        u32 at;  // of the rel32
        u32 label;
    };
    // The end of an instruction: at `p`, where the jump goes.
    void displacement(u8* p, Label l) {
        const u32 at = static_cast<u32>(p - begin_), target = labels_[l.id];
        displacement(p, target - (at + 4));
        if (target == ~u32{0}) fixups_.push_back({at, l.id});
    }
    void displacement(u8* p, u32 distance) {
        store_le(p, distance);
        p_ = p + 4;
    }

    ReusedList<u32> labels_;
    ReusedList<Fixup> fixups_;
};

}  // namespace mynah::x64
