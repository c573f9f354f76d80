// Shifts, multiplication, division, bits and conditions: where the host's undefined flags are not the
// guest's, they are fixed up (docs/design.md lists the values).
#include <array>

#include "jit/x64/translator.h"

namespace mynah::x64 {

namespace {

constexpr unsigned kCmp = 7;

bool byte_register_high(const Insn& i) {
    return i.osize == 1 && !i.memory() && i.rm >= kHighByte;
}

}  // namespace

bool Translator::emit_shift(const Insn& i) {
    if (!(i.op >= Op::ROL && i.op <= Op::SAR) || byte_register_high(i)) return false;
    const unsigned size = i.osize;
    const unsigned ext = i.op == Op::ROL   ? 0
                         : i.op == Op::ROR ? 1
                         : i.op == Op::RCL ? 2
                         : i.op == Op::RCR ? 3
                         : i.op == Op::SHL ? 4
                         : i.op == Op::SHR ? 5
                                           : 7;
    const bool shift = ext >= 4;
    const bool by_cl = i.opcode == 0xD2 || i.opcode == 0xD3;
    const unsigned count = static_cast<unsigned>(i.imm) & (size == 8 ? 63 : 31);
    if (!by_cl && size < 4 && count >= size * 8) return false;
    // Through carry: by one only. Rotates by CL keep flags when CL is 0.
    if ((ext == 2 || ext == 3) && (by_cl || count != 1)) return false;
    if (by_cl && (!shift || size < 4)) return false;

    Mem operand;
    const auto operate = [&](Opcode o) {
        if (i.memory()) {
            e_.rm(o, ext, operand);
        } else if (home(i.rm) != kNoReg || size != 4) {
            with_rm_register(o, ext, i.rm);
        } else {
            e_.load(RAX, slot(i.rm));
            e_.rr(o, ext, RAX);
        }
    };
    const bool through_rax = !i.memory() && home(i.rm) == kNoReg && size == 4;
    if (by_cl) {
        const bool dead = dead_flags();
        if (i.memory()) operand = access(i, size, true);
        if (!dead) flags_to_state();
        e_.mov(RCX, home(rcx), false);
        operate(sized(0xD2, size));
        if (through_rax) put_back(i.rm, RAX, size);
        if (dead) {
            flags_written(true);
            return true;
        }
        // A count of 0 keeps the flags.
        const Label kept = e_.label();
        e_.byte(0x9F);  // LAHF
        e_.rr({.byte = 0x90, .map = 1, .byte_rm = true}, 0, RAX);
        e_.byte(0x80);  // AND AH, ~10h
        e_.byte(0xE4);
        e_.byte(0xEF);
        if (!overflow_of_last_step_ && ext != 7) fix_shift_overflow(ext == 4, size);
        e_.rr(plain(0xF6), 0, RCX);  // TEST CL, mask
        e_.imm8(size == 8 ? 63 : 31);
        e_.jcc(kE, kept);
        e_.store(in_state(s_.flags), RAX, false);
        e_.bind(kept);
        flags_in_state_only();
        return true;
    }
    const bool in_two = count > 1 && ext != 7 && !overflow_of_last_step_ && !dead_flags();
    if (i.memory()) operand = access(i, size, true);
    const bool one = count == 1 && (i.opcode == 0xD0 || i.opcode == 0xD1);
    // Rotates change CF and OF only.
    if (!shift && count != 0) {
        if (i.memory()) {
            host_address(RCX, operand);
            flags_to_host();
            operand = at(RCX);
            operate(sized(one ? 0xD0 : 0xC0, size));
            if (!one) e_.imm8(in_two ? count - 1 : count);
            if (in_two) operate(sized(0xD0, size));
            flags_written(flags_.af_junk);
            return true;
        }
        flags_to_host();
    }
    operate(sized(one ? 0xD0 : 0xC0, size));
    if (!one) e_.imm8(in_two ? count - 1 : count);
    if (in_two) through_rax ? e_.rr(sized(0xD0, size), ext, RAX) : operate(sized(0xD0, size));
    if (through_rax) put_back(i.rm, RAX, size);
    if (count != 0) flags_written(shift || flags_.af_junk);
    return true;
}

// The flags are in AX, the count in CL. OF of the last step by one: of a shift to the left whether CF is not
// the result's sign, of one to the right by several 0.
void Translator::fix_shift_overflow(bool left, unsigned size) {
    static constexpr std::array<u8, 9> kLeft = {
        0x88, 0xE0,        // MOV AL, AH
        0xC0, 0xE8, 0x07,  // SHR AL, 7
        0x30, 0xE0,        // XOR AL, AH
        0x24, 0x01,        // AND AL, 1
    };
    const std::array<u8, 11> right = {
        0x80, 0xE1, static_cast<u8>(size == 8 ? 63 : 31),  // AND CL, mask
        0x80, 0xF9, 0x01,                                  // CMP CL, 1
        0x0F, 0x94, 0xC5,                                  // SETE CH
        0x20, 0xE8,                                        // AND AL, CH
    };
    left ? e_.raw(kLeft) : e_.raw(right);
}

// OF, undefined for counts above 1, is whether the sign changed.
bool Translator::emit_double_shift(const Insn& i) {
    if ((i.op != Op::SHLD && i.op != Op::SHRD) || i.osize < 4) return false;
    const unsigned size = i.osize;
    const bool wide = size == 8;
    const bool by_cl = i.opcode & 1;
    const unsigned mask = wide ? 63 : 31;
    if (i.memory() || home(i.rm) == kNoReg || (!by_cl && (i.imm & mask) == 0)) return false;
    const Reg to = home(i.rm);
    const bool dead = dead_flags();
    if (!dead) {
        flags_to_state();
        e_.store(in_state(s_.value), to);
    }
    const Reg from = value_of(i.reg, RAX);
    if (by_cl) e_.mov(RCX, home(rcx), false);
    e_.rr({.byte = i.opcode, .wide = wide, .map = 1}, from, to);
    if (!by_cl) e_.imm8(i.imm & mask);
    if (dead) {
        flags_written(true);
        return true;
    }
    const Label kept = e_.label();
    e_.byte(0x9F);  // LAHF
    e_.byte(0x80);  // AND AH, ~10h
    e_.byte(0xE4);
    e_.byte(0xEF);
    if (by_cl) {
        e_.rr(plain(0xF6), 0, RCX);  // TEST CL, mask
        e_.imm8(mask);
        e_.jcc(kE, kept);
    }
    e_.load(RCX, in_state(s_.value));
    e_.alu(6, RCX, to);                // XOR
    e_.rr(plain(0xC1, wide), 5, RCX);  // SHR
    e_.imm8(size * 8 - 1);
    e_.rr(plain(0x8A), RAX, RCX);
    e_.store(in_state(s_.flags), RAX, false);
    e_.bind(kept);
    flags_in_state_only();
    return true;
}

// CF and OF are set from the multiplication (still in the host's flags); the others are those of the result.
void Translator::fix_multiply_flags(Reg result, unsigned size) {
    e_.rr({.byte = 0x90, .map = 1, .byte_rm = true}, 0, RAX);  // SETO AL
    e_.rr(sized(0x84, size), result, result);
    e_.byte(0x9F);  // LAHF
    e_.byte(0x08);  // OR AH, AL
    e_.byte(0xC4);
    e_.store(in_state(s_.flags), RAX, false);
    flags_in_state_only();
}

bool Translator::emit_multiply(const Insn& i) {
    const unsigned size = i.osize;
    if (i.op == Op::IMUL2 || i.op == Op::IMUL3) {
        const bool dead = dead_flags();
        Mem operand;
        if (i.memory()) operand = access(i, size, false);
        const bool three = i.op == Op::IMUL3;
        const Reg to = home(i.reg) == kNoReg ? RCX : home(i.reg);
        if (three) {
            const Opcode o{.byte = i.opcode, .wide = size == 8, .word = size == 2};
            i.memory() ? e_.rm(o, to, operand) : with_rm_register(o, to, i.rm);
            i.opcode == 0x6B ? e_.imm8(i.imm) : immediate(i.imm, size);
        } else {
            const Opcode o{.byte = 0xAF, .wide = size == 8, .map = 1, .word = size == 2};
            if (to == RCX) e_.load(RCX, slot(i.reg));
            i.memory() ? e_.rm(o, to, operand) : with_rm_register(o, to, i.rm);
        }
        put_back(i.reg, RCX, size);
        dead ? flags_written(true) : fix_multiply_flags(to, size);
        return true;
    }
    if (i.op != Op::MUL && i.op != Op::IMUL) return false;
    if (size < 4) return false;
    const bool dead = dead_flags();
    if (i.memory()) {
        load_sized(RCX, access(i, size, false), size);
    }
    move(RAX, home(rax), size);
    const unsigned ext = i.op == Op::MUL ? 4 : 5;
    i.memory() ? e_.rr(sized(0xF6, size), ext, RCX) : with_rm_register(sized(0xF6, size), ext, i.rm);
    move(home(rax), RAX, size);
    dead ? flags_written(true) : fix_multiply_flags(home(rax), size);
    return true;
}

bool Translator::emit_divide(const Insn& i) {
    if ((i.op != Op::DIV && i.op != Op::IDIV) || i.osize < 4) return false;
    const unsigned size = i.osize;
    const bool wide = size == 8;
    if (i.memory()) {
        load_sized(RCX, access(i, size, false), size);
    } else {
        before_clobber();
        move(RCX, value_of(i.rm, RCX), size);
    }
    // What could fault goes the long way: a host instruction must not.
    if (i.op == Op::DIV) {
        e_.alu(kCmp, home(rdx), RCX, wide);
        e_.jcc(kAE, whole_instead());
        move(RAX, home(rax), size);
        e_.rr(sized(0xF6, size), 6, RCX);
    } else {
        e_.lea(RAX, at(RCX, 1), wide);
        e_.alu_imm(kCmp, RAX, 1, wide);
        e_.jcc(kBE, whole_instead());
        move(RAX, home(rax), size);
        e_.rr(plain(0xC1, wide), 7, RAX);  // SAR
        e_.imm8(size * 8 - 1);
        e_.alu(kCmp, RAX, home(rdx), wide);
        e_.jcc(kNE, whole_instead());
        move(RAX, home(rax), size);
        e_.rr(sized(0xF6, size), 7, RCX);
    }
    move(home(rax), RAX, size);
    flags_in_state_only();
    return true;
}

// The BT family of memory with a register, which reaches in both directions from the operand.
bool Translator::emit_bit_string(const Insn& i) {
    const unsigned size = i.osize;
    if (size < 4 || i.asize < 4 || home(i.reg) == kNoReg) return false;
    const bool writes = i.op != Op::BT;
    const bool wide = size == 8;
    spare_flags();
    effective_address(i);
    e_.rr({.byte = static_cast<u8>(wide ? 0x8B : 0x63), .wide = true}, RCX, home(i.reg));  // MOV, MOVSXD
    e_.rr(plain(0xC1, true), 7, RCX);                                                      // SAR
    e_.imm8(wide ? 6 : 5);
    e_.lea(RAX, {.base = RAX, .index = RCX, .scale = static_cast<u8>(wide ? 3 : 2)}, i.asize == 8);
    add_segment(i.seg, size, writes);
    access_linear(size, writes);
    e_.mov(RCX, RAX);
    flags_to_host();
    e_.load(RAX, at(RCX), wide);
    e_.rr({.byte = i.opcode, .wide = wide, .map = 1}, home(i.reg), RAX);
    if (writes) e_.store(at(RCX), RAX, wide);
    flags_written(flags_.af_junk);
    return true;
}

bool Translator::emit_bits(const Insn& i) {
    const unsigned size = i.osize;
    switch (i.op) {
        case Op::BT:
        case Op::BTS:
        case Op::BTR:
        case Op::BTC: {
            const bool by_imm = i.opcode == 0xBA;
            const unsigned ext = static_cast<unsigned>(i.op) - static_cast<unsigned>(Op::BT) + 4;
            const bool writes = i.op != Op::BT;
            if (i.memory()) {
                if (!by_imm) return emit_bit_string(i);
                host_address(RCX, access(i, size, writes));
                flags_to_host();
                e_.rm({.byte = 0xBA, .wide = size == 8, .map = 1, .word = size == 2}, ext, at(RCX));
                e_.imm8(i.imm & (size * 8 - 1));
            } else {
                if (home(i.rm) == kNoReg && (size == 4 || !by_imm)) return false;
                flags_to_host();
                if (by_imm) {
                    with_rm_register({.byte = 0xBA, .wide = size == 8, .map = 1, .word = size == 2}, ext,
                                     i.rm);
                    e_.imm8(i.imm & (size * 8 - 1));
                } else {
                    const Reg n = value_of(i.reg, RCX);
                    with_rm_register({.byte = i.opcode, .wide = size == 8, .map = 1, .word = size == 2}, n,
                                     i.rm);
                }
            }
            flags_written(flags_.af_junk);
            return true;
        }
        case Op::BSF:
        case Op::BSR: {
            if (i.memory()) {
                load_sized(RCX, access(i, size, false), size);
            } else {
                with_rm_register(plain(0x8B, true), RCX, i.rm);
            }
            // A source of 0 leaves the destination alone, upper half included.
            const Reg to = home(i.reg) == kNoReg ? RAX : home(i.reg);
            if (to == RAX) e_.load(RAX, slot(i.reg));
            const Label zero = e_.label();
            e_.rr(sized(0x84, size), RCX, RCX);
            e_.jcc(kE, zero);
            e_.rr({.byte = i.opcode, .wide = size == 8, .map = 1, .word = size == 2}, to, RCX);
            put_back(i.reg, RAX, size);
            e_.rr(sized(0x84, size), RCX, RCX);
            e_.bind(zero);
            flags_written();
            return true;
        }
        case Op::POPCNT:
        case Op::TZCNT:
        case Op::LZCNT: {
            Mem operand;
            if (i.memory()) operand = access(i, size, false);
            const Reg to = home(i.reg) == kNoReg ? RCX : home(i.reg);
            if (to == RCX && size == 2) return false;
            const Opcode o{.byte = i.opcode, .wide = size == 8, .map = 1, .prefix = 0xF3, .word = size == 2};
            i.memory() ? e_.rm(o, to, operand) : with_rm_register(o, to, i.rm);
            put_back(i.reg, RCX, size);
            if (i.op == Op::POPCNT) {
                flags_written();
            } else {
                e_.byte(0x9F);  // LAHF
                e_.byte(0x25);  // AND EAX: CF and ZF
                e_.imm32(0x4100);
                e_.store(in_state(s_.flags), RAX, false);
                flags_in_state_only();
            }
            return true;
        }
        case Op::BSWAP: {
            if (size == 2) return false;
            const Reg r = value_of(i.reg, RCX);
            Opcode o{.byte = static_cast<u8>(0xC8 | (r & 7)), .wide = size == 8, .map = 1};
            if (!e_.reserve()) return true;
            const unsigned rex = (o.wide ? 8u : 0u) | (r >> 3 & 1);
            if (rex) e_.byte(static_cast<u8>(0x40 | rex));
            e_.byte(0x0F);
            e_.byte(o.byte);
            put_back(i.reg, r, size);
            return true;
        }
        default:
            return false;
    }
}

bool Translator::emit_condition(const Insn& i) {
    const unsigned size = i.osize;
    if (i.op == Op::CMOVCC) {
        Reg from = RAX;
        if (i.memory()) {
            host_address(RCX, access(i, size, false, true));
            flags_to_host();
            from = RCX;
        } else {
            flags_to_host();
        }
        const Opcode o{
            .byte = static_cast<u8>(0x40 | i.cond), .wide = size == 8, .map = 1, .word = size == 2};
        const Reg to = value_of(i.reg, RAX);
        i.memory() ? e_.rm(o, to, at(from)) : with_rm_register(o, to, i.rm);
        put_back(i.reg, to, size);
        return true;
    }
    if (i.op == Op::SETCC) {
        if (!i.memory() && i.rm >= kHighByte) return false;
        const Opcode o{.byte = static_cast<u8>(0x90 | i.cond), .map = 1, .byte_rm = true};
        if (i.memory()) {
            host_address(RCX, access(i, 1, true, true));
            flags_to_host();
            e_.rm(o, 0, at(RCX));
        } else {
            flags_to_host();
            with_rm_register(o, 0, i.rm);
        }
        return true;
    }
    if (i.op == Op::CBW) {
        if (size == 8) {
            e_.rr(plain(0x63, true), home(rax), home(rax));
        } else if (size == 4) {
            e_.rr({.byte = 0xBF, .map = 1}, home(rax), home(rax));
        } else {
            e_.rr({.byte = 0xBE, .map = 1, .word = true, .byte_rm = true}, home(rax), home(rax));
        }
        return true;
    }
    if (i.op == Op::CWD) {
        if (size == 2) return false;
        move(RAX, home(rax), size);
        if (size == 8) e_.byte(0x48);
        e_.byte(0x99);
        return true;
    }
    return false;
}

}  // namespace mynah::x64
