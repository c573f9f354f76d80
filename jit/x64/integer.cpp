// Arithmetic, logic, moves, the stack. Guest instructions keep their opcodes; registers and memory operands
// change.
#include <array>

#include "jit/x64/translator.h"

namespace mynah::x64 {

namespace {

constexpr unsigned kAnd = 4, kCmpOp = 7;

// AH, CH, DH, BH: their registers are not where the host could name them.
bool high_byte(const Insn& i) {
    return i.osize == 1 && ((i.reg >= kHighByte) || (!i.memory() && i.rm >= kHighByte));
}

bool fits8(u64 v, unsigned size) {
    const i64 s = size == 2 ? static_cast<i16>(v) : size == 4 ? static_cast<i32>(v) : static_cast<i64>(v);
    return s == static_cast<i8>(s);
}

struct AluForm {
    unsigned op = 0;  // as in the opcodes: ADD OR ADC SBB AND SUB XOR CMP
    bool test = false, writes = false;
    bool accumulator = false, immediate = false, to_reg = false;
    unsigned rm = 0, to = 0, from = 0;  // guest registers, if they are no memory operand
};

[[gnu::always_inline]] inline AluForm alu_form(const Insn& i) {
    AluForm f;
    f.test = i.op == Op::TEST;
    // Op's order is as in the opcodes, too.
    f.op = f.test ? 0 : static_cast<unsigned>(i.op) - static_cast<unsigned>(Op::ADD);
    f.writes = !f.test && f.op != kCmpOp;
    f.accumulator = f.test ? i.opcode == 0xA8 || i.opcode == 0xA9 : i.opcode < 0x40 && (i.opcode & 7) >= 4;
    f.immediate = f.accumulator || (i.opcode >= 0x80 && i.opcode <= 0x83) || i.opcode >= 0xF6;
    f.to_reg = !f.test && i.opcode < 0x40 && (i.opcode & 6) == 2;
    f.rm = f.accumulator ? unsigned{rax} : i.rm;
    f.to = f.to_reg ? i.reg : f.rm;
    f.from = f.immediate ? f.rm : f.to_reg ? i.rm : i.reg;
    return f;
}

constexpr std::array<FlagRecipe::Kind, 8> kRecipes = {FlagRecipe::add,   FlagRecipe::logic, FlagRecipe::none,
                                                      FlagRecipe::none,  FlagRecipe::logic, FlagRecipe::sub,
                                                      FlagRecipe::logic, FlagRecipe::cmp};

// Of 4 or 8 bytes, without a memory operand. None unless all operands stay where they are.
[[gnu::always_inline]] inline FlagRecipe recipe_of_registers(const Insn& i, const AluForm& form) {
    const FlagRecipe::Kind kind = form.test ? FlagRecipe::test : kRecipes[form.op];
    const bool gone =
        (kind == FlagRecipe::add || kind == FlagRecipe::sub) && !form.immediate && form.to == form.from;
    if (kind == FlagRecipe::none || gone || kHome[form.to] == kNoReg || kHome[form.from] == kNoReg) return {};
    return {.kind = kind,
            .wide = i.osize == 8,
            .immediate = form.immediate,
            .to = static_cast<u8>(form.to),
            .from = static_cast<u8>(form.from),
            .value = static_cast<i32>(i.imm)};
}

}  // namespace

bool Translator::emit_alu(const Insn& i) {
    if (high_byte(i)) return emit_high_byte(i);
    const AluForm form = alu_form(i);
    const auto [op, test, writes, accumulator, immediate_form, to_reg, rm, to, from] = form;
    const unsigned size = i.osize;
    const bool reads_carry = i.op == Op::ADC || i.op == Op::SBB;
    const bool memory = i.memory() && !accumulator;
    Mem operand;
    if (memory) operand = access(i, size, writes && !to_reg);
    if (reads_carry) carry_to_host();
    if (immediate_form) {
        const bool short_form = !test && size != 1 && fits8(i.imm, size);
        Opcode o = test ? sized(0xF6, size) : sized(0x80, size);
        if (short_form) o.byte = 0x83;
        const unsigned ext = test ? 0 : op;
        const unsigned n = short_form ? 1 : size;
        if (memory) {
            e_.rm(o, ext, operand);
            immediate(i.imm, n);
        } else if (home(rm) != kNoReg || size != 4 || !writes) {
            with_rm_register(o, ext, rm);
            immediate(i.imm, n);
        } else {
            e_.load(RCX, slot(rm));
            e_.rr(o, ext, RCX);
            immediate(i.imm, n);
            put_back(rm, RCX, size);
        }
    } else if (memory) {
        const Reg r = value_of(i.reg, RCX);
        if (test) {
            e_.rm(sized(0x84, size), r, operand);
        } else {
            e_.rm(sized(static_cast<u8>(op << 3 | (to_reg ? 2 : 0)), size), r, operand);
            if (to_reg && writes) put_back(i.reg, r, size);
        }
    } else {
        const Opcode o = test ? sized(0x84, size) : sized(static_cast<u8>(op << 3), size);
        const Reg f = value_of(from, RCX);
        if (home(to) != kNoReg || size != 4 || !writes) {
            with_rm_register(o, f, to);
        } else {
            e_.load(RAX, slot(to));
            e_.rr(o, f, RAX);
            put_back(to, RAX, size);
        }
    }
    flags_written();
    if (!memory && size >= 4) flags_.recipe = recipe_of_registers(i, form);
    return true;
}

FlagRecipe Translator::recipe_of(const Insn& i) {
    return is_alu(i.op) && !i.memory() && i.osize >= 4 ? recipe_of_registers(i, alu_form(i)) : FlagRecipe{};
}

// AH, CH, DH and BH: the registers go to RCX and RAX, whose high bytes the host can name.
bool Translator::emit_high_byte(const Insn& i) {
    constexpr unsigned kAh = 4, kCh = 5;
    const bool test = i.op == Op::TEST, mov = i.op == Op::MOV, alu = !mov;
    const auto guest = [](unsigned r) { return r >= kHighByte ? r - kHighByte : r; };
    const unsigned op = alu && !test ? static_cast<unsigned>(i.op) - static_cast<unsigned>(Op::ADD) : 0;
    const bool writes = mov || (!test && op != kCmpOp);
    const bool immediate_form = (i.opcode >= 0x80 && i.opcode <= 0x83) || i.opcode >= 0xF6 ||
                                i.opcode == 0xC6 || (i.opcode >= 0xB0 && i.opcode <= 0xB7);
    const bool to_reg = (i.opcode < 0x40 && (i.opcode & 6) == 2 && !test) || i.opcode == 0x8A;
    const auto byte = static_cast<u8>(mov ? 0x88 : test ? 0x84 : op << 3);
    const auto operate = [&](unsigned to, auto emit) {
        e_.mov(RCX, home(guest(to)));
        if (i.op == Op::ADC || i.op == Op::SBB) carry_to_host();
        emit(to >= kHighByte ? kCh : 1u);
        if (writes) e_.mov(home(guest(to)), RCX);
    };
    if (i.memory()) {
        Mem operand = access(i, 1, writes && !to_reg);
        if (operand.index != kNoReg) {
            // The stack pointer's home, for which REX would be needed.
            e_.lea(RAX, operand);
            rax_lost();
            operand = at(RAX);
        }
        e_.mov(RCX, home(guest(i.reg)));
        if (i.op == Op::ADC || i.op == Op::SBB) carry_to_host();
        e_.rm(plain(static_cast<u8>(byte | (to_reg ? 2 : 0))), kCh, operand);
        if (to_reg && writes) e_.mov(home(guest(i.reg)), RCX);
    } else if (immediate_form) {
        operate(mov && i.opcode < 0xC0 ? i.reg : i.rm, [&](unsigned to) {
            e_.rr(plain(mov ? 0xC6 : test ? 0xF6 : 0x80), op, to);
            e_.imm8(i.imm);
        });
    } else {
        const unsigned from = to_reg ? i.rm : i.reg;
        operate(to_reg ? i.reg : i.rm, [&](unsigned to) {
            e_.mov(RAX, home(guest(from)));
            e_.rr(plain(byte), from >= kHighByte ? kAh : 0, to);
        });
    }
    if (!mov) flags_written();
    return true;
}

bool Translator::emit_unary(const Insn& i) {
    u8 byte;
    unsigned ext;
    switch (i.op) {
        case Op::INC:
            byte = 0xFE, ext = 0;
            break;
        case Op::DEC:
            byte = 0xFE, ext = 1;
            break;
        case Op::NOT:
            byte = 0xF6, ext = 2;
            break;
        case Op::NEG:
            byte = 0xF6, ext = 3;
            break;
        default:
            return false;
    }
    const bool by_opcode = i.opcode >= 0x40 && i.opcode < 0x50;
    const unsigned g = by_opcode ? i.reg : i.rm;
    const unsigned size = i.osize;
    const bool memory = i.memory() && !by_opcode;
    if (size == 1 && !memory && g >= kHighByte) return false;
    Mem operand;
    if (memory) operand = access(i, size, true);
    // CF stays.
    if (i.op == Op::INC || i.op == Op::DEC) carry_to_host();
    if (memory) {
        e_.rm(sized(byte, size), ext, operand);
    } else if (home(g) != kNoReg || size != 4) {
        with_rm_register(sized(byte, size), ext, g);
    } else {
        e_.load(RCX, slot(g));
        e_.rr(sized(byte, size), ext, RCX);
        put_back(g, RCX, size);
    }
    if (i.op != Op::NOT) flags_written();
    return true;
}

bool Translator::emit_move(const Insn& i) {
    if (i.op == Op::LEA) {
        const unsigned size = i.osize;
        if (size == 2) return false;
        const Reg to = home(i.reg);
        if (to != kNoReg && i.base != kRip && i.asize >= 4 && (i.asize == 8 || size == 4)) {
            bool direct;
            const Mem m = address_of(i, direct);
            if (m.base == kNoReg && m.index == kNoReg) {
                const u64 d = static_cast<u64>(static_cast<i64>(i.disp));
                e_.move_imm(to, size == 8 ? d : static_cast<u32>(d));
            } else {
                e_.lea(to, m, size == 8);
            }
            return true;
        }
        effective_address(i);
        if (to != kNoReg) {
            move(to, RAX, size);
        } else {
            if (size == 4) e_.mov(RAX, RAX, false);
            put_back(i.reg, RAX, size);
        }
        return true;
    }
    if (high_byte(i)) return emit_high_byte(i);
    const unsigned size = i.osize;
    const u8 op = i.opcode;
    if (op >= 0xB0 && op <= 0xBF) {
        const unsigned g = i.reg;
        const Reg to = home(g);
        if (size >= 4) {
            e_.move_imm(to == kNoReg ? RAX : to, size == 8 ? i.imm : static_cast<u32>(i.imm));
            put_back(g, RAX, size);
        } else {
            with_rm_register(sized(0xC6, size), 0, g);
            immediate(i.imm, size);
        }
        return true;
    }
    if (op >= 0xA0 && op <= 0xA3) {
        const bool store = op >= 0xA2;
        const Mem operand = access(i, size, store, true);
        e_.rm(sized(store ? 0x88 : 0x8A, size), home(rax), operand);
        return true;
    }
    if (op == 0xC6 || op == 0xC7) {
        if (i.memory()) {
            const Mem operand = access(i, size, true, true);
            e_.rm(sized(0xC6, size), 0, operand);
            immediate(i.imm, size);
        } else if (size == 4) {
            const Reg to = home(i.rm);
            e_.move_imm(to == kNoReg ? RAX : to, static_cast<u32>(i.imm));
            put_back(i.rm, RAX, size);
        } else {
            with_rm_register(sized(0xC6, size), 0, i.rm);
            immediate(i.imm, size);
        }
        return true;
    }
    const bool load = op == 0x8A || op == 0x8B;
    if (i.memory()) {
        const Mem operand = access(i, size, !load, true);
        if (!load) {
            store_sized(operand, value_of(i.reg, RCX), size);
        } else if (home(i.reg) != kNoReg) {
            e_.rm(sized(0x8A, size), home(i.reg), operand);
        } else {
            load_sized(RCX, operand, size);
            put_back(i.reg, RCX, size);
        }
        return true;
    }
    const unsigned to = load ? i.reg : i.rm, from = load ? i.rm : i.reg;
    if (home(to) != kNoReg) {
        with_rm_register(sized(0x8A, size), home(to), from);
    } else if (size == 4) {
        with_rm_register(plain(0x8B), RCX, from);
        put_back(to, RCX, size);
    } else {
        store_sized(slot(to), value_of(from, RCX), size);
    }
    return true;
}

bool Translator::emit_extend(const Insn& i) {
    Opcode o;
    unsigned from_size;
    switch (i.op) {
        case Op::MOVZX:
        case Op::MOVSX:
            from_size = i.opcode & 1 ? 2 : 1;
            o = {.byte = i.opcode,
                 .wide = i.osize == 8,
                 .map = 1,
                 .word = i.osize == 2,
                 .byte_rm = from_size == 1};
            break;
        case Op::MOVSXD:
            if (i.osize != 8) return false;
            from_size = 4;
            o = plain(0x63, true);
            break;
        default:
            return false;
    }
    if (!i.memory() && i.rm >= kHighByte) {
        // AH to BH, zero- or sign-extended: through CH, which needs no REX.
        if (i.osize != 4 || home(i.reg) == kNoReg) return false;
        e_.mov(RCX, home(i.rm - kHighByte), false);
        o.byte_rm = false;
        e_.rr(o, RAX, 5);
        e_.mov(home(i.reg), RAX, false);
        return true;
    }
    const Reg to = home(i.reg) == kNoReg ? RCX : home(i.reg);
    i.memory() ? e_.rm(o, to, access(i, from_size, false, true)) : with_rm_register(o, to, i.rm);
    put_back(i.reg, RCX, i.osize);
    return true;
}

bool Translator::emit_exchange(const Insn& i) {
    const unsigned size = i.osize;
    if (i.op == Op::XCHG) {
        const bool with_rax = i.opcode >= 0x90 && i.opcode < 0x98;
        if (high_byte(i)) return false;
        if (i.memory() && !with_rax) {
            const Mem operand = access(i, size, true, true);
            if (home(i.reg) == kNoReg) {
                e_.load(RCX, slot(i.reg));
                e_.rm(sized(0x86, size), RCX, operand);
                put_back(i.reg, RCX, size);
            } else {
                load_sized(RCX, operand, size);
                store_sized(operand, home(i.reg), size);
                e_.rr(sized(0x8A, size), home(i.reg), RCX);
            }
            return true;
        }
        const unsigned a = i.reg, b = with_rax ? unsigned{rax} : i.rm;
        const Reg ra = value_of(a, RAX);
        e_.mov(RCX, value_of(b, RCX));
        // RCX: b's value; then b from a, then a from RCX.
        if (home(b) != kNoReg) {
            e_.rr(sized(0x8A, size), home(b), ra);
        } else {
            if (size == 4) e_.mov(RAX, ra, false);
            put_back(b, size == 4 ? RAX : ra, size);
        }
        if (home(a) != kNoReg) {
            e_.rr(sized(0x8A, size), home(a), RCX);
        } else {
            if (size == 4) e_.mov(RCX, RCX, false);
            put_back(a, RCX, size);
        }
        return true;
    }
    if (i.op == Op::CMPXCHG) {
        if (!i.memory() || i.reg >= kHighByte || home(i.reg) == kNoReg) return false;
        host_address(RCX, access(i, size, true));
        e_.mov(RAX, home(rax));
        Opcode o = sized(0xB0, size, 1);
        e_.rm(o, home(i.reg), at(RCX));
        e_.mov(home(rax), RAX);
        flags_written();
        return true;
    }
    if (i.op == Op::CMPXCHG8B || i.op == Op::CMPXCHG16B) {
        const bool wide = i.op == Op::CMPXCHG16B;
        host_address(RCX, wide ? access_aligned(i, 16, true) : access(i, 8, true));
        flags_to_host();  // all but ZF stay
        e_.mov(RAX, home(rax));
        e_.mov(home(rax), RCX);
        e_.mov(RCX, home(rcx));
        e_.rm({.byte = 0xC7, .wide = wide, .map = 1}, 1, at(home(rax)));
        e_.mov(home(rax), RAX);
        flags_written(flags_.af_junk);
        return true;
    }
    if (i.op == Op::XADD) {
        if (!i.memory() || i.reg >= kHighByte) return false;
        const Mem operand = access(i, size, true);
        const Reg r = value_of(i.reg, RCX);
        e_.rm(sized(0xC0, size, 1), r, operand);
        put_back(i.reg, r, size);
        flags_written();
        return true;
    }
    return false;
}

bool Translator::emit_stack(const Insn& i) {
    const unsigned size = i.osize;
    if ((size == 8) != (mode_.stack_size == 8)) return false;
    const bool wide = size == 8;
    if (i.op == Op::PUSH) {
        const bool memory = i.memory();
        if (memory) {
            load_sized(RCX, access(i, size, false, true), size);
            e_.store(in_state(s_.value), RCX);
        }
        const Mem to = stack_access(-static_cast<i32>(size), size, true, true);
        if (i.opcode == 0x68 || i.opcode == 0x6A) {
            e_.rm(sized(0xC6, size), 0, to);
            immediate(i.imm, size);
        } else if (memory) {
            e_.load(RCX, in_state(s_.value));
            store_sized(to, RCX, size);
        } else {
            const unsigned g = i.opcode >= 0x50 && i.opcode <= 0x57 ? i.reg : i.rm;
            store_sized(to, value_of(g, RCX), size);
        }
        move_stack_pointer(-static_cast<i32>(size));
        return true;
    }
    if (i.op == Op::POP) {
        if (i.memory()) return false;
        const unsigned g = i.opcode >= 0x58 && i.opcode <= 0x5F ? i.reg : i.rm;
        if (g == rsp && size == 2) return false;
        const Mem from = stack_access(0, size, false, true);
        if (g == rsp) {
            e_.load(home(rsp), from, wide);
            return true;
        }
        if (home(g) != kNoReg) {
            e_.rm(sized(0x8A, size), home(g), from);
        } else {
            load_sized(RCX, from, size);
            put_back(g, RCX, size);
        }
        move_stack_pointer(static_cast<i32>(size));
        return true;
    }
    if (i.op == Op::LEAVE) {
        if (size != mode_.stack_size || size == 2) return false;
        forget_stack();
        const Mem from = stack_access_at(home(rbp), 0, size, false);
        e_.lea(home(rsp), at(home(rbp), static_cast<i32>(size)), wide);
        e_.load(home(rbp), from, wide);
        return true;
    }
    return false;
}

bool Translator::emit_flag(const Insn& i) {
    switch (i.op) {
        case Op::CLC:
        case Op::STC:
        case Op::CMC: {
            flags_to_host();
            e_.byte(i.opcode);
            const bool junk = flags_.af_junk;
            flags_written(junk);
            return true;
        }
        case Op::CLD:
        case Op::STD:
            before_clobber();
            if (i.op == Op::CLD) {
                e_.alu_imm(kAnd, in_state(s_.eflags), ~static_cast<i32>(eflags::df), false);
            } else {
                e_.alu_imm(1, in_state(s_.eflags), static_cast<i32>(eflags::df), false);
            }
            return true;
        case Op::NOP:
        case Op::ENDBR:
        case Op::PREFETCH:
        case Op::PAUSE:
        case Op::LFENCE:
        case Op::MFENCE:
        case Op::SFENCE:
            return true;
        default:
            return false;
    }
}

}  // namespace mynah::x64
