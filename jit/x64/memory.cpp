// Guest memory: effective addresses, segments, and the inline look-up in the software TLB.
#include <array>

#include "jit/x64/translator.h"

namespace mynah::x64 {

namespace {
constexpr unsigned kAdd = 0, kCmp = 7;
}

// The operand as a host address form; registers in the state are loaded to RAX (base) and RCX (index). Not
// for RIP as base.
Mem Translator::address_of(const Insn& i, bool& direct) {
    Mem m{.disp = i.disp};
    direct = true;
    if (i.base != kNoRegister) {
        m.base = value_of(i.base, RAX);
        direct = direct && m.base != RAX;
    }
    if (i.index != kNoRegister) {
        m.index = value_of(i.index, RCX);
        m.scale = i.scale;
    }
    return m;
}

void Translator::effective_address(const Insn& i) {
    rax_lost();
    if (i.op == Op::MOV && i.opcode >= 0xA0 && i.opcode <= 0xA3) return e_.move_imm(RAX, i.imm);
    if (i.base == kRip) {
        u64 a = region_->rip_of(*entry_) + i.length + static_cast<u64>(static_cast<i64>(i.disp));
        if (i.asize == 4) a = static_cast<u32>(a);
        return e_.move_imm(RAX, a);
    }
    bool direct;
    const Mem m = address_of(i, direct);
    const bool wide = i.asize == 8;
    if (m.base == kNoReg && m.index == kNoReg) {
        const u64 d = static_cast<u64>(static_cast<i64>(i.disp));
        return e_.move_imm(RAX, i.asize == 8 ? d : i.asize == 4 ? static_cast<u32>(d) : static_cast<u16>(d));
    }
    if (m.index == kNoReg && m.disp == 0 && i.asize != 2) {
        if (m.base != RAX || !wide) e_.mov(RAX, m.base, wide);
        return;
    }
    e_.lea(RAX, m, wide);
    if (i.asize == 2) e_.rr({.byte = 0xB7, .map = 1}, RAX, RAX);
}

void Translator::add_segment(Seg seg, unsigned size, bool write) {
    const i32 s = s_.segment[static_cast<unsigned>(seg)];
    if (mode_.code_size == 8) {
        if (seg == Seg::fs || seg == Seg::gs) e_.alu(kAdd, RAX, in_state(s));
        return;
    }
    if (seg == Seg::cs ? mode_.flat_cs && !write : mode_.flat && seg != Seg::fs && seg != Seg::gs) return;
    e_.lea(RCX, at(RAX, static_cast<i32>(size)));
    e_.alu(kCmp, RCX, in_state(s + (write ? 16 : 8)));
    e_.jcc(kA, whole_instead());
    e_.alu(kAdd, RAX, in_state(s));
    e_.mov(RAX, RAX, false);
}

void Translator::look_up(unsigned size, bool write, Stub::Kind otherwise) {
    // Half of all code that is made: written as one.
    static constexpr std::array<u8, 42> kLookUp = {
        0xC4, 0xE3, 0x7B, 0xF0, 0xC8, 0x08,           // RORX ECX, EAX, 8
        0x65, 0x23, 0x0C, 0x25, 0,    0,    0, 0,     // AND ECX, mask
        0x65, 0x48, 0x03, 0x0C, 0x25, 0,    0, 0, 0,  // ADD RCX, entries
        0x48, 0x2B, 0x01,                             // SUB RAX, [RCX]
        0x48, 0x3D, 0,    0,    0,    0,              // CMP RAX, imm32
        0x0F, 0x87, 0,    0,    0,    0,              // JA stub
        0x48, 0x03, 0x41, 0x08,                       // ADD RAX, [RCX + 8]
    };
    const i32 table = write ? s_.write_table : s_.read_table;
    u8* const p = e_.raw(kLookUp);
    if (p == nullptr) return;
    store_le<u32>(p + 10, static_cast<u32>(table + 8));
    store_le<u32>(p + 19, static_cast<u32>(table));
    store_le<u32>(p + 28, static_cast<u32>(kPageSize - size));
    add_miss(otherwise, p + 34, size, write);
}

// `displacement`: of the jump there. It comes back to here.
void Translator::add_miss(Stub::Kind kind, u8* displacement, unsigned bytes, bool write) {
    Stub& s = new_stub(kind, new_site(bytes, write));
    s.resume = e_.label();
    e_.displacement_at(displacement, s.here);
    e_.bind(s.resume);
}

Mem Translator::access(const Insn& i, unsigned size, bool write, bool flags_stay) {
    if (hoist_ && size <= 8 && on_stack(i))
        return stack_access(i.disp, size, write, flags_stay || may_lose_flags(i));
    Mem host;
    if (spanning_ && access_in_span(i, size, write, flags_stay, false, host)) return host;
    spare_flags();
    effective_address(i);
    add_segment(i.seg, size, write);
    const bool stack = i.base == rsp && i.index == kNoRegister && i.seg == Seg::ss;
    // Where the stack's accesses are checked together its page must stay what it is.
    stack && !hoist_ ? access_stack_linear(size, write) : access_linear(size, write);
    return at(RAX);
}

void Translator::check_alignment(unsigned size, u8 inside) {
    if (inside != 0) {
        e_.lea(RCX, at(RAX, inside), false);
        e_.rr(plain(0xF6), 0, RCX);  // TEST CL, size - 1
    } else {
        e_.byte(0xA8);  // TEST AL, size - 1
    }
    e_.imm8(size - 1);
    e_.jcc(kNE, whole_instead());
}

Mem Translator::access_aligned(const Insn& i, unsigned size, bool write) {
    Mem host;
    if (spanning_ && access_in_span(i, size, write, false, true, host)) return host;
    spare_flags();
    effective_address(i);
    add_segment(i.seg, size, write);
    check_alignment(size);
    access_linear(size, write);
    return at(RAX);
}

void Translator::put_back(unsigned g, Reg from, unsigned size) {
    if (home(g) != kNoReg) return;
    size >= 4 ? e_.store(slot(g), from) : store_sized(slot(g), from, size);
}

void Translator::load_sized(Reg to, const Mem& m, unsigned size) {
    switch (size) {
        case 1:
            return e_.rm({.byte = 0xB6, .map = 1}, to, m);
        case 2:
            return e_.rm({.byte = 0xB7, .map = 1}, to, m);
        default:
            return e_.load(to, m, size == 8);
    }
}

void Translator::store_sized(const Mem& m, Reg from, unsigned size) {
    e_.rm(sized(0x88, size), from, m);
}

void Translator::immediate(u64 v, unsigned size) {
    if (size == 1) return e_.imm8(v);
    if (size == 2) return e_.imm16(v);
    e_.imm32(v);
}

}  // namespace mynah::x64
