#include "cpu/interp/interpreter.h"

#include <algorithm>

#include "base/log.h"
#include "cpu/decoder.h"
#include "cpu/describe.h"
#include "cpu/interp/interrupts.h"
#include "cpu/interp/select.h"
#include "cpu/system/events.h"

namespace mynah {

namespace {

constexpr u64 kDr6SingleStep = 1u << 14;
constexpr unsigned kMaxLength = 15;

}  // namespace

Interpreter::Interpreter(Core& core, PhysicalMap& memory)
    : core_(core),
      memory_(memory),
      cache_(core, memory),
      tracing_(core.log.enabled(LogItem::in_asm) || core.log.enabled(LogItem::exec) ||
               core.log.enabled(LogItem::cpu)) {}

void Interpreter::request_exit() {
    core_.exit_requested = true;
    core_.attention = true;
}

void Interpreter::accelerate(Accelerator* accelerator, u32 heat) {
    accelerator_ = accelerator;
    core_.block_heat = accelerator == nullptr ? ~u32{0} : heat;
    cache_.drop_all();
}

bool Interpreter::wakeable() const {
    const CpuState& s = core_.state;
    if (s.activity == Activity::shutdown || s.activity == Activity::wait_for_sipi) return false;
    if (s.nmi_pending && !s.nmi_blocked) return true;
    if (s.pending_debug != 0) return true;
    return (s.activity == Activity::mwait_masked || (s.eflags & eflags::intr)) && interrupt_pending(core_);
}

Exit Interpreter::run(u64 budget, u64 slack) {
    Core& c = core_;
    c.stop_at = c.retired + budget;
    const u64 enough = c.stop_at - slack;
    c.attention = true;
    for (;;) {
        if (c.faulted) {
            if (!deliver_latched(c)) return Exit::shutdown;
            c.attention = true;
            continue;
        }
        if (c.attention) {
            if (const auto exit = attend()) return *exit;
            if (c.faulted) continue;
        }
        if (c.retired >= std::min(c.stop_at, enough)) return Exit::budget;
        if (careful_) {
            step_one();
        } else {
            run_blocks();
        }
    }
}

void Interpreter::visit(Archive& ar) {
    if (ar.loading()) core_.exit_requested = false;
    // Deliveries at an earlier instruction count no more.
    Core::Storm& storm = core_.storm;
    if (!ar.loading() && storm.at != core_.retired) storm = {core_.retired, 0};
    ar.all(storm.at, storm.deliveries);
}

std::optional<Exit> Interpreter::attend() {
    Core& c = core_;
    CpuState& s = c.state;
    c.attention = false;
    if (c.exit_requested) {
        c.exit_requested = false;
        c.attention = true;
        return Exit::request;
    }
    if (s.activity != Activity::running) {
        c.attention = true;
        if (s.activity == Activity::shutdown) return Exit::shutdown;
        if (!wakeable()) return Exit::halted;
        s.activity = Activity::running;
    }
    // Events come before the end of the slice: delivery is no instruction.
    if (s.pending_debug != 0 && !s.debug_shadow) {
        const Fault f{.vector = Vector::db, .trap = true, .address = s.pending_debug};
        s.pending_debug = 0;
        c.rip = c.next_rip = s.rip;
        if (!deliver_fault(c, f)) return Exit::shutdown;
        c.attention = true;
    } else if (!s.debug_shadow && !s.interrupt_shadow && s.nmi_pending && !s.nmi_blocked) {
        s.nmi_pending = false;
        s.nmi_blocked = true;
        c.rip = c.next_rip = s.rip;
        if (!deliver_interrupt(c, static_cast<u8>(Vector::nmi), InterruptKind::external))
            return Exit::shutdown;
        c.attention = true;
    } else if (!s.debug_shadow && !s.interrupt_shadow && (s.eflags & eflags::intr) && interrupt_pending(c)) {
        const u8 vector = acknowledge_interrupt(c);
        c.rip = c.next_rip = s.rip;
        if (!deliver_interrupt(c, vector, InterruptKind::external)) return Exit::shutdown;
        c.attention = true;
    }
    const bool breakpoints = (s.dr[7] & 0xFF) != 0;
    careful_ = s.debug_shadow || s.interrupt_shadow || breakpoints || tracing_ || (s.eflags & eflags::tf);
    c.interrupt_waits = interrupt_pending(c);
    return std::nullopt;
}

Block* Interpreter::find_block(bool& alone) {
    Core& c = core_;
    alone = false;
    const u64 rip = c.state.rip;
    if (!c.mode.code64() && rip >= c.code_end) {
        c.rip = c.next_rip = rip;
        c.raise(Vector::gp, 0);
        return nullptr;
    }
    const u64 linear = c.code_linear(rip);
    const u8* host = c.mmu.fast_fetch(linear);
    Block* b = host == nullptr ? nullptr : cache_.find(host, c.block_key);
    if (b == nullptr) {
        if (c.mode.code64() && sign_extend(linear, 48) != linear) {
            c.rip = c.next_rip = rip;
            c.raise(Vector::gp, 0);
            return nullptr;
        }
        const Translation t = c.mmu.translate(linear, Access::execute, c.mmu.privilege());
        if (!t.ok) {
            c.rip = c.next_rip = rip;
            c.raise(Fault{
                .vector = Vector::pf, .has_error_code = true, .error_code = t.error_code, .address = linear});
            return nullptr;
        }
        const PhysicalMap::Target target = memory_.read_target(t.address & ~kPageMask);
        if (target.host == nullptr) {
            alone = true;
            return nullptr;
        }
        host = target.host + (t.address & kPageMask);
        b = cache_.find(host, c.block_key);
        if (b == nullptr) b = cache_.build(host, t.address, c.block_key);
        if (b == nullptr) {
            alone = true;
            return nullptr;
        }
    }
    if (c.retired + b->count > c.stop_at || rip + b->bytes > c.code_end) alone = true;
    return b;
}

void Interpreter::run_blocks() {
    Core& c = core_;
    cache_.tidy();
    Block** const link = cache_.pending_link;
    cache_.pending_link = nullptr;
    bool alone;
    Block* const b = find_block(alone);
    if (c.faulted) return;
    // Without breakpoints RF means nothing; the next instruction clears it, or faults, which sets it.
    c.state.eflags &= ~eflags::rf;
    if (link != nullptr && b != nullptr && cache_.pending_rip == c.state.rip &&
        ((reinterpret_cast<u64>(b->host) ^ reinterpret_cast<u64>(cache_.pending_host)) & ~kPageMask) == 0) {
        *link = b;
    }
    if (alone) {
        if (b == nullptr && accelerator_ != nullptr && accelerator_->run_straddling()) return;
        return step_one();
    }
    if (!cools(*b) && accelerator_ != nullptr && accelerator_->run(*b)) return;
    c.block_limit = std::min(c.stop_at, c.retired + kStretch);
    c.block_limit = std::max(c.block_limit, c.retired + b->count);
    c.block = b;
    c.block_rip = c.state.rip;
    c.block_retired = c.retired;
    for (const Entry* e = b->entries; e != nullptr;) e = e->step(c, e);
}

bool Interpreter::fetch_one() {
    Core& c = core_;
    const u64 rip = c.state.rip;
    c.rip = c.next_rip = rip;
    if (!c.mode.code64() && rip >= c.code_end) return c.raise(Vector::gp, 0);
    const u64 limit = c.mode.code64() ? kMaxLength : std::min<u64>(c.code_end - rip, kMaxLength);
    u8 bytes[kMaxLength];
    unsigned have = 0;
    Entry& e = step_entries_[0];
    for (unsigned part = 0;; ++part) {
        // The bytes of one page; the second only if the decoder asks for it.
        const u64 at = c.code_linear(rip + have);
        if (c.mode.code64() && sign_extend(at, 48) != at) return c.raise(Vector::gp, 0);
        const Translation t = c.mmu.translate(at, Access::execute, c.mmu.privilege());
        if (!t.ok)
            return c.raise(Fault{
                .vector = Vector::pf, .has_error_code = true, .error_code = t.error_code, .address = at});
        const u64 n = std::min(limit - have, kPageSize - (at & kPageMask));
        const PhysicalMap::Target target = memory_.read_target(t.address & ~kPageMask);
        DecodeStatus status = DecodeStatus::truncated;
        if (target.host != nullptr) {
            std::copy_n(target.host + (t.address & kPageMask), n, bytes + have);
            have += static_cast<unsigned>(n);
            status = decode({bytes, have}, c.decode_mode, e.insn);
        } else {
            // Registers may count what is read of them: byte by byte.
            const unsigned end = have + static_cast<unsigned>(n);
            for (u64 k = 0; have < end && status == DecodeStatus::truncated; ++k) {
                bytes[have++] = static_cast<u8>(memory_.read(t.address + k, 1u));
                status = decode({bytes, have}, c.decode_mode, e.insn);
            }
        }
        if (status == DecodeStatus::truncated) {
            if (have == limit || part == 1) return c.raise(Vector::gp, 0);  // CS limit, or over 15 bytes
            continue;
        }
        e.offset = 0;
        e.index = 0;
        select_step(e, status, Site{.stack_size = c.mode.stack_size, .in_page = false});
        Entry& stop = step_entries_[1];
        stop.step = stop_here;
        stop.insn.length = 0;
        stop.offset = e.insn.length;
        stop.index = 1;
        if (tracing_) trace(c.code_linear(rip), {bytes, have});
        return true;
    }
}

void Interpreter::trace(u64 linear, std::span<const u8> bytes) {
    constexpr size_t kMostSeen = 1 << 20;
    const Core& c = core_;
    if (c.in_repeat()) return;
    if (c.log.enabled(LogItem::cpu)) {
        c.log.write(describe_registers(c.state, c.mode.cpl, c.mode.code64(), c.memory.a20()));
    }
    if (c.log.enabled(LogItem::exec)) {
        c.log(LogItem::exec, "Trace {}: {:04x}:{:08x} [{:08x}]", c.retired, c.state.seg(Seg::cs).selector,
              c.state.rip, linear);
    }
    if (!c.log.enabled(LogItem::in_asm)) return;
    // By address and bytes: other code at the same place is shown again.
    u64 key = linear;
    for (const u8 b : bytes.first(std::min<size_t>(bytes.size(), step_entries_[0].insn.length)))
        key = (key ^ b) * 0x100000001B3;
    if (seen_.size() >= kMostSeen) seen_.clear();
    if (!seen_.insert(key).second) return;
    const unsigned bits = c.mode.code64()                                                        ? 64
                          : c.state.seg(Seg::cs).big() && c.mode.protected_mode && !c.mode.v8086 ? 32
                                                                                                 : 16;
    c.log.write(c.log.disassemble(bytes, linear, bits));
}

// SDM vol. 3B 18.2.4: instruction breakpoints are faults, before anything else of the instruction.
bool Interpreter::code_breakpoint() {
    CpuState& s = core_.state;
    // Behind MOV SS they are suppressed as by RF (18.3.1.1).
    if ((s.dr[7] & 0xFF) == 0 || (s.eflags & eflags::rf) || s.debug_shadow || core_.in_repeat()) return false;
    const u64 linear = core_.code_linear(s.rip);
    u64 hits = 0;
    for (unsigned n = 0; n < 4; ++n) {
        const bool enabled = s.dr[7] >> (2 * n) & 3;
        const bool execute = (s.dr[7] >> (16 + 4 * n) & 3) == 0;
        if (enabled && execute && s.dr[n] == linear) hits |= u64{1} << n;
    }
    if (hits == 0) return false;
    core_.rip = core_.next_rip = s.rip;
    core_.raise(Fault{.vector = Vector::db, .address = hits});
    return true;
}

void Interpreter::step_one() {
    Core& c = core_;
    CpuState& s = c.state;
    c.current = nullptr;
    cache_.pending_link = nullptr;
    if (careful_ && code_breakpoint()) return;
    if (!fetch_one()) return;
    const bool trap = s.eflags & eflags::tf;
    const bool only_branches = s.msr.debugctl & debugctl::btf;
    if (careful_) {
        s.interrupt_shadow = s.debug_shadow = false;
        s.eflags &= ~eflags::rf;
    }
    step_block_ = Block{};
    step_block_.host = nullptr;
    step_block_.entries = step_entries_;
    step_block_.count = 1;
    c.block = &step_block_;
    c.block_rip = s.rip;
    c.block_retired = c.retired;
    c.block_limit = c.retired + 1;  // nothing follows
    const Entry* e = step_entries_;
    while (e != nullptr) e = e->step(c, e);
    c.block = nullptr;
    if (careful_) {
        c.attention = true;
        // A branch to the instruction behind it can't be told from one not taken.
        const u64 behind = (c.rip + step_entries_[0].insn.length) & c.rip_mask;
        const bool branched = s.rip != behind && !c.in_repeat();
        if (trap && !c.faulted && !is_software_interrupt(step_entries_[0].insn.op) &&
            (!only_branches || branched))
            s.pending_debug |= kDr6SingleStep;
    }
}

}  // namespace mynah
