#include "jit/x64/encoder.h"

namespace mynah::x64 {

void Encoder::resolve() {
    for (const Fixup& f : fixups_) {
        const u32 target = labels_[f.label];
        MYNAH_CHECK(target != ~u32{0});
        store_le<u32>(begin_ + f.at, target - (f.at + 4));
    }
    fixups_.clear();
}

namespace {

// All write at `p`, a local of the caller's: through a member each byte would be a store and a load more.
[[gnu::always_inline]] inline u8* put_if(u8* p, bool wanted, u8 v) {
    *p = v;
    return p + wanted;
}

[[gnu::always_inline]] inline u8* put32(u8* p, u32 v) {
    store_le(p, v);
    return p + 4;
}

[[gnu::always_inline]] inline u8* put_opcode(u8* p, Opcode o, unsigned rex) {
    if (o.prefixed()) [[unlikely]] {
        p = put_if(p, o.lock, 0xF0);
        p = put_if(p, o.word, 0x66);
        p = put_if(p, o.prefix != 0, o.prefix);
    }
    rex |= static_cast<unsigned>(o.wide) << 3;
    p = put_if(p, rex != 0, static_cast<u8>(0x40 | rex));
    if (o.map != 0) {
        *p++ = 0x0F;
        if (o.map != 1) *p++ = o.map == 2 ? 0x38 : 0x3A;
    }
    *p++ = o.byte;
    return p;
}

// SPL, BPL, SIL, DIL exist only with REX.
[[gnu::always_inline]] inline unsigned byte_rex(bool byte_register, unsigned n) {
    return (static_cast<unsigned>(byte_register) & n >> 2 & (~n >> 3)) << 6;
}

[[gnu::always_inline]] inline u8* put_modrm(u8* p, unsigned reg, Mem m) {
    const unsigned r = (reg & 7) << 3;
    if (m.state) {
        store_le(p, static_cast<u16>(r | 0x2504));
        return put32(p + 2, static_cast<u32>(m.disp));
    }
    if (m.base == kNoReg) {
        // [index * scale + disp32], or [disp32]
        *p++ = static_cast<u8>(r | 4);
        *p++ = static_cast<u8>(m.scale << 6 | (m.index & 7u) << 3 | 5);
        return put32(p, static_cast<u32>(m.disp));
    }
    const unsigned base = m.base & 7u;
    const bool none = m.disp == 0 && base != 5;
    const unsigned mod = none ? 0u : fits8(m.disp) ? 0x40u : 0x80u;
    if (m.index != kNoReg || base == 4) {
        *p++ = static_cast<u8>(mod | r | 4);
        *p++ = static_cast<u8>(m.scale << 6 | (m.index & 7u) << 3 | base);
    } else {
        *p++ = static_cast<u8>(mod | r | base);
    }
    store_le(p, static_cast<u32>(m.disp));
    return p + (mod == 0 ? 0 : mod == 0x40 ? 1 : 4);
}

[[gnu::always_inline]] inline u8* put_vex(u8* p, const Opcode& o, unsigned reg, unsigned vvvv, unsigned index,
                                          unsigned rm, bool l256) {
    const unsigned pp = o.prefix == 0x66 ? 1u : o.prefix == 0xF3 ? 2u : o.prefix == 0xF2 ? 3u : 0u;
    const unsigned v = (~vvvv & 15u) << 3 | (l256 ? 4u : 0u) | pp;
    const bool short_form = o.map == 1 && !o.wide && !(index & 8) && !(rm & 8);
    if (short_form) {
        *p++ = 0xC5;
        *p++ = static_cast<u8>((reg & 8 ? 0u : 0x80u) | v);
    } else {
        *p++ = 0xC4;
        *p++ = static_cast<u8>((reg & 8 ? 0u : 0x80u) | (index & 8 ? 0u : 0x40u) | (rm & 8 ? 0u : 0x20u) |
                               o.map);
        *p++ = static_cast<u8>((o.wide ? 0x80u : 0u) | v);
    }
    *p++ = o.byte;
    return p;
}

}  // namespace

void Encoder::rr(Opcode o, unsigned reg, unsigned rm) {
    o.simple() ? plain_rr(o.byte, o.wide, reg, rm) : rr_of_any(o, reg, rm);
}

void Encoder::rr_of_any(Opcode o, unsigned reg, unsigned rm) {
    if (!reserve()) return;
    const unsigned rex =
        (reg >> 3 & 1) << 2 | (rm >> 3 & 1) | byte_rex(o.byte_reg, reg) | byte_rex(o.byte_rm, rm);
    u8* const p = put_opcode(p_, o, rex);
    *p = static_cast<u8>(0xC0 | (reg & 7) << 3 | (rm & 7));
    p_ = p + 1;
}

void Encoder::rm(Opcode o, unsigned reg, Mem m) {
    if (!o.simple() || m.state || m.base == kNoReg) return rm_of_any(o, reg, m);
    if (m.index == kNoReg) return plain_rm(o.byte, o.wide, reg, at(m.base, m.disp));
    if (!reserve()) return;
    const unsigned rex = static_cast<unsigned>(o.wide) << 3 | (reg >> 3 & 1) << 2 | (m.index >> 3 & 1) << 1 |
                         (m.base >> 3 & 1);
    u8* const p = put_if(p_, rex != 0, static_cast<u8>(0x40 | rex));
    *p = o.byte;
    p_ = put_modrm(p + 1, reg, m);
}

void Encoder::rm_of_any(Opcode o, unsigned reg, Mem m) {
    if (!reserve()) return;
    const unsigned rex =
        (reg >> 3 & 1) << 2 | (m.index >> 3 & 1) << 1 | (m.base >> 3 & 1) | byte_rex(o.byte_reg, reg);
    u8* const p = put_if(p_, m.state, 0x65);
    p_ = put_modrm(put_opcode(p, o, rex), reg, m);
}

void Encoder::vex_rr(Opcode o, unsigned reg, unsigned vvvv, unsigned rm, bool l256) {
    if (!reserve()) return;
    u8* p = put_vex(p_, o, reg, vvvv, 0, rm, l256);
    *p++ = static_cast<u8>(0xC0 | (reg & 7) << 3 | (rm & 7));
    p_ = p;
}

void Encoder::vex_rm(Opcode o, unsigned reg, unsigned vvvv, Mem m, bool l256) {
    if (!reserve()) return;
    u8* p = put_if(p_, m.state, 0x65);
    p_ = put_modrm(put_vex(p, o, reg, vvvv, m.index, m.base, l256), reg, m);
}

void Encoder::move_imm(Reg to, u64 v) {
    if (!reserve()) return;
    const u8 opcode = static_cast<u8>(0xB8 | (to & 7));
    if (v >> 32 == 0) {
        u8* const p = put_if(p_, to & 8, 0x41);
        *p = opcode;
        p_ = put32(p + 1, static_cast<u32>(v));
    } else if (static_cast<i64>(v) == static_cast<i32>(v)) {
        plain_rr(0xC7, true, 0, to);
        imm32(v);
    } else {
        byte(static_cast<u8>(0x48 | (to >> 3 & 1)));
        byte(opcode);
        imm64(v);
    }
}

void Encoder::alu_imm(unsigned op, Mem m, i32 v, bool wide) {
    rm(plain(fits8(v) ? 0x83 : 0x81, wide), op, m);
    fits8(v) ? imm8(static_cast<u64>(v)) : imm32(static_cast<u32>(v));
}

void Encoder::rorx(Reg to, Reg from, u8 count, bool wide) {
    vex_rr({.byte = 0xF0, .wide = wide, .map = 3, .prefix = 0xF2}, to, 0, from);
    byte(count);
}

void Encoder::jmp(Label l) {
    if (!reserve()) return;
    *p_ = 0xE9;
    displacement(p_ + 1, l);
}

void Encoder::jmp(u32 to) {
    if (!reserve()) return;
    *p_ = 0xE9;
    displacement(p_ + 1, to - (offset() + 5));
}

void Encoder::jcc(unsigned cond, Label l) {
    if (!reserve()) return;
    store_le(p_, static_cast<u16>(0x800F | cond << 8));
    displacement(p_ + 2, l);
}

void Encoder::call(Label l) {
    if (!reserve()) return;
    *p_ = 0xE8;
    displacement(p_ + 1, l);
}

void Encoder::lea_label(Reg to, Label l) {
    if (!reserve()) return;
    p_[0] = static_cast<u8>(0x48 | (to & 8 ? 4 : 0));
    p_[1] = 0x8D;
    p_[2] = static_cast<u8>((to & 7) << 3 | 5);  // [rip + disp32]
    displacement(p_ + 3, l);
}

void Encoder::jmp_to(const u8* from_executable, const u8* target) {
    if (!reserve()) return;
    *p_ = 0xE9;
    displacement(p_ + 1, static_cast<u32>(target - (from_executable + 5)));
}

void Encoder::call_to(const u8* from_executable, const u8* target) {
    if (!reserve()) return;
    *p_ = 0xE8;
    displacement(p_ + 1, static_cast<u32>(target - (from_executable + 5)));
}

void Encoder::jcc_to(unsigned cond, const u8* from_executable, const u8* target) {
    if (!reserve()) return;
    store_le(p_, static_cast<u16>(0x800F | cond << 8));
    displacement(p_ + 2, static_cast<u32>(target - (from_executable + 6)));
}

void Encoder::push(Reg r) {
    if (!reserve()) return;
    if (r & 8) byte(0x41);
    byte(static_cast<u8>(0x50 | (r & 7)));
}

void Encoder::pop(Reg r) {
    if (!reserve()) return;
    if (r & 8) byte(0x41);
    byte(static_cast<u8>(0x58 | (r & 7)));
}

}  // namespace mynah::x64
