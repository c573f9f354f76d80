// A Region becomes host code. One object translates region after region into the code cache.
//
// Rules of the generated code. Between guest instructions all guest registers are in their places
// (registers.h). The arithmetic flags are in the host's EFLAGS, in the state (Core::Accelerated::flags), or
// in both: FlagPlace says where, at each point. Whatever destroys the host's flags first stores them, so that
// they are exact wherever the region can be left. An instruction makes its memory accesses before it changes
// anything; if one misses the TLB the interpreter may execute the whole instruction instead.
#pragma once

#include <deque>

#include "jit/analysis.h"
#include "jit/x64/targets.h"
#include "jit/x64/thunks.h"

namespace mynah::x64 {

// How the flags of an instruction can be had again from registers that still are as it left them.
struct FlagRecipe {
    enum Kind : u8 { none, cmp, test, logic, add, sub } kind = none;
    bool wide = false;
    bool immediate = false;
    u8 to = 0, from = 0;  // guest registers
    i32 value = 0;

    bool known() const { return kind != none; }
    bool operator==(const FlagRecipe&) const = default;
    // Bits: what it is made from.
    u32 registers() const { return u32{1} << to | static_cast<u32>(!immediate && kind != logic) << from; }
    bool uses(unsigned g) const { return registers() >> g & 1; }
};

// Where the arithmetic flags are: in one of the two, or in neither with a recipe.
struct FlagPlace {
    bool host = false;
    bool state = true;
    bool af_junk = false;  // the host's AF is not the guest's, which is 0
    FlagRecipe recipe{};
    bool operator==(const FlagPlace&) const = default;
};

// x87 instructions that are done, and the state doesn't show it yet.
struct X87Pointers {
    const Entry* last = nullptr;     // for FIP, FOP, FCS
    const Entry* segment = nullptr;  // the last with a memory operand: for FDS
    const Entry* operand = nullptr;  // the same for FDP, while its address can be told
};

inline constexpr std::array<bool, kOps> kMovesStackPointer = [] {
    std::array<bool, kOps> moves{};
    for (const Op op : {Op::PUSH, Op::PUSH_SREG, Op::PUSHF, Op::PUSHA, Op::POP, Op::POP_SREG, Op::POPF,
                        Op::POPA, Op::ENTER, Op::LEAVE, Op::CALL, Op::CALL_IND, Op::RET})
        moves[static_cast<unsigned>(op)] = true;
    return moves;
}();

class Translator {
  public:
    struct Context {
        Encoder& encoder;
        i64 delta;  // from the writable to the executable mapping
        const StateOffsets& state;
        const Thunks& thunks;
        std::vector<CallSite>& sites;
        std::deque<Link>& links;
        bool overflow_of_last_step;  // see host.h
    };
    explicit Translator(const Context& context)
        : e_(context.encoder),
          delta_(context.delta),
          s_(context.state),
          thunks_(context.thunks),
          sites_(context.sites),
          links_(context.links),
          overflow_of_last_step_(context.overflow_of_last_step) {}

    // Writes the code of `region` at the encoder's place and fills in `code` and `entries`. False: no room.
    bool translate(Region& region, const ModeBits& mode);

  private:
    // Code behind the region's main line.
    struct Stub {
        // The first three go on behind the instruction.
        enum Kind : u8 {
            miss,
            stack_miss,
            whole,
            stack_range,
            span,
            leave_for,
            poll,
            edge,
            called,
            vectors,
            x87,
            attend,
            enable,
            unlinked
        } kind;
        Label here{};
        Label resume{};  // miss: where the host address is used; edge: target
        u32 behind = 0;  // miss, whole: the instruction, in the code
        u32 site = 0;
        u64 rip = 0;
        FlagPlace flags{};       // at the stub; miss, whole: behind the instruction
        FlagPlace before{};      // miss, whole: before the instruction
        u32 number = 0;          // unlinked: of the link; poll: instructions that it charged
        FlagPlace wanted{};      // edge: at the target
        X87Pointers pointers{};  // miss, whole: before the instruction
    };

    // --- frame.cpp: blocks, flags, stubs ---
    struct BlockPlan {
        Label label{};      // of a loop: of the entry apart
        FlagPlace flags{};  // where it begins
        bool flags_known = false;
        bool entered = false;  // its external entry is made
        u16 edges = 0;         // that lead to it
        u16 loop = 0;          // its place among the loops, counted from 1
    };
    void emit_block(u32 index);
    void start_block(u32 index);
    void charge_block();
    bool emit_insns(u32 from, u32 to);  // of the block; true: control goes on elsewhere
    void end_block();
    void emit_external_entry(u32 index);
    void enter_here(u32 index);  // this is its external entry
    void emit_poll(const RegionBlock& b, u64 rip,
                   bool charge = false);  // if so, for all instructions up to the next
    void check_next_page(u64 rip);
    bool emit_insn(bool last);  // of its block
    void settle_stubs();
    bool emit_family(const Insn& i);
    void emit_interpret();
    void emit_stub(u32 number);
    void settle_before(const Stub& s, bool keep_rax);
    void call_with_site(u32 site, const u8* thunk, u32 resume);
    void go_to_block(u32 target);                        // jumps, converting flags
    void branch_to(unsigned cond, u64 rip, u32 target);  // if `cond`, to a block or out of the region
    void leave_region(u64 rip, FlagPlace flags);         // to code elsewhere
    void link_to(u64 rip, bool unspanned);               // to code in the same page; flags are in the state
    void prepare_for(u32 target);                        // stores the flags if the target wants them there
    const FlagPlace& wanted_at(u32 target);
    void plan_blocks();
    // --- loop.cpp ---
    struct Loop {
        u32 block = 0;
        u32 twice = 0;                      // instructions that are there twice
        FlagRecipe recipe{};                // for the flags when it goes round
        bool vectors = false, x87 = false;  // loaded then
        Label again{}, join{};              // its head, and what is there only once
        FlagPlace joined{};
    };
    void note_loop(const RegionBlock& source);
    // Null: there is none.
    Loop* loop_of(u32 index) {
        const u16 number = plan_[index].loop;
        return number == 0 ? nullptr : &loops_[number - 1u];
    }
    // Whose main line takes over what there is now. Null: `target` is entered as from elsewhere.
    const Loop* goes_round(u32 target) {
        const Loop* const loop = loop_of(target);
        return loop != nullptr && takes_over(*loop) ? loop : nullptr;
    }
    bool takes_over(const Loop& loop) const;
    void emit_loop_entry(const Loop& loop);

    // --- flags.cpp ---
    void flags_to_state();                   // clobbers RAX
    void flags_to_host();                    // clobbers RAX
    void carry_to_host();                    // not if there is but a recipe
    void recompute_flags();                  // clobbers RAX
    void before_instruction(const Insn& i);  // where there is a recipe
    bool keeps_recipe(const Insn& i) const;
    // Overwrites all flags without a look at them; not all that do.
    static bool overwrites_flags(Op op) {
        constexpr auto bit = [](Op o) { return u32{1} << (static_cast<u32>(o) - static_cast<u32>(Op::ADD)); };
        constexpr u32 kThose = bit(Op::ADD) | bit(Op::OR) | bit(Op::AND) | bit(Op::SUB) | bit(Op::XOR) |
                               bit(Op::CMP) | bit(Op::TEST) | bit(Op::NEG);
        const u32 n = static_cast<u32>(op) - static_cast<u32>(Op::ADD);
        return n < 32 && (kThose >> n & 1) != 0;
    }
    // Before code that destroys the host's flags, and calls nothing but through stubs that know `before`.
    void spare_flags();
    // They are `i`'s own then, if it does not leave the region.
    bool may_lose_flags(const Insn& i) const;
    void flags_written(bool af_junk = false) {
        flags_ = {.host = true, .state = false, .af_junk = af_junk, .recipe = {}};
    }
    void flags_in_state_only() { flags_ = {}; }
    void before_clobber() {
        flags_to_state();
        flags_.host = false;
    }
    bool dead_flags() const { return flags_dead_behind(*region_, *block_, index_); }
    // Sequential flow wraps around at the end of the code segment.
    u64 wrap(u64 rip) const {
        return mode_.code_size == 8   ? rip
               : mode_.code_size == 4 ? static_cast<u32>(rip)
                                      : static_cast<u16>(rip);
    }
    u32 new_site(unsigned size, bool write);
    // Made in its place; what its kind does not need is anything.
    Stub& new_stub(Stub::Kind kind);
    Stub& new_stub(Stub::Kind kind, u32 site);  // where the instruction may be left

    // --- memory.cpp ---
    // Effective address without segment, cut to the address size, in RAX.
    void effective_address(const Insn& i);
    Mem address_of(const Insn& i, bool& direct);
    // Where in the host the operand is; may use RAX. Flags in the state after it or a recipe; where they were
    // if they stay, and it may leave them there.
    Mem access(const Insn& i, unsigned size, bool write, bool flags_stay = false);
    // What access() gave, as an address.
    void host_address(Reg to, const Mem& operand) {
        operand.index == kNoReg&& operand.disp == 0 ? e_.mov(to, operand.base) : e_.lea(to, operand);
    }
    // Of 16 or 32 bytes, which else is the interpreter's.
    Mem access_aligned(const Insn& i, unsigned size, bool write);
    void check_alignment(unsigned size, u8 inside = 0);  // of the linear address RAX + `inside`
    // RAX: linear address; then the host's.
    void access_linear(unsigned size, bool write) { look_up(size, write, Stub::miss); }
    void look_up(unsigned size, bool write, Stub::Kind otherwise);
    void add_miss(Stub::Kind kind, u8* displacement, unsigned bytes, bool write);
    void add_segment(Seg seg, unsigned size, bool write);

    // --- stack.cpp ---
    // Bytes by their offset from where the stack pointer was at the block's origin.
    struct StackRange {
        i32 low = 0, high = 0;
        bool empty() const { return low == high; }
        bool covers(const StackRange& r) const { return low <= r.low && r.high <= high; }
        StackRange with(const StackRange& r) const {
            return empty() ? r : StackRange{low < r.low ? low : r.low, high > r.high ? high : r.high};
        }
    };
    // What an instruction does to the stack, as far as that is a constant away from the stack pointer.
    struct StackUse {
        StackRange range{};
        i32 moves_by = 0;
        bool known = true;  // false: the stack pointer may be anywhere behind it
        bool anew = false;  // LEAVE: all from RBP
    };
    StackUse stack_use(const Insn& i) const;
    // True: the operand's address is a constant away from the stack pointer.
    bool on_stack(const Insn& i) const { return i.base == rsp && is_in_stack(i); }
    bool is_in_stack(const Insn& i) const;
    StackRange look_ahead(StackRange range) const;
    void forget_stack();
    // Most instructions neither move the stack pointer nor name it but as a base.
    static bool keeps_stack_pointer(const Insn& i) {
        return i.reg != rsp && i.rm != rsp && i.vvvv != rsp &&
               !kMovesStackPointer[static_cast<unsigned>(i.op)];
    }
    void follow_stack_pointer(const Insn& i) {
        if (hoist_ && !keeps_stack_pointer(i)) move_sp_offset(i);
    }
    void move_sp_offset(const Insn& i);
    // Where in the host `offset` from the stack pointer is; may use RAX. Flags as with access().
    Mem stack_access(i32 offset, unsigned size, bool write, bool flags_stay = false);
    // The same from `base`, which is where sp_offset_ says.
    Mem stack_access_at(Reg base, i32 offset, unsigned size, bool write, bool flags_stay = false);
    // RAX: linear address; then the host's, if all is in the stack's page.
    void look_in_stack_page(Stub::Kind otherwise, unsigned bytes, bool write);
    void access_stack_linear(unsigned size, bool write);  // RAX: linear address, likely in the stack's page
    void move_stack_pointer(i32 by);

    // --- in_rax.cpp ---
    // What an access left in RAX for the next.
    struct InRax {
        enum What : u8 {
            nothing,
            stack_checked,    // host address of `checked_.low`
            stack_less_page,  // Mmu::StackPage::host_less_page
            span              // host address of a span's `low`
        } what = nothing;
        u8 number = 0;  // of the span
        bool known() const { return what != nothing; }
        bool operator==(const InRax&) const = default;
    };
    bool keeps_rax(const Insn& i) const;
    void rax_lost() { in_rax_ = {}; }
    // Not for what else the same instruction may do in between.
    void left_in_rax(InRax::What what, u8 number = 0) {
        if (keeps_rax(entry_->insn)) in_rax_ = {.what = what, .number = number};
    }

    // --- span.cpp ---
    // What is checked together: from an instruction to `last`, which are indices into the region's.
    struct Span {
        u32 last = 0;
        i64 low = 0;     // from base and index
        i64 length = 0;  // bytes
        bool write = false;
        const Insn* insn = nullptr;  // the first
        unsigned alignment = 0;      // of its address, if that was looked at
        i64 first = 0;
    };
    bool spannable(const Insn& i) const;
    u32 next_in_place(u32 n) const;
    i64 span_offset(const Entry& e) const;
    unsigned memory_operand(const Insn& i, bool& write) const;
    const Span* span_of(i64 offset, unsigned size, bool write) const;
    Span* new_span(i64 offset, unsigned size, bool write);
    void forget_spans();
    Mem span_slot(const Span& s) const;
    bool access_in_span(const Insn& i, unsigned size, bool write, bool flags_stay, bool aligned, Mem& host);
    void emit_span_stub(const Stub& s);
    Label whole_instead();  // a stub that has the interpreter execute this instruction

    // --- registers ---
    State slot(unsigned guest) const { return in_state(s_.gpr + static_cast<i32>(8 * guest)); }
    static Reg home(unsigned guest) { return kHome[guest]; }
    // The register that holds guest register `g`; loaded to `scratch` if it is in the state.
    Reg value_of(unsigned g, Reg scratch) {
        if (home(g) != kNoReg) return home(g);
        e_.load(scratch, slot(g));
        return scratch;
    }
    // `from`, zero-extended if of 4 bytes, to a register in the state. Nothing for others.
    void put_back(unsigned g, Reg from, unsigned size);
    // op reg, r/m and the like where r/m may be a register in the state.
    void with_rm_register(Opcode o, unsigned reg, unsigned guest_rm) {
        home(guest_rm) != kNoReg ? e_.rr(o, reg, home(guest_rm)) : e_.rm(o, reg, slot(guest_rm));
    }
    void immediate(u64 v, unsigned size);
    void move(Reg to, Reg from, unsigned size) { e_.mov(to, from, size == 8); }
    void load_sized(Reg to, const Mem& m, unsigned size);  // zero-extends
    void store_sized(const Mem& m, Reg from, unsigned size);

    // --- families; false: not theirs, the interpreter executes it ---
    bool emit_alu(const Insn& i);
    static bool is_alu(Op op) { return (op >= Op::ADD && op <= Op::CMP) || op == Op::TEST; }
    static FlagRecipe recipe_of(const Insn& i);
    bool emit_unary(const Insn& i);
    bool emit_move(const Insn& i);
    bool emit_extend(const Insn& i);
    bool emit_exchange(const Insn& i);
    bool emit_stack(const Insn& i);
    bool emit_shift(const Insn& i);
    void fix_shift_overflow(bool left, unsigned size);
    bool emit_double_shift(const Insn& i);
    bool emit_high_byte(const Insn& i);
    bool emit_multiply(const Insn& i);
    bool emit_divide(const Insn& i);
    bool emit_bit_string(const Insn& i);
    bool emit_bits(const Insn& i);
    bool emit_condition(const Insn& i);
    bool emit_flag(const Insn& i);
    bool reloads(unsigned seg) const;
    void reload_segment(unsigned seg);
    bool takes_turns(unsigned seg) const;
    void operate(bool always, const u8* thunk);
    bool emit_system(const Insn& i);
    void attend_behind();  // looks for events behind the current instruction
    bool emit_branch(const Insn& i);
    bool emit_vector(const Insn& i);
    bool emit_general_vex(const Insn& i);
    bool reemit(const Insn& i);

    // To the code of the RIP in RAX. A call comes back to `landing`.
    void indirect_target(bool call = false, Label landing = {});
    void direct_target(u64 rip, bool call = false, Label landing = {});
    void jump_if_found(At code, bool call, Label landing);
    // --- x87.cpp ---
    bool emit_x87(const Insn& i);
    bool emit_x87_control(const Insn& i);
    void need_x87();
    // Writes what is due to the state; clobbers RAX and RCX, keeps the flags.
    void write_pointers(const X87Pointers& p);
    void write_operand_pointer(const Entry& e);
    // Before an instruction that is none of the x87's: what it may hide.
    void settle_pointers(const Insn& i);
    void write_pointers() {
        write_pointers(pointers_);
        pointers_ = {};
    }

    void check_target();  // RAX: canonical?
    void call_region(u64 rip, Label landing);
    void land(const RegionBlock& b, u64 behind, unsigned size, Label landing);
    void push_return(u64 rip, unsigned size);
    void fix_multiply_flags(Reg result, unsigned size);
    void need_vectors();

    Encoder& e_;
    i64 delta_;
    const StateOffsets& s_;
    const Thunks& thunks_;
    std::vector<CallSite>& sites_;
    std::deque<Link>& links_;
    const bool overflow_of_last_step_;

    Region* region_ = nullptr;
    ModeBits mode_;
    const RegionBlock* block_ = nullptr;
    u32 block_index_ = 0;
    u32 index_ = 0;  // of the instruction in its block
    const Entry* entry_ = nullptr;
    FlagPlace flags_;
    bool vectors_known_ = false;
    bool x87_known_ = false;
    bool hoist_ = false;  // accesses to the stack are checked together
    StackRange checked_;
    bool newly_checked_ = false;  // by the current instruction
    i32 sp_offset_ = 0;           // of the stack pointer
    X87Pointers pointers_;
    bool spanning_ = false;  // accesses through the same registers are checked together
    std::array<Span, 4> spans_{};
    InRax in_rax_{};
    u32 spans_known_ = 0;
    u32 spans_end_ = 0;        // the farthest `last`
    u32 attend_at_ = ~u32{0};  // behind this instruction events are looked for
    std::vector<BlockPlan> plan_;
    std::vector<Loop> loops_;
    bool apart_ = false;  // out of the main line
    ReusedList<Stub> stubs_;
    u32 insn_stubs_ = 0;  // first stub of the current instruction
};

}  // namespace mynah::x64
