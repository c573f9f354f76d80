// Where loops begin. Whoever enters from elsewhere has the flags in the state, and vector registers perhaps
// not loaded. Going round neither need be so: the flags can be had again from what was compared last. So the
// first few instructions, up to one that overwrites all flags, are there twice: in the main line as the loop
// needs them, and apart for those who enter.
#include <algorithm>

#include "jit/x64/translator.h"

namespace mynah::x64 {

namespace {

// Instructions that may be there twice.
constexpr u32 kMostTwice = 8;

}  // namespace

// `source` ends in a branch to where a loop may begin.
void Translator::note_loop(const RegionBlock& source) {
    const RegionBlock& b = region_->blocks[source.taken];
    const bool alone = &b == &source;
    if (!b.poll || source.begin < b.begin || source.count < 2) return;
    u16& number = plan_[source.taken].loop;
    if (number != 0 && !alone) return;
    const Entry* const end = &region_->insns[source.first] + source.count;
    const Insn& last = end[-2].insn;
    if (end[-1].insn.op != Op::JCC) return;
    Loop loop{.block = source.taken, .recipe = recipe_of(last)};
    if (!loop.recipe.known()) return;
    const Entry* const insns = &region_->insns[b.first];
    const u32 most = std::min(b.count, kMostTwice);
    while (loop.twice < most && !overwrites_flags(insns[loop.twice].insn.op)) ++loop.twice;
    if (loop.twice++ == most) return;
    for (u32 n = 0; alone && n < b.count; ++n) {
        const Op op = insns[n].insn.op;
        loop.vectors |= op >= Op::MOVD && mode_.sse;
        loop.x87 |= op == Op::FPU && mode_.x87;
    }
    loop.again = e_.label();
    loop.join = e_.label();
    if (number != 0) {
        loops_[number - 1u] = loop;
        return;
    }
    loops_.push_back(loop);
    number = static_cast<u16>(loops_.size());
}

bool Translator::takes_over(const Loop& loop) const {
    return flags_.recipe == loop.recipe && (vectors_known_ || !loop.vectors) && (x87_known_ || !loop.x87);
}

// The way in from elsewhere.
void Translator::emit_loop_entry(const Loop& loop) {
    start_block(loop.block);
    e_.bind(plan_[loop.block].label);
    charge_block();
    if (loop.vectors) need_vectors();
    if (loop.x87) need_x87();
    emit_insns(0, loop.twice);
    if (flags_ == loop.joined) return e_.jmp(loop.join);
    // Never yet: the rest as if it were elsewhere.
    write_pointers();
    e_.lea(kBudget, at(kBudget, static_cast<i32>(block_->count - loop.twice)));
    leave_region(region_->rip_of(region_->insns[block_->first + loop.twice]), flags_);
}

}  // namespace mynah::x64
