#include "jit/analysis.h"

#include <algorithm>
#include <array>
#include <bit>

#include "cpu/decoder.h"
#include "cpu/insn_table.h"
#include "cpu/interp/families.h"
#include "cpu/interp/select.h"
#include "cpu/interp/steps.h"

namespace mynah {

namespace {

constexpr u16 kNone = 0xFFFF;

bool direct_branch(Op op) {
    return op == Op::JCC || op == Op::JMP || op == Op::CALL || op == Op::LOOP || op == Op::LOOPE ||
           op == Op::LOOPNE || op == Op::JCXZ;
}

u64 cut(u64 v, unsigned size) {
    return size == 8 ? v : size == 4 ? static_cast<u32>(v) : static_cast<u16>(v);
}

}  // namespace

class RegionFinder::Search {
  public:
    Search(RegionFinder& scratch, Region& region, const u8* page, const DecodeMode& decode_mode,
           const ModeBits& mode)
        : region_(region),
          page_(page),
          decode_mode_(decode_mode),
          mode_(mode),
          code_end_(mode.code_size == 8 ? ~u64{0} : u64{1} << (8 * mode.code_size)),
          at_(scratch.at_),
          number_(scratch.number_),
          leaders_(scratch.leaders_),
          external_(scratch.external_),
          found_(scratch.found_),
          marked_(scratch.marked_),
          work_(scratch.work_),
          state_(scratch.state_),
          visits_(scratch.visits_) {}

    bool run(u32 entry) {
        mark(entry, true);
        work_.push_back(entry);
        while (!work_.empty()) {
            const u32 offset = work_.back();
            work_.pop_back();
            follow(offset);
        }
        const bool any = at_[entry] != kNone;
        if (any) {
            make_blocks();
            find_polls();
        }
        clear();
        return any;
    }

  private:
    static constexpr u8 kNew = 0, kOpen = 1, kFinished = 2;

    void mark(u32 offset, bool external) {
        leaders_[offset / 64] |= u64{1} << (offset % 64);
        if (external) external_[offset] = true;
    }

    // Offset in the page of the branch target, if it is in the page and no wrapping was needed on the way.
    bool target_in_page(u32 end, const Insn& i, u32& offset) const {
        const u64 rip = region_.page_rip + end;
        const u64 target = cut(rip + i.imm, i.osize);
        const u64 distance = target - region_.page_rip;
        offset = static_cast<u32>(distance);
        return distance < kPageSize;
    }

    void follow(u32 offset) {
        while (offset < kPageSize) {
            if (at_[offset] != kNone) {
                // Reached on two ways.
                mark(offset, false);
                if (any_shadow_ && shadows(found_.back().insn) && end_of(found_.back()) == offset)
                    found_.push_back(found_[at_[offset]]);
                return;
            }
            if (found_.size() >= kMaxRegionInstructions) return;
            Entry& e = found_.next();
            e.step = nullptr;
            e.slow = nullptr;
            // Made where it stays: a copy would wait for all that was just written.
            const Insn& i = e.insn;
            const DecodeStatus status = decode({page_ + offset, kPageSize - offset}, decode_mode_, e.insn);
            if (status == DecodeStatus::truncated) return found_.pop_back();
            if (status != DecodeStatus::ok) {
                // What is not valid looks like the operation it would be.
                e.insn.op = Op::INVALID;
                select_step(e, status, Site{.stack_size = mode_.stack_size, .in_page = false});
            }
            const u32 end = offset + i.length;
            // IP can wrap inside the page when CS is not aligned.
            if (region_.page_rip + end > code_end_) return found_.pop_back();
            e.offset = static_cast<u16>(offset);
            at_[offset] = static_cast<u16>(found_.size() - 1);
            if (!ends(i)) {
                any_shadow_ |= shadows(i);
                offset = end;
                continue;
            }
            if (status != DecodeStatus::ok || mode_.unspanned) return;
            if (direct_branch(i.op)) {
                u32 target;
                if (target_in_page(end, i, target) && i.op != Op::CALL) {
                    mark(target, false);
                    work_.push_back(target);
                }
            }
            if (never_falls_through(i) || end >= kPageSize) return;
            mark(end, i.op == Op::CALL || i.op == Op::CALL_IND);
            offset = end;
        }
    }

    // The instruction behind STI is of its block, and once more of the one that it leads: interrupts wait for
    // it. What follows it leads a block as well.
    void extend_shadows() {
        for (u32 n = 0; n + 1 < found_.size(); ++n) {
            const Entry& next = found_[n + 1];
            if (!shadows(found_[n].insn) || next.offset != end_of(found_[n]) || !leads(next.offset)) continue;
            const u32 behind = end_of(next);
            if (!ends(next.insn) && behind < kPageSize && at_[behind] != kNone) mark(behind, false);
        }
    }

    void make_blocks() {
        if (any_shadow_) extend_shadows();
        marked_.clear();
        for (u32 word = 0; word < leaders_.size(); ++word) {
            for (u64 bits = leaders_[word]; bits != 0; bits &= bits - 1) {
                const u32 offset = 64 * word + static_cast<u32>(std::countr_zero(bits));
                if (at_[offset] == kNone) continue;
                number_[offset] = static_cast<u16>(marked_.size());
                marked_.push_back(offset);
            }
        }
        // Of an offset where code was found.
        const auto block_at = [this](u32 offset) {
            return leads(offset) && at_[offset] != kNone ? number_[offset] : kNoBlock;
        };
        region_.insns.assign(found_.begin(), found_.end());
        region_.blocks.resize(marked_.size());
        Entry* const begin = region_.insns.data();
        const Entry* const end = begin + region_.insns.size();
        RegionBlock* block = region_.blocks.data();
        for (const u32 start : marked_) {
            RegionBlock& b = *block++;
            b.first = at_[start];
            b.begin = static_cast<u16>(start);
            b.external = external_[start];
            // Instructions that follow each other were found one after the other, or the second leads a
            // block.
            u32 offset = start, count = 0;
            Entry* e = begin + b.first;
            do {
                e->index = static_cast<u16>(count++);
                offset += e->insn.length;
                ++e;
            } while (e != end && e->offset == offset && (!leads(offset) || shadows(e[-1].insn)));
            b.count = count;
            const Insn& i = e[-1].insn;
            const bool ended = ends(i);
            b.end = static_cast<u16>(offset);
            const bool falls = !ended || !never_falls_through(i);
            if (falls && offset < kPageSize) b.next = block_at(offset);
            // What a repeated instruction leaves of the budget is not known.
            if (b.next != kNoBlock && i.has(insn_flag::rep | insn_flag::repne))
                region_.blocks[b.next].poll = true;
            // Behind it something is that could not be decoded here.
            b.truncated = falls && b.next == kNoBlock;
            if (ended && direct_branch(i.op) && i.op != Op::CALL) {
                u32 target;
                if (target_in_page(offset, i, target)) b.taken = block_at(target);
            }
        }
    }

    void clear() {
        for (const Entry& e : found_) at_[e.offset] = kNone;
        leaders_.fill(0);
        external_.reset();
        found_.clear();
    }

    bool leads(u32 offset) const { return leaders_[offset / 64] >> (offset % 64) & 1; }

    static u32 end_of(const Entry& e) { return e.offset + u32{e.insn.length}; }

    // STI whose shadow the translator sees to.
    bool shadows(const Insn& i) const { return i.op == Op::STI && mode_.supervisor; }

    // Does a block end with it?
    bool ends(const Insn& i) const { return ends_block(i) && !shadows(i); }

    // Every cycle has a block that looks at the budget: targets of the edges that go back in a depth-first
    // walk.
    void find_polls() {
        auto& blocks = region_.blocks;
        state_.assign(blocks.size(), kNew);
        visits_.resize(blocks.size());
        for (u32 n = 0; n < blocks.size(); ++n) {
            if (state_[n] == kNew) walk(n);
        }
    }

    void walk(u32 root) {
        // By pointers: states are bytes, and whatever is behind a member might be one.
        RegionBlock* const blocks = region_.blocks.data();
        u8* const state = state_.data();
        Visit* const bottom = visits_.data();
        Visit* top = bottom;
        *top = {root, 0};
        state[root] = kOpen;
        while (true) {
            RegionBlock& b = blocks[top->block];
            if (top->edge == 2) {
                // Where its edges lead is finished, or polls.
                b.need = b.count + std::max(need_at(b.next), need_at(b.taken));
                state[top->block] = kFinished;
                if (top == bottom) return;
                --top;
                continue;
            }
            const u32 to = top->edge++ == 0 ? b.next : b.taken;
            if (to == kNoBlock) continue;
            if (state[to] == kOpen) blocks[to].poll = true;
            if (state[to] != kNew) continue;
            state[to] = kOpen;
            *++top = {to, 0};
        }
    }

    u32 need_at(u32 n) const { return n == kNoBlock || region_.blocks[n].poll ? 0 : region_.blocks[n].need; }

    Region& region_;
    const u8* page_;
    const DecodeMode& decode_mode_;
    const ModeBits& mode_;
    const u64 code_end_;
    std::array<u16, kPageSize>& at_;
    std::array<u16, kPageSize>& number_;
    std::array<u64, kPageSize / 64>& leaders_;
    std::bitset<kPageSize>& external_;
    ReusedList<Entry>& found_;
    std::vector<u32>& marked_;
    std::vector<u32>& work_;
    std::vector<u8>& state_;
    std::vector<Visit>& visits_;
    bool any_shadow_ = false;
};

RegionFinder::RegionFinder() {
    at_.fill(kNone);
}

bool RegionFinder::find(Region& region, const u8* page, u32 entry, const DecodeMode& decode_mode,
                        const ModeBits& mode) {
    region.stack_size = mode.stack_size;
    return Search(*this, region, page, decode_mode, mode).run(entry);
}

bool straddling_region(Region& region, std::span<const u8> bytes, u32 entry, const DecodeMode& decode_mode,
                       const ModeBits& mode) {
    Entry e{};
    const DecodeStatus status = decode(bytes, decode_mode, e.insn);
    const u32 end = entry + e.insn.length;
    if (status != DecodeStatus::ok || end <= kPageSize) return false;
    if (mode.code_size != 8 && region.page_rip + end > u64{1} << (8 * mode.code_size)) return false;
    e.offset = static_cast<u16>(entry);
    e.index = 0;
    region.stack_size = mode.stack_size;
    region.insns = {e};
    region.straddles = end - static_cast<u32>(kPageSize);
    RegionBlock b;
    b.count = b.need = 1;
    b.begin = static_cast<u16>(entry);
    b.end = static_cast<u16>(end);
    b.external = b.poll = b.truncated = true;
    region.blocks = {b};
    return true;
}

bool never_falls_through(const Insn& i) {
    switch (i.op) {
        case Op::JMP:
        case Op::JMP_IND:
        case Op::RET:
        case Op::JMP_FAR:
        case Op::JMP_FAR_IND:
        case Op::CALL_FAR:
        case Op::CALL_FAR_IND:
        case Op::RET_FAR:
        case Op::IRET:
        case Op::INT:
        case Op::INT3:
        case Op::INT1:
        case Op::UD0:
        case Op::UD1:
        case Op::UD2:
        case Op::HLT:
        case Op::SYSCALL:
        case Op::SYSRET:
        case Op::SYSENTER:
        case Op::SYSEXIT:
        case Op::RSM:
            return true;
        default:
            return false;
    }
}

FlagUse flag_use(const Insn& i) {
    const InsnRow& row = row_of(i);
    FlagUse f;
    f.written = (row.flags_written | row.flags_undefined) & eflags::arithmetic;
    f.read = row.flags_read & eflags::arithmetic;
    if (i.op == Op::JCC || i.op == Op::SETCC || i.op == Op::CMOVCC) f.read = condition_flags(i.cond);
    // By a count of 0 they keep everything.
    const bool shift = i.op >= Op::ROL && i.op <= Op::SHRD;
    if (shift && row.operands[i.op >= Op::SHLD ? 2 : 1].kind == OperandKind::gpr) f.written = 0;
    if (shift && row.operands[i.op >= Op::SHLD ? 2 : 1].kind == OperandKind::I && (i.imm & 31) == 0)
        f.written = 0;
    // DIV and IDIV keep all, the BT family all but CF.
    if (i.op == Op::DIV || i.op == Op::IDIV) f.written = 0;
    if (i.op >= Op::BT && i.op <= Op::BTC) f.written = eflags::cf;
    return f;
}

u32 named_written(const Insn& i) {
    const RegisterWrites& w = row_of(i).writes;
    // AH to BH are of the first four.
    const auto bit = [](bool written, unsigned g) { return static_cast<u32>(written) << g % kHighByte; };
    return w.fixed | bit(w.reg, i.reg) | bit(w.rm && !i.memory(), i.rm) | bit(w.vvvv, i.vvvv);
}

const Entry& select(Region& region, Entry& e) {
    if (e.step == nullptr)
        select_step(e, DecodeStatus::ok, Site{.stack_size = region.stack_size, .in_page = false});
    return e;
}

bool can_leave(const Entry& e) {
    if (e.step == call_handler || e.step == call_handler_last) {
        // Those that the translator knows to be harmless.
        switch (e.insn.op) {
            case Op::BSF:
            case Op::BSR:
            case Op::POPCNT:
            case Op::TZCNT:
            case Op::LZCNT:
            case Op::BSWAP:
                return e.insn.memory();
            default:
                return true;
        }
    }
    const InsnRow& row = row_of(e.insn);
    if (row.memory != MemoryClass::stack && e.slow != nullptr && !e.insn.memory()) return false;
    return row.has(row_attr::fault) || (e.insn.memory() && !row.has(row_attr::no_access));
}

bool flags_dead_behind(Region& region, const RegionBlock& block, u32 index) {
    u32 live = eflags::arithmetic;
    for (u32 n = index + 1; n < block.count; ++n) {
        const Entry& e = select(region, region.insns[block.first + n]);
        if (can_leave(e)) return false;
        const FlagUse use = flag_use(e.insn);
        if (use.read & live) return false;
        live &= ~use.written;
        if (live == 0) return true;
    }
    return false;
}

}  // namespace mynah
