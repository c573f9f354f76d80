// Blocks, the places of flags, budget polls, and the code behind the main line.
#include <array>

#include "jit/x64/translator.h"

namespace mynah::x64 {

namespace {
constexpr unsigned kAdd = 0, kAnd = 4, kCmp = 7;
}  // namespace

bool Translator::translate(Region& region, const ModeBits& mode) {
    region_ = &region;
    mode_ = mode;
    hoist_ = region.hoist && mode.stack_size != 2 && mode.code_size != 2 && mode.flat;
    stubs_.clear();
    const size_t first_site = sites_.size();
    const size_t first_link = links_.size();
    const size_t blocks = region.blocks.size();
    block_labels_.clear();
    for (size_t n = 0; n < blocks; ++n) block_labels_.push_back(e_.label());
    block_flags_.assign(blocks, {});
    block_flags_set_.assign(blocks, 0);
    block_entered_.assign(blocks, 0);
    region.entries.clear();
    region.host_offsets.assign(region.insns.size(), 0);
    const u8* const begin = e_.here();
    for (u32 n = 0; n < blocks; ++n) {
        emit_block(n);
        if (e_.full()) break;
    }
    region.stubs_offset = e_.offset();
    for (u32 n = 0; n < blocks && !e_.full(); ++n) {
        if (region.blocks[n].external) emit_external_entry(n);
    }
    // Stubs may make new ones.
    for (size_t n = 0; n < stubs_.size() && !e_.full(); ++n) {
        emit_stub(static_cast<u32>(n));
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

FlagPlace& Translator::wanted_at(u32 target) {
    if (!block_flags_set_[target]) {
        // The first edge decides; who looks at the budget has them in the state.
        const RegionBlock& b = region_->blocks[target];
        const bool in_state = b.poll || b.external || flags_.state || flags_.af_junk;
        block_flags_[target] = {.host = !in_state, .state = in_state, .af_junk = false, .recipe = {}};
        block_flags_set_[target] = 1;
    }
    return block_flags_[target];
}

void Translator::emit_block(u32 index) {
    const RegionBlock& b = region_->blocks[index];
    block_ = &b;
    block_index_ = index;
    if (!block_flags_set_[index]) {
        // No edge from above: entered from outside or from below.
        block_flags_[index] = {};
        block_flags_set_[index] = 1;
    }
    flags_ = block_flags_[index];
    e_.bind(block_labels_[index]);
    vectors_known_ = false;
    x87_known_ = false;
    pointers_ = {};
    forget_stack();
    attend_at_ = ~u32{0};
    const u64 rip = region_->rip_of(region_->insns[b.first]);
    if (b.poll) emit_poll(b, rip);
    if (region_->straddles != 0) check_next_page(rip);
    e_.lea(kBudget, at(kBudget, -static_cast<i32>(b.count)));
    bool ended = false;
    for (u32 n = 0; n < b.count; ++n) {
        index_ = n;
        entry_ = &region_->insns[b.first + n];
        region_->host_offsets[b.first + n] = e_.offset();
        insn_stubs_ = static_cast<u32>(stubs_.size());
        const size_t first_site = sites_.size();
        newly_checked_ = false;
        ended = emit_insn();
        for (size_t k = first_site; newly_checked_ && k < sites_.size(); ++k) sites_[k].checks = true;
        follow_stack_pointer(entry_->insn);
        if (insn_stubs_ != stubs_.size()) {
            const Label done = e_.label();
            e_.bind(done);
            for (u32 k = insn_stubs_; k < stubs_.size(); ++k) {
                Stub& s = stubs_[k];
                if (s.kind != Stub::miss && s.kind != Stub::stack_miss && s.kind != Stub::whole) continue;
                s.done = done;
                s.flags = flags_;
            }
        }
        if (n == attend_at_) {
            write_pointers();
            attend_behind();
        }
        if (e_.full()) return;
    }
    if (ended) return;
    write_pointers();
    const u64 behind = wrap(rip + (b.end - b.begin));
    if (b.next != kNoBlock) {
        go_to_block(b.next);
    } else {
        leave_region(behind, flags_);
    }
}

// Who comes from outside has the flags in the state.
void Translator::enter_here(u32 index) {
    if (block_entered_[index]) return;
    block_entered_[index] = 1;
    const RegionBlock& b = region_->blocks[index];
    const u32 at = b.poll ? e_.offset_of(block_labels_[index]) : e_.offset();
    const u64 rip = region_->rip_of(region_->insns[b.first]);
    region_->entries.push_back({rip, b.need, e_.here() + delta_ - e_.offset() + at});
}

void Translator::emit_external_entry(u32 index) {
    if (block_entered_[index]) return;
    enter_here(index);
    const RegionBlock& b = region_->blocks[index];
    if (b.poll) return;
    flags_ = {};
    emit_poll(b, region_->rip_of(region_->insns[b.first]));
    e_.jmp(block_labels_[index]);
}

void Translator::emit_poll(const RegionBlock& b, u64 rip) {
    Stub s{.kind = Stub::poll, .here = e_.label(), .rip = rip, .flags = flags_};
    e_.alu_imm(kCmp, kBudget, static_cast<i32>(b.need));
    e_.jcc(kL, s.here);
    stubs_.push_back(s);
    flags_.host = false;
}

// Of a straddling instruction: is its second page the one that it was made from?
void Translator::check_next_page(u64 rip) {
    const Stub s{.kind = Stub::poll, .here = e_.label(), .rip = rip, .flags = flags_};
    e_.move_imm(RCX, static_cast<u32>(region_->next_linear >> 8));
    e_.alu(kAnd, RCX, in_state(s_.fetch_table + 8), false);
    e_.alu(kAdd, RCX, in_state(s_.fetch_table));
    e_.move_imm(RAX, region_->next_linear);
    e_.alu(kCmp, RAX, at(RCX));
    e_.jcc(kNE, s.here);
    e_.move_imm(RAX, reinterpret_cast<u64>(region_->next_host));
    e_.alu(kCmp, RAX, at(RCX, 8));
    e_.jcc(kNE, s.here);
    stubs_.push_back(s);
}

u32 Translator::new_site(unsigned size, bool write) {
    sites_.push_back({.region = region_,
                      .entry = &region_->insns[block_->first + index_],
                      .rip = region_->rip_of(*entry_),
                      .given_back = block_->count - index_,
                      .size = static_cast<u8>(size),
                      .write = write,
                      .relies = hoist_,
                      .x87 = x87_known_});
    return static_cast<u32>(sites_.size() - 1);
}

Label Translator::whole_instead() {
    const Stub s{.kind = Stub::whole,
                 .here = e_.label(),
                 .site = new_site(0, false),
                 .before = flags_,
                 .pointers = pointers_};
    stubs_.push_back(s);
    return s.here;
}

void Translator::emit_interpret() {
    write_pointers();
    before_clobber();
    e_.move_imm(RCX, new_site(0, false));
    sites_.back().relies = false;
    forget_stack();
    e_.call_to(e_.here() + delta_, thunks_.interpret);
    flags_in_state_only();
}

// True: control does not go on behind the instruction, or that has been seen to.
bool Translator::emit_insn() {
    const Insn& i = entry_->insn;
    if (flags_.recipe.known()) before_instruction(i);
    if ((i.op == Op::FPU || i.op == Op::FWAIT) && emit_x87(i)) return false;
    if (pointers_.last != nullptr) settle_pointers(i);
    if (index_ + 1 == block_->count && emit_branch(i)) return true;
    if (!emit_family(i)) emit_interpret();
    return false;
}

// First what code is mostly made of.
bool Translator::emit_family(const Insn& i) {
    return emit_move(i) || emit_alu(i) || emit_high_byte(i) || emit_unary(i) || emit_extend(i) ||
           emit_stack(i) || emit_shift(i) || emit_double_shift(i) || emit_condition(i) || emit_multiply(i) ||
           emit_divide(i) || emit_bits(i) || emit_exchange(i) || emit_flag(i) || emit_system(i) ||
           emit_vector(i);
}

// --- edges ---

void Translator::prepare_for(u32 target) {
    const FlagPlace want = wanted_at(target);
    if (want.state) {
        // For a conditional branch the host's must survive: AF junk is cut off on the way there instead.
        if (!flags_.af_junk) flags_to_state();
    }
}

void Translator::go_to_block(u32 target) {
    const FlagPlace want = wanted_at(target);
    if (want.state) {
        flags_to_state();
    } else {
        if (flags_.af_junk) flags_to_state();
        flags_to_host();
    }
    if (target == block_index_ + 1) return;
    e_.jmp(block_labels_[target]);
}

void Translator::branch_to(unsigned cond, u64 rip, u32 target) {
    if (target == kNoBlock) {
        Stub s{.kind = Stub::leave_for, .here = e_.label(), .rip = rip, .flags = flags_};
        e_.jcc(cond, s.here);
        stubs_.push_back(s);
        return;
    }
    const FlagPlace want = wanted_at(target);
    const bool fits = want.state ? flags_.state : flags_.host && !flags_.af_junk;
    if (fits) return e_.jcc(cond, block_labels_[target]);
    Stub s{.kind = Stub::edge,
           .here = e_.label(),
           .resume = block_labels_[target],
           .flags = flags_,
           .wanted = want};
    e_.jcc(cond, s.here);
    stubs_.push_back(s);
}

void Translator::leave_region(u64 rip, FlagPlace flags) {
    flags_ = flags;
    flags_to_state();
    const u64 distance = rip - region_->page_rip;
    if (distance < kPageSize) {
        // Same page: the mapping holds as long as this code runs.
        Link link;
        link.jump = e_.here();
        link.from = region_;
        link.rip = rip;
        const u32 number = static_cast<u32>(links_.size());
        e_.byte(0xE9);
        e_.imm32(0);
        links_.push_back(link);
        e_.move_imm(RAX, number);
        e_.jmp_to(e_.here() + delta_, thunks_.link);
        return;
    }
    direct_target(rip);
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
            e_.jmp(s.done);
            return;
        }
        case Stub::leave_for:
            return leave_region(s.rip, flags_);
        case Stub::poll:
            flags_to_state();
            e_.move_imm(RAX, s.rip);
            e_.jmp_to(e_.here() + delta_, thunks_.exit);
            return;
        case Stub::called:
            e_.lea_label(RCX, s.resume);
            e_.push(RCX);
            e_.jmp_to(e_.here() + delta_, thunks_.lookup);
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
        case Stub::attend:
            e_.move_imm(RCX, s.site);
            e_.call_to(e_.here() + delta_, thunks_.attend);
            e_.jmp(s.resume);
            return;
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
