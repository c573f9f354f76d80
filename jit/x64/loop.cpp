// Loops of one block, which is where programs are most of the time. Whoever enters from elsewhere has the
// flags in the state, and vector registers perhaps not loaded. Going round neither need be so: the flags can
// be had again from what was compared last. So the first few instructions, up to one that overwrites all
// flags, are there twice: in the main line as the loop needs them, and apart for those who enter.
#include <algorithm>

#include "jit/x64/translator.h"

namespace mynah::x64 {

namespace {

// Instructions that may be there twice.
constexpr u32 kMostTwice = 8;

bool overwrites_flags(Op op) {
    switch (op) {
        case Op::ADD:
        case Op::OR:
        case Op::AND:
        case Op::SUB:
        case Op::XOR:
        case Op::CMP:
        case Op::TEST:
        case Op::NEG:
            return true;
        default:
            return false;
    }
}

}  // namespace

void Translator::note_loop(u32 index) {
    const RegionBlock& b = region_->blocks[index];
    if (!b.poll || b.taken != index || b.count < 2) return;
    const Entry* const insns = &region_->insns[b.first];
    if (insns[b.count - 1].insn.op != Op::JCC) return;
    const Insn& last = insns[b.count - 2].insn;
    if (!is_alu(last.op)) return;
    Loop loop{.block = index, .recipe = recipe_of(last, alu_form(last))};
    if (!loop.recipe.known()) return;
    while (!overwrites_flags(insns[loop.twice++].insn.op)) {
    }
    if (loop.twice > kMostTwice) return;
    for (u32 n = 0; n < b.count; ++n) {
        const Op op = insns[n].insn.op;
        loop.vectors |= op >= Op::MOVD && mode_.sse;
        loop.x87 |= op == Op::FPU && mode_.x87;
    }
    loop.again = e_.label();
    loop.join = e_.label();
    loops_.push_back(loop);
}

// Null: it is none.
Translator::Loop* Translator::loop_of(u32 index) {
    const auto l = std::ranges::find(loops_, index, &Loop::block);
    return l == loops_.end() ? nullptr : &*l;
}

// Does the branch at the end of the block go round?
bool Translator::goes_round(u32 target) const {
    return target == block_index_ && loop_ != nullptr && flags_.recipe == loop_->recipe;
}

// The way in from elsewhere.
void Translator::emit_loop_entry(const Loop& loop) {
    start_block(loop.block);
    e_.bind(block_labels_[loop.block]);
    charge_block();
    if (loop.vectors) need_vectors();
    if (loop.x87) need_x87();
    emit_insns(0, loop.twice);
    if (flags_ == loop.joined) return e_.jmp(loop.join);
    if (!emit_insns(loop.twice, block_->count)) end_block();
}

}  // namespace mynah::x64
