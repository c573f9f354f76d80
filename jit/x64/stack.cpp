// Accesses through the stack pointer. Those of a block that lie close together are checked as one, where the
// first of them is: are they all in the page of Mmu::StackPage? What follows needs no look-up, and keeps the
// host's flags.
#include <algorithm>
#include <array>

#include "jit/x64/translator.h"

namespace mynah::x64 {

namespace {

// Bytes that are checked together, and how far ahead they are looked for.
constexpr i32 kMostChecked = 240;
constexpr u32 kLookAhead = 32;
// Of stack pointers in a block, from where it began.
constexpr i32 kFarthest = 1 << 20;

}  // namespace

// Of one whose base is the stack pointer.
bool Translator::is_in_stack(const Insn& i) const {
    if (i.index != kNoRegister || i.asize != mode_.stack_size) return false;
    return mode_.code_size == 8 ? i.seg != Seg::fs && i.seg != Seg::gs
                                : i.seg == Seg::ss || i.seg == Seg::ds || i.seg == Seg::es;
}

Translator::StackUse Translator::stack_use(const Insn& i) const {
    const i32 size = i.osize;
    StackUse u;
    if (on_stack(i) && i.op < Op::FXSAVE && i.op != Op::LEA) u.range = {i.disp, i.disp + size};
    switch (i.op) {
        case Op::PUSH:
        case Op::PUSH_SREG:
        case Op::PUSHF:
            u.range = u.range.with({-size, 0});
            u.moves_by = -size;
            return u;
        case Op::POP:
            if (i.memory() || (i.opcode >= 0x58 && i.opcode <= 0x5F ? i.reg : i.rm) == rsp)
                return {.known = false};
            [[fallthrough]];
        case Op::POP_SREG:
        case Op::POPF:
            u.range = {0, size};
            u.moves_by = size;
            return u;
        case Op::LEAVE:
            u.range = {0, size};
            u.moves_by = size;
            u.anew = true;
            return u;
        case Op::CALL:
        case Op::CALL_IND:
            u.range = u.range.with({-size, 0});
            u.known = false;
            return u;
        case Op::RET:
            return {.range = {0, size}, .known = false};
        case Op::ENTER:
        case Op::PUSHA:
        case Op::POPA:
            return {.known = false};
        case Op::ADD:
        case Op::SUB:
            if (!i.memory() && i.rm == rsp && (i.opcode == 0x81 || i.opcode == 0x83) &&
                size == mode_.stack_size) {
                const i64 by = static_cast<i64>(sign_extend(i.imm, 32));
                u.known = by > -kFarthest && by < kFarthest;
                u.moves_by = static_cast<i32>(i.op == Op::ADD ? by : -by);
                return u;
            }
            break;
        case Op::LEA:
            if (i.reg != rsp) break;
            u.known = on_stack(i) && size == mode_.stack_size && i.disp > -kFarthest && i.disp < kFarthest;
            u.moves_by = i.disp;
            return u;
        default:
            break;
    }
    if (!keeps_stack_pointer(i) && (named_written(i) >> rsp & 1) != 0) u.known = false;
    return u;
}

// What is accessed from the current instruction on in reach of `range`, all from the block's origin.
Translator::StackRange Translator::look_ahead(StackRange range) const {
    i32 at = sp_offset_;
    const u32 end = std::min(block_->count, index_ + kLookAhead);
    for (u32 n = index_; n < end; ++n) {
        const Insn& i = region_->insns[block_->first + n].insn;
        if (i.base != rsp && keeps_stack_pointer(i)) continue;
        const StackUse u = stack_use(i);
        if (n != index_ && u.anew) break;
        if (!u.range.empty()) {
            const StackRange all = range.with({at + u.range.low, at + u.range.high});
            if (all.high - all.low > kMostChecked) break;
            range = all;
        }
        if (!u.known) break;
        at += u.moves_by;
    }
    return range;
}

void Translator::forget_stack() {
    rax_lost();
    checked_ = {};
    sp_offset_ = 0;
}

void Translator::move_sp_offset(const Insn& i) {
    const StackUse u = stack_use(i);
    sp_offset_ += u.moves_by;
    if (!u.known || sp_offset_ > kFarthest || sp_offset_ < -kFarthest) forget_stack();
}

Mem Translator::stack_access_at(Reg base, i32 offset, unsigned size, bool write, bool flags_stay) {
    const bool wide = mode_.stack_size == 8;
    const StackRange wanted{sp_offset_ + offset, sp_offset_ + offset + static_cast<i32>(size)};
    if (hoist_ && size <= 8 && base == home(rsp) && checked_.covers(wanted)) {
        if (!flags_stay) spare_flags();
        if (in_rax_.what == InRax::stack_checked) return at(RAX, wanted.low - checked_.low);
        // The page is neither the first nor the last of 4 GiB: nothing wraps around on the way there.
        if (in_rax_.what != InRax::stack_less_page) e_.load(RAX, in_state(s_.stack_page + 16));
        left_in_rax(InRax::stack_less_page);
        return {.base = RAX, .index = base, .disp = offset};
    }
    spare_flags();
    if (hoist_ && size <= 8) {
        checked_ = look_ahead(wanted);
        newly_checked_ = true;
        e_.lea(RAX, at(base, checked_.low - sp_offset_), wide);
        look_in_stack_page(Stub::stack_range, static_cast<unsigned>(checked_.high - checked_.low), write);
        left_in_rax(InRax::stack_checked);
        return at(RAX, wanted.low - checked_.low);
    }
    forget_stack();
    if (mode_.stack_size == 2) {
        e_.lea(RAX, at(base, offset), false);
        e_.rr({.byte = 0xB7, .map = 1}, RAX, RAX);
    } else if (offset == 0) {
        e_.mov(RAX, base, wide);
    } else {
        e_.lea(RAX, at(base, offset), wide);
    }
    if (mode_.code_size != 8) add_segment(Seg::ss, size, write);
    access_stack_linear(size, write);
    return at(RAX);
}

Mem Translator::stack_access(i32 offset, unsigned size, bool write, bool flags_stay) {
    return stack_access_at(home(rsp), offset, size, write, flags_stay);
}

void Translator::access_stack_linear(unsigned size, bool write) {
    size > 8 ? access_linear(size, write) : look_in_stack_page(Stub::stack_miss, size, write);
}

void Translator::look_in_stack_page(Stub::Kind otherwise, unsigned bytes, bool write) {
    static constexpr std::array<u8, 30> kLookUp = {
        0x65, 0x48, 0x2B, 0x04, 0x25, 0, 0, 0, 0,  // SUB RAX, page
        0x48, 0x3D, 0,    0,    0,    0,           // CMP RAX, imm32
        0x0F, 0x87, 0,    0,    0,    0,           // JA stub
        0x65, 0x48, 0x03, 0x04, 0x25, 0, 0, 0, 0,  // ADD RAX, host
    };
    rax_lost();
    u8* const p = e_.raw(kLookUp);
    if (p == nullptr) return;
    store_le<u32>(p + 5, static_cast<u32>(s_.stack_page));
    store_le<u32>(p + 11, static_cast<u32>(kPageSize - bytes));
    store_le<u32>(p + 26, static_cast<u32>(s_.stack_page + 8));
    add_miss(otherwise, p + 17, bytes, write);
}

void Translator::move_stack_pointer(i32 by) {
    if (mode_.stack_size != 2) return e_.lea(home(rsp), at(home(rsp), by), mode_.stack_size == 8);
    const Opcode lea{.byte = 0x8D, .word = true};
    e_.rm(lea, home(rsp), at(home(rsp), by));
}

}  // namespace mynah::x64
