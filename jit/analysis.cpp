#include "jit/analysis.h"

#include <algorithm>
#include <array>

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

class Finder {
  public:
    Finder(Region& region, const u8* page, const DecodeMode& decode_mode, const ModeBits& mode)
        : region_(region), page_(page), decode_mode_(decode_mode), mode_(mode) {
        at_.fill(kNone);
        leader_.fill(0);
    }

    bool run(u32 entry) {
        region_.insns.reserve(64);
        ends_.reserve(64);
        mark(entry, true);
        work_.push_back(entry);
        while (!work_.empty()) {
            const u32 offset = work_.back();
            work_.pop_back();
            follow(offset);
        }
        if (at_[entry] == kNone) return false;
        make_blocks();
        find_polls();
        return true;
    }

  private:
    static constexpr u8 kLeader = 1, kExternal = 2;
    static constexpr u8 kNew = 0, kOpen = 1, kFinished = 2;

    void mark(u32 offset, bool external) {
        if (leader_[offset] == 0) marked_.push_back(offset);
        leader_[offset] |= external ? kLeader | kExternal : kLeader;
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
                return;
            }
            if (region_.insns.size() >= kMaxRegionInstructions) return;
            // Made where it stays: a copy would wait for all that was just written.
            Entry& e = region_.insns.emplace_back();
            const DecodeStatus status = decode({page_ + offset, kPageSize - offset}, decode_mode_, e.insn);
            if (status == DecodeStatus::truncated) return region_.insns.pop_back();
            // What is not valid looks like the operation it would be.
            if (status != DecodeStatus::ok) e.insn.op = Op::INVALID;
            const u32 end = offset + e.insn.length;
            // IP can wrap inside the page when CS is not aligned.
            if (mode_.code_size != 8 && region_.page_rip + end > u64{1} << (8 * mode_.code_size))
                return region_.insns.pop_back();
            e.offset = static_cast<u16>(offset);
            e.index = static_cast<u16>(region_.insns.size() - 1);
            bool last = select_step(e, status, Site{.stack_size = mode_.stack_size, .in_page = false});
            // The translator sees to its shadow.
            if (status == DecodeStatus::ok && e.insn.op == Op::STI && mode_.supervisor) last = false;
            at_[offset] = e.index;
            ends_.push_back(last);
            const Insn& i = e.insn;
            if (last && status == DecodeStatus::ok && direct_branch(i.op)) {
                u32 target;
                if (target_in_page(end, i, target) && i.op != Op::CALL) {
                    mark(target, false);
                    work_.push_back(target);
                }
            }
            if (!last) {
                offset = end;
                continue;
            }
            if (status != DecodeStatus::ok || never_falls_through(i) || end >= kPageSize) return;
            mark(end, i.op == Op::CALL || i.op == Op::CALL_IND);
            offset = end;
        }
    }

    void make_blocks() {
        std::vector<u32> starts;
        for (const u32 offset : marked_) {
            if (at_[offset] != kNone) starts.push_back(offset);
        }
        std::ranges::sort(starts);
        const auto block_at = [&](u32 offset) {
            const auto at = std::ranges::lower_bound(starts, offset);
            return at == starts.end() || *at != offset ? kNoBlock : static_cast<u32>(at - starts.begin());
        };
        std::vector<Entry> ordered;
        ordered.reserve(region_.insns.size());
        for (const u32 start : starts) {
            RegionBlock b;
            b.first = static_cast<u32>(ordered.size());
            b.begin = static_cast<u16>(start);
            b.external = leader_[start] & kExternal;
            u32 offset = start;
            bool ended = false;
            for (;;) {
                const u32 n = at_[offset];
                ended = ends_[n];
                Entry& e = ordered.emplace_back(region_.insns[n]);
                e.index = static_cast<u16>(b.count++);
                offset += e.insn.length;
                if (ended || offset >= kPageSize || at_[offset] == kNone || leader_[offset]) break;
            }
            const Insn& i = ordered.back().insn;
            b.end = static_cast<u16>(offset);
            const bool falls = !ended || !never_falls_through(i);
            if (falls && offset < kPageSize) b.next = block_at(offset);
            // Behind it something is that could not be decoded here.
            b.truncated = falls && b.next == kNoBlock;
            if (ended && direct_branch(i.op) && i.op != Op::CALL) {
                u32 target;
                if (target_in_page(offset, i, target)) b.taken = block_at(target);
            }
            region_.blocks.push_back(b);
        }
        region_.insns = std::move(ordered);
    }

    // Every cycle has a block that looks at the budget: targets of the edges that go back in a depth-first
    // walk.
    void find_polls() {
        auto& blocks = region_.blocks;
        std::vector<u8> state(blocks.size(), kNew);
        for (u32 n = 0; n < blocks.size(); ++n) {
            // What a repeated instruction leaves of the budget is not known.
            const RegionBlock& b = blocks[n];
            const Entry& last = region_.insns[b.first + b.count - 1];
            if (b.next != kNoBlock && last.insn.has(insn_flag::rep | insn_flag::repne))
                blocks[b.next].poll = true;
        }
        finished_.clear();
        for (u32 n = 0; n < blocks.size(); ++n) {
            if (state[n] == kNew) walk(n, state);
        }
        for (const u32 n : finished_) {
            RegionBlock& b = blocks[n];
            u32 most = 0;
            for (const u32 s : successors(b)) {
                if (s != kNoBlock && !blocks[s].poll) most = std::max(most, blocks[s].need);
            }
            b.need = b.count + most;
        }
    }

    static std::array<u32, 2> successors(const RegionBlock& b) { return {b.next, b.taken}; }

    void walk(u32 root, std::vector<u8>& state) {
        struct Step {
            u32 block;
            unsigned edge;
        };
        std::vector<Step> stack{{root, 0}};
        state[root] = kOpen;
        while (!stack.empty()) {
            Step& top = stack.back();
            if (top.edge == 2) {
                state[top.block] = kFinished;
                finished_.push_back(top.block);
                stack.pop_back();
                continue;
            }
            const u32 to = successors(region_.blocks[top.block])[top.edge++];
            if (to == kNoBlock) continue;
            if (state[to] == kOpen) region_.blocks[to].poll = true;
            if (state[to] != kNew) continue;
            state[to] = kOpen;
            stack.push_back({to, 0});
        }
    }

    Region& region_;
    const u8* page_;
    const DecodeMode& decode_mode_;
    const ModeBits& mode_;
    std::array<u16, kPageSize> at_;  // instruction by offset
    std::array<u8, kPageSize> leader_;
    std::vector<u32> marked_;  // where leader_ is not 0
    std::vector<u8> ends_;     // whether a block ends with it
    std::vector<u32> work_;
    std::vector<u32> finished_;
};

}  // namespace

bool find_region(Region& region, const u8* page, u32 entry, const DecodeMode& decode_mode,
                 const ModeBits& mode) {
    return Finder(region, page, decode_mode, mode).run(entry);
}

bool straddling_region(Region& region, std::span<const u8> bytes, u32 entry, const DecodeMode& decode_mode,
                       const ModeBits& mode) {
    Entry e;
    const DecodeStatus status = decode(bytes, decode_mode, e.insn);
    const u32 end = entry + e.insn.length;
    if (status != DecodeStatus::ok || end <= kPageSize) return false;
    if (mode.code_size != 8 && region.page_rip + end > u64{1} << (8 * mode.code_size)) return false;
    e.offset = static_cast<u16>(entry);
    e.index = 0;
    select_step(e, status, Site{.stack_size = mode.stack_size, .in_page = false});
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

bool names_written(const Insn& i, unsigned g) {
    constexpr unsigned kNone = ~0u;
    return std::ranges::any_of(row_of(i).operands, [&](const Operand& o) {
        unsigned n = kNone;
        switch (o.kind) {
            case OperandKind::E:
                if (!i.memory()) n = i.rm;
                break;
            case OperandKind::R:
                n = i.rm;
                break;
            case OperandKind::G:
            case OperandKind::Z:
                n = i.reg;
                break;
            case OperandKind::B:
                n = i.vvvv;
                break;
            case OperandKind::gpr:
                n = o.fixed;
                break;
            default:
                break;
        }
        if (n != kNone && n >= kHighByte) n -= kHighByte;
        return o.write && n == g;
    });
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

bool flags_dead_behind(const Region& region, const RegionBlock& block, u32 index) {
    u32 live = eflags::arithmetic;
    for (u32 n = index + 1; n < block.count; ++n) {
        const Entry& e = region.insns[block.first + n];
        if (can_leave(e)) return false;
        const FlagUse use = flag_use(e.insn);
        if (use.read & live) return false;
        live &= ~use.written;
        if (live == 0) return true;
    }
    return false;
}

}  // namespace mynah
