// What translated code calls: TLB misses, instructions for the interpreter, jumps to what is not known yet.
#include "cpu/interp/interrupts.h"
#include "cpu/interp/steps.h"
#include "cpu/system/descriptor.h"
#include "jit/engine.h"
#include "jit/flags_image.h"

namespace mynah {

namespace {

// From here on the list has the units' instructions and those that save and load them.
bool may_use_x87(Op op) {
    return op >= Op::FXSAVE;
}

// Not all that do not, but those that are frequent.
bool may_use_flags(Op op) {
    switch (op) {
        case Op::SYSENTER:
        case Op::SYSEXIT:
        case Op::MOV_SREG_RM:
        case Op::POP_SREG:
        case Op::LODS:
        case Op::STOS:
        case Op::MOVS:
        case Op::IN:
        case Op::OUT:
            return false;
        default:
            return true;
    }
}

}  // namespace

x64::Outcome JitEngine::on_miss(void* self, u32 site, u64 linear) {
    JitEngine& e = *static_cast<JitEngine*>(self);
    return e.miss(e.sites_[site], linear);
}
x64::Outcome JitEngine::on_stack_range(void* self, u32 site, u64 linear) {
    JitEngine& e = *static_cast<JitEngine*>(self);
    return e.stack_range(e.sites_[site], linear);
}
x64::Outcome JitEngine::on_interpret(void* self, u32 site) {
    JitEngine& e = *static_cast<JitEngine*>(self);
    return e.interpret(e.sites_[site], e.core_.mmu.stack_page_changes());
}
bool JitEngine::on_operate(void* self, u32 site) {
    JitEngine& e = *static_cast<JitEngine*>(self);
    return e.operate(e.sites_[site]);
}
const u8* JitEngine::on_transfer(void* self, u32 site) {
    JitEngine& e = *static_cast<JitEngine*>(self);
    return e.transfer(e.sites_[site]);
}
x64::Outcome JitEngine::on_attend(void* self, u32 site) {
    JitEngine& e = *static_cast<JitEngine*>(self);
    Core& c = e.core_;
    if (!c.attention && nothing_to_attend(c)) {
        c.interrupt_waits = false;
        return {x64::Outcome::behind};
    }
    const CallSite& s = e.sites_[site];
    Core::Accelerated& a = c.accelerated;
    a.budget += s.given_back - 1;
    c.retired = e.limit_ - a.budget;
    c.state.rip = (s.rip + s.entry->insn.length) & c.rip_mask;
    c.state.interrupt_shadow = s.shadow;
    return e.go_on();
}
const u8* JitEngine::on_lookup(void* self) {
    JitEngine& e = *static_cast<JitEngine*>(self);
    return e.lookup(e.core_.state.rip);
}
const u8* JitEngine::on_link(void* self, u32 link) {
    JitEngine& e = *static_cast<JitEngine*>(self);
    return e.link(e.links_[link]);
}

void JitEngine::on_load_x87(void* self) {
    static_cast<JitEngine*>(self)->load_x87();
}

x64::Outcome JitEngine::miss(const CallSite& site, u64 linear) {
    ++counters_.misses;
    if (site.span) return span_miss(site, linear);
    const Access access = site.write ? Access::write : Access::read;
    Mmu& mmu = core_.mmu;
    const u64 stack_page = mmu.stack_page_changes();
    const u64 in_page = linear & kPageMask;
    const bool canonical = !core_.mode.code64() || sign_extend(linear, 48) == linear;
    if (canonical && in_page + site.size <= kPageSize && mmu.translate(linear, access, mmu.privilege()).ok) {
        // Walking may have set accessed bits, and what observes that table may want a look.
        u8* host = site.write ? mmu.fast_write(linear, site.size)
                              : const_cast<u8*>(mmu.fast_read(linear, site.size));
        if (host == nullptr && site.write) host = beside_code(linear, site.size);
        const bool same =
            epoch_seen_ == mmu.code_epoch() && (!site.relies || stack_page == mmu.stack_page_changes());
        if (host != nullptr && !core_.attention && same)
            return {x64::Outcome::address, reinterpret_cast<u64>(host)};
    }
    return interpret(site, stack_page);
}

// Nothing to call it by: the span's accesses are looked up one by one.
x64::Outcome JitEngine::span_miss(const CallSite& site, u64 linear) {
    const u64 before = core_.mmu.stack_page_changes();
    Mmu& mmu = core_.mmu;
    const bool canonical = !core_.mode.code64() || sign_extend(linear, 48) == linear;
    const Access access = site.span_writes ? Access::write : Access::read;
    if (canonical && mmu.translate(linear + site.span_at, access, mmu.privilege()).ok) {
        // A page that is only read so far must not become dirty.
        const u8* host = site.write ? mmu.fast_write(linear, site.size) : mmu.fast_read(linear, site.size);
        const bool same = epoch_seen_ == mmu.code_epoch() && before == mmu.stack_page_changes();
        if (host != nullptr && !core_.attention && same)
            return {x64::Outcome::address, reinterpret_cast<u64>(host)};
    }
    if (!core_.attention && epoch_seen_ == mmu.code_epoch()) return {x64::Outcome::behind};
    core_.accelerated.budget += site.given_back;
    core_.retired = limit_ - core_.accelerated.budget;
    core_.state.rip = site.rip & core_.rip_mask;
    return go_on();
}

x64::Outcome JitEngine::stack_range(const CallSite& site, u64 linear) {
    constexpr u32 kOften = 16;
    ++counters_.misses;
    Mmu& mmu = core_.mmu;
    const bool canonical = !core_.mode.code64() || sign_extend(linear, 48) == linear;
    const bool one_page = (linear & kPageMask) + site.size <= kPageSize;
    // A page that is only read so far must not become dirty.
    const Access access = site.write ? Access::write : Access::read;
    if (canonical && one_page && mmu.translate(linear, access, mmu.privilege()).ok) {
        if (mmu.use_stack_page(linear) && !core_.attention && epoch_seen_ == mmu.code_epoch())
            return {x64::Outcome::address, mmu.stack_page().host + (linear & kPageMask)};
    }
    // This instruction, and on from the next; if that happens often, with a check for each access.
    if (++site.region->stack_misses == kOften && !site.region->dead) {
        unhoisted_.insert(site.region->frame);
        kill(*site.region);
    }
    return elsewhere(site);
}

u8* JitEngine::beside_code(u64 linear, u64 length) {
    constexpr u8 kCode = frame_flag::code | frame_flag::translated;
    const Translation t = core_.mmu.translate(linear, Access::write, core_.mmu.privilege());
    const PhysicalAddress frame = t.address & ~kPageMask;
    const u8 flags = memory_.flags(frame);
    if (!t.ok || flags == 0 || (flags & ~kCode) != 0 || near_code(t.address, length)) return nullptr;
    // Code that nobody runs any more must not slow the page's next use down: what is still alive comes back.
    Page& known = pages_[frame];
    if (++known.beside > known.beside_limit) {
        known.beside = 0;
        known.beside_limit *= 16;
        memory_.notify_written(frame, kPageSize);
        return nullptr;
    }
    u8* page = memory_.write_target(frame).host;
    return page == nullptr ? nullptr : page + (t.address & kPageMask);
}

void JitEngine::execute(const CallSite& site) {
    Core& c = core_;
    Core::Accelerated& a = c.accelerated;
    ++counters_.interpreted;
    const Entry& e = select(site);
    ++counters_.interpreted_by_op[static_cast<size_t>(e.insn.op)];
    const u64 rip = site.rip & c.rip_mask;
    settle_x87_pointers();
    const bool units = may_use_x87(e.insn.op);
    if (units && a.x87_loaded) store_x87();
    const bool flags = may_use_flags(e.insn.op);
    if (flags) c.state.flags.set(unpack_flags(a.flags));
    c.rip = rip;
    c.next_rip = rip + e.insn.length;
    c.retired = limit_ - a.budget - site.given_back;
    const bool handler = e.step == call_handler || e.step == call_handler_last;
    c.block_rip = rip;
    c.block_retired = c.retired;
    c.block = &single_block_;
    if (handler) {
        c.current = nullptr;
        c.block_limit = limit_;
        (void)e.handler(c, e.insn);
        if (c.faulted) {
            c.state.rip = rip;
        } else {
            c.state.rip = c.next_rip & c.rip_mask;
            ++c.retired;
        }
    } else {
        single_[0] = e;
        single_[0].offset = 0;
        single_[0].index = 0;
        single_[1].step = stop_here;
        single_[1].insn.length = 0;
        single_[1].offset = e.insn.length;
        single_[1].index = 1;
        single_block_.entries = single_;
        single_block_.count = 1;
        c.block_limit = c.retired + 1;
        for (const Entry* s = single_; s != nullptr;) s = s->step(c, s);
        c.current = nullptr;
    }
    c.block = nullptr;
    if (flags) a.flags = pack_flags(c.state.flags.get());
    if (units && units_changed()) ++a.mode_changes;
}

bool JitEngine::operate(const CallSite& site) {
    Core& c = core_;
    const Entry& e = select(site);
    const Insn& i = e.insn;
    const auto selector = static_cast<u16>(c.accelerated.value[0]);
    switch (i.op) {
        case Op::MOV_SREG_RM:
            return reload_segment(c, static_cast<Seg>(i.reg), selector);
        case Op::POP_SREG:
            return reload_segment(c, static_cast<Seg>(i.opcode >> 3 & 7), selector);
        case Op::RDTSC:
        case Op::RDTSCP:
            if ((c.state.cr4 & cr4::tsd) && c.cpl() != 0) return false;
            break;
        default:
            break;
    }
    c.retired = limit_ - c.accelerated.budget - site.given_back;
    c.current = nullptr;
    (void)e.handler(c, i);
    return true;
}

x64::Outcome JitEngine::interpret(const CallSite& site, u64 stack_page) {
    Core& c = core_;
    Core::Accelerated& a = c.accelerated;
    execute(site);
    const u64 behind = site.rip + site.entry->insn.length;
    const u64 given_back = site.given_back - 1;
    const bool straight = !c.faulted && !c.attention && c.state.rip == (behind & c.rip_mask) &&
                          limit_ - c.retired >= given_back && mode_seen_ == a.mode_changes &&
                          epoch_seen_ == c.mmu.code_epoch() &&
                          (!site.relies || stack_page == c.mmu.stack_page_changes()) && !site.checks;
    if (!straight) {
        a.budget = limit_ - c.retired;
        return go_on();
    }
    a.budget = limit_ - c.retired - given_back;
    if (site.x87 && !a.x87_loaded) load_x87();
    return {x64::Outcome::behind};
}

x64::Outcome JitEngine::elsewhere(const CallSite& site) {
    execute(site);
    core_.accelerated.budget = limit_ - core_.retired;
    return go_on();
}

const u8* JitEngine::transfer(const CallSite& site) {
    const x64::Outcome o = elsewhere(site);
    return o.kind == x64::Outcome::jump ? reinterpret_cast<const u8*>(o.value) : nullptr;
}

x64::Outcome JitEngine::go_on() {
    Core& c = core_;
    constexpr x64::Outcome kLeave{x64::Outcome::leave};
    if (c.faulted && !flush_ && !unwind_) {
        c.state.flags.set(unpack_flags(c.accelerated.flags));
        // A storm is the run loop's, and so is a shutdown.
        if (c.storm.at == c.retired || !deliver_latched(c)) {
            c.attention = true;
            return kLeave;
        }
        c.accelerated.budget = limit_ - c.retired;
        c.accelerated.flags = pack_flags(c.state.flags.get());
    }
    // RF means nothing without breakpoints, and any instruction clears it.
    u32& eflags = c.state.eflags;
    const u32 rf = (c.state.dr[7] & 0xFF) == 0 ? eflags & eflags::rf : 0;
    eflags &= ~rf;
    if (flush_ || unwind_ || c.stop_at != stop_at_ || c.retired >= limit_ || !nothing_to_attend(c)) {
        eflags |= rf;
        c.attention = true;
        return kLeave;
    }
    c.attention = false;
    c.interrupt_waits = !(eflags & eflags::intr) && interrupt_pending(c);
    renew_space();
    if (translatable()) {
        const u64 rip = c.state.rip;
        const auto* targets = static_cast<const x64::Target*>(c.accelerated.targets);
        // Its code looks at the budget itself, and leaves if that is too small.
        for (const u32 index : {x64::target_index(rip), x64::victim_index(rip)}) {
            const x64::Target& t = targets[index];
            if (t.key == (rip ^ c.accelerated.space) && rf == 0)
                return {x64::Outcome::jump, reinterpret_cast<u64>(t.code)};
        }
        const u8* host = fetch(rip, nullptr);
        // Fetching may have set accessed bits.
        renew_space();
        const Found f = host == nullptr ? Found{} : find(host, rip);
        if (f.code != nullptr && !c.attention && limit_ - c.retired >= f.need) {
            remember_target(rip, f.code);
            return {x64::Outcome::jump, reinterpret_cast<u64>(f.code)};
        }
    }
    eflags |= rf;
    if (rf != 0) c.attention = true;
    return kLeave;
}

void JitEngine::remember_target(u64 rip, const u8* code) {
    const Core::Accelerated& a = core_.accelerated;
    x64::Target* const table = &targets_[recent_spaces_[0] * x64::kTable];
    x64::Target& t = table[x64::target_index(rip)];
    const x64::Target now{rip ^ a.space, code};
    // What is of another space is of no use.
    if (t.key != now.key && (t.key ^ a.space) >> 47 == rip >> 47) table[x64::victim_index(t.key)] = t;
    t = now;
    core_.mmu.note_code(core_.code_linear(rip));
}

const u8* JitEngine::lookup(u64 rip) {
    ++counters_.lookups;
    // A fetch sets accessed bits: not before the instruction's time has come.
    if (core_.accelerated.budget == 0) return nullptr;
    const u8* host = fetch(rip, nullptr);
    renew_space();
    if (host == nullptr || core_.attention || flush_) return nullptr;
    const Found f = find(host, rip);
    if (f.code == nullptr) return nullptr;
    remember_target(rip, f.code);
    return f.code;
}

const u8* JitEngine::link(Link& l) {
    Core& c = core_;
    c.state.rip = l.rip & c.rip_mask;
    if (c.attention || flush_ || l.from->dead) return nullptr;
    const u8* host = l.from->key.host + static_cast<i64>(l.rip - l.from->key.rip);
    const Found f = l.unspanned ? find_unspanned(host, l) : find(host, l.rip);
    if (f.code == nullptr) return nullptr;
    patch(l, f.code);
    l.to = f.region;
    f.region->incoming.push_back(&l);
    ++counters_.links;
    return f.code;
}

void JitEngine::patch(Link& l, const u8* target) {
    const u8* from = l.jump + (code_.executable() - code_.writable());
    store_le<u32>(l.jump + 1, static_cast<u32>(target - (from + 5)));
}

void JitEngine::unpatch(Link& l) {
    store_le<u32>(l.jump + 1, l.unlinked);
    l.to = nullptr;
}

}  // namespace mynah
