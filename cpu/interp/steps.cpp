#include "cpu/interp/steps.h"

namespace mynah {

const Entry* leave_faulted(Core& c, const Entry* e) {
    c.rip = rip_of(c, e);
    c.next_rip = c.rip + e->insn.length;
    c.retired = c.block_retired + e->index;
    c.state.rip = c.rip;
    c.current = nullptr;
    return nullptr;
}

const Entry* leave_at(Core& c, u64 rip, u64 retired) {
    c.retired = retired;
    c.state.rip = rip & c.rip_mask;
    c.current = nullptr;
    return nullptr;
}

const Entry* leave_behind(Core& c, const Entry* e) {
    return leave_at(c, rip_of(c, e) + e->insn.length, c.block_retired + e->index + 1);
}

const Entry* leave_for_link(Core& c, u64 rip, u64 retired, Block** link) {
    c.blocks->pending_link = link;
    c.blocks->pending_host = c.block->host;
    c.blocks->pending_rip = rip;
    return leave_at(c, rip, retired);
}

const Entry* enter_anywhere(Core& c, u64 rip, u64 retired) {
    if (!c.attention) [[likely]] {
        if (const u8* host = c.mmu.fast_fetch(c.code_linear(rip))) [[likely]] {
            const Block* b = c.blocks->find(host, c.block_key);
            if (link_serves(c, b, rip, retired)) [[likely]] {
                return enter_block(c, b, rip, retired);
            }
        }
    }
    return leave_at(c, rip, retired);
}

const Entry* call_handler(Core& c, const Entry* e) {
    c.rip = rip_of(c, e);
    c.next_rip = c.rip + e->insn.length;
    c.retired = c.block_retired + e->index;
    c.current = nullptr;
    if (e->handler(c, e->insn) && !c.attention) [[likely]]
        return go_on(c, e + 1);
    if (c.faulted) return leave_faulted(c, e);
    return leave_at(c, c.next_rip, c.retired + 1);
}

const Entry* call_handler_last(Core& c, const Entry* e) {
    c.rip = rip_of(c, e);
    c.next_rip = c.rip + e->insn.length;
    c.retired = c.block_retired + e->index;
    c.current = nullptr;
    const bool go = e->handler(c, e->insn);
    if (c.faulted) return leave_faulted(c, e);
    if (!go) return leave_at(c, c.next_rip, c.retired + 1);
    return enter_anywhere(c, c.next_rip, c.retired + 1);
}

const Entry* fall_through(Core& c, const Entry* e) {
    const u64 rip = rip_of(c, e);
    const u64 retired = c.block_retired + e->index;
    if ((reinterpret_cast<u64>(c.block->host) & kPageMask) + e->offset < kPageSize)
        return enter_linked(c, rip, retired, &c.block->fallthrough);
    return enter_anywhere(c, rip, retired);
}

const Entry* stop_here(Core& c, const Entry* e) {
    return leave_at(c, rip_of(c, e), c.block_retired + e->index);
}

}  // namespace mynah
