// Where the guest's arithmetic flags are. Most are never looked at but by an instruction that could have
// faulted in between; so whatever destroys the host's flags, above all the look-up of an address, need not
// save them as long as they can be had again from the operands.
#include <array>

#include "cpu/insn_table.h"
#include "jit/x64/translator.h"

namespace mynah::x64 {

namespace {

constexpr unsigned kAdd = 0, kSub = 5, kCmp = 7;

}  // namespace

void Translator::flags_to_state() {
    if (flags_.state) return;
    rax_lost();
    if (!flags_.host) recompute_flags();
    static constexpr std::array<u8, 4> kRead = {
        0x9F,              // LAHF
        0x0F, 0x90, 0xC0,  // SETO AL
    };
    e_.raw(kRead);
    if (flags_.af_junk) {
        // The stored copy is exact, the host's flags are gone.
        static constexpr std::array<u8, 3> kCutAf = {0x80, 0xE4, 0xEF};  // AND AH, ~10h
        e_.raw(kCutAf);
        flags_.host = false;
    }
    e_.store(in_state(s_.flags), RAX, false);
    flags_.state = true;
    flags_.af_junk = false;
}

void Translator::flags_to_host() {
    if (flags_.host) return;
    rax_lost();
    if (flags_.recipe.known()) return recompute_flags();
    e_.load(RAX, in_state(s_.flags), false);
    static constexpr std::array<u8, 3> kWrite = {
        0x04, 0x7F,  // ADD AL, 127: OF
        0x9E,        // SAHF
    };
    e_.raw(kWrite);
    flags_.host = true;
}

void Translator::carry_to_host() {
    if (flags_.host) return;
    e_.rm({.byte = 0xBA, .map = 1}, 4, in_state(s_.flags));  // BT flags, 8
    e_.byte(8);
}

void Translator::recompute_flags() {
    const FlagRecipe& r = flags_.recipe;
    const Reg to = home(r.to), from = home(r.from);
    const auto operate = [&](unsigned op, Reg reg) {
        r.immediate ? e_.alu_imm(op, reg, r.value, r.wide) : e_.alu(op, reg, from, r.wide);
    };
    switch (r.kind) {
        case FlagRecipe::cmp:
            operate(kCmp, to);
            break;
        case FlagRecipe::test:
            if (r.immediate) {
                e_.rr(plain(0xF7, r.wide), 0, to);
                e_.imm32(static_cast<u32>(r.value));
            } else {
                e_.rr(plain(0x85, r.wide), from, to);
            }
            break;
        case FlagRecipe::logic:
            e_.rr(plain(0x85, r.wide), to, to);
            break;
        case FlagRecipe::add:
        case FlagRecipe::sub: {
            const bool add = r.kind == FlagRecipe::add;
            e_.mov(RAX, to, r.wide);
            operate(add ? kSub : kAdd, RAX);
            operate(add ? kAdd : kSub, RAX);
            break;
        }
        case FlagRecipe::none:
            MYNAH_CHECK(false);
    }
    flags_.host = true;
}

void Translator::spare_flags() {
    if (!flags_.state && flags_.recipe.known()) {
        flags_.host = false;
    } else {
        before_clobber();
    }
}

bool Translator::may_lose_flags(const Insn& i) const {
    if (flags_.state || flags_.recipe.known()) return false;
    if (overwrites_flags(i.op)) return true;
    const FlagUse use = flag_use(i);
    return use.read == 0 && use.written == eflags::arithmetic;
}

// Does it leave the flags and the recipe's registers alone, and see to it that they are in the host if it
// looks at them?
bool Translator::keeps_recipe(const Insn& i) const {
    const FlagRecipe& r = flags_.recipe;
    switch (i.op) {
        case Op::NOP:
        case Op::ENDBR:
        case Op::PREFETCH:
        case Op::MOV:
        case Op::MOVZX:
        case Op::MOVSX:
        case Op::MOVSXD:
        case Op::LEA:
        case Op::JCC:
            break;
        case Op::PUSH:
        case Op::POP:
            if (r.uses(rsp)) return false;
            break;
        default: {
            if (i.op < Op::MOVD) return false;
            const InsnRow& row = row_of(i);
            if ((row.flags_written | row.flags_undefined | row.flags_read) != 0) return false;
        }
    }
    return (named_written(i) & r.registers()) == 0;
}

// Afterwards a recipe is there only if the instruction keeps it, or overwrites all flags without looking.
void Translator::before_instruction(const Insn& i) {
    if (overwrites_flags(i.op) || keeps_recipe(i)) return;
    const FlagUse use = flag_use(i);
    if (use.read == 0 && use.written == eflags::arithmetic) return;
    if (!flags_.host && !flags_.state) use.read != 0 ? flags_to_host() : flags_to_state();
    flags_.recipe = {};
}

}  // namespace mynah::x64
