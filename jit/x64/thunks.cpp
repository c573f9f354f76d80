#include "jit/x64/thunks.h"

#include <cstddef>

#include "cpu/core.h"
#include "jit/x64/targets.h"
#include "mmu/mmu.h"

namespace mynah::x64 {

namespace {

constexpr unsigned kCmp = 7, kXor = 6, kAdd = 0, kOr = 1, kAnd = 4, kSub = 5;
constexpr i32 kShortcutAt = offsetof(Core::LoadedSegment, shortcut);

class Generator {
  public:
    Generator(Encoder& e, i64 delta, const StateOffsets& s, const Callouts& c, void* context)
        : e_(e), delta_(delta), s_(s), c_(c), context_(context) {}

    Thunks run(bool null_keeps_base) {
        Thunks t;
        save_vectors_ = here();
        emit_save_vectors();
        load_vectors_ = here();
        emit_load_vectors();
        t.load_vectors = load_vectors_;
        exit_tail_ = here();
        e_.load(RSP, in_state(s_.host_stack));
        for (const Reg r : {R15, R14, R13, R12, RBP, RBX}) e_.pop(r);
        e_.ret();

        t.enter = reinterpret_cast<void (*)(const u8*)>(reinterpret_cast<std::uintptr_t>(here()));
        for (const Reg r : {RBX, RBP, R12, R13, R14, R15}) e_.push(r);
        e_.store(in_state(s_.host_stack), RSP);
        e_.alu_imm(kSub, RSP, 24);
        e_.mov(RAX, RDI);
        const Label bottom = e_.label();
        e_.lea_label(RCX, bottom);
        e_.store(at(RSP), RCX);
        load_guest(false);
        e_.jmp_reg(RAX);
        // A return with no call before it: RIP in RAX. The popped address is still there.
        e_.bind(bottom);
        e_.alu_imm(kSub, RSP, 8);
        t.indirect = here();
        const Label unknown = e_.label();
        scale_index(e_, kTargetFactor, kTargetBits);
        e_.alu(kAdd, RCX, in_state(s_.targets));
        e_.alu(kXor, RAX, in_state(s_.space));
        e_.alu(kCmp, RAX, at(RCX));
        e_.jcc(kNE, unknown);
        e_.jmp_mem(at(RCX, 8));
        e_.bind(unknown);

        t.lookup = here();
        constexpr i32 kVictimsAt = static_cast<i32>(kTargets * sizeof(Target));
        const Label nowhere = e_.label();
        scale_index(e_, kVictimFactor, kVictimBits);
        e_.alu(kAdd, RCX, in_state(s_.targets));
        e_.alu(kCmp, RAX, at(RCX, kVictimsAt));
        e_.jcc(kNE, nowhere);
        e_.jmp_mem(at(RCX, kVictimsAt + 8));
        e_.bind(nowhere);
        e_.alu(kXor, RAX, in_state(s_.space));
        e_.store(in_state(s_.rip), RAX);
        store_guest();
        call(reinterpret_cast<const void*>(c_.lookup));
        jump_or_leave();
        t.exit = here();
        e_.store(in_state(s_.rip), RAX);
        store_guest();
        leave();
        t.link = here();
        store_guest();
        e_.mov(RSI, RAX, false);
        call(reinterpret_cast<const void*>(c_.link));
        jump_or_leave();
        t.miss = here();
        emit_callout(reinterpret_cast<const void*>(c_.miss), true);
        t.read_miss = here();
        emit_victim(s_.read_victims, t.miss);
        t.write_miss = here();
        emit_victim(s_.write_victims, t.miss);
        t.stack_read_miss = here();
        emit_stack_miss(t.miss, true);
        t.stack_write_miss = here();
        emit_stack_miss(t.miss, false);
        const u8* range_callout = here();
        emit_callout(reinterpret_cast<const void*>(c_.stack_range), true);
        t.stack_range = here();
        emit_stack_miss(range_callout, false);
        t.interpret = here();
        emit_callout(reinterpret_cast<const void*>(c_.interpret), false);
        t.operate = here();
        e_.alu_imm(kSub, RSP, 8);
        store_guest();
        e_.mov(RSI, RCX, false);
        call(reinterpret_cast<const void*>(c_.operate));
        if_vectors(load_vectors_);
        load_guest(true);
        e_.alu_imm(kAdd, RSP, 8);
        e_.ret();
        for (unsigned n = 0; n < 2; ++n) {
            t.load_segment[n] = here();
            emit_load_segment(static_cast<unsigned>(Seg::fs) + n, t.operate, null_keeps_base);
        }
        t.clac = here();
        emit_set_ac(Privilege::supervisor, t.operate);
        t.stac = here();
        emit_set_ac(Privilege::supervisor_ac, t.operate);
        t.transfer = here();
        store_guest();
        e_.mov(RSI, RCX, false);
        call(reinterpret_cast<const void*>(c_.transfer));
        jump_or_leave();
        t.attend = here();
        emit_callout(reinterpret_cast<const void*>(c_.attend), false);
        t.load_x87 = here();
        emit_load_x87();
        e_.resolve();
        return t;
    }

  private:
    const u8* here() const { return e_.here() + delta_; }

    void store_guest() {
        for (unsigned n = 0; n < 16; ++n) {
            if (kHome[n] != kNoReg) e_.store(in_state(s_.gpr + static_cast<i32>(8 * n)), kHome[n]);
        }
        e_.store(in_state(s_.budget), kBudget);
    }
    // `clobbered`: only what a C++ function may have changed.
    void load_guest(bool clobbered) {
        for (unsigned n = 0; n < 16; ++n) {
            const Reg r = kHome[n];
            if (r == kNoReg) continue;
            if (clobbered && (r == RBX || r == RBP || r >= R12)) continue;
            e_.load(r, in_state(s_.gpr + static_cast<i32>(8 * n)));
        }
        if (!clobbered) e_.load(kBudget, in_state(s_.budget));
    }
    void if_vectors(const u8* thunk) {
        const Label skip = e_.label();
        e_.alu_imm(kCmp, in_state(s_.vectors_loaded), 0, false);
        e_.jcc(kE, skip);
        e_.call_to(here(), thunk);
        e_.bind(skip);
    }
    void call(const void* function) {
        if_vectors(save_vectors_);
        e_.move_imm(RDI, reinterpret_cast<u64>(context_));
        e_.move_imm(RAX, reinterpret_cast<u64>(function));
        e_.call_reg(RAX);
    }
    void leave() {
        // Already stored by call() or not: storing twice is harmless.
        const Label skip = e_.label();
        e_.alu_imm(kCmp, in_state(s_.vectors_loaded), 0, false);
        e_.jcc(kE, skip);
        e_.call_to(here(), save_vectors_);
        e_.store_imm32(in_state(s_.vectors_loaded), 0, false);
        e_.bind(skip);
        e_.jmp_to(here(), exit_tail_);
    }
    // RAX: code to go on at, or null.
    void jump_or_leave() {
        const Label none = e_.label();
        e_.rr(plain(0x85, true), RAX, RAX);
        e_.jcc(kE, none);
        // Where it goes they are loaded when they are needed, which in a kernel is hardly ever.
        e_.store_imm32(in_state(s_.vectors_loaded), 0, false);
        load_guest(false);
        e_.jmp_reg(RAX);
        e_.bind(none);
        leave_saved();
    }
    void leave_saved() {
        e_.store_imm32(in_state(s_.vectors_loaded), 0, false);
        e_.jmp_to(here(), exit_tail_);
    }

    // RAX: linear address; leaves the entry in RCX and the offset from its page in RAX.
    void find_entry(i32 table) {
        e_.rorx(RCX, RAX, 8, false);
        e_.alu(kAnd, RCX, in_state(table + 8), false);
        e_.alu(kAdd, RCX, in_state(table));
        e_.alu(kSub, RAX, at(RCX));
    }
    // The same, or jumps.
    void look_up(i32 table, Label miss) {
        find_entry(table);
        e_.alu(kCmp, RAX, in_state(s_.stack_limit));
        e_.jcc(kA, miss);
    }
    // RAX: offset in the page, RCX: its entry. Leaves the host address in RAX, or goes to `refused` with the
    // linear address. Translated code adds to pointers without wrapping around at 4 GiB.
    void take_stack_page(Label refused) {
        e_.store(in_state(s_.value + 16), RAX);
        e_.load(RAX, at(RCX));
        e_.load(RCX, at(RCX, 8));
        e_.store(in_state(s_.stack_page), RAX);
        e_.store(in_state(s_.stack_page + 8), RCX);
        e_.alu(kSub, RCX, RAX);
        e_.store(in_state(s_.stack_page + 16), RCX);
        e_.lea(RCX, at(RAX, static_cast<i32>(kPageSize)), false);
        e_.alu_imm(kAnd, RCX, ~static_cast<i32>(2 * kPageSize - 1), false);
        const Label no = e_.label();
        e_.jcc(kE, no);
        e_.load(RAX, in_state(s_.value + 16));
        e_.alu(kAdd, RAX, in_state(s_.stack_page + 8));
        e_.ret();
        e_.bind(no);
        e_.move_imm(RCX, Mmu::StackPage::kNone);
        e_.store(in_state(s_.stack_page), RCX);
        e_.alu(kAdd, RAX, in_state(s_.value + 16));
        e_.jmp(refused);
    }
    // `call_out`: the thunk for what is in no table, or not all in one page.
    void emit_stack_miss(const u8* call_out, bool read) {
        const Label no_write = e_.label(), refused = e_.label();
        e_.alu(kAdd, RAX, in_state(s_.stack_page));
        e_.store(in_state(s_.value + 24), RCX);
        look_up(s_.write_table, no_write);
        take_stack_page(refused);
        e_.bind(no_write);
        if (read) {
            const Label missed = e_.label();
            e_.alu(kAdd, RAX, at(RCX));
            look_up(s_.read_table, missed);
            e_.alu(kAdd, RAX, at(RCX, 8));
            e_.ret();
            e_.bind(missed);
        }
        e_.alu(kAdd, RAX, at(RCX));
        e_.bind(refused);
        e_.load(RCX, in_state(s_.value + 24));
        e_.jmp_to(here(), call_out);
    }

    // RAX: linear address of an access that missed. Its size is not known here, so near a page's end, and for
    // what is not among the victims, it is the engine's.
    void emit_victim(i32 victims, const u8* call_out) {
        constexpr i32 kMostBytes = 0xFF;  // CallSite::size
        const Label no = e_.label();
        e_.store(in_state(s_.value + 24), RCX);
        e_.rorx(RCX, RAX, 8, false);
        e_.alu_imm(kAnd, RCX, static_cast<i32>(Mmu::kVictimMask), false);
        e_.alu(kAdd, RCX, in_state(victims));
        e_.alu(kSub, RAX, at(RCX));
        e_.alu_imm(kCmp, RAX, static_cast<i32>(kPageSize) - kMostBytes);
        e_.jcc(kA, no);
        e_.alu(kAdd, RAX, at(RCX, 8));
        e_.ret();
        e_.bind(no);
        e_.alu(kAdd, RAX, at(RCX));
        e_.load(RCX, in_state(s_.value + 24));
        e_.jmp_to(here(), call_out);
    }

    void emit_callout(const void* function, bool pointer) {
        e_.alu_imm(kSub, RSP, 8);
        store_guest();
        e_.mov(RSI, RCX, false);
        if (pointer) e_.mov(RDX, RAX);
        call(function);
        const Label leave_now = e_.label(), other = e_.label(), jump = e_.label();
        e_.alu_imm(kCmp, RAX, Outcome::leave);
        e_.jcc(kE, leave_now);
        e_.alu_imm(kCmp, RAX, Outcome::jump);
        e_.jcc(kE, jump);
        if_vectors(load_vectors_);
        e_.alu_imm(kCmp, RAX, Outcome::leave);
        e_.jcc(kA, other);
        load_guest(false);
        e_.alu(kXor, RAX, RAX, false);
        e_.alu_imm(kAdd, RSP, 8);
        e_.ret();
        e_.bind(other);
        e_.mov(RAX, RDX);
        load_guest(true);
        e_.alu_imm(kAdd, RSP, 8);
        e_.ret();
        e_.bind(jump);
        e_.mov(RAX, RDX);
        e_.store_imm32(in_state(s_.vectors_loaded), 0, false);
        load_guest(false);
        e_.alu_imm(kAdd, RSP, 16);
        e_.jmp_reg(RAX);
        e_.bind(leave_now);
        e_.alu_imm(kAdd, RSP, 16);
        leave_saved();
    }

    // The selector is in `value`, the site in ECX.
    void emit_load_segment(unsigned seg, const u8* operate, bool null_keeps_base) {
        const i32 reg = s_.segment_register[seg], shortcut = s_.segment[seg];
        const Label null = e_.label(), odd = e_.label();
        e_.store(in_state(s_.value + 24), RCX);
        e_.load(RAX, in_state(s_.value), false);
        e_.byte(0xA9);  // TEST EAX, imm32
        e_.imm32(0xFFFC);
        e_.jcc(kE, null);
        for (const i32 known : {0, static_cast<i32>(sizeof(Core::LoadedSegment))}) {
            const i32 then = s_.loaded_segment[seg] + known;
            const Label other = e_.label();
            e_.rm({.byte = 0x3B, .word = true}, RAX, in_state(then));  // CMP: the selector
            e_.jcc(kNE, other);
            e_.alu_imm(kCmp, in_state(then + kShortcutAt + 8), 0, true);
            e_.jcc(kE, odd);
            e_.alu_imm(kOr, RAX, 7, false);
            e_.rm({.byte = 0x3B, .word = true}, RAX, in_state(s_.gdt_limit));
            e_.jcc(kA, odd);
            e_.alu_imm(kAnd, RAX, ~7, false);
            e_.alu(kAdd, RAX, in_state(s_.gdt_base));
            e_.mov(RAX, RAX, false);
            find_entry(s_.read_table);
            e_.alu_imm(kCmp, RAX, static_cast<i32>(kPageSize) - 8);
            e_.jcc(kA, odd);
            e_.alu(kAdd, RAX, at(RCX, 8));
            e_.load(RAX, at(RAX));
            e_.alu(kCmp, RAX, in_state(then + 16));
            e_.jcc(kNE, odd);
            for (const i32 part : {0, 8}) copy(reg + part, then + part);
            for (const i32 part : {0, 8, 16}) copy(shortcut + part, then + kShortcutAt + part);
            e_.move_imm(RAX, 1);
            e_.ret();
            e_.bind(other);
        }
        e_.bind(odd);
        e_.load(RCX, in_state(s_.value + 24));
        e_.jmp_to(here(), operate);
        e_.bind(null);
        // Neither present nor of any length.
        e_.store(in_state(reg), RAX);
        e_.alu(kXor, RAX, RAX, false);
        for (const i32 end : {8, 16}) e_.store(in_state(shortcut + end), RAX);
        if (!null_keeps_base) {
            e_.store(in_state(reg + 8), RAX);
            e_.store(in_state(shortcut), RAX);
        }
        e_.move_imm(RAX, 1);
        e_.ret();
    }
    void copy(i32 to, i32 from) {
        e_.load(RAX, in_state(from));
        e_.store(in_state(to), RAX);
    }

    // The site in ECX.
    void emit_set_ac(Privilege privilege, const u8* operate) {
        const auto p = static_cast<unsigned>(privilege);
        const bool set = privilege == Privilege::supervisor_ac;
        const Label unknown = e_.label(), same = e_.label();
        // Without SMAP it is but a flag.
        for (const Privilege one : {Privilege::supervisor, Privilege::supervisor_ac}) {
            e_.load(RAX, in_state(s_.views + static_cast<i32>(8 * static_cast<unsigned>(one))));
            e_.rr(plain(0x85, true), RAX, RAX);
            e_.jcc(kE, unknown);
        }
        e_.alu_imm(set ? kOr : kAnd, in_state(s_.eflags), static_cast<i32>(set ? eflags::ac : ~eflags::ac),
                   false);
        e_.rm({.byte = 0x80}, kCmp, in_state(s_.privilege));
        e_.imm8(p);
        e_.jcc(kE, same);
        e_.rm({.byte = 0xC6}, 0, in_state(s_.privilege));
        e_.imm8(p);
        e_.load(RAX, in_state(s_.views + static_cast<i32>(8 * p)));
        const auto show = [this](i32 to, size_t from) {
            e_.load(RCX, at(RAX, static_cast<i32>(from)));
            e_.store(in_state(to), RCX);
        };
        for (const i32 half : {0, 8}) {
            const auto part = static_cast<size_t>(half);
            show(s_.read_table + half, offsetof(Mmu::View, tables) + part);
            show(s_.write_table + half, offsetof(Mmu::View, tables) + sizeof(Mmu::Table) + part);
        }
        show(s_.read_victims, offsetof(Mmu::View, victims));
        show(s_.write_victims, offsetof(Mmu::View, victims) + sizeof(u64));
        e_.move_imm(RAX, Mmu::StackPage::kNone);
        e_.store(in_state(s_.stack_page), RAX);
        e_.alu_imm(kAdd, in_state(s_.stack_page_changes), 1, true);
        e_.bind(same);
        e_.ret();
        e_.bind(unknown);
        e_.jmp_to(here(), operate);
    }

    void emit_load_x87() {
        e_.alu_imm(kSub, RSP, 8);
        store_guest();
        call(reinterpret_cast<const void*>(c_.load_x87));
        if_vectors(load_vectors_);
        load_guest(true);
        e_.alu_imm(kAdd, RSP, 8);
        e_.ret();
    }
    void emit_save_vectors() {
        for (unsigned n = 0; n < 16; ++n)
            e_.vex_rm({.byte = 0x11, .map = 1}, n, 0, in_state(s_.vec + static_cast<i32>(32 * n)), true);
        emit_vzeroupper();  // the compiler's code is not VEX-encoded throughout
        e_.rm({.byte = 0xAE, .map = 1}, 3, in_state(s_.mxcsr));
        e_.rm({.byte = 0xAE, .map = 1}, 2, in_state(s_.host_mxcsr));
        e_.ret();
    }
    void emit_vzeroupper() {
        e_.byte(0xC5);
        e_.byte(0xF8);
        e_.byte(0x77);
    }
    // Upper halves are mostly zero, and processors have to be told: after a load of 256 bits, or while any
    // upper half is in use, SSE instructions wait for the register whose upper half they keep.
    void emit_load_vectors() {
        constexpr Opcode kVmovups{.byte = 0x10, .map = 1}, kVorps{.byte = 0x56, .map = 1},
            kVptest{.byte = 0x17, .map = 2, .prefix = 0x66};
        const auto vector = [this](unsigned n) { return in_state(s_.vec + static_cast<i32>(32 * n)); };
        const auto upper = [this](unsigned n) { return in_state(s_.vec + static_cast<i32>(32 * n + 16)); };
        const Label in_use = e_.label(), loaded = e_.label();
        e_.vex_rm(kVmovups, 0, 0, upper(0));
        e_.vex_rm(kVmovups, 1, 0, upper(1));
        for (unsigned n = 2; n < 16; ++n) e_.vex_rm(kVorps, n & 1, n & 1, upper(n));
        e_.vex_rr(kVorps, 0, 0, 1);
        e_.vex_rr(kVptest, 0, 0, 0);
        e_.jcc(kNE, in_use);
        emit_vzeroupper();
        for (unsigned n = 0; n < 16; ++n) e_.vex_rm(kVmovups, n, 0, vector(n));
        e_.jmp(loaded);
        e_.bind(in_use);
        for (unsigned n = 0; n < 16; ++n) e_.vex_rm(kVmovups, n, 0, vector(n), true);
        e_.bind(loaded);
        e_.rm({.byte = 0xAE, .map = 1}, 2, in_state(s_.mxcsr));
        e_.store_imm32(in_state(s_.vectors_loaded), 1, false);
        e_.ret();
    }

    Encoder& e_;
    i64 delta_;
    const StateOffsets& s_;
    const Callouts& c_;
    void* context_;
    const u8* save_vectors_ = nullptr;
    const u8* load_vectors_ = nullptr;
    const u8* exit_tail_ = nullptr;
};

}  // namespace

void scale_index(Encoder& e, u32 factor, unsigned bits) {
    e.rr(plain(0x69), RCX, RAX);  // IMUL ECX, EAX, imm32
    e.imm32(factor);
    e.rr(plain(0xC1), 5, RCX);  // SHR ECX, imm8
    e.imm8(32 - bits - 4);
    e.alu_imm(kAnd, RCX, static_cast<i32>((1u << (bits + 4)) - 16), false);
}

Thunks generate_thunks(Encoder& e, i64 delta, const StateOffsets& state, const Callouts& callouts,
                       void* context, bool null_keeps_base) {
    return Generator(e, delta, state, callouts, context).run(null_keeps_base);
}

}  // namespace mynah::x64
