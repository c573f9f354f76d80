// Blocks, the places of flags, budget polls, and the code behind the main line.
#include <array>

#include "jit/x64/translator.h"

namespace mynah::x64 {

namespace {
constexpr unsigned kAdd = 0, kAnd = 4, kSub = 5, kCmp = 7;

bool goes_elsewhere(Op op) {
    return op == Op::CALL || op == Op::CALL_IND || op == Op::RET || op == Op::JMP_IND;
}
}  // namespace

bool Translator::translate(Region& region, const ModeBits& mode) {
    region_ = &region;
    mode_ = mode;
    hoist_ = region.hoist && mode.stack_size != 2 && mode.code_size != 2 && mode.flat;
    spanning_ = region.hoist && mode.code_size != 2 && mode.flat && !mode.unspanned;
    stubs_.clear();
    const size_t first_site = sites_.size();
    const size_t first_link = links_.size();
    const size_t blocks = region.blocks.size();
    plan_blocks();
    region.host_offsets.assign(region.insns.size(), 0);
    const u8* const begin = e_.here();
    for (u32 n = 0; n < blocks; ++n) {
        emit_block(n);
        if (e_.full()) break;
    }
    region.stubs_offset = e_.offset();
    apart_ = true;
    for (size_t n = 0; n < loops_.size() && !e_.full(); ++n) emit_loop_entry(loops_[n]);
    apart_ = false;
    for (u32 n = 0; n < blocks && !e_.full(); ++n) {
        // Where it may have been left for want of budget it is entered again.
        if (region.blocks[n].external || region.blocks[n].poll) emit_external_entry(n);
    }
    // Stubs may make new ones.
    for (u32 n = 0; n < stubs_.size() && !e_.full(); ++n) {
        emit_stub(n);
    }
    if (e_.full()) {
        sites_.resize(first_site);
        links_.resize(first_link);
        return false;
    }
    e_.resolve();
    for (size_t n = first_link; n < links_.size(); ++n) links_[n].unlinked = load_le<u32>(links_[n].jump + 1);
    region.code = begin + delta_;
    region.code_bytes = static_cast<u32>(e_.here() - begin);
    return true;
}

void Translator::plan_blocks() {
    std::vector<RegionBlock>& blocks = region_->blocks;
    plan_.assign(blocks.size(), {});
    loops_.clear();
    BlockPlan* const plan = plan_.data();
    u32 label = e_.labels(static_cast<u32>(blocks.size())).id;
    for (BlockPlan& p : plan_) p.label.id = label++;
    size_t entries = 0;
    for (const RegionBlock& b : blocks) {
        entries += b.external || b.poll;
        if (b.next != kNoBlock) ++plan[b.next].edges;
        if (b.taken == kNoBlock) continue;
        ++plan[b.taken].edges;
        note_loop(b);
    }
    region_->entries.clear();
    region_->entries.reserve(entries);
    // What is entered from outside alone needs no entry of its own.
    const BlockPlan* p = plan;
    for (RegionBlock& b : blocks) b.poll |= p++->edges == 0;
}

const FlagPlace& Translator::wanted_at(u32 target) {
    BlockPlan& plan = plan_[target];
    if (!plan.flags_known) {
        // The first edge decides; who looks at the budget has them in the state.
        const RegionBlock& b = region_->blocks[target];
        const bool in_state = b.poll || b.external || flags_.state || flags_.af_junk;
        plan.flags_known = true;
        plan.flags = {.host = !in_state, .state = in_state, .af_junk = false, .recipe = {}};
        if (plan.edges == 1 && !b.poll && !b.external) plan.flags = flags_;
    }
    return plan.flags;
}

void Translator::start_block(u32 index) {
    const RegionBlock& b = region_->blocks[index];
    block_ = &b;
    block_index_ = index;
    // Without an edge from above it is entered from outside or from below.
    plan_[index].flags_known = true;
    flags_ = plan_[index].flags;
    vectors_known_ = false;
    x87_known_ = false;
    pointers_ = {};
    forget_stack();
    forget_spans();
    attend_at_ = ~u32{0};
    rax_lost();
}

void Translator::emit_block(u32 index) {
    start_block(index);
    const RegionBlock& b = *block_;
    if (Loop* const loop = loop_of(index); loop != nullptr) {
        e_.bind(loop->again);
        flags_ = {.host = false, .state = false, .recipe = loop->recipe};
        vectors_known_ = loop->vectors;
        x87_known_ = loop->x87;
        charge_block();
        (void)emit_insns(0, loop->twice);
        loop->joined = flags_;
        rax_lost();
        e_.bind(loop->join);
        if (!emit_insns(loop->twice, b.count)) end_block();
        return;
    }
    e_.bind(plan_[index].label);
    charge_block();
    if (!emit_insns(0, b.count)) end_block();
}

// Is there budget left? Takes the block's instructions from it.
void Translator::charge_block() {
    const RegionBlock& b = *block_;
    const u64 rip = region_->rip_of(b);
    const bool alone = b.poll && b.need == b.count && region_->straddles == 0;
    if (b.poll) emit_poll(b, rip, alone);
    if (region_->straddles != 0) check_next_page(rip);
    if (!alone) e_.lea(kBudget, at(kBudget, -static_cast<i32>(b.count)));
}

// True: control does not go on behind the instruction, or that has been seen to.
[[gnu::always_inline]] inline bool Translator::emit_insn(bool last) {
    const Insn& i = entry_->insn;
    if (flags_.recipe.known()) before_instruction(i);
    // A return's first use of RAX is its access.
    if (in_rax_.known() && i.op != Op::RET && !keeps_rax(i)) rax_lost();
    if (pointers_.last != nullptr && i.op != Op::FPU && i.op != Op::FWAIT) settle_pointers(i);
    if (last && emit_branch(i)) return true;
    if (!emit_family(i)) emit_interpret();
    return false;
}

bool Translator::emit_insns(u32 from, u32 to) {
    const RegionBlock& b = *block_;
    bool ended = false;
    Entry* entry = &region_->insns[b.first + from];
    u32* host_offset = &region_->host_offsets[b.first + from];
    for (u32 n = from; n < to; ++n, ++entry, ++host_offset) {
        index_ = n;
        entry_ = entry;
        if (!apart_) *host_offset = e_.offset();
        insn_stubs_ = stubs_.size();
        const size_t first_site = sites_.size();
        newly_checked_ = false;
        ended = emit_insn(n + 1 == b.count);
        // Behind the code of a branch to somewhere else is not where it may come to, be that the next
        // instruction.
        const bool elsewhere = newly_checked_ || goes_elsewhere(entry->insn.op);
        for (size_t k = first_site; elsewhere && k < sites_.size(); ++k) sites_[k].checks = true;
        follow_stack_pointer(entry->insn);
        if (insn_stubs_ != stubs_.size()) settle_stubs();
        if (n == attend_at_) {
            rax_lost();
            write_pointers();
            attend_behind();
        }
        if (e_.full()) return true;
    }
    return ended;
}

// Those that go on behind the current instruction learn where that is, and what is there.
void Translator::settle_stubs() {
    for (u32 k = insn_stubs_; k < stubs_.size(); ++k) {
        Stub& s = stubs_[k];
        if (s.kind > Stub::whole) continue;
        s.behind = e_.offset();
        s.flags = flags_;
        // What the interpreter executed comes back with nothing in RAX.
        rax_lost();
    }
}

void Translator::end_block() {
    const RegionBlock& b = *block_;
    write_pointers();
    const u64 behind = wrap(region_->page_rip + b.end);
    if (b.next != kNoBlock) {
        go_to_block(b.next);
    } else {
        leave_region(behind, flags_);
    }
}

// Who comes from outside has the flags in the state.
void Translator::enter_here(u32 index) {
    if (plan_[index].entered) return;
    plan_[index].entered = true;
    const RegionBlock& b = region_->blocks[index];
    const u32 at = b.poll ? e_.offset_of(plan_[index].label) : e_.offset();
    const u64 rip = region_->rip_of(b);
    region_->entries.push_back({rip, b.need, e_.here() + delta_ - e_.offset() + at});
}

void Translator::emit_external_entry(u32 index) {
    if (plan_[index].entered) return;
    enter_here(index);
    const RegionBlock& b = region_->blocks[index];
    if (b.poll) return;
    flags_ = {};
    emit_poll(b, region_->rip_of(b));
    e_.jmp(plan_[index].label);
}

void Translator::emit_poll(const RegionBlock& b, u64 rip, bool charge) {
    Stub& s = new_stub(Stub::poll);
    s.rip = rip;
    s.number = charge ? b.need : 0;
    e_.alu_imm(charge ? kSub : kCmp, kBudget, static_cast<i32>(b.need));
    e_.jcc(kL, s.here);
    flags_.host = false;
}

// Of a straddling instruction: is its second page the one that it was made from?
void Translator::check_next_page(u64 rip) {
    Stub& s = new_stub(Stub::poll);
    s.rip = rip;
    s.number = 0;
    e_.move_imm(RCX, static_cast<u32>(region_->next_linear >> 8));
    e_.alu(kAnd, RCX, in_state(s_.fetch_table + 8), false);
    e_.alu(kAdd, RCX, in_state(s_.fetch_table));
    e_.move_imm(RAX, region_->next_linear);
    e_.alu(kCmp, RAX, at(RCX));
    e_.jcc(kNE, s.here);
    e_.move_imm(RAX, reinterpret_cast<u64>(region_->next_host));
    e_.alu(kCmp, RAX, at(RCX, 8));
    e_.jcc(kNE, s.here);
}

u32 Translator::new_site(unsigned size, bool write) {
    CallSite& site = sites_.emplace_back();
    site.region = region_;
    site.entry = &region_->insns[block_->first + index_];
    site.rip = region_->rip_of(*entry_);
    site.given_back = block_->count - index_;
    site.size = static_cast<u8>(size);
    site.write = write;
    site.relies = hoist_ || block_->first + index_ < spans_end_;
    site.x87 = x87_known_;
    return static_cast<u32>(sites_.size() - 1);
}

Translator::Stub& Translator::new_stub(Stub::Kind kind) {
    Stub& s = stubs_.next();
    s.kind = kind;
    s.here = e_.label();
    s.flags = flags_;
    return s;
}

Translator::Stub& Translator::new_stub(Stub::Kind kind, u32 site) {
    Stub& s = new_stub(kind);
    s.site = site;
    s.before = flags_;
    s.pointers = pointers_;
    return s;
}

Label Translator::whole_instead() {
    return new_stub(Stub::whole, new_site(0, false)).here;
}

void Translator::emit_interpret() {
    write_pointers();
    before_clobber();
    e_.move_imm(RCX, new_site(0, false));
    sites_.back().relies = false;
    forget_stack();
    forget_spans();
    e_.call_to(e_.here() + delta_, thunks_.interpret);
    flags_in_state_only();
}

bool Translator::emit_family(const Insn& i) {
    switch (i.op) {
        case Op::MOV:
        case Op::LEA:
            return emit_move(i);
        case Op::ADD:
        case Op::OR:
        case Op::ADC:
        case Op::SBB:
        case Op::AND:
        case Op::SUB:
        case Op::XOR:
        case Op::CMP:
        case Op::TEST:
            return emit_alu(i);
        case Op::INC:
        case Op::DEC:
        case Op::NOT:
        case Op::NEG:
            return emit_unary(i);
        case Op::MOVZX:
        case Op::MOVSX:
        case Op::MOVSXD:
            return emit_extend(i);
        case Op::PUSH:
        case Op::POP:
        case Op::LEAVE:
            return emit_stack(i);
        case Op::ROL:
        case Op::ROR:
        case Op::RCL:
        case Op::RCR:
        case Op::SHL:
        case Op::SHR:
        case Op::SAR:
            return emit_shift(i);
        case Op::SHLD:
        case Op::SHRD:
            return emit_double_shift(i);
        case Op::CMOVCC:
        case Op::SETCC:
        case Op::CBW:
        case Op::CWD:
            return emit_condition(i);
        case Op::MUL:
        case Op::IMUL:
        case Op::IMUL2:
        case Op::IMUL3:
            return emit_multiply(i);
        case Op::DIV:
        case Op::IDIV:
            return emit_divide(i);
        case Op::BT:
        case Op::BTS:
        case Op::BTR:
        case Op::BTC:
        case Op::BSF:
        case Op::BSR:
        case Op::POPCNT:
        case Op::TZCNT:
        case Op::LZCNT:
        case Op::BSWAP:
            return emit_bits(i);
        case Op::XCHG:
        case Op::CMPXCHG:
        case Op::CMPXCHG8B:
        case Op::CMPXCHG16B:
        case Op::XADD:
            return emit_exchange(i);
        case Op::FPU:
        case Op::FWAIT:
            return emit_x87(i);
        default:
            return emit_flag(i) || emit_system(i) || emit_vector(i);
    }
}

// --- edges ---

void Translator::prepare_for(u32 target) {
    if (goes_round(target) != nullptr) return;
    const FlagPlace want = wanted_at(target);
    if (want.state) {
        // For a conditional branch the host's must survive: AF junk is cut off on the way there instead.
        if (!flags_.af_junk) flags_to_state();
    }
}

void Translator::go_to_block(u32 target) {
    if (const Loop* const loop = goes_round(target); loop != nullptr) {
        if (target != block_index_ + 1) e_.jmp(loop->again);
        return;
    }
    const FlagPlace want = wanted_at(target);
    if (want.state) {
        flags_to_state();
    } else if (!(flags_ == want)) {
        if (flags_.af_junk) flags_to_state();
        flags_to_host();
    }
    if (target != block_index_ + 1 || loop_of(target) != nullptr) e_.jmp(plan_[target].label);
}

void Translator::branch_to(unsigned cond, u64 rip, u32 target) {
    if (target == kNoBlock) {
        Stub& s = new_stub(Stub::leave_for);
        s.rip = rip;
        return e_.jcc(cond, s.here);
    }
    if (const Loop* const loop = goes_round(target); loop != nullptr) return e_.jcc(cond, loop->again);
    const FlagPlace want = wanted_at(target);
    const bool fits = flags_ == want || (want.state ? flags_.state : flags_.host && !flags_.af_junk);
    if (fits) return e_.jcc(cond, plan_[target].label);
    Stub& s = new_stub(Stub::edge);
    s.resume = plan_[target].label;
    s.wanted = want;
    e_.jcc(cond, s.here);
}

void Translator::leave_region(u64 rip, FlagPlace flags) {
    flags_ = flags;
    flags_to_state();
    const u64 distance = rip - region_->page_rip;
    // Same page: the mapping holds as long as this code runs.
    distance < kPageSize ? link_to(rip, false) : direct_target(rip);
}

void Translator::link_to(u64 rip, bool unspanned) {
    Link link;
    link.jump = e_.here();
    link.from = region_;
    link.rip = rip;
    link.unspanned = unspanned;
    const u32 number = static_cast<u32>(links_.size());
    e_.byte(0xE9);
    e_.imm32(0);
    links_.push_back(link);
    e_.move_imm(RAX, number);
    e_.jmp_to(e_.here() + delta_, thunks_.link);
}

// What the interpreter wants in the state: the flags and the x87's pointers.
void Translator::settle_before(const Stub& s, bool keep_rax) {
    const bool pointers = s.pointers.last != nullptr;
    if (s.before.state && !pointers) return;
    if (keep_rax) e_.store(in_state(s_.value + 16), RAX);
    if (!s.before.state) {
        flags_ = s.before;
        flags_to_state();
    }
    write_pointers(s.pointers);
    if (keep_rax) e_.load(RAX, in_state(s_.value + 16));
}

// Goes on at `resume` if there is an address in RAX then.
void Translator::call_with_site(u32 site, const u8* thunk, u32 resume) {
    static constexpr std::array<u8, 19> kCall = {
        0xB9, 0,    0,    0, 0,     // MOV ECX, site
        0xE8, 0,    0,    0, 0,     // CALL thunk
        0x48, 0x85, 0xC0,           // TEST RAX, RAX
        0x0F, 0x85, 0,    0, 0, 0,  // JNZ resume
    };
    u8* const p = e_.raw(kCall);
    if (p == nullptr) return;
    store_le<u32>(p + 1, site);
    store_le<u32>(p + 6, static_cast<u32>(thunk - (p + delta_ + 10)));
    store_le<u32>(p + 15, resume - e_.offset());
}

// What makes new stubs has no use for the old one any more.
void Translator::emit_stub(u32 number) {
    const Stub& s = stubs_[number];
    e_.bind(s.here);
    flags_ = s.flags;
    switch (s.kind) {
        case Stub::miss:
        case Stub::stack_miss:
        case Stub::stack_range:
        case Stub::whole: {
            const CallSite& site = sites_[s.site];
            if (s.kind == Stub::miss) e_.rm(plain(0x03, true), RAX, at(RCX));  // back to the linear address
            const bool stack = s.kind == Stub::stack_miss || s.kind == Stub::stack_range;
            if (stack)
                e_.store_imm32(in_state(s_.stack_limit), static_cast<i32>(kPageSize) - site.size, true);
            const u8* const thunk = s.kind == Stub::miss ? site.write ? thunks_.write_miss : thunks_.read_miss
                                    : s.kind == Stub::stack_range ? thunks_.stack_range
                                    : s.kind == Stub::whole       ? thunks_.interpret
                                    : site.write                  ? thunks_.stack_write_miss
                                                                  : thunks_.stack_read_miss;
            settle_before(s, s.kind != Stub::whole);
            if (s.kind == Stub::miss || s.kind == Stub::stack_miss) {
                call_with_site(s.site, thunk, e_.offset_of(s.resume));
            } else {
                e_.move_imm(RCX, s.site);
                e_.call_to(e_.here() + delta_, thunk);
                if (s.kind == Stub::stack_range) return e_.jmp(s.resume);
            }
            if (s.flags.host) {
                flags_ = {};
                flags_to_host();
            }
            e_.jmp(s.behind);
            return;
        }
        case Stub::span:
            return emit_span_stub(s);
        case Stub::leave_for:
            return leave_region(s.rip, flags_);
        case Stub::poll:
            flags_to_state();
            if (s.number != 0) e_.lea(kBudget, at(kBudget, static_cast<i32>(s.number)));
            e_.move_imm(RAX, s.rip);
            e_.jmp_to(e_.here() + delta_, thunks_.exit);
            return;
        case Stub::called:
            // A call all the same: the host predicts returns by pairs.
            e_.call_to(e_.here() + delta_, thunks_.lookup);
            e_.jmp(s.resume);
            return;
        case Stub::unlinked:
            e_.move_imm(RAX, s.number);
            e_.jmp_to(e_.here() + delta_, thunks_.link);
            return;
        case Stub::vectors:
            e_.call_to(e_.here() + delta_, thunks_.load_vectors);
            e_.jmp(s.resume);
            return;
        case Stub::x87:
            e_.call_to(e_.here() + delta_, thunks_.load_x87);
            e_.jmp(s.resume);
            return;
        case Stub::enable:
            e_.alu_imm(1, in_state(s_.eflags), static_cast<i32>(eflags::intr), false);
            [[fallthrough]];
        case Stub::attend: {
            const Label look = e_.label();
            for (const i32 flag : {s_.attention, s_.interrupt_waits}) {
                e_.rm({.byte = 0x80}, kCmp, in_state(flag));
                e_.imm8(0);
                e_.jcc(kNE, look);
            }
            e_.jmp(s.resume);
            e_.bind(look);
            e_.move_imm(RCX, s.site);
            e_.call_to(e_.here() + delta_, thunks_.attend);
            e_.jmp(s.resume);
            return;
        }
        case Stub::edge:
            if (s.wanted.state) {
                flags_to_state();
            } else {
                if (flags_.af_junk) flags_to_state();
                flags_to_host();
            }
            e_.jmp(s.resume);
            return;
    }
}

}  // namespace mynah::x64
